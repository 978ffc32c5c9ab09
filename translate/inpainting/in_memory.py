"""Fill the holes of one picture in memory."""

from pathlib import Path
from typing import Any, TypeVar, get_args, overload

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image as PILImage

from datasets.codecs.images import Header, Picture, read_header
from datasets.errors import UserError
from datasets.masks.drawing import Mask
from datasets.masks.levels import is_photograph
from datasets.masks.reading import find_holes, read_mask
from translate.inference.conversion import restore_kind, to_picture
from translate.inference.model import Model
from translate.inpainting.fill import FillName, Inpainter, fill_holes
from translate.inpainting.inpainters import learned_inpainter, load_inpainter

P = TypeVar("P", Picture, PILImage, NDArray[Any])

MaskLike = PILImage | NDArray[Any] | str | Path
Fillable = Inpainter | Model | str | Path | None


@overload
def inpaint(
    image: str | Path, mask: MaskLike, model: Fillable = None, *, fill: FillName | None = None, feather: int = 0
) -> Picture: ...
@overload
def inpaint(
    image: P, mask: MaskLike, model: Fillable = None, *, fill: FillName | None = None, feather: int = 0
) -> P: ...
def inpaint(
    image: Any, mask: MaskLike, model: Fillable = None, *, fill: FillName | None = None, feather: int = 0
) -> Any:
    """Fill the holes of a picture, and return the same kind of object. No other pixel changes.

    Args:
        image: A PIL image (8 bit, any mode, or I;16), an array (H, W) or (H, W, 1 to 4) of uint8 or uint16, a
            `Picture`, or the path of a picture, which gives a `Picture`.
        mask: White, or True, is hole: a PIL image, an array (H, W) of bool, uint8 or uint16, or a path. A mask in a
            file may have another size than the picture.
        model: A loaded inpainting model, its file or run folder, "telea" or "navier-stokes"; None: the inpainter that
            ships. Unless it is loaded already, it is loaded anew in every call.
        fill: detail: fine detail from what is known around the hole is added; smooth: it is not. None: detail with the
            inpainter that ships and others that were trained without a discriminator.
        feather: Pixels, inward from a hole's border, over which the fill fades in over what was there.

    Raises:
        ModelError: There is no such model, or it fills no holes.
        PictureError: A file cannot be read.
        UserError: An object is no picture or no mask of it, or all of the picture is hole.
    """
    if fill not in (None, *get_args(FillName)):
        raise UserError(f"`fill`: expected detail, smooth or None, found {fill!r}")
    picture = to_picture(image)
    hole = _to_hole(mask, picture, image)
    inpainter = _to_inpainter(model)
    if not hole.any():
        return restore_kind(picture, image)
    with inpainter.computing():
        return restore_kind(fill_holes(inpainter, picture, hole, kind=fill, feather=feather), image)


def _to_inpainter(model: Fillable) -> Inpainter:
    if isinstance(model, Inpainter):
        return model
    return learned_inpainter(model) if isinstance(model, Model) else load_inpainter(model)


def _to_hole(mask: MaskLike, picture: Picture, image: Any) -> Mask:
    """Return which pixels of the picture, (H, W), are hole."""
    if isinstance(mask, str | Path):
        hole, _ = read_mask(Path(mask), read_header(Path(image)) if isinstance(image, str | Path) else _header(picture))
        return hole
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_:
        hole = mask
    else:
        shown = to_picture(mask)
        if is_photograph(shown):
            raise UserError("the mask looks like a photograph, and a mask is white in the hole and black elsewhere")
        hole = find_holes(shown)
    if hole.shape != (picture.height, picture.width):
        raise UserError(f"expected a mask of shape {(picture.height, picture.width)}, found {hole.shape}")
    return hole


def _header(picture: Picture) -> Header:
    return Header(
        picture.width, picture.height, picture.channels, picture.depth, picture.alpha is not None, format="PNG"
    )
