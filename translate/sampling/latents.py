"""Latents: drawn from seeds, truncated, interpolated, and on a grid.

Truncation: Brock, Donahue, Simonyan 2018, arXiv:1809.11096, section 3.1. Spherical interpolation: White 2016,
arXiv:1609.04468. The grid: Kingma, Welling 2013, arXiv:1312.6114, appendix A.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from datasets.contract import derive_seed
from datasets.errors import UserError
from models.contract import Sampler

SMALLEST_TRUNCATION = 0.01  # below, nearly every number would have to be drawn again over a hundred times


def check_truncation(model: Sampler, truncation: float | None) -> None:
    """Check that a model's latents can be truncated so.

    Raises:
        UserError: They are uniform, or almost no number would be small enough.
    """
    if truncation is None:
        return
    if model.prior == "uniform":
        raise UserError("`truncation`: is for normal latents, and this model's are uniform in [-1, 1)")
    if not truncation >= SMALLEST_TRUNCATION:
        raise UserError(f"`truncation` {truncation:g}: expected {SMALLEST_TRUNCATION} or more")


def sample_latent(model: Sampler, seed: int, label: int, index: int, truncation: float | None = None) -> Tensor:
    """Return the (latent,) numbers of picture `index` of a class, on the host: a function of the arguments alone.

    With `truncation`, numbers farther from 0 than that are drawn again until they are not; the others stay.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, label, index))
    latent = model.draw(1, generator)
    while truncation is not None and bool((beyond := latent.abs() > truncation).any()):
        latent = torch.where(beyond, model.draw(1, generator), latent)
    return latent[0]


def slerp(start: Tensor, end: Tensor, fraction: float) -> Tensor:
    """Interpolate between two (latent,) on the sphere, or linearly if they are parallel.

    The mean of two normal latents is shorter than either, and unlike any that the model was trained on; the middle of
    the arc between them is not.
    """
    first, last = start.double(), end.double()
    cosine = torch.dot(first, last) / (first.norm() * last.norm()).clamp(min=1e-300)
    angle = torch.acos(cosine.clamp(-1, 1))
    if float(torch.sin(angle)) < 1e-6:
        return torch.lerp(start, end, fraction)
    weights = torch.sin((1 - fraction) * angle), torch.sin(fraction * angle)
    return ((weights[0] * first + weights[1] * last) / torch.sin(angle)).to(start.dtype)


def interpolate(model: Sampler, keyframes: Sequence[Tensor], steps: int) -> list[Tensor]:
    """Return the latents from each keyframe to the next, `steps` of them including both ends.

    Normal latents are interpolated on the sphere; uniform ones linearly, since a sphere leaves their box.
    """
    latents = [keyframes[0]]
    for start, end in itertools.pairwise(keyframes):
        for step in range(1, steps - 1):
            fraction = step / (steps - 1)
            linear = model.prior == "uniform"
            latents.append(torch.lerp(start, end, fraction) if linear else slerp(start, end, fraction))
        latents.append(end)
    return latents


def latent_grid(model: Sampler, axes: tuple[int, int], steps: int) -> Tensor:
    """Return (steps², latent), row by row from the top left: one axis grows to the right, the other upward.

    All other numbers are 0. Along each axis the values lie where the prior's cumulative probability is
    (k + ½) / steps, so that every cell has the same probability.
    """
    probabilities = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    values = (torch.special.ndtri(probabilities) if model.prior == "normal" else 2 * probabilities - 1).float()
    latents = torch.zeros(steps, steps, model.latent)
    latents[:, :, axes[0]] = values[None, :]
    latents[:, :, axes[1]] = values.flip(0)[:, None]
    return latents.flatten(0, 1)
