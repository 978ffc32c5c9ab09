"""Holes that are known by a colour: painted over in an editor, or the date that a camera stamped into a corner."""

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.codecs.images import Picture
from datasets.codecs.picture import parse_colour
from datasets.masks.drawing import Mask
from datasets.masks.reading import dilate

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]

TOLERANCE = (
    60  # of 255, in the channel that differs most; chosen by hand: red of editors from (255, 0, 0) to (237, 28, 36)
)
CHANGE = 24  # of 255, above what saving as JPEG again mostly changes; chosen by hand
REACH = 8  # pixels from the colour, as far as JPEG smears it: what else was changed is no hole
EDGE = 3  # pixels around painted strokes that are mixed with their colour; chosen by hand

# A stamp is looked for in this part of the width and of the height, at a corner; chosen by hand.
STAMP_REACH = (0.5, 0.2)
# Hues, in degrees, of the usual stamps: from red over orange to yellow; how saturated and bright they are at least.
STAMP_HUES, STAMP_SATURATION, STAMP_BRIGHTNESS = (2, 66), 0.45, 150
STAMP_STROKE = 0.012  # of the picture's shorter side: the widest strokes of its digits; chosen by hand
STAMP_CONTRAST = 25  # of 255: what strokes are brighter or more saturated than their surroundings; chosen by hand
SMALLEST_DIGIT = 5  # pixels high, below which nobody reads them
LARGEST_DIGIT = 12  # times the width of a stroke; chosen by hand
SLIMNESS = 2.0  # how much wider than high a date is at least
CANDIDATES = 500  # strokes around which a line is looked for, the widest ones, so that noise does not take minutes


def find_painted(
    painted: Picture, colour: str, tolerance: int = TOLERANCE, original: Picture | None = None
) -> tuple[Mask, tuple[str, ...]]:
    """Return the mask (H, W) of what is painted over in a colour, True there, and notes where nothing is.

    With the original of the same size, only what differs from it counts, and the mixed pixels around strokes belong to
    them as far as they differ, up to `REACH` pixels away. Without it, everything of the commonest such colour counts,
    and `EDGE` pixels around it.

    Args:
        painted: The picture that was painted over.
        colour: A name as in CSS, or "#rrggbb".
        tolerance: By how much, of 255, each channel may differ from the colour.
        original: The picture before.
    """
    pixels = _to_bytes(painted)
    distance = _find_distance(pixels, colour)
    strokes: Mask = distance <= tolerance
    if painted.alpha is not None:
        strokes &= painted.alpha > np.iinfo(painted.alpha.dtype).max // 2
    if original is not None:
        changed = np.abs(pixels - _to_bytes(original)).max(2) > CHANGE
        strokes &= changed
        if strokes.any():
            count, labels = cv2.connectedComponents(changed.astype(np.uint8), connectivity=8)
            touched = np.zeros(count, bool)
            touched[labels[strokes]] = True
            return dilate(touched[labels] & dilate(strokes, REACH), 1), ()  # at borders the change is faint
    if strokes.any():
        # A brush has one colour, and what is merely like it, such as a red cup, has many.
        brush = np.abs(pixels - _find_commonest(pixels[strokes])).max(2)
        return dilate(strokes & (brush <= tolerance // 2), EDGE), ()
    if distance.min() <= tolerance:
        return strokes, (f"nothing of the colour {colour} differs from the original",)
    y, x = np.unravel_index(distance.argmin(), distance.shape)
    nearest = "#{:02x}{:02x}{:02x}".format(*pixels[y, x].tolist())
    return strokes, (
        f"nothing in it is {colour}: the nearest colour is {nearest}, which differs by {distance[y, x]} of 255; name "
        f"the colour that was painted, or allow for larger differences with the tolerance",
    )


def _find_commonest(colours: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the commonest of colours (N, 3), which may differ a little, as in JPEG."""
    bins = (colours >> 3) @ np.array([1, 32, 1024], np.int16)
    commonest: NDArray[np.int16] = np.median(colours[bins == np.bincount(bins).argmax()], axis=0).astype(np.int16)
    return commonest


def parse_stamp(text: str) -> tuple[Corner, str | None]:
    """Return the corner and the colour, None if there is none, that a text such as "bottom-right,orange" names.

    Raises:
        ValueError: It does not start with a corner, or names no colour.
    """
    corner, _, colour = (part.strip() for part in text.partition(","))
    for known in get_args(Corner):
        if corner == known:
            if colour:
                parse_colour(colour)
            return known, colour or None
    raise ValueError(f"expected {', '.join(get_args(Corner))}, and a colour after a comma if you like, found {text}")


def find_text_stamp(picture: Picture, corner: Corner, colour: str | None) -> tuple[Mask, tuple[str, ...]]:
    """Return the mask (H, W) of a line of thin strokes in a corner, such as a date, and a note where there is none.

    Without a colour, strokes from red over orange to yellow are taken, as most cameras stamp.
    """
    height, width = picture.height, picture.width
    across, down = max(1, round(STAMP_REACH[0] * width)), max(1, round(STAMP_REACH[1] * height))
    rows = slice(0, down) if corner.startswith("top") else slice(height - down, height)
    columns = slice(0, across) if corner.endswith("left") else slice(width - across, width)
    part = _to_bytes(picture)[rows, columns]
    stroke = max(3, round(STAMP_STROKE * min(height, width)))
    # Turned so that the corner is at the top left.
    turned = (
        slice(None, None, 1 if corner.startswith("top") else -1),
        slice(None, None, 1 if "left" in corner else -1),
    )
    text = _keep_line(_find_strokes(part, colour, stroke)[turned], stroke)[turned]
    mask = np.zeros((height, width), bool)
    mask[rows, columns] = dilate(text, max(EDGE, stroke // 2))
    if not text.any():
        what = "nothing" if colour is None else f"nothing {colour}"
        return mask, (
            f"{what} in the corner {corner} looks like a date; name the colour of its digits, as in {corner},#ffaa28, "
            "or a `box` around it",
        )
    return mask, ()


def _find_strokes(pixels: NDArray[np.int16], colour: str | None, stroke: int) -> Mask:
    """Return the pixels (H, W) of a stamp's colour that stand out from what is a stroke's width away."""
    kernel = np.ones((2 * stroke + 1,) * 2, np.uint8)
    if colour is not None:
        distance = _find_distance(pixels, colour)
        contrast = cv2.morphologyEx(255 - distance, cv2.MORPH_TOPHAT, kernel)
        strokes: Mask = (distance <= TOLERANCE) & (contrast >= STAMP_CONTRAST)
        return strokes
    hue, saturation, value = cv2.split(cv2.cvtColor(pixels.astype(np.float32), cv2.COLOR_RGB2HSV))
    contrast = cv2.morphologyEx(np.dstack([255 * saturation, value]), cv2.MORPH_TOPHAT, kernel).max(2)
    lowest, highest = STAMP_HUES
    strokes = (hue >= lowest) & (hue <= highest) & (saturation >= STAMP_SATURATION) & (value >= STAMP_BRIGHTNESS)
    strokes &= contrast >= STAMP_CONTRAST
    return strokes


def _keep_line(strokes: Mask, stroke: int) -> Mask:
    """Return the line of strokes of about one height, side by side, that is longest and nearest to the top left."""
    count, labels, found, _ = cv2.connectedComponentsWithStats(strokes.astype(np.uint8), connectivity=8)
    top, height = found[:, cv2.CC_STAT_TOP], found[:, cv2.CC_STAT_HEIGHT]
    left, width = found[:, cv2.CC_STAT_LEFT], found[:, cv2.CC_STAT_WIDTH]
    digits = (height >= max(SMALLEST_DIGIT, 0.8 * stroke)) & (height <= LARGEST_DIGIT * stroke)
    digits[0] = False  # what is no stroke
    best, highest = np.zeros(count, bool), 0.0
    for tall in np.argsort(-width * digits)[: min(CANDIDATES, np.count_nonzero(digits))]:
        size = height[tall]
        line = (top >= top[tall] - 0.3 * size) & (top + height <= top[tall] + 1.3 * size) & (np.arange(count) > 0)
        line &= _are_near(left, left + width, line, tall, size)
        length = width[line].sum()
        score = length / (4 * stroke + top[line].min() + left[line].min())
        if length > SLIMNESS * size and score > highest:
            best, highest = line, score
    kept: Mask = best[labels]
    return kept


def _are_near(left: NDArray[np.int32], right: NDArray[np.int32], line: Mask, start: int, gap: float) -> Mask:
    """Return which parts of a line can be reached from one of them over gaps of at most `gap` pixels."""
    near = np.zeros_like(line)
    order = np.flatnonzero(line)[np.argsort(left[line])]
    gaps = left[order][1:] - np.maximum.accumulate(right[order])[:-1] > gap
    group = np.concatenate([[0], np.cumsum(gaps)])
    near[order[group == group[order == start]]] = True
    return near


def _find_distance(pixels: NDArray[np.int16], colour: str) -> NDArray[np.int16]:
    """Return by how much the channel that differs most differs from a colour, (H, W), of 255."""
    distance: NDArray[np.int16] = np.abs(pixels - np.array(parse_colour(colour), np.int16)).max(2)
    return distance


def _to_bytes(picture: Picture) -> NDArray[np.int16]:
    """Return RGB (H, W, 3) from 0 to 255."""
    pixels = picture.pixels if picture.depth == 8 else picture.pixels >> 8
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).astype(np.int16)
