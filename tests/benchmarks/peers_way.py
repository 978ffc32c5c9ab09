"""How research repositories do it: fp32, NCHW, eager, torch's default Adam, one picture at a time, all in line.

The networks and the weights are ours, so that only the way differs.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn


class PeersPix2Pix:
    """A Pix2Pix step as it is usually written: one optimizer each, discriminator frozen by requires_grad."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        self.generator, self.discriminator = generator.train(), discriminator.train()
        self.generator_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def step(self, source: Tensor, target: Tensor) -> None:
        fake = self.generator(source)

        self._freeze(False)
        self.discriminator_optimizer.zero_grad()
        fake_score = self.discriminator(torch.cat([source, fake.detach()], 1))
        real_score = self.discriminator(torch.cat([source, target], 1))
        loss = 0.5 * (self._cross_entropy(fake_score, 0.0) + self._cross_entropy(real_score, 1.0))
        loss.backward()
        self.discriminator_optimizer.step()

        self._freeze(True)
        self.generator_optimizer.zero_grad()
        fooled = self._cross_entropy(self.discriminator(torch.cat([source, fake], 1)), 1.0)
        (fooled + 100 * F.l1_loss(fake, target)).backward()
        self.generator_optimizer.step()

    def _freeze(self, frozen: bool) -> None:
        for parameter in self.discriminator.parameters():
            parameter.requires_grad = not frozen

    def _cross_entropy(self, score: Tensor, label: float) -> Tensor:
        return F.binary_cross_entropy_with_logits(score, torch.full_like(score, label))


class PeersDCGAN:
    """A DCGAN step as PyTorch's own example writes it: three backward passes, the discriminator never frozen."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, latent: int) -> None:
        self.generator, self.discriminator, self.latent = generator.train(), discriminator.train(), latent
        self.generator_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def step(self, real: Tensor, label: Tensor) -> None:
        self.discriminator.zero_grad()
        self._cross_entropy(self.discriminator(real, label), 1.0).backward()
        fake = torch.tanh(self.generator(torch.randn(len(real), self.latent), label))
        self._cross_entropy(self.discriminator(fake.detach(), label), 0.0).backward()
        self.discriminator_optimizer.step()

        self.generator.zero_grad()
        self._cross_entropy(self.discriminator(fake, label), 1.0).backward()
        self.generator_optimizer.step()

    def _cross_entropy(self, score: Tensor, label: float) -> Tensor:
        return F.binary_cross_entropy_with_logits(score, torch.full_like(score, label))


@torch.no_grad()
def peers_folder(generator: nn.Module, source: Path, destination: Path) -> None:
    """Load, run and save each picture in line, as 8-bit RGB."""
    destination.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        pixels = np.array(Image.open(path).convert("RGB"))
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
        output = generator(image)[0]
        made = ((output.permute(1, 2, 0).numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8)
        Image.fromarray(made).save(destination / path.name)
