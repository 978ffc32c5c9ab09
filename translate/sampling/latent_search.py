"""Find the latent of a picture, for a model without an encoder, by gradient descent on the latent.

Creswell, Bharath 2016, arXiv:1611.05644; clipped to the prior's box where that is uniform: Lipton, Tripathi 2017,
arXiv:1702.04782.

Differs from the papers:
- Several starts, of which the best result counts: a single one often ends in a poor local minimum.
- Adam with a learning rate that falls along a cosine, always for the same number of steps.
- Numbers beyond the box are set to its edge, not drawn anew.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from models.contract import Sampler

# Enough for a small GAN to find the pictures that it made itself, as a test holds.
STARTS = 8
STEPS = 400
RATE = 0.1

Loss = Callable[[Tensor, Tensor], Tensor]


def project(model: Sampler, images: Tensor, label: int, starts: Tensor) -> Tensor:
    """Return the latents, (B, latent), whose pictures have the least squared error from `images`.

    Args:
        model: In evaluation mode, its parameters without gradients.
        images: (B, channels, size, size) in [-1, 1], on the model's device.
        label: The class that the model is asked for.
        starts: (K, latent), where the descents for each picture begin.
    """
    pictures, tries = len(images), len(starts)
    latents = starts.to(images.device).repeat(pictures, 1)
    targets = images.repeat_interleave(tries, 0)
    labels = torch.full((len(latents),), label, device=images.device)
    latents, errors = descend(model, latents, labels, lambda generated, latent: _squared_error(generated, targets))
    best = errors.view(pictures, tries).nan_to_num(math.inf).argmin(1)
    found: Tensor = latents.view(pictures, tries, -1)[torch.arange(pictures), best]
    return found


def descend(model: Sampler, starts: Tensor, labels: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """Return the latents, (N, latent), where independent descents end, and their losses there, (N,).

    Args:
        model: In evaluation mode, its parameters without gradients.
        starts: (N, latent) on the model's device.
        labels: (N,), the classes that the model is asked for.
        loss: From pictures, (N, C, size, size), and their latents, (N, latent), to (N,).
    """
    latent = starts.clone().requires_grad_()
    optimizer = torch.optim.Adam([latent], lr=RATE)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 0.5 * RATE * (1 + math.cos(math.pi * step / STEPS))
        value = loss(model.generate(latent, labels), latent)
        (latent.grad,) = torch.autograd.grad(value.sum(), latent)
        optimizer.step()
        if model.prior == "uniform":
            with torch.no_grad():
                latent.clamp_(-1, 1)
    with torch.no_grad():
        return latent.detach(), loss(model.generate(latent, labels), latent)


def _squared_error(generated: Tensor, target: Tensor) -> Tensor:
    return (generated - target).square().flatten(1).mean(1)
