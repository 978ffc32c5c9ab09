"""Holes filled at the picture's own resolution: crop by crop, and not one known pixel is touched.

A crop of up to twice the trained size is seen pixel by pixel. A larger one, which holds a hole larger than the model
ever saw, is scaled down to what it knows, filled, and the fill scaled up: softer than its surroundings, but whole.
Crops are filled one after the other; what one has filled is known to the next.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.codecs.images import Picture
from datasets.errors import UserError
from datasets.masks.drawing import Mask
from datasets.pixels import Floats, Pixels, convert_channels, drop_alpha, resize, to_floats, to_pixels, to_tensor
from translate.inference.tiles import Area
from translate.inpainting.crops import Crop, find_crops

LITTLE, MUCH = 0.0001, 0.6  # shares of hole beyond which black and white may have been exchanged

Fill = Callable[[Tensor, Tensor, int], Tensor]


@dataclass(frozen=True)
class Inpainter:
    """What fills holes, ready to use.

    Attributes:
        fill: Takes a picture (C, H, W) in [-1, 1], its hole, (1, H, W) of 0 and 1, and the bits of the picture's
            samples; gives the whole picture (C', H, W) in [-1, 1].
        digest: Of all that decides what it makes.
        size: Pixels on a side of the squares that it learned from.
        channels: Of the pictures that it takes, 1 or 3.
        any_scale: Holes of any size are filled pixel by pixel.
        whole: It knows whole pictures only, squares that are scaled to its `size`.
        only_size: It takes crops of `size` pixels on a side and no others.
        precision: That it computes with.
        alone: Pictures are to be filled one after the other.
    """

    fill: Fill
    digest: str
    size: int
    channels: int = 3
    any_scale: bool = False
    whole: bool = False
    only_size: bool = False
    precision: str = "fp32"
    alone: bool = False


def inpaint(filler: Inpainter, picture: Picture, hole: Mask, *, feather: int = 0, make_opaque: bool = False) -> Picture:
    """The picture with its hole, (H, W), filled. All other pixels are the very same, and so is the alpha.

    Args:
        filler: What fills it.
        picture: Of 8 or 16 bits, gray or colour.
        hole: Which pixels to make.
        feather: Over so many pixels inward from the border of a hole, what is made fades in over what was there.
        make_opaque: Nothing can be seen through the result.

    Raises:
        UserError: There is nothing to go by, or the filler cannot take such a picture.
    """
    if hole.all():
        raise UserError("all of it is hole, and nothing is left to go by; is black the hole? then --mask-invert")
    if filler.whole and picture.width != picture.height:
        size = f"{picture.width}x{picture.height}"
        raise UserError(f"expected a square, which is all that this generator makes, found {size}; cut it first")
    canvas, left = picture.pixels.copy(), hole.copy()
    alpha = None if picture.alpha is None else picture.alpha.copy()
    for crop in _whole(hole) if filler.whole else find_crops(hole, filler.size):
        place = _place(crop.area)
        seen = drop_alpha(Picture(canvas[place], None if alpha is None else alpha[place]))
        made = _made(filler, seen, left[place])
        if feather:
            made = _faded(made, seen, hole[place], feather)
        canvas[place][crop.own] = made[crop.own]
        left[place][crop.own] = False
        if alpha is not None and make_opaque:
            alpha[place][crop.own] = np.iinfo(alpha.dtype).max
    if alpha is not None and make_opaque:
        alpha.fill(np.iinfo(alpha.dtype).max)
    return replace(picture, pixels=canvas, alpha=alpha)


def describe_hole(hole: Mask) -> str:
    """How much of a picture is hole, in words, and whether that looks like a mistake."""
    share = float(hole.mean())
    told = f"{share:.2%} is hole" if share >= LITTLE else f"{int(hole.sum())} pixels are hole"
    if share < LITTLE:
        return f"{told}, which is next to nothing: is it the right mask?"
    return f"{told}, which is much; if black is the hole, then --mask-invert" if share > MUCH else told


def _place(area: Area) -> tuple[slice, slice]:
    return slice(area.top, area.bottom), slice(area.left, area.right)


def _whole(hole: Mask) -> Iterator[Crop]:
    """One crop, which is the picture."""
    yield Crop(Area(0, 0, *hole.shape), hole)


def _made(filler: Inpainter, seen: Pixels, hole: Mask) -> Pixels:
    """What a filler makes of (h, w, C) pixels and their hole, at their size, depth and channels."""
    height, width, channels = seen.shape
    depth = 8 * seen.dtype.itemsize
    seen_as, small = _at_size(to_floats(seen), hole, *_work_dimensions(filler, width, height))
    image = to_tensor(convert_channels(seen_as, filler.channels))
    made = filler.fill(image, torch.from_numpy(small.transpose(2, 0, 1).astype(np.float32)), depth)
    floats = np.asarray((made.permute(1, 2, 0).numpy() + 1) / 2, np.float32)
    return resize(to_pixels(to_tensor(convert_channels(floats, channels)), depth), width, height)


def _at_size(pixels: Floats, hole: Mask, width: int, height: int) -> tuple[Floats, Mask]:
    """Floats (h, w, C) and their hole (h, w, 1) at another size, where nothing of what is to go tints what is known.

    A pixel is hole where any of it is; or where all is, if otherwise nothing known were left.
    """
    if pixels.shape[:2] == (height, width):
        return pixels, hole[:, :, np.newaxis]
    known = (~hole).astype(np.float32)[:, :, np.newaxis]
    share = _averaged(known, width, height)
    mean = _averaged(pixels * known, width, height) / np.maximum(share, 1e-6)
    small: Mask = share < 0.999
    return np.asarray(mean, np.float32), (share <= 0.001 if small.all() else small)


def _averaged(floats: Floats, width: int, height: int) -> Floats:
    """(h, w, C) at another size, by weights that are never negative and add up to 1."""
    shrinks = width * height < floats.shape[0] * floats.shape[1]
    result = cv2.resize(floats, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(result, np.float32).reshape(height, width, floats.shape[2])


def _work_dimensions(filler: Inpainter, width: int, height: int) -> tuple[int, int]:
    """Width and height at which a filler sees a crop: its own, unless it is more than twice the trained size."""
    size = filler.size
    if filler.whole or filler.only_size:
        return size, size
    if filler.any_scale or max(width, height) <= 2 * size:
        return width, height
    factor = min(1.0, size / min(width, height), 2 * size / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _faded(made: Pixels, before: Pixels, hole: Mask, feather: int) -> Pixels:
    """What is made, fading in from the border of the hole; the first pixel within has its share already."""
    inside = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    share: NDArray[np.float32] = np.minimum(inside / np.float32(feather + 1), np.float32(1))[:, :, np.newaxis]
    blend = before + share * (made.astype(np.float32) - before)
    return np.asarray(np.rint(blend), made.dtype)
