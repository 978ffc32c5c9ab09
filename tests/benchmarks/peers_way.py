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


class PeersCycleGAN:
    """A CycleGAN step as its authors write it: discriminators frozen by requires_grad, a backward pass for each."""

    def __init__(
        self, to_a: nn.Module, to_b: nn.Module, discriminator_a: nn.Module, discriminator_b: nn.Module
    ) -> None:
        self.to_a, self.to_b, self.discriminator_a, self.discriminator_b = (
            to_a.train(),
            to_b.train(),
            discriminator_a.train(),
            discriminator_b.train(),
        )
        self.generator_optimizer = _adam(to_a, to_b)
        self.discriminator_optimizer = _adam(discriminator_a, discriminator_b)
        self.pools: tuple[list[Tensor], list[Tensor]] = ([], [])

    def step(self, a: Tensor, b: Tensor, truth: Tensor) -> None:
        fake_b = self.to_b(a)
        back_a = self.to_a(fake_b)
        fake_a = self.to_a(b)
        back_b = self.to_b(fake_a)

        self._freeze(True)
        self.generator_optimizer.zero_grad()
        loss = self._error(self.discriminator_b(fake_b), 1.0) + self._error(self.discriminator_a(fake_a), 1.0)
        loss = loss + 10 * (F.l1_loss(back_a, a) + F.l1_loss(back_b, b))
        loss = loss + 5 * (F.l1_loss(self.to_b(b), b) + F.l1_loss(self.to_a(a), a))
        loss.backward()
        self.generator_optimizer.step()

        self._freeze(False)
        self.discriminator_optimizer.zero_grad()
        for discriminator, real, fake, pool in (
            (self.discriminator_a, a, fake_a, self.pools[0]),
            (self.discriminator_b, b, fake_b, self.pools[1]),
        ):
            pool.append(fake.detach())
            seen = pool[int(torch.randint(len(pool), ()))]
            del pool[:-50]
            (0.5 * (self._error(discriminator(real), 1.0) + self._error(discriminator(seen), 0.0))).backward()
        self.discriminator_optimizer.step()

    def _freeze(self, frozen: bool) -> None:
        for parameter in (*self.discriminator_a.parameters(), *self.discriminator_b.parameters()):
            parameter.requires_grad = not frozen

    def _error(self, score: Tensor, label: float) -> Tensor:
        return F.mse_loss(score, torch.full_like(score, label))


class PeersStarGAN:
    """StarGAN's five steps of the critic and one of the generator, as its authors write them.

    The generator is differentiated in every step, and makes the fakes of its own step again.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        self.generator, self.discriminator = generator.train(), discriminator.train()
        self.generator_optimizer, self.discriminator_optimizer = _adam(generator), _adam(discriminator)

    def cycle(self, image: Tensor, label: Tensor, source: Tensor) -> None:
        for step in range(5):
            target = label[torch.randperm(len(label))]
            scores, logits = self.discriminator(image)
            loss = -scores.mean() + self._missed(logits, label)
            fake = self.generator(image, target)
            loss = loss + self.discriminator(fake.detach())[0].mean()
            share = torch.rand(len(image), 1, 1, 1)
            mixed = (share * image + (1 - share) * fake.detach()).requires_grad_()
            scores, _ = self.discriminator(mixed)
            (gradient,) = torch.autograd.grad(scores, mixed, torch.ones_like(scores), create_graph=True)
            loss = loss + 10 * ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
            self._reset()
            loss.backward()
            self.discriminator_optimizer.step()
            if step == 4:
                fake = self.generator(image, target)
                scores, logits = self.discriminator(fake)
                back = self.generator(fake, label)
                loss = -scores.mean() + self._missed(logits, target) + 10 * (back - image).abs().mean()
                self._reset()
                loss.backward()
                self.generator_optimizer.step()

    def _reset(self) -> None:
        self.generator_optimizer.zero_grad()
        self.discriminator_optimizer.zero_grad()

    def _missed(self, logits: Tensor, label: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, label, reduction="sum") / len(logits)


def _adam(*modules: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam([p for module in modules for p in module.parameters()], lr=2e-4, betas=(0.5, 0.999))


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
