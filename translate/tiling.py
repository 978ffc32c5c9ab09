"""Pictures too large for one piece: cut into tiles, translated one by one, put together as if they had been whole.

How large a tile's surroundings must be is what the network states: an output pixel sees no further than `margin` input
pixels, so with as many around every tile its middle is what the whole picture would have given there. Tiles begin at
multiples of the network's `multiple`, so that whatever it does to every n-th pixel falls on the same pixels.
"""

import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datasets.errors import UserError
from models.contract import Translator
from models.inference import padded
from translate.hardware import memory_ran_out

Tile = int | Literal["auto", "off"]

SMALLEST, LARGEST = 32, 1536  # input pixels on a side that `auto` and a lack of memory may lead to
WORTH = 28  # margins on a side from which a tile's surroundings cost less than 15 % of it: (1 + 2 / 28)² = 1.15
IN_MEMORY = 2**30  # bytes of an output beyond which it lies in a file


@dataclass(frozen=True)
class Area:
    """A part of a picture, in input pixels."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def longer(self) -> int:
        """Its longer side."""
        return max(self.bottom - self.top, self.right - self.left)


def tile_problem(translator: Translator) -> str | None:
    """Why pictures cannot be cut into tiles for this network, if they cannot."""
    if translator.only_size is not None:
        return f"this model works on {translator.only_size}x{translator.only_size} pixels alone, which are no tiles"
    if translator.global_norm:
        return "this model's norms look at the whole picture, so its tiles would not fit together"
    if translator.margin is None:
        return "this model looks at the whole picture, so its tiles would not fit together"
    if translator.draws:
        return "this model draws random numbers, so its tiles would not fit together"
    return None


def check_tile(translator: Translator, tile: Tile) -> None:
    """Refuse tiles that were asked for and cannot be.

    Raises:
        UserError: The network cannot work in tiles.
    """
    problem = tile_problem(translator)
    if isinstance(tile, int) and problem is not None:
        raise UserError(f"--tile {tile}: {problem}; leave it at auto, or translate at a smaller --work-size")


def tile_side(translator: Translator, height: int, width: int, tile: Tile = "auto") -> int | None:
    """Pixels on a side of the tiles for a picture; None where it is translated in one piece."""
    if tile == "off" or translator.margin is None or tile_problem(translator) is not None:
        return None
    if tile == "auto":
        side = _up(min(max(WORTH * translator.margin, 512), LARGEST), translator.multiple)
        return side if max(height, width) > side + 2 * translator.margin else None
    side = _up(tile, translator.multiple)
    return side if max(height, width) > side else None


def translate_tiled(run: Callable[[Tensor], Tensor], translator: Translator, image: Tensor, side: int) -> Tensor:
    """Translate (C, H, W) in tiles of `side` pixels into (C', s * H, s * W), float32 on the host.

    `run` translates (1, C, h, w) of sizes that the network takes. Where memory runs out, tiles are halved from there
    on, and what is done stays done. A result of more than `IN_MEMORY` bytes lies in a temporary file.

    Raises:
        RuntimeError, MemoryError: Memory is not enough for the smallest tile.
    """
    scale, multiple = translator.scale, translator.multiple
    side = _up(side, multiple)
    height, width = image.shape[-2:]
    image = padded(image[None], multiple, translator.minimum)
    smallest = _up(max(SMALLEST, translator.minimum), multiple)
    waiting = deque(_areas(height, width, side))
    canvas = _canvas(translator.channels_out, scale * height, scale * width)
    while waiting:
        area = waiting.popleft()
        if area.longer > side:
            waiting.extendleft(reversed(_halves(area, multiple)))
            continue
        try:
            output = _translated(run, translator, image, area)
        except (RuntimeError, MemoryError) as error:
            if not memory_ran_out(error) or area.longer <= smallest:
                raise
            side = max(_up(area.longer // 2, multiple), smallest)
            waiting.appendleft(area)
            continue
        place = canvas[:, scale * area.top : scale * area.bottom, scale * area.left : scale * area.right]
        place.copy_(output[:, : place.shape[1], : place.shape[2]])
    return canvas


def _translated(run: Callable[[Tensor], Tensor], translator: Translator, image: Tensor, area: Area) -> Tensor:
    """What becomes of an area, (C', s * h, s * w), seen together with what is around it."""
    scale = translator.scale
    top, bottom = _seen(area.top, area.bottom, image.shape[-2], translator)
    left, right = _seen(area.left, area.right, image.shape[-1], translator)
    output = run(image[..., top:bottom, left:right].contiguous())[0]
    rows = slice(scale * (area.top - top), scale * (area.bottom - top))
    columns = slice(scale * (area.left - left), scale * (area.right - left))
    return output[:, rows, columns]


def _seen(start: int, end: int, length: int, translator: Translator) -> tuple[int, int]:
    """From where to where an area's surroundings reach along one axis of `length` pixels."""
    margin = _up(translator.margin or 0, translator.multiple)
    first, last = max(0, start - margin), min(length, _up(end, translator.multiple) + margin)
    missing = _up(translator.minimum, translator.multiple) - (last - first)
    if missing > 0:
        last = min(length, last + missing)
        first = max(0, last - _up(translator.minimum, translator.multiple))
    return first, last


def _areas(height: int, width: int, side: int) -> list[Area]:
    return [
        Area(top, left, min(top + side, height), min(left + side, width))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]


def _halves(area: Area, multiple: int) -> list[Area]:
    """Two parts of an area, cut across its longer side."""
    tall = area.bottom - area.top >= area.right - area.left
    half = _up(area.longer // 2, multiple)
    if tall:
        middle = area.top + half
        return [Area(area.top, area.left, middle, area.right), Area(middle, area.left, area.bottom, area.right)]
    middle = area.left + half
    return [Area(area.top, area.left, area.bottom, middle), Area(area.top, middle, area.bottom, area.right)]


def _canvas(channels: int, height: int, width: int) -> Tensor:
    if 4 * channels * height * width <= IN_MEMORY:
        return torch.empty(channels, height, width)
    with tempfile.TemporaryFile(prefix="translate-") as file:  # gone when the last reference to the memory is
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=(channels, height, width)))


def _up(pixels: int, multiple: int) -> int:
    return -(-pixels // multiple) * multiple
