"""Five photographs of different sizes, odd ones among them, on which every export is compared with its model.

They are parts, reduced, of photographs that are free of copyright: "chelsea" by Stéfan van der Walt and "coffee" by
Rachel Michetti (both CC0), and NASA's portrait of Eileen Collins (public domain).
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.codecs.images import read_picture
from datasets.pixels import convert_channels, to_floats, to_tensor
from models.contract import Translator

NAMES = ("cat", "fur", "cup", "helmet", "face")
# At least so many times the multiple that a network needs, so that five pictures have five sizes.
TIMES = ((1, 1), (2, 1), (1, 2), (2, 2), (3, 1))


def verification_inputs(translator: Translator, *, padded: bool, size: tuple[int, int] | None) -> list[Tensor]:
    """Return the five photographs, (1, channels_in, H, W) each in [0, 1]; an inpainter's have holes.

    Args:
        translator: The network that takes them.
        padded: Whether any size is taken; else they are scaled to multiples that the network takes.
        size: The only (width, height) that is taken, to which they are scaled; None: there is none.
    """
    images = []
    for name, times in zip(NAMES, TIMES, strict=True):
        image = _read(name, translator.channels_in)
        height, width = image.shape[-2:]
        if size is not None:
            width, height = size
        elif not padded:
            width, height = (_round_up(side, n, translator) for side, n in zip((width, height), times, strict=True))
        if (height, width) != tuple(image.shape[-2:]):
            image = F.interpolate(image, (height, width), mode="bicubic", antialias=True).clamp(0, 1)
        images.append(_cut_hole(image) if translator.fills_holes else image)
    return images


def _read(name: str, channels: int) -> Tensor:
    """Read a photograph as (1, channels, H, W); a fourth channel is 1 everywhere: opaque."""
    picture = read_picture(Path(__file__).parent / "pictures" / f"{name}.jpg")
    image = (to_tensor(convert_channels(to_floats(picture.pixels), min(channels, 3)))[None] + 1) / 2
    return torch.cat([image, torch.ones_like(image[:, :1])], dim=1) if channels == 4 else image


def _round_up(side: int, times: int, translator: Translator) -> int:
    """Return the size that a side is scaled to, so that the network takes it."""
    step = translator.multiple
    return step * max(times, math.ceil(max(side, translator.minimum) / step))


def _cut_hole(image: Tensor) -> Tensor:
    """Set the mask, the fourth channel, to 1 in a box and in a stroke beside it."""
    height, width = image.shape[-2:]
    mask = torch.zeros_like(image[:, :1])
    mask[..., height // 4 : height // 2, width // 3 : 2 * width // 3] = 1
    mask[..., 3 * height // 4 : 3 * height // 4 + 3, width // 8 : 7 * width // 8] = 1
    return torch.cat([image[:, :3], mask], dim=1)
