"""The latent that suits a picture, of a model without an encoder: by gradient descent on the latent.

Creswell, Bharath 2016, arXiv:1611.05644; clipped to the prior's box where that is uniform: Lipton, Tripathi 2017,
arXiv:1702.04782.

Differs from the papers:
- Several starts, of which the best counts: one alone is often caught.
- Adam with a rate that falls along a cosine, always for as many steps.
- Beyond the box, numbers are set to its edge and not drawn anew.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from models.contract import Sampler

STARTS = 8
STEPS = 400
RATE = 0.1

Loss = Callable[[Tensor, Tensor], Tensor]


def project(model: Sampler, image: Tensor, label: int, starts: Tensor) -> Tensor:
    """The latents, (B, latent), of (B, channels, size, size) pictures in [-1, 1]: those whose pictures are nearest.

    Args:
        model: Evaluating, its weights at rest.
        image: On the model's device.
        label: What the model is asked for meanwhile.
        starts: (K, latent), where the descent begins, for each picture.
    """
    pictures, tries = len(image), len(starts)
    latents = starts.to(image.device).repeat(pictures, 1)
    wanted = image.repeat_interleave(tries, 0)
    labels = torch.full((len(latents),), label, device=image.device)
    latents, errors = descend(model, latents, labels, lambda made, latent: _error(made, wanted))
    best = errors.view(pictures, tries).nan_to_num(math.inf).argmin(1)
    found: Tensor = latents.view(pictures, tries, -1)[torch.arange(pictures), best]
    return found


def descend(model: Sampler, starts: Tensor, labels: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """(N, latent) where descents from as many starts end, each by itself, and (N,) their losses there.

    Args:
        model: Evaluating, its weights at rest.
        starts: (N, latent) on the model's device.
        labels: (N,) what the model is asked for.
        loss: Of the pictures, (N, C, size, size), and of their latents; (N,).
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


def _error(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).square().flatten(1).mean(1)
