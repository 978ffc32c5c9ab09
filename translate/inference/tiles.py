"""A picture as tiles, each seen together with as much around it as a network can see from it.

How large a tile's surroundings must be is what the network states: an output pixel sees no further than `margin` input
pixels, so with as many around every tile its middle is what the whole picture would have given there. Tiles begin at
multiples of the network's `multiple`, so that whatever it does to every n-th pixel falls on the same pixels.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from models.contract import Translator
from translate.hardware import memory_ran_out

SMALLEST = 32  # input pixels on a side that a lack of memory may lead to


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


class Tiles:
    """A picture in tiles: each is seen together with what is around it, and halved where memory runs out."""

    def __init__(self, run: Callable[[Tensor], Tensor], translator: Translator, image: Tensor, side: int) -> None:
        self.run = run
        self.translator = translator
        self.image = image
        self.side = round_up(side, translator.multiple)
        self.smallest = round_up(max(SMALLEST, translator.minimum), translator.multiple)

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
                self.side = max(round_up(area.longer // 2, multiple), self.smallest)
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
        return inside(self.output(seen), area, seen)


def inside(features: Tensor, area: Area, seen: Area) -> Tensor:
    """The part of (…, h, w) features of what was seen that belongs to the area, at whatever scale they are."""
    height, width = features.shape[-2:]
    tall, wide = seen.bottom - seen.top, seen.right - seen.left
    rows = slice((area.top - seen.top) * height // tall, (area.bottom - seen.top) * height // tall)
    columns = slice((area.left - seen.left) * width // wide, (area.right - seen.left) * width // wide)
    return features[..., rows, columns]


def _seen(start: int, end: int, length: int, translator: Translator) -> tuple[int, int]:
    """From where to where an area's surroundings reach along one axis of `length` pixels."""
    margin = round_up(translator.margin or 0, translator.multiple)
    first, last = max(0, start - margin), min(length, round_up(end, translator.multiple) + margin)
    missing = round_up(translator.minimum, translator.multiple) - (last - first)
    if missing > 0:
        last = min(length, last + missing)
        first = max(0, last - round_up(translator.minimum, translator.multiple))
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
    half = round_up(area.longer // 2, multiple)
    if tall:
        middle = area.top + half
        return [Area(area.top, area.left, middle, area.right), Area(middle, area.left, area.bottom, area.right)]
    middle = area.left + half
    return [Area(area.top, area.left, area.bottom, middle), Area(area.top, middle, area.bottom, area.right)]


def round_up(pixels: int, multiple: int) -> int:
    """The next multiple that is no less."""
    return -(-pixels // multiple) * multiple
