"""Pictures too large for one piece: cut into tiles, translated one by one, put together as if they had been whole."""

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datasets.errors import UserError
from models.apply import pad
from models.contract import Translator
from translate.inference.tile_norms import exact_norms, reduced_norms
from translate.inference.tiles import Area, Tiles, round_up

Tile = int | Literal["auto", "off"]
Norms = Literal["exact", "reduced"]

LARGEST = 1536  # input pixels on a side that `auto` may lead to
WORTH = 28  # margins on a side from which a tile's surroundings cost less than 15 % of it: (1 + 2 / 28)² = 1.15
IN_MEMORY = 2**30  # bytes of an output beyond which it lies in a file


def tile_problem(translator: Translator) -> str | None:
    """Why pictures cannot be cut into tiles for this network, if they cannot."""
    if translator.only_size is not None:
        return f"this model works on {translator.only_size}x{translator.only_size} pixels alone, which are no tiles"
    if translator.margin is None:
        return "this model looks at the whole picture, so its tiles would not fit together"
    if translator.draws:
        return "this model draws random numbers, so its tiles would not fit together"
    return None


def check_tile(translator: Translator, tile: Tile, norms: Norms = "exact") -> None:
    """Refuse tiles that were asked for and cannot be, and a choice of norms where there is none.

    Raises:
        UserError: The network cannot work in tiles, or has no norms over the whole picture.
    """
    problem = tile_problem(translator)
    if norms == "reduced" and (problem is not None or not translator.global_norm):
        raise UserError(f"--norms reduced: {problem or 'this model has no norms over the whole picture'}; leave it out")
    if isinstance(tile, int) and problem is not None:
        raise UserError(f"--tile {tile}: {problem}; leave it at auto, or translate at a smaller --work-size")


def tile_side(
    translator: Translator, height: int, width: int, tile: Tile = "auto", norms: Norms = "exact"
) -> int | None:
    """Pixels on a side of the tiles for a picture; None where it is translated in one piece."""
    if tile == "off" or translator.margin is None or tile_problem(translator) is not None:
        return None
    if tile == "auto":
        if translator.global_norm and norms == "exact":
            return None  # it takes many times as long; where memory runs out, it is done all the same
        side = round_up(min(max(WORTH * translator.margin, 512), LARGEST), translator.multiple)
        return side if max(height, width) > side + 2 * translator.margin else None
    side = round_up(tile, translator.multiple)
    return side if max(height, width) > side else None


def translate_tiled(
    run: Callable[[Tensor], Tensor], translator: Translator, image: Tensor, side: int, norms: Norms = "exact"
) -> Tensor:
    """Translate (C, H, W) in tiles of `side` pixels into (C', s * H, s * W), float32 on the host.

    `run` translates (1, C, h, w) of sizes that the network takes. Where memory runs out, tiles are halved from there
    on, and what is done stays done. A result of more than `IN_MEMORY` bytes lies in a temporary file. `norms` tells
    whether norms over the whole picture are given its own statistics, or those of the picture reduced.

    Raises:
        RuntimeError, MemoryError: Memory is not enough for the smallest tile.
    """
    scale, (height, width) = translator.scale, image.shape[-2:]
    tiles = Tiles(run, translator, pad(image[None], translator.multiple, translator.minimum), side)
    canvas = _canvas(translator.channels_out, scale * height, scale * width)

    def put(area: Area) -> None:
        output = tiles.translated(area)
        place = canvas[:, scale * area.top : scale * area.bottom, scale * area.left : scale * area.right]
        place.copy_(output[:, : place.shape[1], : place.shape[2]])

    settled = reduced_norms if norms == "reduced" else exact_norms
    with settled(tiles) if translator.global_norm else nullcontext():
        tiles.visit(put, height, width)
    return canvas


def _canvas(channels: int, height: int, width: int) -> Tensor:
    if 4 * channels * height * width <= IN_MEMORY:
        return torch.empty(channels, height, width)
    with tempfile.TemporaryFile(prefix="translate-") as file:  # gone when the last reference to the memory is
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=(channels, height, width)))
