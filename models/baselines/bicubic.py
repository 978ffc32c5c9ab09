"""Bicubic enlargement as a translator: the baseline of every learned upscaler.

Keys 1981, doi:10.1109/TASSP.1981.1163711, with a = -0.5, as in MATLAB. The image is padded by reflection that repeats
the border pixels.

The kernel is that of `datasets.degradations.resampling`, which shrinks pictures for training with NumPy: equal but for
the rounding of float32 (under 1e-6), so that neither can replace the other bit by bit.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.contract import Translator

REACH = 2  # input pixels that the kernel takes on each side


class BicubicUpscaler(Translator):
    """Enlarges by `scale`; it has no weights."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.margin = REACH

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Enlarge (B, 3, H, W) in [-1, 1] to (B, 3, scale * H, scale * W), which may overshoot the range."""
        padded = pad_mirrored(pad_mirrored(image.float(), 2), 3)
        size = [self.scale * side for side in padded.shape[-2:]]
        # torch takes a = -0.5 with "antialias", for enlarging too, and a = -0.75 without.
        larger = F.interpolate(padded, size=size, mode="bicubic", antialias=True)
        cut = REACH * self.scale
        return larger[..., cut:-cut, cut:-cut]


def pad_mirrored(image: Tensor, axis: int) -> Tensor:
    """Pad (B, C, H, W) by `REACH` pixels at both ends of an axis, starting with the border pixel itself.

    F.pad's "reflect" skips the border pixel, and cannot pad an image by more pixels than it has.
    """
    side = image.shape[axis]
    index = torch.arange(-REACH, side + REACH, device=image.device) % (2 * side)
    return image.index_select(axis, torch.where(index < side, index, 2 * side - 1 - index))
