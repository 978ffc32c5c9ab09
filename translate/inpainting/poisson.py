"""Poisson blending: a hole keeps the gradients of its fill and meets the known picture without a step.

Perez, Gangnet, Blake 2003, doi:10.1145/882262.882269, equation 7, with the gradients of the fill as the guidance field.
Where a hole ends at the picture's border, nothing is known beyond it, and no condition holds there.

Written by hand, since `cv2.seamlessClone` works in 8 bits and shifts the colours of the fill.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

TOLERANCE = 1e-6  # of the largest residual, in the range of the picture; far below a 16-bit level, 3e-5


def blend(known: Tensor, fill: Tensor, hole: Tensor) -> Tensor:
    """Return the fill, (C, H, W), led over to the known picture around the hole, (1, H, W) of 0 and 1.

    Outside of the hole the result is the known picture. What is solved for is the difference to the fill, which is
    harmonic in the hole and given around it: by conjugate gradients, in double precision, which not every GPU has, and
    so on the CPU.
    """
    device, dtype = fill.device, fill.dtype
    known, fill, inside = known.cpu().double(), fill.cpu().double(), (hole > 0.5).cpu().double()
    step = (known - fill) * (1 - inside)
    neighbours = _sum_neighbours(torch.ones_like(inside))

    def laplacian(field: Tensor) -> Tensor:
        return inside * (neighbours * field - _sum_neighbours(field))

    residual = inside * _sum_neighbours(step)
    difference, direction = torch.zeros_like(step), residual.clone()
    energy = residual.square().sum()
    for _ in range(4 * int(inside.sum()) + 1):  # without rounding, as many steps as pixels would do
        if float(residual.abs().max()) < TOLERANCE:
            break
        curved = laplacian(direction)
        length = energy / (direction * curved).sum()
        difference += length * direction
        residual -= length * curved
        energy, before = residual.square().sum(), energy
        direction = residual + energy / before * direction
    return torch.where(inside > 0, fill + difference, known).to(dtype).to(device)


def _sum_neighbours(field: Tensor) -> Tensor:
    """Return the sum of the up to four neighbours of each pixel of (C, H, W)."""
    wide = F.pad(field, (1, 1, 1, 1))
    return wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] + wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:]
