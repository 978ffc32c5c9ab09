"""Pictures too large for one piece: cut into tiles, translated one by one, put together as if they had been whole.

How large a tile's surroundings must be is what the network states: an output pixel sees no further than `margin` input
pixels, so with as many around every tile its middle is what the whole picture would have given there. Tiles begin at
multiples of the network's `multiple`, so that whatever it does to every n-th pixel falls on the same pixels.

Norms over the whole picture are settled first, one after the other: a pass over all tiles, as far as the norm, measures
what it is given, and from then on it uses that. Nothing but means and variances is kept, and every norm wants a pass:
with n of them it takes about n / 2 times as long as in one piece. The cheaper choice measures all norms at once on the
picture reduced to the size of a tile: one small pass and no seams, but not the result that the whole picture gives.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from datasets.errors import UserError
from models.contract import Translator
from models.inference import padded
from translate.hardware import memory_ran_out

Tile = int | Literal["auto", "off"]
Norms = Literal["exact", "reduced"]

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
        side = _up(min(max(WORTH * translator.margin, 512), LARGEST), translator.multiple)
        return side if max(height, width) > side + 2 * translator.margin else None
    side = _up(tile, translator.multiple)
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
    tiles = _Tiles(run, translator, padded(image[None], translator.multiple, translator.minimum), side)
    canvas = _canvas(translator.channels_out, scale * height, scale * width)

    def put(area: Area) -> None:
        output = tiles.translated(area)
        place = canvas[:, scale * area.top : scale * area.bottom, scale * area.left : scale * area.right]
        place.copy_(output[:, : place.shape[1], : place.shape[2]])

    settled = _reduced_norms if norms == "reduced" else _settled_norms
    with settled(tiles) if translator.global_norm else nullcontext():
        tiles.visit(put, height, width)
    return canvas


class _Tiles:
    """A picture in tiles: each is seen together with what is around it, and halved where memory runs out."""

    def __init__(self, run: Callable[[Tensor], Tensor], translator: Translator, image: Tensor, side: int) -> None:
        self.run = run
        self.translator = translator
        self.image = image
        self.side = _up(side, translator.multiple)
        self.smallest = _up(max(SMALLEST, translator.minimum), translator.multiple)

    def visit(self, work: Callable[[Area], None], height: int, width: int) -> None:
        """Do `work` on areas that make up the first `height` rows and `width` columns."""
        multiple = self.translator.multiple
        waiting = deque(_areas(height, width, self.side))
        while waiting:
            area = waiting.popleft()
            if area.longer > self.side:
                waiting.extendleft(reversed(_halves(area, multiple)))
                continue
            try:
                work(area)
            except (RuntimeError, MemoryError) as error:
                if not memory_ran_out(error) or area.longer <= self.smallest:
                    raise
                self.side = max(_up(area.longer // 2, multiple), self.smallest)
                waiting.appendleft(area)

    def seen(self, area: Area) -> Area:
        """The area with its surroundings, as far as the network can see and the picture reaches."""
        top, bottom = _seen(area.top, area.bottom, self.image.shape[-2], self.translator)
        left, right = _seen(area.left, area.right, self.image.shape[-1], self.translator)
        return Area(top, left, bottom, right)

    def output(self, seen: Area) -> Tensor:
        """What becomes of an area, (C', s * h, s * w), its border not to be trusted."""
        return self.run(self.image[..., seen.top : seen.bottom, seen.left : seen.right].contiguous())[0]

    def translated(self, area: Area) -> Tensor:
        """What becomes of an area, (C', s * h, s * w), seen together with what is around it."""
        seen = self.seen(area)
        return _inside(self.output(seen), area, seen)


def _inside(features: Tensor, area: Area, seen: Area) -> Tensor:
    """The part of (…, h, w) features of what was seen that belongs to the area, at whatever scale they are."""
    height, width = features.shape[-2:]
    tall, wide = seen.bottom - seen.top, seen.right - seen.left
    rows = slice((area.top - seen.top) * height // tall, (area.bottom - seen.top) * height // tall)
    columns = slice((area.left - seen.left) * width // wide, (area.right - seen.left) * width // wide)
    return features[..., rows, columns]


class _Reached(BaseException):
    """A pass came to the norm that it measures: no error, and nobody who handles errors shall take it for one."""


class _Statistics:
    """Mean and variance of each channel of what is given in parts."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Take in (1, C, h, w); parts are joined as Chan, Golub and LeVeque 1979 do, so that no digits are lost."""
        values = features.float().flatten(2)[0]
        count, mean = values.shape[1], values.mean(1)
        squares = ((values - mean[:, None]).square().sum(1)).double().cpu()
        apart = mean.double().cpu() - self.mean
        total = self.count + count
        self.squares = self.squares + squares + apart.square() * self.count * count / total
        self.mean = self.mean + apart * count / total
        self.count = total

    def normalise(self, norm: nn.InstanceNorm2d, features: Tensor) -> Tensor:
        """(1, C, h, w) features as `norm` would make them of the whole."""
        shape = (1, -1, 1, 1)
        scale = (self.squares / self.count + norm.eps).rsqrt().to(features.device, torch.float32).view(shape)
        values = (features.float() - self.mean.to(features.device, torch.float32).view(shape)) * scale
        if norm.weight is not None and norm.bias is not None:
            values = values * norm.weight.view(shape) + norm.bias.view(shape)
        return values


@contextmanager
def _settled_norms(tiles: _Tiles) -> Iterator[None]:
    """While it lasts, every norm that the network comes to uses the statistics of the whole picture."""
    height, width = tiles.image.shape[-2:]
    frozen: list[RemovableHandle] = []
    try:
        for norm in _norms_in_order(tiles):
            statistics = _Statistics()
            tiles.visit(partial(_measure, tiles, norm, statistics), height, width)
            frozen.append(norm.register_forward_hook(_use(statistics)))
        yield
    finally:
        _remove(frozen)


@contextmanager
def _reduced_norms(tiles: _Tiles) -> Iterator[None]:
    """While it lasts, every norm uses the statistics that the picture gives when it is reduced to a tile's size."""
    height, width = tiles.image.shape[-2:]
    share = min(1.0, tiles.side / max(height, width))
    size = [max(1, round(share * height)), max(1, round(share * width))]
    reduced = F.interpolate(tiles.image, size, mode="bilinear", antialias=True)
    statistics = {norm: _Statistics() for norm in tiles.translator.modules() if isinstance(norm, nn.InstanceNorm2d)}
    handles = [
        norm.register_forward_pre_hook(lambda module, given: statistics[module].add(given[0])) for norm in statistics
    ]
    try:
        tiles.run(padded(reduced, tiles.translator.multiple, tiles.translator.minimum))
    finally:
        _remove(handles)
    frozen = [norm.register_forward_hook(_use(found)) for norm, found in statistics.items() if found.count]
    try:
        yield
    finally:
        _remove(frozen)


def _norms_in_order(tiles: _Tiles) -> list[nn.InstanceNorm2d]:
    """The norms that a translation comes to, each once, in the order in which it does."""
    order: list[nn.InstanceNorm2d] = []
    norms = [module for module in tiles.translator.modules() if isinstance(module, nn.InstanceNorm2d)]
    handles = [norm.register_forward_pre_hook(lambda module, _: order.append(module)) for norm in norms]

    def trace(area: Area) -> None:
        order.clear()
        tiles.output(tiles.seen(area))

    try:
        tiles.visit(trace, min(tiles.side, tiles.image.shape[-2]), min(tiles.side, tiles.image.shape[-1]))
    finally:
        _remove(handles)
    return order


def _measure(tiles: _Tiles, norm: nn.InstanceNorm2d, statistics: _Statistics, area: Area) -> None:
    seen = tiles.seen(area)

    def reached(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        statistics.add(_inside(given[0], area, seen))
        raise _Reached

    handle = norm.register_forward_pre_hook(reached)
    try:
        tiles.output(seen)
    except _Reached:
        pass
    finally:
        handle.remove()


def _use(statistics: _Statistics) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
    def replaced(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        assert isinstance(module, nn.InstanceNorm2d)
        return statistics.normalise(module, given[0]).to(output.dtype)

    return replaced


def _remove(handles: Iterable[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()


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
