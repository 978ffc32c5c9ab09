"""Masks from files: white is hole.

People's masks come in many forms: gray, in colour, with the strokes in alpha only, with 8 bits or 16, with levels 0 and
1, as JPEG, of another size than the picture, or turned like the picture in its file and not as it is shown.
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from datasets.codecs.images import (
    PIXEL_LIMIT,
    Header,
    Picture,
    read_header,
    read_palette_indices,
    read_picture,
    turn_upright,
)
from datasets.errors import DataError
from datasets.masks.drawing import Mask
from datasets.masks.levels import is_photograph, show_levels
from datasets.pixels import Pixels, resize


class PhotographError(DataError):
    """What was given as a mask looks like a photograph."""


def read_mask(
    path: Path, picture: Header, *, limit: int = PIXEL_LIMIT, threshold: int | None = None
) -> tuple[Mask, tuple[str, ...]]:
    """Return the mask (H, W) of a picture with this header, True in the hole, and notes on what was done to it.

    The mask is turned as its own EXIF says, and scaled to the picture. If it has no EXIF, and has the shape of the
    picture only as that lies in its file, it is turned like the picture. For `threshold` see `find_holes`.

    Raises:
        PictureError: The file cannot be read.
        DataError: The mask looks like a photograph, or has another aspect than the picture.
    """
    mask, found = read_holes(path, limit=limit, threshold=threshold)
    fitted, notes = fit_mask(path, mask, picture)
    return fitted, (*found, *notes)


def read_holes(path: Path, *, limit: int = PIXEL_LIMIT, threshold: int | None = None) -> tuple[Mask, tuple[str, ...]]:
    """Return the mask (H, W) that a file shows, as `find_holes` does, and notes on what was taken for the hole.

    Raises:
        PictureError: The file cannot be read.
        PhotographError: It looks like a photograph, and there is no threshold.
    """
    picture = read_picture(path, limit=limit)
    if threshold is None and is_photograph(picture):
        raise PhotographError(
            f"{path}: this looks like a photograph, and a mask was expected, which is white in the hole and black "
            "elsewhere"
        )
    levels = show_levels(picture)
    if levels.values.min() == levels.values.max():
        indices = read_palette_indices(path)  # of a palette whose colours are all the same
        levels = levels if indices is None else replace(levels, values=indices, highest=255)
    return levels.find_holes(threshold)


def fit_mask(path: Path, mask: Mask, picture: Header) -> tuple[Mask, tuple[str, ...]]:
    """Return a mask (H, W) turned and scaled to a picture with this header, and notes on that.

    Raises:
        DataError: The mask has another aspect than the picture.
    """
    notes = []
    width, height = picture.width, picture.height
    if not _has_shape_of(mask, width, height):
        sideways = picture.orientation > 4 and read_header(path).orientation == 1
        if not (sideways and _has_shape_of(mask, height, width)):
            raise DataError(
                f"{path}: the mask has {mask.shape[1]}x{mask.shape[0]} pixels, which is another shape than the "
                f"picture's {width}x{height}; draw it on the picture itself"
            )
        mask = _turn_upright(mask, picture.orientation)
        notes.append("the mask was turned like the picture")
    if mask.shape != (height, width):
        notes.append(f"the mask was scaled from {mask.shape[1]}x{mask.shape[0]}")
    return resize_mask(mask, width, height), tuple(notes)


def find_holes(picture: Picture, threshold: int | None = None) -> Mask:
    """Return the mask (H, W) that a picture shows, True in the hole.

    The hole is what is brighter than `threshold`, of 255. Without a threshold it is what is brighter than half, and
    where a lossless picture has two levels the brighter one, such as 2 of 0 and 2. How bright a pixel is: see
    `show_levels`.
    """
    return show_levels(picture).find_holes(threshold)[0]


def find_transparency(picture: Picture) -> Mask | None:
    """Return (H, W), True where a picture is transparent by half or more; None where it has no alpha."""
    if picture.alpha is None:
        return None
    transparent: Mask = picture.alpha <= np.iinfo(picture.alpha.dtype).max // 2
    return transparent


def resize_mask(mask: Mask, width: int, height: int) -> Mask:
    """Return a mask (H, W) at another size: True where half is hole, or any of it if nothing else would be left."""
    if mask.shape == (height, width):
        return mask
    levels = resize(_to_levels(mask)[:, :, np.newaxis], width, height)[:, :, 0]
    smooth: Mask = levels > 127
    return smooth if smooth.any() else levels > 0


def dilate(mask: Mask, pixels: int) -> Mask:
    """Return a mask (H, W) whose holes are larger by `pixels` all around, with round corners."""
    if not pixels or not mask.any():
        return mask
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    # Only the part that a hole can grow into, which of large pictures is mostly small.
    vertical = slice(max(int(rows[0]) - pixels, 0), int(rows[-1]) + pixels + 1)
    horizontal = slice(max(int(columns[0]) - pixels, 0), int(columns[-1]) + pixels + 1)
    distance = cv2.distanceTransform((~mask[vertical, horizontal]).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    larger = mask.copy()
    larger[vertical, horizontal] = distance <= pixels
    return larger


def _has_shape_of(mask: Mask, width: int, height: int) -> bool:
    """Return whether a mask has the aspect of a picture, as far as sides in whole pixels can."""
    mask_height, mask_width = mask.shape
    return bool(abs(mask_width * height - mask_height * width) <= max(width + height, mask_width + mask_height))


def _turn_upright(mask: Mask, orientation: int) -> Mask:
    turned: Mask = turn_upright(_to_levels(mask), orientation) > 0
    return turned


def _to_levels(mask: Mask) -> Pixels:
    return mask.astype(np.uint8) * np.uint8(255)
