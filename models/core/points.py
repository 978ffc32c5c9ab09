"""Points of the plane, stored as images of two channels and a single pixel, and plots of them."""

import torch
from torch import Tensor

SIDE = 256  # pixels of a plot; chosen by eye
REACH = 1.25  # of a plot, as a factor of the largest coordinate: a quarter beyond the farthest point


def is_points(image: Tensor) -> bool:
    """Return whether (B, C, H, W) are points, not images."""
    return image.shape[1:] == (2, 1, 1)


def plot_points(points: Tensor, reach: float | None = None) -> Tensor:
    """Plot points (B, 2, 1, 1) into one image (1, 1, 256, 256) in [-1, 1], dark on white; x to the right, y up.

    `reach` is the coordinate at the plot's edges; None: a quarter beyond the farthest point. Points outside are left
    out.
    """
    coordinates = points.detach().float().flatten(1).cpu()
    edge = reach or REACH * max(float(coordinates.abs().max()), 1e-6)
    columns, rows = (((coordinates * torch.tensor([1, -1])) / edge + 1) * (SIDE / 2)).floor().long().unbind(1)
    inside = (columns >= 0) & (columns < SIDE) & (rows >= 0) & (rows < SIDE)
    counts = torch.zeros(SIDE, SIDE)
    counts.index_put_((rows[inside], columns[inside]), torch.ones(int(inside.sum())), accumulate=True)
    return (1 - 2 * (counts / 2).clamp(max=1))[None, None].to(points.device)  # two points make a pixel black
