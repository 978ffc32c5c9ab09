"""What of a picture a file format can hold: its size, alpha, depth, colours and metadata."""

from dataclasses import replace

import numpy as np

from datasets.codecs import encoding, metadata
from datasets.codecs.blocks.descriptive import read_resolution, state_resolution
from datasets.codecs.blocks.directories import add_tags, build_block
from datasets.codecs.blocks.exif_colour import state_srgb
from datasets.codecs.origin import Origin, PictureError
from datasets.codecs.picture import Picture, Pixels, SaveOptions, lay_on
from datasets.codecs.profiles import fit_colour

_NO_RESOLUTION = frozenset({"WEBP", "GIF", "JXL", "JP2", "J2K"})  # formats that do not state it themselves
TIFF_BYTES = 4_000_000_000  # the offsets in TIFF, and the size in BMP, are 32-bit numbers


def fit_to_format(picture: Picture, format: str, options: SaveOptions) -> tuple[Picture, list[str]]:
    """Return the picture as `format` can hold it, with an origin, and notes on what was changed or dropped.

    Raises:
        PictureError: The format cannot hold the picture, and `options` do not say what to give up.
    """
    refuse_too_large(picture.width, picture.height, picture.depth, format)
    notes: list[str] = []
    origin = picture.origin or Origin("PNG")  # of a picture made in memory: nothing to keep
    pixels, alpha = _fit_alpha(picture, format, options)
    pixels, alpha = _fit_depth(pixels, alpha, format, notes)
    pixels, origin = fit_colour(pixels, origin, format, options, notes)
    origin = _fit_metadata(origin, picture.width, picture.height, options)
    origin = _fit_resolution(origin, format, options, notes)
    return Picture(pixels, alpha, origin), notes


def refuse_too_large(width: int, height: int, depth: int, format: str) -> None:
    """Check that a format holds pictures of so many pixels, of 8 or 16 bits a sample.

    Raises:
        PictureError: It does not.
    """
    side = encoding.LARGEST_SIDE[format]
    if max(width, height) > side:
        size = f"{width} × {height} pixels"
        raise PictureError(f"{size} are more than {format} holds ({side} a side): set `format` to png or tiff")
    if format in {"TIFF", "BMP"} and width * height * 4 * depth // 8 > TIFF_BYTES:
        raise PictureError(f"{width} × {height} pixels are more than the 4 GB that {format} holds: set `format` to png")


def refuse_alpha(picture: Picture, format: str, options: SaveOptions) -> None:
    """Check that a format holds a picture's alpha, or that there is a background to lay it on.

    Raises:
        PictureError: It does not, and there is none.
    """
    alpha = picture.alpha
    if alpha is None or format in encoding.WITH_ALPHA or options.background is not None:
        return
    if (alpha != np.iinfo(alpha.dtype).max).any():
        raise PictureError(
            f"the picture has alpha, which {format} cannot hold: set `background` to a colour, or choose another format"
        )


def _fit_alpha(picture: Picture, format: str, options: SaveOptions) -> tuple[Pixels, Pixels | None]:
    """Return pixels and alpha; where the format has no alpha, an opaque one is dropped, another blended away."""
    pixels, alpha = picture.pixels, picture.alpha
    refuse_alpha(picture, format, options)
    if alpha is None or format in encoding.WITH_ALPHA:
        return pixels, alpha
    highest = np.iinfo(alpha.dtype).max
    if (alpha == highest).all():
        return pixels, None
    assert options.background is not None  # or `refuse_alpha` would have raised
    return lay_on(pixels, alpha, options.background), None


def _fit_depth(pixels: Pixels, alpha: Pixels | None, format: str, notes: list[str]) -> tuple[Pixels, Pixels | None]:
    if pixels.dtype == np.uint8 or format in encoding.DEEP:
        return pixels, alpha
    notes.append(f"16 bits became 8: {format} holds no more")
    return _to_8_bits(pixels), None if alpha is None else _to_8_bits(alpha)


def _to_8_bits(array: Pixels) -> Pixels:
    return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)  # rounds: 65535 is 255 · 257


def _fit_metadata(origin: Origin, width: int, height: int, options: SaveOptions) -> Origin:
    """Return an origin whose metadata state the new size and colours, or that has none if they are to be stripped."""
    if options.metadata == "strip":
        return replace(origin, exif=None, xmp=None, iptc=None, comment=None, text=())
    sizes = {
        metadata.WIDTH: width,
        metadata.PIXEL_WIDTH: width,
        metadata.LENGTH: height,
        metadata.PIXEL_HEIGHT: height,
    }
    exif = None if origin.exif is None else metadata.patch_numbers(origin.exif, sizes)
    xmp = None if origin.xmp is None else metadata.set_xmp_size(origin.xmp, width, height)
    if options.color == "srgb":
        exif = None if exif is None else state_srgb(exif)
        xmp = None if xmp is None else metadata.set_xmp_srgb(xmp)
    return replace(origin, exif=exif, xmp=xmp)


def _fit_resolution(origin: Origin, format: str, options: SaveOptions, notes: list[str]) -> Origin:
    """Return an origin that states its resolution in EXIF, where `format` has no other place for it; `notes` grow."""
    if origin.dpi is None or format not in _NO_RESOLUTION or options.metadata == "strip":
        return origin
    exif = origin.exif
    if "exif" in encoding.HOLDS[format] and (exif is None or read_resolution(exif) != origin.dpi):
        tags = state_resolution(origin.dpi)
        exif = build_block(tags, {}) if exif is None else add_tags(exif, tags)
    if exif is None or "exif" not in encoding.HOLDS[format]:
        why = "holds none" if "exif" not in encoding.HOLDS[format] else "holds it in EXIF, and that is damaged"
        notes.append(f"the resolution (dpi) was dropped: {format} {why}")
        return origin
    return replace(origin, exif=exif)
