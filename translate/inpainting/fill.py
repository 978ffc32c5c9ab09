"""Fill holes at the picture's own resolution, crop by crop, without changing a known pixel.

A crop of up to twice the trained size is filled pixel by pixel. A larger one, which holds a hole larger than any that
the model was trained on, is scaled down to the trained size, filled, and the fill is scaled up: softer than its
surroundings, but complete. Crops are filled one after the other, and what one has filled is known to the next.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.codecs.images import Picture
from datasets.errors import UserError
from datasets.masks.drawing import Mask
from datasets.pixels import Floats, Pixels, convert_channels, drop_alpha, resize, to_floats, to_pixels, to_tensor
from translate.inference.monitor import Report, TileProgress
from translate.inference.tiles import Area
from translate.inpainting.crops import Crop, find_crops
from translate.inpainting.detail import add_detail

# Fractions of hole below and above which the mask may be wrong, or black and white exchanged; chosen by judgement.
SUSPICIOUSLY_SMALL, SUSPICIOUSLY_LARGE = 0.0001, 0.6

Fill = Callable[[Tensor, Tensor, int], Tensor]
FillName = Literal["detail", "smooth"]


@dataclass(frozen=True)
class Inpainter:
    """A method that fills holes, ready to use.

    Attributes:
        fill: Takes a picture (C, H, W) in [-1, 1], its hole (1, H, W) of 0 and 1, and the bits of the picture's
            samples; returns the whole picture (C', H, W) in [-1, 1].
        digest: A fingerprint of all that decides the result.
        size: Pixels on a side of the squares that it was trained on.
        channels: Channels of the pictures that it takes, 1 or 3.
        any_scale: Holes of any size are filled pixel by pixel.
        whole_picture: It takes a whole square picture, scaled to `size`, and no crops of one.
        only_size: It takes crops of exactly `size` pixels on a side.
        precision: That it computes with.
        smooth: It leaves out fine detail.
        exclusive: Only one picture may be filled at a time.
        computing: The context in which `fill` is called: it sets the threads and flags that the method computes with,
            and restores those of the process afterwards.
    """

    fill: Fill
    digest: str
    size: int
    channels: int = 3
    any_scale: bool = False
    whole_picture: bool = False
    only_size: bool = False
    precision: str = "fp32"
    smooth: bool = False
    exclusive: bool = False
    computing: Callable[[], AbstractContextManager[None]] = nullcontext

    def choose(self, fill: FillName | None) -> FillName:
        """Return the kind of fill that was asked for, or else the one that suits this method."""
        return fill or ("detail" if self.smooth else "smooth")


def fill_holes(
    inpainter: Inpainter,
    picture: Picture,
    hole: Mask,
    *,
    kind: FillName | None = None,
    feather: int = 0,
    make_opaque: bool = False,
    report: Report = lambda tiles: None,
) -> Picture:
    """Return the picture with its hole filled; all other pixels are unchanged, and so is the alpha.

    Args:
        inpainter: What fills it.
        picture: Of 8 or 16 bits, gray or colour.
        hole: (H, W), which pixels to fill.
        kind: detail: fine detail from what is known around the hole is added to what the inpainter makes; smooth:
            what it makes stays as it is. None: detail where the inpainter leaves it out.
        feather: Pixels, inward from the border of a hole, over which the fill fades in over what was there.
        make_opaque: Make every pixel of the result opaque.
        report: Is called after each crop; it may raise, to end the work.

    Raises:
        UserError: All of the picture is hole, or the inpainter cannot take such a picture.
    """
    if hole.all():
        raise UserError(
            "all of it is hole, and nothing is left to go by; if black is the hole, set `mask_invert`, and if a colour "
            "is, name it with `mask_color`"
        )
    if inpainter.whole_picture and picture.width != picture.height:
        size = f"{picture.width}x{picture.height}"
        raise UserError(f"expected a square, which is all that this generator makes, found {size}; cut it first")
    canvas, remaining = picture.pixels.copy(), hole.copy()
    alpha = None if picture.alpha is None else picture.alpha.copy()
    crops, pixels = _whole_picture(hole) if inpainter.whole_picture else find_crops(hole, inpainter.size), 0
    for done, crop in enumerate(crops, start=1):
        place = _slices(crop.area)
        before = drop_alpha(Picture(canvas[place], None if alpha is None else alpha[place]))
        filled = _fill_crop(inpainter, before, remaining[place])
        if inpainter.choose(kind) == "detail":
            filled = _add_detail(filled, crop.own, hole[place])
        if feather:
            filled = _fade_in(filled, before, hole[place], feather)
        canvas[place][crop.own] = filled[crop.own]
        remaining[place][crop.own] = False
        if alpha is not None and make_opaque:
            alpha[place][crop.own] = np.iinfo(alpha.dtype).max
        pixels += int(crop.own.sum())
        report(TileProgress(done, None, pixels / int(hole.sum())))
    if alpha is not None and make_opaque:
        alpha.fill(np.iinfo(alpha.dtype).max)
    return replace(picture, pixels=canvas, alpha=alpha)


def describe_hole(hole: Mask, *, inverted: bool = False) -> str:
    """Return how much of a picture is hole, in words, with a question if that looks like a mistake.

    `inverted` says that the mask was inverted, so that the advice is not to do what was done.
    """
    fraction = float(hole.mean())
    if fraction < SUSPICIOUSLY_SMALL:
        return f"{int(hole.sum())} pixels are hole, which is next to nothing: is it the right mask?"
    if fraction > SUSPICIOUSLY_LARGE:
        advice = (
            "if white is the hole, leave out `mask_invert`" if inverted else "if black is the hole, set `mask_invert`"
        )
        return f"{fraction:.2%} is hole, which is much; {advice}"
    return f"{fraction:.2%} is hole"


def _slices(area: Area) -> tuple[slice, slice]:
    return slice(area.top, area.bottom), slice(area.left, area.right)


def _whole_picture(hole: Mask) -> Iterator[Crop]:
    """Yield one crop, the whole picture."""
    yield Crop(Area(0, 0, *hole.shape), hole)


def _fill_crop(inpainter: Inpainter, pixels: Pixels, hole: Mask) -> Pixels:
    """Return (h, w, C) pixels with their hole filled, at the same size, depth and channels."""
    height, width, channels = pixels.shape
    depth = 8 * pixels.dtype.itemsize
    scaled, scaled_hole = _scale(to_floats(pixels), hole, *_working_size(inpainter, width, height))
    image = to_tensor(convert_channels(scaled, inpainter.channels))
    filled = inpainter.fill(image, torch.from_numpy(scaled_hole.transpose(2, 0, 1).astype(np.float32)), depth)
    floats = np.asarray((filled.permute(1, 2, 0).numpy() + 1) / 2, np.float32)
    return resize(to_pixels(to_tensor(convert_channels(floats, channels)), depth), width, height)


def _add_detail(filled: Pixels, own: Mask, hole: Mask) -> Pixels:
    """Return a filled crop (h, w, C) with fine detail in its own part of the hole, from outside of all of the hole."""
    masks = (torch.from_numpy(np.ascontiguousarray(mask)) for mask in (own, hole))
    return to_pixels(add_detail(to_tensor(to_floats(filled)), *masks), 8 * filled.dtype.itemsize)


def _scale(pixels: Floats, hole: Mask, width: int, height: int) -> tuple[Floats, Mask]:
    """Return floats (h, w, C) and their hole (h, w, 1) at another size; pixels of the hole do not tint known ones.

    A scaled pixel is hole where any part of it is; if that left nothing known, where all of it is.
    """
    if pixels.shape[:2] == (height, width):
        return pixels, hole[:, :, np.newaxis]
    known = (~hole).astype(np.float32)[:, :, np.newaxis]
    known_fraction = _average(known, width, height)
    mean = _average(pixels * known, width, height) / np.maximum(known_fraction, 1e-6)
    # 0.1 % of tolerance for rounding in the averages
    any_hole: Mask = known_fraction < 0.999
    return np.asarray(mean, np.float32), (known_fraction <= 0.001 if any_hole.all() else any_hole)


def _average(floats: Floats, width: int, height: int) -> Floats:
    """Return (h, w, C) at another size, by weights that are never negative and add up to 1."""
    shrinks = width * height < floats.shape[0] * floats.shape[1]
    result = cv2.resize(floats, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(result, np.float32).reshape(height, width, floats.shape[2])


def _working_size(inpainter: Inpainter, width: int, height: int) -> tuple[int, int]:
    """Return the width and height at which a crop is filled: its own, unless it is over twice the trained size."""
    size = inpainter.size
    if inpainter.whole_picture or inpainter.only_size:
        return size, size
    if inpainter.any_scale or max(width, height) <= 2 * size:
        return width, height
    factor = min(1.0, size / min(width, height), 2 * size / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _fade_in(filled: Pixels, before: Pixels, hole: Mask, feather: int) -> Pixels:
    """Return the fill, faded in from the border of the hole; even the outermost pixel of the hole has a part of it."""
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    weight: NDArray[np.float32] = np.minimum(depth / np.float32(feather + 1), np.float32(1))[:, :, np.newaxis]
    blend = before + weight * (filled.astype(np.float32) - before)
    return np.asarray(np.rint(blend), filled.dtype)
