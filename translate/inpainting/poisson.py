"""Poisson blending: a hole keeps the gradients of what was made for it, and meets what is known without a step.

Perez, Gangnet, Blake 2003, doi:10.1145/882262.882269, equation 7 with the made picture's gradients as the field. Where
a hole ends at the picture's border, nothing is known beyond it, and nothing is asked there.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

TOLERANCE = 1e-6  # of the largest residual, in the range of the picture


def blend(known: Tensor, made: Tensor, hole: Tensor) -> Tensor:
    """(C, H, W) made for a hole, (1, H, W) of 0 and 1, led over to the known picture around it; outside, the known one.

    What is solved for is the difference to what was made, which is harmonic in the hole and given around it: by
    conjugate gradients, in double precision.
    """
    inside = (hole > 0.5).double()
    step = (known.double() - made.double()) * (1 - inside)
    neighbours = _around(torch.ones_like(inside))

    def laplacian(field: Tensor) -> Tensor:
        return inside * (neighbours * field - _around(field))

    residual = inside * _around(step)
    difference, direction = torch.zeros_like(step), residual.clone()
    energy = residual.square().sum()
    for _ in range(4 * int(inside.sum()) + 1):  # without rounding, as many as there are pixels would do
        if float(residual.abs().max()) < TOLERANCE:
            break
        curved = laplacian(direction)
        length = energy / (direction * curved).sum()
        difference += length * direction
        residual -= length * curved
        energy, before = residual.square().sum(), energy
        direction = residual + energy / before * direction
    return torch.where(inside > 0, made + difference, known.double()).to(made.dtype)


def _around(field: Tensor) -> Tensor:
    """(C, H, W): the sum of the up to four neighbours of each pixel."""
    wide = F.pad(field, (1, 1, 1, 1))
    return wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] + wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:]
