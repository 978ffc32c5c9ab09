"""Latents: drawn from seeds, truncated, between two others, over a plane.

Truncation: Brock, Donahue, Simonyan 2018, arXiv:1809.11096, section 3.1. Between latents on the sphere: White 2016,
arXiv:1609.04468. The plane: Kingma, Welling 2013, arXiv:1312.6114, appendix A.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from datasets.contract import derive_seed
from datasets.errors import UserError
from models.contract import Sampler

SMALLEST_TRUNCATION = 0.01  # below, next to every number would have to be drawn anew hundreds of times


def check_truncation(model: Sampler, truncation: float | None) -> None:
    """Check that a model's latents can be drawn so.

    Raises:
        UserError: They are uniform, or next to nothing would be left.
    """
    if truncation is None:
        return
    if model.prior == "uniform":
        raise UserError("--truncation: is for normal latents, and this model's are uniform in [-1, 1)")
    if not truncation >= SMALLEST_TRUNCATION:
        raise UserError(f"--truncation {truncation:g}: expected {SMALLEST_TRUNCATION} or more")


def sample_latent(model: Sampler, seed: int, label: int, index: int, truncation: float | None = None) -> Tensor:
    """The (latent,) numbers of the picture at `index` of a class: a function of these alone, on the host.

    With `truncation`, numbers farther from 0 than that are drawn again until they are not; the others stay.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, label, index))
    latent = model.draw(1, generator)
    while truncation is not None and bool((beyond := latent.abs() > truncation).any()):
        latent = torch.where(beyond, model.draw(1, generator), latent)
    return latent[0]


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """The latent at `share` of the way on the sphere from one (latent,) to another; straight where there is no angle.

    The mean of two normal latents is shorter than either, and unlike any that was learned from; this one is not.
    """
    first, last = start.double(), end.double()
    cosine = torch.dot(first, last) / (first.norm() * last.norm()).clamp(min=1e-300)
    angle = torch.acos(cosine.clamp(-1, 1))
    if float(torch.sin(angle)) < 1e-6:
        return torch.lerp(start, end, share)
    weights = torch.sin((1 - share) * angle), torch.sin(share * angle)
    return ((weights[0] * first + weights[1] * last) / torch.sin(angle)).to(start.dtype)


def interpolate(model: Sampler, stations: Sequence[Tensor], steps: int) -> list[Tensor]:
    """From station to station, `steps` latents from each to the next, both counted.

    On the sphere where latents are normal; straight where they are uniform, since a sphere leaves their box.
    """
    latents = [stations[0]]
    for start, end in itertools.pairwise(stations):
        for step in range(1, steps - 1):
            share = step / (steps - 1)
            straight = model.prior == "uniform"
            latents.append(torch.lerp(start, end, share) if straight else slerp(start, end, share))
        latents.append(end)
    return latents


def latent_grid(model: Sampler, axes: tuple[int, int], steps: int) -> Tensor:
    """(steps², latent): row by row from the top left, the two axes to the right and upward, the others 0.

    Each axis is cut where the prior's probability is (k + ½) / steps, so that every cell weighs the same.
    """
    shares = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    values = (torch.special.ndtri(shares) if model.prior == "normal" else 2 * shares - 1).float()
    latents = torch.zeros(steps, steps, model.latent)
    latents[:, :, axes[0]] = values[None, :]
    latents[:, :, axes[1]] = values.flip(0)[:, None]
    return latents.flatten(0, 1)
