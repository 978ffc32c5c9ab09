"""Norms over a whole picture that is only ever seen in tiles.

They are settled before anything is made, one after the other: a pass over all tiles, as far as the norm, measures
what it is given, and from then on it uses that. Nothing but means and variances is kept, and every norm wants a pass:
with n of them it takes about n / 2 times as long as in one piece. The cheaper choice measures all norms at once on the
picture reduced to the size of a tile: one small pass and no seams, but not the result that the whole picture gives.
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
from translate.inference.tiles import Area, Tiles, inside


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
def exact_norms(tiles: Tiles) -> Iterator[None]:
    """While it lasts, every norm that the network comes to uses the statistics of the whole picture."""
    height, width = tiles.image.shape[-2:]
    frozen: list[RemovableHandle] = []
    try:
        for norm in _norms_in_order(tiles):
            statistics = _Statistics()
            tiles.visit(partial(_measure, tiles, norm, statistics), height, width)
            frozen.append(norm.register_forward_hook(_mine(_use(statistics))))
        yield
    finally:
        _remove(frozen)


@contextmanager
def reduced_norms(tiles: Tiles) -> Iterator[None]:
    """While it lasts, every norm uses the statistics that the picture gives when it is reduced to a tile's size."""
    height, width = tiles.image.shape[-2:]
    share = min(1.0, tiles.side / max(height, width))
    size = [max(1, round(share * height)), max(1, round(share * width))]
    reduced = F.interpolate(tiles.image, size, mode="bilinear", antialias=True)
    statistics = {norm: _Statistics() for norm in tiles.translator.modules() if isinstance(norm, nn.InstanceNorm2d)}
    measure = _mine(lambda module, given: statistics[module].add(given[0]))
    handles = [norm.register_forward_pre_hook(measure) for norm in statistics]
    try:
        tiles.run(pad(reduced, tiles.translator.multiple, tiles.translator.minimum))
    finally:
        _remove(handles)
    frozen = [norm.register_forward_hook(_mine(_use(found))) for norm, found in statistics.items() if found.count]
    try:
        yield
    finally:
        _remove(frozen)


def _norms_in_order(tiles: Tiles) -> list[nn.InstanceNorm2d]:
    """The norms that a translation comes to, each once, in the order in which it does."""
    order: list[nn.InstanceNorm2d] = []
    norms = [module for module in tiles.translator.modules() if isinstance(module, nn.InstanceNorm2d)]
    told = _mine(lambda module, _: order.append(module))
    handles = [norm.register_forward_pre_hook(told) for norm in norms]

    def trace(area: Area) -> None:
        order.clear()
        tiles.output(tiles.seen(area))

    try:
        tiles.visit(trace, min(tiles.side, tiles.image.shape[-2]), min(tiles.side, tiles.image.shape[-1]))
    finally:
        _remove(handles)
    return order


def _measure(tiles: Tiles, norm: nn.InstanceNorm2d, statistics: _Statistics, area: Area) -> None:
    seen = tiles.seen(area)

    def reached(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        statistics.add(inside(given[0], area, seen))
        raise _Reached

    handle = norm.register_forward_pre_hook(_mine(reached))
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


def _mine(hook: Callable[..., Any]) -> Callable[..., Any]:
    """The hook, for what this thread computes: others may be at work with the same network on other pictures."""
    owner = threading.get_ident()

    def hooked(module: nn.Module, *given: Any) -> Any:
        return hook(module, *given) if threading.get_ident() == owner else None

    return hooked


def _remove(handles: Iterable[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
