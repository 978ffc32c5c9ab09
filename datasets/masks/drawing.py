"""Random masks of holes: brush strokes, boxes, and LaMa's thin, medium and thick masks.

Strokes and the box are those of Yu et al. 2018, arXiv:1806.03589 (DeepFill v2). Thin, medium and thick masks are those
of Suvorov et al. 2021, arXiv:2109.07161 (LaMa), with the numbers of its tests at 256 pixels.

Differs from the papers:
- Lengths are given for pictures of 256 pixels, and scale with the shorter side of the picture.
- LaMa's code redraws a mask that covers more than half of the picture; here that holds for every kind of mask.
- DeepFill's strokes drift to the right: its code means to flip half of them, and does not. Here they are flipped.
"""

import itertools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
MaskName = Literal["free_form", "box", "thin", "medium", "thick"]

REFERENCE = 256  # pixels on the shorter side of the picture that lengths are given for
MAX_HOLE = 0.5  # fraction of the picture, as in LaMa's code
ATTEMPTS = 100  # chosen by hand: most masks take one or two


class Brush(NamedTuple):
    """Ranges from which LaMa's masks draw whole numbers, both ends included; lengths are in pixels."""

    strokes: tuple[int, int]
    length: tuple[int, int]
    width: tuple[int, int]
    box_probability: float = 0.0  # of boxes instead of strokes
    boxes: tuple[int, int] = (0, 0)
    side: tuple[int, int] = (0, 0)


THIN = Brush((4, 51), (10, 49), (5, 14))
MEDIUM = Brush((4, 6), (10, 109), (5, 54), 0.3 / 1.3, (1, 5), (10, 50))
THICK = Brush((1, 6), (10, 209), (5, 104), 0.5, (1, 3), (30, 150))
SEGMENTS = (1, 5)  # of one of LaMa's strokes
ANGLES = (0.01, 1.01, 2.01, 3.01)  # of LaMa's segments, in radians: 0.01 + one of 0 to 3


def draw_mask(name: MaskName, height: int, width: int, seed: int) -> Mask:
    """Return a mask (height, width), True in the hole, which is neither empty nor more than half of the picture.

    Equal seeds give equal masks. In pictures of fewer than 8 pixels on a side, the hole may be everything.
    """
    rng = np.random.default_rng(seed)
    for _ in range(ATTEMPTS):
        mask = MASKS[name](height, width, rng)
        if mask.any() and mask.mean() <= MAX_HOLE:
            return mask
    return draw_box(height, width, rng)


def draw_free_form(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Return one to three zigzag brush strokes, (height, width), True in the hole."""
    canvas, scale = _make_canvas(height, width)
    mean_length = np.hypot(height, width) / 8
    for _ in range(rng.integers(1, 4)):
        count = int(rng.integers(4, 12))
        lowest, highest = 2 * np.pi / 5 + np.array([-1, 1]) * rng.uniform(0, 2 * np.pi / 15, 2)
        angles = rng.uniform(lowest, highest, count)
        angles[::2] = 2 * np.pi - angles[::2]
        lengths = np.clip(rng.normal(mean_length, mean_length / 2, count), 0, 2 * mean_length)
        points = _trace_path(rng.uniform(0, (width, height)), angles, lengths, width, height)
        _draw_stroke(canvas, points, rng.uniform(12, 40) * scale)
    across, down = (1 - 2 * int(rng.integers(2)) for _ in range(2))  # steps of 1 or -1, which flips
    return canvas[::down, ::across].astype(bool)


def draw_box(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Return a box anywhere, (height, width), True in it: half the picture's sides, less up to a sixteenth of them."""
    mask = np.zeros((height, width), bool)
    sides = [max(1, round(side * (0.5 - rng.uniform(0, 1 / 16)))) for side in (height, width)]
    top, left = (int(rng.integers(full - side + 1)) for full, side in zip((height, width), sides, strict=True))
    mask[top : top + sides[0], left : left + sides[1]] = True
    return mask


def draw_brush_mask(brush: Brush, height: int, width: int, rng: np.random.Generator) -> Mask:
    """Return strokes, or with the brush's probability boxes, (height, width), True in the hole."""
    canvas, scale = _make_canvas(height, width)
    if rng.random() < brush.box_probability:
        for _ in range(_draw_integer(brush.boxes, rng)):
            sides = np.minimum([max(1, round(_draw_integer(brush.side, rng) * scale)) for _ in range(2)], canvas.shape)
            top, left = rng.integers(np.array(canvas.shape) - sides + 1)
            canvas[top : top + sides[0], left : left + sides[1]] = 1
        return canvas.astype(bool)
    for number in range(_draw_integer(brush.strokes, rng)):
        count = _draw_integer(SEGMENTS, rng)
        angles = rng.choice(ANGLES, count)
        angles = angles if number % 2 else 2 * np.pi - angles
        lengths = scale * rng.integers(*brush.length, count, endpoint=True)
        # LaMa measures angles from the vertical.
        points = _trace_path(rng.uniform(0, (width, height)), np.pi / 2 - angles, lengths, width, height)
        _draw_stroke(canvas, points, _draw_integer(brush.width, rng) * scale)
    return canvas.astype(bool)


def draw_thin(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Return many thin strokes, like scratches and letters."""
    return draw_brush_mask(THIN, height, width, rng)


def draw_medium(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Return a few strokes up to a fifth of the picture wide, or small boxes."""
    return draw_brush_mask(MEDIUM, height, width, rng)


def draw_thick(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Return a few strokes up to two fifths of the picture wide, or large boxes."""
    return draw_brush_mask(THICK, height, width, rng)


MASKS: dict[MaskName, Callable[[int, int, np.random.Generator], Mask]] = {
    "free_form": draw_free_form,
    "box": draw_box,
    "thin": draw_thin,
    "medium": draw_medium,
    "thick": draw_thick,
}


def _make_canvas(height: int, width: int) -> tuple[NDArray[np.uint8], float]:
    return np.zeros((height, width), np.uint8), min(height, width) / REFERENCE


def _draw_integer(bounds: tuple[int, int], rng: np.random.Generator) -> int:
    return int(rng.integers(*bounds, endpoint=True))


def _trace_path(
    start: NDArray[Any], angles: NDArray[Any], lengths: NDArray[Any], width: int, height: int
) -> NDArray[np.int32]:
    """Return points (n + 1, 2), x before y, each at a length and an angle from the last, clipped to the picture."""
    points = [start]
    for angle, length in zip(angles, lengths, strict=True):
        step = length * np.array([np.cos(angle), np.sin(angle)])
        points.append(np.clip(points[-1] + step, 0, (width - 1, height - 1)))
    return np.array(points).astype(np.int32)


def _draw_stroke(canvas: NDArray[np.uint8], points: NDArray[np.int32], width: float) -> None:
    """Draw lines of `width` pixels with round ends into the canvas."""
    for start, end in itertools.pairwise(points.tolist()):
        cv2.line(canvas, start, end, 1, max(1, round(width)))
