"""Which crops of a picture are filled to close its holes.

A crop reaches as far around a hole, on every side, as the hole is wide or high, and is at least as large as the squares
that the model was trained on. Holes whose crops overlap share one, as long as it is small enough to be filled pixel by
pixel; so do specks near each other. A scratch that is long and thin is filled in segments, which keeps its surroundings
sharp: in a single crop, all of it would be scaled down a lot.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.masks.drawing import Mask
from translate.inference.tiles import Area

THIN_FRACTION = 1 / 4  # of the trained size; a hole that is nowhere wider is thin. Chosen by judgement.

Labels = NDArray[np.int32]
Box = tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of a picture, and which of its pixels, (h, w), are to be filled from it."""

    area: Area
    own: Mask


@dataclass(frozen=True)
class _Group:
    """Holes that are filled together: their common crop, and their labels."""

    area: Area
    labels: tuple[int, ...]


def find_crops(hole: Mask, size: int) -> Iterator[Crop]:
    """Yield the crops to fill the holes of a picture, (H, W), for a model of `size` pixels.

    Each pixel of a hole belongs to one crop. Every crop holds known pixels, if the picture does: at least those that
    separate its holes from others.
    """
    bounds = _bounds(hole)
    if bounds is None:
        return
    top, left, bottom, right = bounds
    labels = np.zeros(hole.shape, np.int32)
    labels[top:bottom, left:right], boxes = _label_holes(hole[top:bottom, left:right], size)
    areas = [surround((y + top, x + left, end + top, right + left), size, hole.shape) for y, x, end, right in boxes]
    groups = _merge_overlapping(_group_small(areas, size), size)
    group_of = np.full(len(boxes) + 1, -1)
    for index, group in enumerate(groups):
        group_of[list(group.labels)] = index
    for index, group in enumerate(groups):
        area = group.area
        yield Crop(area, group_of[labels[area.top : area.bottom, area.left : area.right]] == index)


def surround(box: Box, size: int, shape: tuple[int, ...]) -> Area:
    """Return the crop for a box: with its longer side added on every side, at least `size`, within the picture."""
    top, left, bottom, right = box
    context = max(bottom - top, right - left)
    first_row, end_row = _interval(top, bottom, context, size, shape[0])
    first_column, end_column = _interval(left, right, context, size, shape[1])
    return Area(first_row, first_column, end_row, end_column)


def _interval(begin: int, end: int, context: int, size: int, length: int) -> tuple[int, int]:
    """Return where a crop begins and ends along an axis; at the picture's edge it is shifted, not cut, if it fits."""
    extent = min(max(end - begin + 2 * context, size), length)
    first = min(max((begin + end - extent) // 2, 0), length - extent)
    return first, first + extent


def _bounds(mask: Mask) -> Box | None:
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _label_holes(hole: Mask, size: int) -> tuple[Labels, list[Box]]:
    """Return a label from 1 for each connected hole, or segment of a long and thin one, and the box around each."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8), connectivity=8)
    labels = np.asarray(labels, np.int32)
    boxes = [(int(y), int(x), int(y + h), int(x + w)) for x, y, w, h, _ in stats[1:]]
    for label in range(1, count):
        top, left, bottom, right = boxes[label - 1]
        if 3 * max(bottom - top, right - left) <= 2 * size:
            continue  # with as much again on every side, it is still filled pixel by pixel
        part = labels[top:bottom, left:right]
        own = part == label
        inside = cv2.distanceTransform(np.pad(own, 1).astype(np.uint8), cv2.DIST_L2, 3)
        if 2 * float(inside.max()) <= THIN_FRACTION * size:
            _label_segments(part, own, label, boxes, size, (top, left))
    return labels, boxes


def _label_segments(part: Labels, own: Mask, label: int, boxes: list[Box], size: int, origin: tuple[int, int]) -> None:
    """Label the segments of a hole, cut by a grid of half the trained size; the first keeps the hole's own label."""
    number, side = label, max(1, size // 2)
    for y in range(0, own.shape[0], side):
        for x in range(0, own.shape[1], side):
            segment = own[y : y + side, x : x + side]
            inner = _bounds(segment)
            if inner is None:
                continue
            top, left = y + origin[0], x + origin[1]
            box = (top + inner[0], left + inner[1], top + inner[2], left + inner[3])
            part[y : y + side, x : x + side][segment] = number
            if number == label:
                boxes[label - 1] = box
            else:
                boxes.append(box)
            number = len(boxes) + 1


def _group_small(areas: Sequence[Area], size: int) -> list[_Group]:
    """Return a group for each crop, and one for all small crops that begin in the same square: there may be many."""
    groups: list[_Group] = []
    small: dict[tuple[int, int], list[int]] = defaultdict(list)
    for label, area in enumerate(areas, start=1):
        if area.longer_side <= size:
            small[area.top // size, area.left // size].append(label)
        else:
            groups.append(_Group(area, (label,)))
    for labels in small.values():
        groups.append(_Group(_union([areas[label - 1] for label in labels]), tuple(labels)))
    return sorted(groups, key=lambda group: (group.area.top, group.area.left))


def _merge_overlapping(groups: list[_Group], size: int) -> list[_Group]:
    """Merge groups whose crops overlap, as long as their union is filled pixel by pixel."""
    merged: list[_Group] = []
    for group in groups:
        index = 0
        while index < len(merged):
            other = merged[index]
            union = _union([other.area, group.area])
            if _overlap(other.area, group.area) and union.longer_side <= 2 * size:
                del merged[index]
                group, index = _Group(union, other.labels + group.labels), 0  # larger now, it may overlap others
            else:
                index += 1
        merged.append(group)
    return merged


def _union(areas: Sequence[Area]) -> Area:
    tops, lefts, bottoms, rights = zip(*((a.top, a.left, a.bottom, a.right) for a in areas), strict=True)
    return Area(min(tops), min(lefts), max(bottoms), max(rights))


def _overlap(a: Area, b: Area) -> bool:
    return a.top < b.bottom and b.top < a.bottom and a.left < b.right and b.left < a.right
