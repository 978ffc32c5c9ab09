"""Where a picture is worked on to fill its holes: crops around them, each at the scale that a model knows.

A crop reaches as far around a hole, on every side, as the hole is wide or high, and is at least as large as the squares
that the model learned from. Holes whose crops overlap share one, as long as it stays small enough for the model to see
it pixel by pixel; so do specks that lie near each other. A scratch that is long and thin is filled piece by piece,
which keeps its surroundings sharp: in one crop, all of it would be seen much smaller than it is.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.masks.drawing import Mask
from translate.inference.tiles import Area

THIN = 4  # a hole is thin where it is nowhere wider than the trained size divided by this

Labels = NDArray[np.int32]
Box = tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of a picture, and which of its pixels, (h, w), are to be filled from it."""

    area: Area
    own: Mask


@dataclass(frozen=True)
class _Group:
    """Holes that are filled at once: the crop for them, and their labels."""

    area: Area
    labels: tuple[int, ...]


def find_crops(hole: Mask, size: int) -> Iterator[Crop]:
    """The crops for the holes of a picture, (H, W), for a model of `size` pixels; each pixel belongs to one of them.

    Every crop holds something known, if the picture does: at least what parts its holes from others.
    """
    bounds = _bounds(hole)
    if bounds is None:
        return
    top, left, bottom, right = bounds
    labels = np.zeros(hole.shape, np.int32)
    labels[top:bottom, left:right], boxes = _labelled(hole[top:bottom, left:right], size)
    areas = [around((y + top, x + left, end + top, right + left), size, hole.shape) for y, x, end, right in boxes]
    groups = _merged(_gathered(areas, size), size)
    group_of = np.full(len(boxes) + 1, -1)
    for index, group in enumerate(groups):
        group_of[list(group.labels)] = index
    for index, group in enumerate(groups):
        area = group.area
        yield Crop(area, group_of[labels[area.top : area.bottom, area.left : area.right]] == index)


def around(box: Box, size: int, shape: tuple[int, ...]) -> Area:
    """The crop for a box of holes: the box and as much again on every side, at least `size`, within the picture."""
    top, left, bottom, right = box
    context = max(bottom - top, right - left)
    down, up = _span(top, bottom, context, size, shape[0])
    start, end = _span(left, right, context, size, shape[1])
    return Area(down, start, up, end)


def _span(begin: int, end: int, context: int, size: int, length: int) -> tuple[int, int]:
    """Where a crop begins and ends along one axis; moved rather than cut where the picture ends, as far as it goes."""
    wanted = min(max(end - begin + 2 * context, size), length)
    first = min(max((begin + end - wanted) // 2, 0), length - wanted)
    return first, first + wanted


def _bounds(mask: Mask) -> Box | None:
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _labelled(hole: Mask, size: int) -> tuple[Labels, list[Box]]:
    """A number from 1 for each connected hole, or piece of one that is long and thin; and the box around each."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8), connectivity=8)
    labels = np.asarray(labels, np.int32)
    boxes = [(int(y), int(x), int(y + h), int(x + w)) for x, y, w, h, _ in stats[1:]]
    for label in range(1, count):
        top, left, bottom, right = boxes[label - 1]
        if 3 * max(bottom - top, right - left) <= 2 * size:
            continue  # with as much again on every side, it is seen at full resolution
        part = labels[top:bottom, left:right]
        own = part == label
        inside = cv2.distanceTransform(np.pad(own, 1).astype(np.uint8), cv2.DIST_L2, 3)
        if 2 * float(inside.max()) <= size / THIN:
            _cut(part, own, label, boxes, size, (top, left))
    return labels, boxes


def _cut(part: Labels, own: Mask, label: int, boxes: list[Box], size: int, origin: tuple[int, int]) -> None:
    """Give the pieces of a hole, in squares of half the size, numbers of their own; the first keeps the hole's."""
    number, side = label, max(1, size // 2)
    for y in range(0, own.shape[0], side):
        for x in range(0, own.shape[1], side):
            piece = own[y : y + side, x : x + side]
            inner = _bounds(piece)
            if inner is None:
                continue
            top, left = y + origin[0], x + origin[1]
            box = (top + inner[0], left + inner[1], top + inner[2], left + inner[3])
            part[y : y + side, x : x + side][piece] = number
            if number == label:
                boxes[label - 1] = box
            else:
                boxes.append(box)
            number = len(boxes) + 1


def _gathered(areas: Sequence[Area], size: int) -> list[_Group]:
    """A group each, and one for all small holes whose crops begin in the same square: there may be thousands."""
    groups: list[_Group] = []
    small: dict[tuple[int, int], list[int]] = defaultdict(list)
    for label, area in enumerate(areas, start=1):
        if area.longer <= size:
            small[area.top // size, area.left // size].append(label)
        else:
            groups.append(_Group(area, (label,)))
    for labels in small.values():
        groups.append(_Group(_around_all([areas[label - 1] for label in labels]), tuple(labels)))
    return sorted(groups, key=lambda group: (group.area.top, group.area.left))


def _merged(groups: list[_Group], size: int) -> list[_Group]:
    """The groups, those joined whose crops overlap, as long as the crop of both is seen at full resolution."""
    done: list[_Group] = []
    for group in groups:
        index = 0
        while index < len(done):
            other = done[index]
            both = _around_all([other.area, group.area])
            if _overlap(other.area, group.area) and both.longer <= 2 * size:
                del done[index]
                group, index = _Group(both, other.labels + group.labels), 0  # larger now: it may reach others
            else:
                index += 1
        done.append(group)
    return done


def _around_all(areas: Sequence[Area]) -> Area:
    tops, lefts, bottoms, rights = zip(*((a.top, a.left, a.bottom, a.right) for a in areas), strict=True)
    return Area(min(tops), min(lefts), max(bottoms), max(rights))


def _overlap(a: Area, b: Area) -> bool:
    return a.top < b.bottom and b.top < a.bottom and a.left < b.right and b.left < a.right
