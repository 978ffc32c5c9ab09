"""Points of the plane as pictures of two channels and a single pixel, and plots of them."""

import torch
from torch import Tensor

SIDE = 256  # pixels of a plot
REACH = 1.25  # how far a plot reaches, in largest coordinates of its points


def is_points(image: Tensor) -> bool:
    """Whether (B, C, H, W) are points and no pictures."""
    return image.shape[1:] == (2, 1, 1)


def scatter(points: Tensor, reach: float | None = None) -> Tensor:
    """(B, 2, 1, 1) points as one picture (1, 1, 256, 256) in [-1, 1], dark on white; x to the right, y up.

    `reach` is the coordinate at its edges; None: a quarter beyond the farthest point. What lies outside is left out.
    """
    places = points.detach().float().flatten(1).cpu()
    edge = reach or REACH * max(float(places.abs().max()), 1e-6)
    columns, rows = (((places * torch.tensor([1, -1])) / edge + 1) * (SIDE / 2)).floor().long().unbind(1)
    inside = (columns >= 0) & (columns < SIDE) & (rows >= 0) & (rows < SIDE)
    counts = torch.zeros(SIDE, SIDE)
    counts.index_put_((rows[inside], columns[inside]), torch.ones(int(inside.sum())), accumulate=True)
    return (1 - 2 * (counts / 2).clamp(max=1))[None, None].to(points.device)
