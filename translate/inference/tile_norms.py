"""Instance norms over a whole picture of which the network only ever sees tiles.

`exact_norms` measures them before any tile is translated, one after the other: a pass over all tiles, as far as the
norm, measures the mean and variance of its input, and from then on the norm uses these. Nothing else is stored, and
every norm needs a pass, so n norms take about n / 2 times as long as the picture in one piece. `reduced_norms` measures
all norms at once on the picture reduced to the size of a tile: one small pass and no seams, but another result than the
whole picture gives.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from models.apply import pad
from translate.inference.tiles import Area, Tiles, crop_features


class _StopPass(BaseException):
    """Ends a pass at the norm that is measured; no Exception, so that no handler of errors takes it for one."""


class _Statistics:
    """Mean and variance of each channel, of features that come in parts."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Add features (1, C, h, w); parts are combined without loss of digits (Chan, Golub, LeVeque 1979)."""
        values = features.float().flatten(2)[0]
        count, mean = values.shape[1], values.mean(1)
        squares = (values - mean[:, None]).square().sum(1).cpu().double()  # Apple's GPUs have no float64
        difference = mean.cpu().double() - self.mean
        total = self.count + count
        self.squares = self.squares + squares + difference.square() * self.count * count / total
        self.mean = self.mean + difference * count / total
        self.count = total

    def normalize(self, norm: nn.InstanceNorm2d, features: Tensor) -> Tensor:
        """Return features (1, C, h, w) as `norm` would with these statistics."""
        shape = (1, -1, 1, 1)
        scale = (self.squares / self.count + norm.eps).rsqrt().float().to(features.device).view(shape)
        values = (features.float() - self.mean.float().to(features.device).view(shape)) * scale
        if norm.weight is not None and norm.bias is not None:
            values = values * norm.weight.view(shape) + norm.bias.view(shape)
        return values


@contextmanager
def exact_norms(tiles: Tiles) -> Iterator[None]:
    """Make every norm use the statistics of the whole picture, within the block and in this thread."""
    height, width = tiles.image.shape[-2:]
    handles: list[RemovableHandle] = []
    try:
        norms = _norms_in_order(tiles)
        # A pass ends at its norm; as if the norms were evenly spread over the network.
        tiles.expect_passes([(index + 1) / (len(norms) + 1) for index in range(len(norms) + 1)])
        for norm in norms:
            statistics = _Statistics()
            tiles.visit(partial(_measure, tiles, norm, statistics), height, width)
            handles.append(norm.register_forward_hook(_in_this_thread(_use(statistics))))
        yield
    finally:
        _remove(handles)


@contextmanager
def reduced_norms(tiles: Tiles) -> Iterator[None]:
    """Make every norm use the statistics of the picture reduced to a tile's size, within the block, in this thread."""
    height, width = tiles.image.shape[-2:]
    factor = min(1.0, tiles.side / max(height, width))
    size = [max(1, round(factor * height)), max(1, round(factor * width))]
    reduced = F.interpolate(tiles.image, size, mode="bilinear", antialias=True)
    statistics = {norm: _Statistics() for norm in tiles.translator.modules() if isinstance(norm, nn.InstanceNorm2d)}
    measure = _in_this_thread(lambda module, inputs: statistics[module].add(inputs[0]))
    handles = [norm.register_forward_pre_hook(measure) for norm in statistics]
    try:
        tiles.run(pad(reduced, tiles.translator.multiple, tiles.translator.minimum))
    finally:
        _remove(handles)
    handles = [
        norm.register_forward_hook(_in_this_thread(_use(measured)))
        for norm, measured in statistics.items()
        if measured.count
    ]
    try:
        yield
    finally:
        _remove(handles)


def _norms_in_order(tiles: Tiles) -> list[nn.InstanceNorm2d]:
    """Return the norms of the network in the order in which a translation calls them."""
    order: list[nn.InstanceNorm2d] = []
    norms = [module for module in tiles.translator.modules() if isinstance(module, nn.InstanceNorm2d)]
    append = _in_this_thread(lambda module, _: order.append(module))
    handles = [norm.register_forward_pre_hook(append) for norm in norms]

    def trace(area: Area) -> None:
        order.clear()
        tiles.run_area(tiles.add_margin(area))

    try:
        tiles.visit(trace, min(tiles.side, tiles.image.shape[-2]), min(tiles.side, tiles.image.shape[-1]))
    finally:
        _remove(handles)
    return order


def _measure(tiles: Tiles, norm: nn.InstanceNorm2d, statistics: _Statistics, area: Area) -> None:
    """Add what `norm` gets for an area to its statistics."""
    seen = tiles.add_margin(area)

    def add_and_stop(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        statistics.add(crop_features(inputs[0], area, seen))
        raise _StopPass

    handle = norm.register_forward_pre_hook(_in_this_thread(add_and_stop))
    try:
        tiles.run_area(seen)
    except _StopPass:
        pass
    finally:
        handle.remove()


def _use(statistics: _Statistics) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
    """Return a hook that replaces a norm's output by one with these statistics."""

    def normalize(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        assert isinstance(module, nn.InstanceNorm2d)
        return statistics.normalize(module, inputs[0]).to(output.dtype)

    return normalize


def _in_this_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Return the hook for this thread only: others may translate other pictures with the same network."""
    owner = threading.get_ident()

    def call(module: nn.Module, *arguments: Any) -> Any:
        return hook(module, *arguments) if threading.get_ident() == owner else None

    return call


def _remove(handles: Iterable[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
