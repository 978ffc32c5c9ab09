"""Bicubic enlargement as a translator: what every learned one has to beat.

Keys 1981, doi:10.1109/TASSP.1981.1163711, with a = -0.5 as MATLAB has it; beyond its border a picture goes on as in a
mirror that repeats the border's pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.contract import Translator

REACH = 2  # input pixels that the kernel looks around


class BicubicUpscaler(Translator):
    """Enlarges by `scale`, and learns nothing."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.margin = REACH

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """(B, 3, H, W) in [-1, 1] to (B, 3, scale * H, scale * W); it may overshoot."""
        around = mirrored(mirrored(image.float(), 2), 3)
        size = [self.scale * side for side in around.shape[-2:]]
        # "antialias" chooses a = -0.5, for growing too; without it, it would be -0.75.
        larger = F.interpolate(around, size=size, mode="bicubic", antialias=True)
        cut = REACH * self.scale
        return larger[..., cut:-cut, cut:-cut]


def mirrored(image: Tensor, axis: int) -> Tensor:
    """(B, C, H, W) with `REACH` pixels more at both ends of an axis, the border's own pixel first."""
    side = image.shape[axis]
    places = torch.arange(-REACH, side + REACH, device=image.device) % (2 * side)
    return image.index_select(axis, torch.where(places < side, places, 2 * side - 1 - places))
