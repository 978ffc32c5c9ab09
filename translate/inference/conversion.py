"""Convert pictures to what a network takes, and its output back to a picture of the kind that was given.

Pictures in memory are `Picture`s, PIL images or NumPy arrays. A tensor is already what a network takes.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image as PILImage
from PIL.Image import fromarray
from torch import Tensor

from datasets.codecs.images import Picture, read_picture
from datasets.codecs.pillow_info import clean_info
from datasets.errors import UserError
from datasets.pixels import Pixels, convert_channels, resize, show_alpha, take_off, to_floats, to_pixels, to_tensor
from models.contract import Translator


def to_picture(image: Picture | PILImage | NDArray[Any] | str | Path) -> Picture:
    """Return a PIL image, an array (H, W) or (H, W, 1 to 4) of uint8 or uint16, or a file as a `Picture`.

    Raises:
        PictureError: The file cannot be read.
        UserError: The object is no picture.
    """
    if isinstance(image, Picture):
        return image
    if isinstance(image, str | Path):
        return read_picture(Path(image))
    array = _from_pil(image) if isinstance(image, PILImage) else image
    shape = getattr(array, "shape", ())
    if getattr(array, "dtype", None) not in (np.uint8, np.uint16) or len(shape) not in (2, 3) or shape[2:] > (4,):
        raise UserError(
            "expected a PIL image, a path, or an array (H, W) or (H, W, 1 to 4) of uint8 or uint16, "
            f"found {type(image).__name__}{_describe(array)}"
        )
    if 0 in shape:
        raise UserError(f"expected a picture, found {type(image).__name__}{_describe(array)}, which has no pixels")
    pixels = array.reshape(*shape[:2], -1)
    colours = 1 if pixels.shape[2] < 3 else 3
    return Picture(pixels[:, :, :colours], pixels[:, :, colours] if pixels.shape[2] > colours else None)


def restore_kind(picture: Picture, like: Any) -> Any:
    """Return a picture as the kind of object that `like` is; for a path, as a `Picture`."""
    if isinstance(like, Picture | str | Path):
        return picture
    parts = [picture.pixels] if picture.alpha is None else [picture.pixels, picture.alpha[:, :, np.newaxis]]
    joined = np.concatenate(parts, axis=2)
    if isinstance(like, PILImage):
        image = fromarray(joined[:, :, 0] if joined.shape[2] == 1 else joined)
        # Profile, EXIF and texts, for `save` to write, but nothing that shows the old picture.
        image.info.update(clean_info(ImageOps.exif_transpose(like).info))
        return image
    return joined[:, :, 0] if like.ndim == 2 and joined.shape[2] == 1 else joined


def to_input(
    picture: Picture, translator: Translator, work_size: int | None = None, background: str | None = None
) -> Tensor:
    """Return a picture as (channels_in, H, W) in [-1, 1], its shorter side scaled to `work_size` if one is given.

    A transparent one is laid on the `background`, if its network learned from such pictures.

    Raises:
        UserError: The network works on another size only, or needs a mask.
    """
    width, height = picture.width, picture.height
    if work_size is not None:
        width, height = work_dimensions(width, height, work_size)
    check_input(translator, width, height)
    pixels = resize(show_alpha(picture, background, translator.channels_in), width, height)
    return to_tensor(convert_channels(take_off(to_floats(pixels), background), translator.channels_in))


def check_input(translator: Translator, width: int, height: int) -> None:
    """Check that a network takes whole pictures of this size.

    Raises:
        UserError: It works on another size only, or needs a mask.
    """
    if translator.fills_holes:
        raise UserError("this model fills holes and needs a mask; use `inpaint`")
    only = translator.only_size
    if only is not None and (width, height) != (only, only):
        remedy = f"scale it, as a `work_size` of {only} does" if width == height else "cut it to a square first"
        raise UserError(f"expected {only}x{only} pixels, the only size of this model, found {width}x{height}; {remedy}")


def work_dimensions(width: int, height: int, work_size: int) -> tuple[int, int]:
    """Return width and height of a picture whose shorter side is scaled to `work_size`."""
    factor = work_size / min(width, height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def to_output(
    output: Tensor,
    picture: Picture,
    translator: Translator,
    work_size: int | None = None,
    background: str | None = None,
) -> Picture:
    """Return an output (C', H', W') in [-1, 1] as a picture like the one that went in: its depth, alpha and metadata.

    A model of colours that was given a gray picture returns a gray one; a model that turns gray into colours returns
    colours; one that makes alpha returns its own. Colours are taken off the `background` that the input was laid on.
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
    if translator.channels_out == 4:
        return replace(picture, pixels=pixels[:, :, :3], alpha=pixels[:, :, 3])
    alpha = picture.alpha
    if alpha is not None and scale != 1:
        alpha = resize(alpha[:, :, np.newaxis], width, height)[:, :, 0]
    if alpha is not None and background is not None:
        pixels = _take_off(pixels, alpha, background)
    return replace(picture, pixels=pixels, alpha=alpha)


def _take_off(pixels: Pixels, alpha: Pixels, background: str) -> Pixels:
    """Return (H, W, 1 or 3) pixels that lie on a background with their own colours, where they are transparent."""
    highest = np.iinfo(pixels.dtype).max
    joined = to_floats(np.dstack([*([pixels] * (3 // pixels.shape[2])), alpha]))
    own = take_off(joined, background)[:, :, : pixels.shape[2]]
    colours: Pixels = np.where(alpha[:, :, np.newaxis] < highest, np.rint(own * highest), pixels).astype(pixels.dtype)
    return colours


def check_tensor(image: Tensor, translator: Translator) -> None:
    """Check that a tensor is a batch of pictures for a network.

    Raises:
        UserError: It has another shape or type, or the network works on another size only, or needs a mask.
    """
    channels = translator.channels_in
    if image.ndim != 4 or image.shape[1] != channels or 0 in image.shape or not image.is_floating_point():
        raise UserError(
            f"expected a float tensor ({channels}, H, W) or (B, {channels}, H, W) in [-1, 1], "
            f"found one of {image.dtype} and shape {tuple(image.shape)}"
        )


def scale_tensor(image: Tensor, width: int, height: int) -> Tensor:
    """Return (B, C, H, W) scaled to another size: averaged where it shrinks, bicubic where it grows."""
    if image.shape[-2:] == (height, width):
        return image
    shrinks = width * height < image.shape[-1] * image.shape[-2]
    mode = "bilinear" if shrinks else "bicubic"
    return F.interpolate(image, (height, width), mode=mode, antialias=shrinks).clamp(-1, 1)


def _from_pil(image: PILImage) -> NDArray[Any]:
    if getattr(image, "n_frames", 1) > 1:
        raise UserError("a PIL image of several frames cannot be translated; give one frame at a time, as RGB")
    if image.mode in ("I", "F"):
        raise UserError(f"a PIL image of mode {image.mode} has no defined range; give it as I;16 or L")
    try:
        upright = ImageOps.exif_transpose(image)
    except OSError as error:
        raise UserError(f"the PIL image cannot be decoded: {error}") from None
    if upright.mode.startswith("I;16"):
        return np.asarray(upright).astype(np.uint16)
    gray, alpha = upright.mode in ("1", "L", "LA"), upright.has_transparency_data
    return np.asarray(upright.convert(("LA" if gray else "RGBA") if alpha else ("L" if gray else "RGB")))


def _describe(array: Any) -> str:
    return f" of {array.dtype} and shape {array.shape}" if isinstance(array, np.ndarray) else ""
