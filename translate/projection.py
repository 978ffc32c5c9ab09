"""The latent of a picture, of a model without an encoder: the one whose picture is nearest to it.

By gradient descent on the latent: Creswell, Bharath 2016, arXiv:1611.05644; clipped to the prior's box where that is
uniform: Lipton, Tripathi 2017, arXiv:1702.04782.

Differs from the papers:
- Several starts, of which the best counts: one alone is often caught.
- Adam with a rate that falls along a cosine, always for as many steps.
- Beyond the box, numbers are set to its edge and not drawn anew.
"""

import math

import torch
from torch import Tensor

from models.contract import Sampler

STARTS = 8
STEPS = 400
RATE = 0.1


def project(model: Sampler, image: Tensor, label: int, starts: Tensor) -> Tensor:
    """The latents, (B, latent), of (B, channels, size, size) pictures in [-1, 1].

    Args:
        model: Evaluating, its weights at rest.
        image: On the model's device.
        label: What the model is asked for meanwhile.
        starts: (K, latent), where the descent begins, for each picture.
    """
    pictures, tries = len(image), len(starts)
    latent = starts.to(image.device).repeat(pictures, 1).requires_grad_()
    wanted = image.repeat_interleave(tries, 0)
    labels = torch.full((len(latent),), label, device=image.device)
    optimizer = torch.optim.Adam([latent], lr=RATE)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 0.5 * RATE * (1 + math.cos(math.pi * step / STEPS))
        error = _error(model.generate(latent, labels), wanted)
        (latent.grad,) = torch.autograd.grad(error.sum(), latent)
        optimizer.step()
        if model.prior == "uniform":
            with torch.no_grad():
                latent.clamp_(-1, 1)
    with torch.no_grad():
        errors = _error(model.generate(latent, labels), wanted).view(pictures, tries)
        best = errors.nan_to_num(math.inf).argmin(1)
        found: Tensor = latent.detach().view(pictures, tries, -1)[torch.arange(pictures), best]
    return found


def _error(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).square().flatten(1).mean(1)
