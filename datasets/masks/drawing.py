"""Masks of holes to learn filling: brush strokes, boxes, and LaMa's thin, medium and thick ones.

Strokes and the box are those of Yu et al. 2018, arXiv:1806.03589 (DeepFill v2); the three others, of Suvorov et al.
2021, arXiv:2109.07161 (LaMa), are what it is tested with at 256 pixels.

Differs from the papers:
- Lengths are said for pictures of 256 pixels, and scale with the shorter side of the picture.
- LaMa's code redraws a mask that covers more than half of the picture; here every kind of mask is redrawn so.
- DeepFill's strokes drift to the right; its code means to flip half of them, and forgets to. Here they are flipped.
"""

import itertools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
MaskName = Literal["free_form", "box", "thin", "medium", "thick"]

REFERENCE = 256  # pixels on the shorter side for which lengths are said
MOST = 0.5  # of a picture that a hole may take
ATTEMPTS = 100


class Brush(NamedTuple):
    """How LaMa's masks are drawn: ranges from which whole numbers are taken, both ends included, lengths in pixels."""

    strokes: tuple[int, int]
    length: tuple[int, int]
    width: tuple[int, int]
    box_odds: float = 0.0  # of boxes in the place of strokes
    boxes: tuple[int, int] = (0, 0)
    side: tuple[int, int] = (0, 0)


THIN = Brush((4, 51), (10, 49), (5, 14))
MEDIUM = Brush((4, 6), (10, 109), (5, 54), 0.3 / 1.3, (1, 5), (10, 50))
THICK = Brush((1, 6), (10, 209), (5, 104), 0.5, (1, 3), (30, 150))
SEGMENTS = (1, 5)  # of a stroke of LaMa's
ANGLES = (0.01, 1.01, 2.01, 3.01)  # between which LaMa's segments choose, in radians


def draw_mask(name: MaskName, height: int, width: int, seed: int) -> Mask:
    """A mask (height, width), True in the hole, which is never empty nor more than half of the picture.

    The same seed draws the same mask; pictures of fewer than 8 pixels on a side may have nothing but the hole.
    """
    draws = np.random.default_rng(seed)
    for _ in range(ATTEMPTS):
        mask = MASKS[name](height, width, draws)
        if mask.any() and mask.mean() <= MOST:
            return mask
    return box(height, width, draws)


def free_form(height: int, width: int, draws: np.random.Generator) -> Mask:
    """One to three strokes of a brush, that zigzag: (height, width), True in the hole."""
    canvas, scale = _canvas(height, width)
    reach = np.hypot(height, width) / 8
    for _ in range(draws.integers(1, 4)):
        count = int(draws.integers(4, 12))
        lowest, highest = 2 * np.pi / 5 + np.array([-1, 1]) * draws.uniform(0, 2 * np.pi / 15, 2)
        angles = draws.uniform(lowest, highest, count)
        angles[::2] = 2 * np.pi - angles[::2]
        lengths = np.clip(draws.normal(reach, reach / 2, count), 0, 2 * reach)
        points = _walk(draws.uniform(0, (width, height)), angles, lengths, width, height)
        _stroke(canvas, points, draws.uniform(12, 40) * scale)
    across, down = (1 - 2 * int(draws.integers(2)) for _ in range(2))
    return canvas[::down, ::across].astype(bool)


def box(height: int, width: int, draws: np.random.Generator) -> Mask:
    """A box anywhere, of half the picture's height and width but for up to a sixteenth: True in it."""
    mask = np.zeros((height, width), bool)
    sides = [max(1, round(side * (0.5 - draws.uniform(0, 1 / 16)))) for side in (height, width)]
    top, left = (int(draws.integers(whole - side + 1)) for whole, side in zip((height, width), sides, strict=True))
    mask[top : top + sides[0], left : left + sides[1]] = True
    return mask


def brushed(brush: Brush, height: int, width: int, draws: np.random.Generator) -> Mask:
    """Strokes, or boxes by their odds: (height, width), True in the hole."""
    canvas, scale = _canvas(height, width)
    if draws.random() < brush.box_odds:
        for _ in range(_of(brush.boxes, draws)):
            sides = np.minimum([max(1, round(_of(brush.side, draws) * scale)) for _ in range(2)], canvas.shape)
            top, left = draws.integers(np.array(canvas.shape) - sides + 1)
            canvas[top : top + sides[0], left : left + sides[1]] = 1
        return canvas.astype(bool)
    for number in range(_of(brush.strokes, draws)):
        count = _of(SEGMENTS, draws)
        angles = draws.choice(ANGLES, count)
        angles = angles if number % 2 else 2 * np.pi - angles
        lengths = scale * draws.integers(*brush.length, count, endpoint=True)
        # LaMa counts its angles from the vertical.
        points = _walk(draws.uniform(0, (width, height)), np.pi / 2 - angles, lengths, width, height)
        _stroke(canvas, points, _of(brush.width, draws) * scale)
    return canvas.astype(bool)


def thin(height: int, width: int, draws: np.random.Generator) -> Mask:
    """Many thin strokes, as scratches and letters are."""
    return brushed(THIN, height, width, draws)


def medium(height: int, width: int, draws: np.random.Generator) -> Mask:
    """A few strokes up to a fifth of the picture wide, or small boxes."""
    return brushed(MEDIUM, height, width, draws)


def thick(height: int, width: int, draws: np.random.Generator) -> Mask:
    """A few strokes up to two fifths of the picture wide, or large boxes."""
    return brushed(THICK, height, width, draws)


MASKS: dict[MaskName, Callable[[int, int, np.random.Generator], Mask]] = {
    "free_form": free_form,
    "box": box,
    "thin": thin,
    "medium": medium,
    "thick": thick,
}


def _canvas(height: int, width: int) -> tuple[NDArray[np.uint8], float]:
    return np.zeros((height, width), np.uint8), min(height, width) / REFERENCE


def _of(bounds: tuple[int, int], draws: np.random.Generator) -> int:
    return int(draws.integers(*bounds, endpoint=True))


def _walk(
    start: NDArray[Any], angles: NDArray[Any], lengths: NDArray[Any], width: int, height: int
) -> NDArray[np.int32]:
    """Points (n + 1, 2), x before y, each `lengths` from the last at `angles`; at the border the walk stays there."""
    points = [start]
    for angle, length in zip(angles, lengths, strict=True):
        step = length * np.array([np.cos(angle), np.sin(angle)])
        points.append(np.clip(points[-1] + step, 0, (width - 1, height - 1)))
    return np.array(points).astype(np.int32)


def _stroke(canvas: NDArray[np.uint8], points: NDArray[np.int32], width: float) -> None:
    """Lines of `width` pixels with round ends, drawn in place."""
    for start, end in itertools.pairwise(points.tolist()):
        cv2.line(canvas, start, end, 1, max(1, round(width)))
