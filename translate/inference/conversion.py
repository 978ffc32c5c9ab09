"""From a picture to what a network takes, and from what it gives back to a picture."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image as PILImage
from PIL.Image import fromarray
from torch import Tensor

from datasets.codecs.images import Picture
from datasets.errors import UserError
from datasets.pixels import convert_channels, drop_alpha, resize, to_floats, to_pixels, to_tensor
from models.contract import Translator


def to_picture(given: Picture | PILImage | NDArray[Any]) -> Picture:
    """What a caller in Python holds, as a picture.

    Raises:
        UserError: It is no picture.
    """
    if isinstance(given, Picture):
        return given
    if isinstance(given, PILImage):
        given = _from_pil(given)
    shape = getattr(given, "shape", ())
    if getattr(given, "dtype", None) not in (np.uint8, np.uint16) or len(shape) not in (2, 3) or shape[2:] > (4,):
        raise UserError(
            f"a {type(given).__name__} of shape {shape} is no picture: expected a PIL image, or an array (H, W) or "
            "(H, W, 1 to 4) of uint8 or uint16"
        )
    if 0 in shape:
        raise UserError(f"a {type(given).__name__} of shape {shape} has no pixels")
    pixels = given.reshape(*shape[:2], -1)
    colours = 1 if pixels.shape[2] < 3 else 3
    return Picture(pixels[:, :, :colours], pixels[:, :, colours] if pixels.shape[2] > colours else None)


def _from_pil(given: PILImage) -> NDArray[Any]:
    if getattr(given, "n_frames", 1) > 1:
        raise UserError("a picture of several frames is none to translate: give one frame at a time, as RGB")
    if given.mode in ("I", "F"):
        raise UserError(f"a PIL image of mode {given.mode} has no range to go by: give it as I;16 or L")
    try:
        upright = ImageOps.exif_transpose(given)
    except OSError as error:
        raise UserError(f"the PIL image cannot be decoded: {error}") from None
    if upright.mode.startswith("I;16"):
        return np.asarray(upright).astype(np.uint16)
    gray, alpha = upright.mode in ("1", "L", "LA"), upright.has_transparency_data
    return np.asarray(upright.convert(("LA" if gray else "RGBA") if alpha else ("L" if gray else "RGB")))


def restore_kind(picture: Picture, like: Any) -> Any:
    """A picture as the kind of thing that `like` is."""
    if isinstance(like, Picture):
        return picture
    parts = [picture.pixels] if picture.alpha is None else [picture.pixels, picture.alpha[:, :, np.newaxis]]
    joined = np.concatenate(parts, axis=2)
    if isinstance(like, PILImage):
        made = fromarray(joined[:, :, 0] if joined.shape[2] == 1 else joined)
        made.info.update(ImageOps.exif_transpose(like).info)  # profile, EXIF and texts, for `save` to write
        return made
    return joined[:, :, 0] if like.ndim == 2 and joined.shape[2] == 1 else joined


def to_input(picture: Picture, translator: Translator, work_size: int | None = None) -> Tensor:
    """The picture as (channels_in, H, W) in [-1, 1]; its shorter side scaled to `work_size`, if one is given.

    Raises:
        UserError: The translator works on another size alone, or needs to be told what to fill.
    """
    if translator.fills_holes:
        raise UserError("this model fills holes, and has to be told which: use `translate inpaint`")
    width, height = picture.width, picture.height
    if work_size is not None:
        width, height = work_dimensions(width, height, work_size)
    only = translator.only_size
    if only is not None and (width, height) != (only, only):
        scaled = f"scale it, as --work-size {only} does"
        remedy = scaled if width == height else "cut it to a square first"
        raise UserError(
            f"expected {only}x{only} pixels, all that this model works on, found {width}x{height}; {remedy}"
        )
    pixels = resize(drop_alpha(picture), width, height)
    return to_tensor(convert_channels(to_floats(pixels), translator.channels_in))


def work_dimensions(width: int, height: int, work_size: int) -> tuple[int, int]:
    """Width and height of a picture whose shorter side is scaled to `work_size`."""
    factor = work_size / min(width, height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def to_output(output: Tensor, picture: Picture, translator: Translator, work_size: int | None = None) -> Picture:
    """A translation (C', H', W') in [-1, 1] as a picture of the kind that went in.

    A model of colours that was given a gray picture gives back a gray one; one that makes colours
    from grays gives colours.
    """
    scale = translator.scale
    width, height = picture.width * scale, picture.height * scale
    stays_gray = picture.channels == 1 and translator.channels_in == 3 and translator.channels_out == 3
    if stays_gray:
        colours = np.asarray((output.permute(1, 2, 0).numpy() + 1) / 2, np.float32)
        output = to_tensor(convert_channels(colours, 1))
    pixels = to_pixels(output, picture.depth)
    if work_size is not None:
        pixels = resize(pixels, width, height)
    alpha = picture.alpha
    if alpha is not None and scale != 1:
        alpha = resize(alpha[:, :, np.newaxis], width, height)[:, :, 0]
    return replace(picture, pixels=pixels, alpha=alpha)
