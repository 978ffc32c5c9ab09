"""Cut a picture into tiles that a network translates one by one, each with as much around it as the network can see.

A network states how far it sees: an output pixel depends on input pixels at most `margin` away. With that much around
every tile, the middle of its output is what the whole picture would have given there. Tiles begin at multiples of the
network's `multiple`, so that strided layers fall on the same pixels as in the whole picture.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from models.contract import Translator
from translate.hardware import memory_ran_out
from translate.inference.monitor import Report, TileProgress

SMALLEST_TILE = 32  # input pixels on a side; where not even these fit into memory, larger networks must run elsewhere


@dataclass(frozen=True)
class Area:
    """A rectangle of a picture, in input pixels; bottom and right are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def longer_side(self) -> int:
        """The larger of height and width."""
        return max(self.bottom - self.top, self.right - self.left)


class Tiles:
    """A picture in tiles, which are halved where memory runs out.

    Attributes:
        run: Translates (1, C, h, w) of sizes that the network takes.
        translator: The network behind `run`; it states margin, multiple and minimum.
        image: (1, C, H, W), padded to what the network takes.
        side: Pixels on a side of the tiles from here on; it shrinks where memory runs out.
        smallest: The side that it does not shrink below.
        report: Is called before the first tile and after each; it may raise, to end the work.
    """

    def __init__(
        self,
        run: Callable[[Tensor], Tensor],
        translator: Translator,
        image: Tensor,
        side: int,
        report: Report = lambda tiles: None,
    ) -> None:
        self.run = run
        self.translator = translator
        self.image = image
        self.side = round_up(side, translator.multiple)
        self.smallest = round_up(max(SMALLEST_TILE, translator.minimum), translator.multiple)
        self.report = report
        self._passes: Sequence[float] = (1.0,)
        self._done = self._finished = 0

    def expect_passes(self, work: Sequence[float]) -> None:
        """Take the passes over all tiles that are to come, each with its work, for the estimates of progress."""
        self._passes, self._finished = work, 0

    def visit(self, work: Callable[[Area], None], height: int, width: int) -> None:
        """Call `work` on areas that cover the first `height` rows and `width` columns.

        Raises:
            RuntimeError, MemoryError: Memory does not suffice for the smallest tile.
        """
        multiple = self.translator.multiple
        waiting = deque(_grid(height, width, self.side))
        pixels = 0
        self._report(0.0, len(waiting))
        while waiting:
            area = waiting.popleft()
            if area.longer_side > self.side:
                waiting.extendleft(reversed(_halve(area, multiple)))
                continue
            try:
                work(area)
            except (RuntimeError, MemoryError) as error:
                if not memory_ran_out(error) or area.longer_side <= self.smallest:
                    raise
                self.side = max(round_up(area.longer_side // 2, multiple), self.smallest)
                waiting.appendleft(area)
            else:
                pixels += (area.bottom - area.top) * (area.right - area.left)
                self._done += 1
                self._report(pixels / (height * width), len(waiting))
        self._finished = min(self._finished + 1, len(self._passes) - 1)

    def add_margin(self, area: Area) -> Area:
        """Return the area with its surroundings, as far as the network sees and the picture reaches."""
        top, bottom = _add_margin(area.top, area.bottom, self.image.shape[-2], self.translator)
        left, right = _add_margin(area.left, area.right, self.image.shape[-1], self.translator)
        return Area(top, left, bottom, right)

    def run_area(self, area: Area) -> Tensor:
        """Translate an area as if it were a whole picture: (C', scale * h, scale * w)."""
        return self.run(self.image[..., area.top : area.bottom, area.left : area.right].contiguous())[0]

    def translate(self, area: Area) -> Tensor:
        """Translate an area as the part of the picture that it is: (C', scale * h, scale * w)."""
        seen = self.add_margin(area)
        return crop_features(self.run_area(seen), area, seen)

    def _report(self, fraction: float, waiting: int) -> None:
        """Report a pass of which a fraction is done."""
        current, before = self._passes[self._finished], sum(self._passes[: self._finished])
        height, width = self.image.shape[-2:]
        later = len(self._passes) - self._finished - 1
        total = self._done + waiting + later * -(-height // self.side) * -(-width // self.side)
        self.report(TileProgress(self._done, total, (before + fraction * current) / sum(self._passes)))


def crop_features(features: Tensor, area: Area, seen: Area) -> Tensor:
    """Return the part for `area` of features (…, h, w) for `seen`, which encloses it, at whatever scale they are."""
    height, width = features.shape[-2:]
    seen_height, seen_width = seen.bottom - seen.top, seen.right - seen.left
    top, bottom = ((row - seen.top) * height // seen_height for row in (area.top, area.bottom))
    left, right = ((column - seen.left) * width // seen_width for column in (area.left, area.right))
    return features[..., top:bottom, left:right]


def round_up(pixels: int, multiple: int) -> int:
    """Return the smallest multiple that is not below `pixels`."""
    return -(-pixels // multiple) * multiple


def _add_margin(start: int, end: int, length: int, translator: Translator) -> tuple[int, int]:
    """Return where an area with its surroundings starts and ends, along one axis of `length` pixels."""
    margin = round_up(translator.margin or 0, translator.multiple)
    first, last = max(0, start - margin), min(length, round_up(end, translator.multiple) + margin)
    missing = round_up(translator.minimum, translator.multiple) - (last - first)
    if missing > 0:
        last = min(length, last + missing)
        first = max(0, last - round_up(translator.minimum, translator.multiple))
    return first, last


def _grid(height: int, width: int, side: int) -> list[Area]:
    return [
        Area(top, left, min(top + side, height), min(left + side, width))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]


def _halve(area: Area, multiple: int) -> list[Area]:
    """Return two parts of an area, cut across its longer side."""
    is_tall = area.bottom - area.top >= area.right - area.left
    half = round_up(area.longer_side // 2, multiple)
    if is_tall:
        middle = area.top + half
        return [Area(area.top, area.left, middle, area.right), Area(middle, area.left, area.bottom, area.right)]
    middle = area.left + half
    return [Area(area.top, area.left, area.bottom, middle), Area(area.top, middle, area.bottom, area.right)]
