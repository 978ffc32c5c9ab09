"""Picture files in and out: a file comes back as it went in.

The pixels a caller sees are upright, RGB or gray, of 8 or 16 bits, with alpha apart; what else the
file was (its profile, metadata and coding) travels along as `Origin` and is written back. What
cannot be kept is said in notes, and what cannot be read faithfully is refused in a sentence.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageColor
from pydantic import Field, field_validator

from datasets.codecs import decoding, encoding
from datasets.codecs import metadata as containers
from datasets.codecs.decoding import Pixels
from datasets.codecs.encoding import recompress
from datasets.codecs.formats import FORMAT_OF, SUFFIXES, SUFFIXES_OF, UNSUPPORTED, what_it_is
from datasets.codecs.origin import Origin, PictureError, format_of
from datasets.contract import Settings
from datasets.storage.atomic import replace_file

__all__ = [
    "PIXEL_LIMIT",
    "SUFFIXES",
    "UNSUPPORTED",
    "Header",
    "Origin",
    "Picture",
    "PictureError",
    "SaveOptions",
    "choose_suffix",
    "read_header",
    "read_picture",
    "recompress",
    "turn_upright",
    "write_picture",
]

PIXEL_LIMIT = 500_000_000


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels (H, W, 1 or 3), uint8 or uint16, RGB, upright; alpha (H, W) of the same dtype, straight, or None.

    `origin` is None for pictures born in memory. A new picture from an old one keeps what its file
    was: `replace(picture, pixels=...)`.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    origin: Origin | None = None

    def __post_init__(self) -> None:
        if (
            self.pixels.ndim != 3
            or self.pixels.shape[2] not in {1, 3}
            or self.pixels.dtype not in (np.uint8, np.uint16)
        ):
            raise ValueError(
                f"pixels must be (H, W, 1 or 3) uint8 or uint16, not {self.pixels.shape} {self.pixels.dtype}"
            )
        alpha = self.alpha
        if alpha is not None and (alpha.shape != self.pixels.shape[:2] or alpha.dtype != self.pixels.dtype):
            raise ValueError(
                f"alpha {alpha.shape} {alpha.dtype} is not of pixels {self.pixels.shape} {self.pixels.dtype}"
            )

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])

    @property
    def channels(self) -> int:
        """1 or 3; alpha is not counted."""
        return int(self.pixels.shape[2])

    @property
    def depth(self) -> int:
        """Bits of a sample: 8 or 16."""
        return 8 * self.pixels.dtype.itemsize


@dataclass(frozen=True)
class Header:
    """What a picture will be once read: upright width and height, channels (1 or 3), depth (8 or 16), alpha.

    `orientation` is EXIF's, 1 to 8: how what lies in the file is turned to be upright.
    """

    width: int
    height: int
    channels: int
    depth: int
    alpha: bool
    format: str
    orientation: int = 1


class SaveOptions(Settings):
    """How pictures are written; the defaults keep what a file was.

    `metadata: strip` drops EXIF, XMP, IPTC and text, not the colour profile. `quality` None: as the
    source was, else 95 for JPEG and 90 for WebP. `background` is for formats without alpha.
    """

    format: Literal["keep", "jpeg", "png", "webp", "tiff", "bmp"] = "keep"
    quality: int | None = Field(default=None, ge=1, le=100)
    metadata: Literal["keep", "strip"] = "keep"
    color: Literal["keep", "srgb"] = "keep"
    background: str | None = None

    @field_validator("background")
    @classmethod
    def _is_a_colour(cls, value: str | None) -> str | None:
        if value is not None and len(ImageColor.getrgb(value)) != 3:
            raise ValueError(f"expected a colour without alpha such as white or #ffffff, found {value}")
        return value


def read_header(path: Path) -> Header:
    """The head of the picture at `path`, no pixel decoded; raises PictureError as `read` would for a sound file."""
    with _naming(path):
        _refuse_by_name(path)
        with path.open("rb") as stream, _opened(stream) as image:
            with decoding.guard(format_of(image)):
                decoding.refuse_unfaithful(image)
                channels, depth, alpha = decoding.shape_of(image)
                width, height = image.size
                orientation = decoding.orientation_of(image, stream)
                # Of a TIFF, Pillow tells the upright size by itself.
                if image.format != "TIFF" and orientation > 4:
                    width, height = height, width
            return Header(width, height, channels, depth, alpha, format_of(image), orientation)


def read_picture(path: Path, *, limit: int = PIXEL_LIMIT) -> Picture:
    """The picture at `path`; raises PictureError, in a sentence, for anything that cannot be read faithfully.

    `limit` is the most pixels that are decoded: a file of a few bytes may claim a size that fills the memory.
    """
    header = read_header(path)
    with _naming(path):
        if header.width * header.height > limit:
            size = f"{header.width} × {header.height} pixels"
            raise PictureError(f"has {size}, and the limit is {limit:,} in all: make it smaller or cut it in parts")
        pixels, alpha, origin, orientation = decoding.decode(path.read_bytes())
    expected = FORMAT_OF.get(path.suffix.lower())
    if expected is not None and expected != origin.format:
        note = (
            f"its name says {expected} and its content is {origin.format}: under that name it is written as {expected}"
        )
        origin = replace(origin, notes=(*origin.notes, note))
    return Picture(
        turn_upright(pixels, orientation), None if alpha is None else turn_upright(alpha, orientation), origin
    )


def write_picture(picture: Picture, path: Path, options: SaveOptions | None = None) -> tuple[str, ...]:
    """Write a picture to `path`, in the format its suffix names, and return notes on what could not be kept.

    The file appears whole or not at all. The same picture gives the same bytes. Raises PictureError.
    """
    options = SaveOptions() if options is None else options
    with _naming(path):
        format = _format_for(path, options)
        _refuse_too_large(picture, format)
        notes: list[str] = []
        origin = picture.origin or Origin("PNG")  # born in memory: as a file without habits of its own
        pixels, alpha = _fit_alpha(picture, format, options)
        pixels, alpha = _fit_depth(pixels, alpha, format, notes)
        pixels, origin = _fit_colour(pixels, origin, format, options, notes)
        origin = _fit_metadata(origin, picture.width, picture.height, options)
        data, more = encoding.encode(format, pixels, alpha, origin, options.quality)
        with replace_file(path, durable=False) as partial:  # a folder of thousands cannot wait for the disk each time
            partial.write_bytes(data)
    return (*notes, *more)


def choose_suffix(path: Path, options: SaveOptions) -> str:
    """The suffix of the file that `path` is written as: its own where that fits the format asked for."""
    if options.format == "keep" or FORMAT_OF.get(path.suffix.lower()) == options.format.upper():
        return path.suffix
    return SUFFIXES_OF[options.format.upper()][0]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors within become one sentence that begins with the file's name."""
    try:
        yield
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise PictureError(f"{path}: there is no such file or folder: check the name") from error
    except PermissionError as error:
        raise PictureError(f"{path}: access is denied: change the permissions of the file or its folder") from error
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror or error}: check the disk and the name") from error


def _refuse_by_name(path: Path) -> None:
    if path.suffix.lower() in UNSUPPORTED:
        kind = UNSUPPORTED[path.suffix.lower()]
        raise PictureError(f"is a picture of a kind that is not read ({kind}): convert it to PNG, TIFF or JPEG")
    if path.exists() and not path.is_file():
        raise PictureError(f"is a {'folder' if path.is_dir() else 'device or pipe'}, and a picture file was expected")


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[Image.Image]:
    try:
        with decoding.guard("unknown"):
            image = decoding.open_picture(stream)
    except PictureError as error:
        stream.seek(0)
        raise PictureError(what_it_is(stream.read(64))) from error
    with image:
        yield image


def turn_upright(array: Pixels, orientation: int) -> Pixels:
    """The one place where pixels are turned: (H, W, ...) as an EXIF orientation, 1 to 8, asks."""
    if orientation > 4:
        array = array.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        array = array[::-1]
    if orientation in {2, 3, 6, 7}:
        array = array[:, ::-1]
    return np.require(array, requirements=["C", "W"])  # Pillow's own arrays cannot be written to


def _format_for(path: Path, options: SaveOptions) -> str:
    format = FORMAT_OF.get(path.suffix.lower())
    if format is None:
        known = " ".join(sorted(SUFFIXES))
        raise PictureError(f"the suffix names no format that is written: use one of {known}")
    if options.format not in {"keep", format.lower()}:
        raise PictureError(f"the suffix names {format}, and {options.format} was asked for: let name and format agree")
    return format


def _refuse_too_large(picture: Picture, format: str) -> None:
    side = encoding.LARGEST_SIDE[format]
    if max(picture.width, picture.height) > side:
        size = f"{picture.width} × {picture.height} pixels"
        raise PictureError(f"{size} are more than {format} holds ({side} a side): write it as PNG or TIFF")
    if format in {"TIFF", "BMP"} and picture.width * picture.height * 4 * picture.depth // 8 > 4_000_000_000:
        raise PictureError(f"the picture is more than the 4 GB that {format} holds: write it as PNG")


def _fit_alpha(picture: Picture, format: str, options: SaveOptions) -> tuple[Pixels, Pixels | None]:
    """Pixels and alpha as `format` can hold them; alpha that hides nothing may be left out."""
    pixels, alpha = picture.pixels, picture.alpha
    if alpha is None or format in encoding.WITH_ALPHA:
        return pixels, alpha
    most = np.iinfo(alpha.dtype).max
    if (alpha == most).all():
        return pixels, None
    if options.background is None:
        raise PictureError(
            f"the picture has alpha, which {format} cannot hold: name a background colour or another format"
        )
    colour = np.array(ImageColor.getrgb(options.background), np.float32) / 255 * most
    if (colour == colour[0]).all():
        colour = colour[: picture.channels]  # gray stays gray
    share = alpha[:, :, None].astype(np.float32) / most
    return np.rint(pixels * share + colour * (1 - share)).astype(pixels.dtype), None


def _fit_depth(pixels: Pixels, alpha: Pixels | None, format: str, notes: list[str]) -> tuple[Pixels, Pixels | None]:
    if pixels.dtype == np.uint8 or format in encoding.DEEP:
        return pixels, alpha
    notes.append(f"16 bits became 8: {format} holds no more")
    return _to_8_bits(pixels), None if alpha is None else _to_8_bits(alpha)


def _to_8_bits(array: Pixels) -> Pixels:
    return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _fit_colour(
    pixels: Pixels, origin: Origin, format: str, options: SaveOptions, notes: list[str]
) -> tuple[Pixels, Origin]:
    """Pixels, and an origin whose profile fits them."""
    if origin.icc is None:
        return pixels, origin
    space = origin.icc[16:20].decode("latin-1").strip()
    if space != ("GRAY" if pixels.shape[2] == 1 else "RGB"):
        notes.append(f"the colour profile was dropped: it is for {space}, and the pixels are not")
        return pixels, replace(origin, icc=None)
    if options.color == "srgb":
        if pixels.dtype != np.uint8:
            raise PictureError("converting to sRGB is for 8 bits, and this has 16: keep its colours (color keep)")
        return encoding.to_srgb(pixels.astype(np.uint8, copy=False), origin.icc), replace(origin, icc=None)
    if format == "WEBP" and pixels.shape[2] == 1:
        notes.append(f"the gray colour profile was dropped: {format} holds colour only")
        return pixels, replace(origin, icc=None)
    return pixels, origin


def _fit_metadata(origin: Origin, width: int, height: int, options: SaveOptions) -> Origin:
    """Metadata that tell the size as it now is, or none."""
    if options.metadata == "strip":
        return replace(origin, exif=None, xmp=None, iptc=None, comment=None, text=())
    tags = containers
    sizes = {tags.WIDTH: width, tags.PIXEL_WIDTH: width, tags.LENGTH: height, tags.PIXEL_HEIGHT: height}
    exif = None if origin.exif is None else containers.patched(origin.exif, sizes)
    xmp = None if origin.xmp is None else containers.sized_xmp(origin.xmp, width, height)
    return replace(origin, exif=exif, xmp=xmp)
