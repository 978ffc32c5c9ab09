"""Masks from files: which pixels of a picture are a hole.

White is hole. What people's masks are like: gray, colour, with the strokes alone in their alpha, of 8 bits or 16, of 0
and 1, saved as JPEG, of another size than the picture, or of the picture as it lies in the file and not as it is shown.
"""

import functools
from pathlib import Path

import cv2
import numpy as np

from datasets.codecs.images import PIXEL_LIMIT, Header, Picture, read_header, read_picture, turn_upright
from datasets.codecs.origin import Origin
from datasets.errors import DataError
from datasets.masks.drawing import Mask
from datasets.pixels import Pixels, resize


def read_mask(path: Path, picture: Header, *, limit: int = PIXEL_LIMIT) -> tuple[Mask, tuple[str, ...]]:
    """The holes, (H, W), that a mask file shows in a picture of this head, and notes on what was done to it.

    A mask is upright as its own EXIF says, and then scaled to the picture. Where it has no EXIF, and fits the picture
    only as that lies in its file, it is turned as the picture is.

    Raises:
        PictureError: It cannot be read.
        DataError: It is a mask of another shape.
    """
    given = read_picture(path, limit=limit)
    mask = holes_in(given)
    notes = []
    width, height = picture.width, picture.height
    if not _fits(mask, width, height):
        lies = picture.orientation > 4 and read_header(path).orientation == 1 and _fits(mask, height, width)
        if not lies:
            raise DataError(
                f"{path}: the mask has {given.width}x{given.height} pixels, which is another shape than the picture's "
                f"{width}x{height}; make it of the picture itself"
            )
        mask = _upright(mask, picture.orientation)
        notes.append("the mask was turned as the picture is")
    if mask.shape != (height, width):
        notes.append(f"the mask was scaled from {mask.shape[1]}x{mask.shape[0]}")
    return resize_mask(mask, width, height), tuple(notes)


def holes_in(picture: Picture) -> Mask:
    """(H, W): which pixels of a mask say hole, those of at least half the highest level in any channel.

    Where all is of one colour and the alpha is not, the opaque is hole; else the transparent never is. Levels that end
    at 1, or of 16 bits at 255, are taken for whole ones, unless a lossy file may have made them of nothing.
    """
    levels = functools.reduce(np.maximum, np.moveaxis(picture.pixels, 2, 0))
    highest = int(np.iinfo(levels.dtype).max)
    alpha = picture.alpha
    if alpha is not None:
        strokes = levels.min() == levels.max() and alpha.min() < alpha.max()
        levels = alpha if strokes else np.where(alpha > highest // 2, levels, 0)
    brightest = int(levels.max())
    if brightest in ((1,) if picture.depth == 8 else (1, 255)) and not _lossy(picture.origin):
        highest = brightest
    holes: Mask = levels > highest // 2
    return holes


def transparency_mask(picture: Picture) -> Mask | None:
    """(H, W): which pixels of a picture can be seen through by half or more; None where it has no transparency."""
    if picture.alpha is None:
        return None
    see_through: Mask = picture.alpha <= np.iinfo(picture.alpha.dtype).max // 2
    return see_through


def resize_mask(mask: Mask, width: int, height: int) -> Mask:
    """(H, W) at another size: hole is what is hole by half, or a little where none would be left."""
    if mask.shape == (height, width):
        return mask
    levels = resize(_levels(mask)[:, :, np.newaxis], width, height)[:, :, 0]
    smooth: Mask = levels > 127
    return smooth if smooth.any() else levels > 0


def dilate(mask: Mask, pixels: int) -> Mask:
    """(H, W) with every hole larger by so many pixels all around, at round corners."""
    if not pixels or not mask.any():
        return mask
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    # Only where a hole can grow to: of large pictures that is mostly little.
    tall = slice(max(int(rows[0]) - pixels, 0), int(rows[-1]) + pixels + 1)
    wide = slice(max(int(columns[0]) - pixels, 0), int(columns[-1]) + pixels + 1)
    distance = cv2.distanceTransform((~mask[tall, wide]).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    larger = mask.copy()
    larger[tall, wide] = distance <= pixels
    return larger


def _fits(mask: Mask, width: int, height: int) -> bool:
    """Whether a mask is the picture's at some scale, its sides rounded to pixels one way or the other."""
    tall, wide = mask.shape
    return bool(abs(wide * height - tall * width) <= max(width + height, wide + tall))


def _upright(mask: Mask, orientation: int) -> Mask:
    turned: Mask = turn_upright(_levels(mask), orientation) > 0
    return turned


def _levels(mask: Mask) -> Pixels:
    return mask.astype(np.uint8) * np.uint8(255)


def _lossy(origin: Origin | None) -> bool:
    return origin is not None and (origin.format == "JPEG" or origin.webp_quality is not None)
