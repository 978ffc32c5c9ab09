"""Masks described in words: boxes, circles and polygons, and the corner where a camera stamps the date."""

import re
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from datasets.codecs.images import Picture
from datasets.contract import Options
from datasets.errors import UserError
from datasets.masks.colours import find_text_stamp, parse_stamp
from datasets.masks.drawing import Mask

LENGTH = re.compile(r"\d+(?:\.\d+)?%?")


def _check_box(text: str) -> str:
    return _check_lengths(text, 4, "X,Y,W,H such as 10,20,200,50: its left, top, width and height")


def _check_circle(text: str) -> str:
    return _check_lengths(text, 3, "X,Y,R such as 100,80,25: its centre and radius")


def _check_polygon(text: str) -> str:
    lengths = _split(text)
    if len(lengths) < 6 or len(lengths) % 2:
        raise ValueError(f"expected three or more points such as 10,10,90,10,50,80, each X,Y, found {text}")
    return _check_lengths(text, len(lengths), "points such as 10,10,90,10,50,80")


def _check_stamp(text: str) -> str:
    parse_stamp(text)
    return text


class Marks(Options):
    """Parts of a picture that are hole, without a mask.

    Lengths are pixels of the upright picture, or percent such as 50%: of the width for X, W and R, of the height for Y
    and H.

    Attributes:
        box: X,Y,W,H of each box.
        circle: X,Y,R of each circle.
        polygon: X,Y of three or more corners of each polygon.
        text_stamp: The corner of a date stamp, such as bottom-right, and its colour after a comma, if that is not one
            of the usual yellow, orange or red.
    """

    box: tuple[Annotated[str, AfterValidator(_check_box)], ...] = ()
    circle: tuple[Annotated[str, AfterValidator(_check_circle)], ...] = ()
    polygon: tuple[Annotated[str, AfterValidator(_check_polygon)], ...] = ()
    text_stamp: Annotated[str, AfterValidator(_check_stamp)] | None = None

    @property
    def has_marks(self) -> bool:
        """Whether anything is marked."""
        return bool(self.box or self.circle or self.polygon or self.text_stamp)

    def draw_shapes(self, height: int, width: int) -> Mask:
        """Return a mask (height, width), True within the boxes, circles and polygons.

        Raises:
            UserError: One of them covers no pixel.
        """
        mask = np.zeros((height, width), bool)
        for draw, texts in ((_draw_box, self.box), (_draw_circle, self.circle), (_draw_polygon, self.polygon)):
            for text in texts:
                shape = draw(_measure(text, height, width), height, width)
                if not shape.any():
                    raise UserError(f"{text}: covers no pixel of the picture, which has {width}x{height}")
                mask |= shape
        return mask

    def find_holes(self, picture: Picture) -> tuple[Mask, tuple[str, ...]]:
        """Return the mask (H, W) of all parts of a picture, and notes.

        Raises:
            UserError: One of them lies outside the picture.
        """
        mask = self.draw_shapes(picture.height, picture.width)
        if self.text_stamp is None:
            return mask, ()
        stamp, notes = find_text_stamp(picture, *parse_stamp(self.text_stamp))
        return mask | stamp, notes


def _split(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,;]+", text) if part]


def _check_lengths(text: str, count: int, expected: str) -> str:
    lengths = _split(text)
    if len(lengths) != count or not all(LENGTH.fullmatch(length) for length in lengths):
        raise ValueError(f"expected {expected}, in pixels or percent of the picture, found {text}")
    return text


def _measure(text: str, height: int, width: int) -> list[float]:
    """Return the lengths in pixels; those at even places go across, those at odd ones down."""
    return [
        float(length.removesuffix("%")) * ((height if place % 2 else width) / 100 if length.endswith("%") else 1)
        for place, length in enumerate(_split(text))
    ]


def _draw_box(lengths: list[float], height: int, width: int) -> Mask:
    left, top, across, down = lengths
    y, x = _centres(height, width)
    return (left <= x) & (x < left + across) & (top <= y) & (y < top + down)


def _draw_circle(lengths: list[float], height: int, width: int) -> Mask:
    centre_x, centre_y, radius = lengths
    y, x = _centres(height, width)
    circle: Mask = (x - centre_x) ** 2 + (y - centre_y) ** 2 <= radius**2
    return circle


def _draw_polygon(lengths: list[float], height: int, width: int) -> Mask:
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.rint(lengths).astype(np.int32).reshape(-1, 2)], 1)
    return canvas.astype(bool)


def _centres(height: int, width: int) -> list[NDArray[np.float64]]:
    """Return the rows and the columns of the centres of all pixels."""
    return [axis + 0.5 for axis in np.ogrid[:height, :width]]
