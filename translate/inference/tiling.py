"""Translate pictures that are too large for one piece: in tiles, put together as if they had been whole."""

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
from translate.inference.monitor import Report
from translate.inference.tile_norms import exact_norms, reduced_norms
from translate.inference.tiles import Area, Tiles, round_up

Tile = int | Literal["auto", "off"]  # pixels on a side; "auto": large pictures are cut; "off": none is
Norms = Literal["exact", "reduced"]  # what norms over the whole picture use: see translate.inference.tile_norms

# The sides that `auto` chooses from, in input pixels. A margin around a tile of 28 margins is (1 + 2 / 28)² - 1 = 15 %
# more pixels; larger tiles than 1536 cost more memory and save little.
MARGINS_PER_TILE = 28
SMALLEST_AUTO_TILE, LARGEST_TILE = 512, 1536
MEMORY_LIMIT = 2**30  # bytes of an output; a larger one lies in a temporary file, since it may not fit beside its input


def tile_problem(translator: Translator) -> str | None:
    """Return why pictures cannot be cut into tiles for this network; None if they can."""
    if translator.only_size is not None:
        size = translator.only_size
        return f"this model works on pictures of {size}x{size} pixels only, which cannot be cut into tiles"
    if translator.margin is None:
        return "this model looks at the whole picture, so its tiles would not fit together"
    if translator.draws:
        return "this model draws random numbers, so its tiles would not fit together"
    return None


def check_tile(translator: Translator, tile: Tile, norms: Norms = "exact") -> None:
    """Check that a network can work in the tiles, and has the norms, that were asked for.

    Raises:
        UserError: It cannot work in tiles, or has no norms over the whole picture.
    """
    problem = tile_problem(translator)
    if norms == "reduced" and (problem is not None or not translator.global_norm):
        reason = problem or "this model has no norms over the whole picture"
        raise UserError(f"`norms` reduced: {reason}; leave it out")
    if isinstance(tile, int) and problem is not None:
        raise UserError(f"`tile` {tile}: {problem}; leave it at auto, or translate at a smaller `work_size`")


def tile_side(
    translator: Translator, height: int, width: int, tile: Tile = "auto", norms: Norms = "exact"
) -> int | None:
    """Return the side, in pixels, of the tiles for a picture; None if it is translated in one piece."""
    if tile == "off" or translator.margin is None or tile_problem(translator) is not None:
        return None
    if tile == "auto":
        if translator.global_norm and norms == "exact":
            return None  # it takes many times as long, so it is done only where memory runs out
        side = min(max(MARGINS_PER_TILE * translator.margin, SMALLEST_AUTO_TILE), LARGEST_TILE)
        side = round_up(side, translator.multiple)
        return side if max(height, width) > side + 2 * translator.margin else None
    side = round_up(tile, translator.multiple)
    return side if max(height, width) > side else None


def translate_tiled(
    run: Callable[[Tensor], Tensor],
    translator: Translator,
    image: Tensor,
    side: int,
    norms: Norms = "exact",
    report: Report = lambda tiles: None,
) -> Tensor:
    """Translate (C, H, W) in tiles of `side` pixels: (C', scale * H, scale * W), float32 on the CPU.

    Where memory runs out, the tiles from there on are halved, and those that are done are kept. An output of more than
    `MEMORY_LIMIT` bytes lies in a temporary file.

    Args:
        run: Translates (1, C, h, w) of sizes that the network takes.
        translator: The network behind it.
        image: In [-1, 1].
        side: Pixels on a side of a tile, without its surroundings.
        norms: What norms over the whole picture use.
        report: Is called before the first tile and after each; it may raise, to end the work.

    Raises:
        RuntimeError, MemoryError: Memory does not suffice for the smallest tile.
    """
    scale, (height, width) = translator.scale, image.shape[-2:]
    tiles = Tiles(run, translator, pad(image[None], translator.multiple, translator.minimum), side, report)
    canvas = _allocate(translator.channels_out, scale * height, scale * width)

    def write(area: Area) -> None:
        output = tiles.translate(area)
        part = canvas[:, scale * area.top : scale * area.bottom, scale * area.left : scale * area.right]
        part.copy_(output[:, : part.shape[1], : part.shape[2]])

    measured_norms = reduced_norms if norms == "reduced" else exact_norms
    with measured_norms(tiles) if translator.global_norm else nullcontext():
        tiles.visit(write, height, width)
    return canvas


def _allocate(channels: int, height: int, width: int) -> Tensor:
    if 4 * channels * height * width <= MEMORY_LIMIT:
        return torch.empty(channels, height, width)
    with tempfile.TemporaryFile(prefix="translate-") as file:  # deleted with the last reference to its memory
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=(channels, height, width)))
