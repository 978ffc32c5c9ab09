"""Picture files in and out: a file that is read and written again stays what it was.

A caller sees upright pixels, RGB or gray, of 8 or 16 bits, with alpha apart. What else the file was (its colour
profile, metadata and coding) travels along as `Origin` and is written back. What a format cannot hold is listed in
notes, and what cannot be read faithfully is refused with a sentence.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.codecs import decoding, encoding
from datasets.codecs.encoding import recompress
from datasets.codecs.fitting import fit_to_format
from datasets.codecs.formats import (
    FORMAT_OF,
    READ_ONLY,
    SUFFIXES,
    SUFFIXES_OF,
    UNSUPPORTED,
    WRITTEN_SUFFIXES,
    describe_unsupported,
)
from datasets.codecs.kinds import identify
from datasets.codecs.libraries import configured_pillow
from datasets.codecs.origin import Origin, PictureError, format_name
from datasets.codecs.picture import PIXEL_LIMIT, Header, Picture, Pixels, SaveOptions
from datasets.codecs.readers import choose_reader
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
    "read_palette_indices",
    "read_picture",
    "recompress",
    "turn_upright",
    "write_picture",
]

WITH_PALETTES = frozenset({"PNG", "GIF", "TIFF", "BMP"})


def read_header(path: Path) -> Header:
    """Return the header of the picture at `path`, without decoding its pixels.

    Raises:
        PictureError: `read_picture` would raise it too, unless only the pixels are damaged.
    """
    with on_file(path):
        _refuse_by_name(path)
        with path.open("rb") as stream:
            return choose_reader(path, stream).read_header(stream)


def read_picture(path: Path | str, *, limit: int = PIXEL_LIMIT) -> Picture:
    """Return the picture at `path`.

    `limit` is the largest number of pixels that is decoded, since a file of a few bytes may claim a size that fills
    the memory.

    Raises:
        PictureError: The file cannot be read faithfully.
    """
    path = Path(path)
    header = read_header(path)
    with on_file(path):
        if header.width * header.height > limit:
            size = f"{header.width} × {header.height} pixels"
            raise PictureError(f"has {size}, and the limit is {limit:,} in all: make it smaller or cut it into parts")
        data = path.read_bytes()
        pixels, alpha, origin, orientation = choose_reader(path, io.BytesIO(data)).decode(data)
    expected = FORMAT_OF.get(path.suffix.lower())
    if expected is not None and expected != origin.format:
        written = "" if expected in READ_ONLY else f": under that name it is written as {expected}"
        note = f"its name says {expected} and its content is {origin.format}{written}"
        origin = replace(origin, notes=(*origin.notes, note))
    return Picture(
        turn_upright(pixels, orientation), None if alpha is None else turn_upright(alpha, orientation), origin
    )


def read_palette_indices(path: Path) -> NDArray[np.uint8] | None:
    """Return the numbers of the colours (H, W), upright, of a picture with a palette; None for any other picture.

    Raises:
        PictureError: The file cannot be read.
    """
    with on_file(path), path.open("rb") as stream:
        if identify(stream).name not in WITH_PALETTES:
            return None
        try:
            image = decoding.open_image(stream)
        except (OSError, SyntaxError, ValueError):
            return None  # a TIFF that Pillow does not open, and which so has no palette
        with image, decoding.report_damage(format_name(image)):
            if image.mode != "P":
                return None
            # A TIFF is turned by Pillow itself.
            orientation = 1 if image.format == "TIFF" else decoding.read_orientation(image, stream)
            return turn_upright(np.asarray(image, np.uint8), orientation).astype(np.uint8)


def write_picture(picture: Picture, path: Path | str, options: SaveOptions | None = None) -> tuple[str, ...]:
    """Write a picture to `path`, in the format of its suffix, and return notes on what could not be kept.

    The file appears whole or not at all. Equal pictures give equal bytes.

    Raises:
        PictureError: The format cannot hold the picture, or the file cannot be written.
    """
    path = Path(path)
    options = SaveOptions() if options is None else options
    with on_file(path):
        format = choose_format(path, options)
        fitted, notes = fit_to_format(picture, format, options)
        data, more = encoding.encode(format, fitted, options.quality)
        with replace_file(path, durable=False) as partial:  # waiting for the disk would slow down large folders
            partial.write_bytes(data)
    return (*notes, *more)


def choose_suffix(path: Path, options: SaveOptions) -> str:
    """Return the suffix under which `path` is written: its own where that fits the wanted format."""
    if options.format == "keep" or FORMAT_OF.get(path.suffix.lower()) == options.format.upper():
        return path.suffix
    return SUFFIXES_OF[options.format.upper()][0]


def turn_upright(array: Pixels, orientation: int) -> Pixels:
    """Return (H, W, ...) pixels turned as an EXIF orientation, 1 to 8, says; the only place where pixels are turned."""
    if orientation > 4:
        array = array.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        array = array[::-1]
    if orientation in {2, 3, 6, 7}:
        array = array[:, ::-1]
    return np.require(array, requirements=["C", "W"])  # Pillow's own arrays are read-only


@contextmanager
def on_file(path: Path) -> Iterator[None]:
    """Configure Pillow, and turn what is raised into one sentence that begins with the file's name."""
    try:
        with configured_pillow:
            yield
    except PictureError as error:
        raise type(error)(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise PictureError(f"{path}: there is no such file or folder: check the name") from error
    except PermissionError as error:
        raise PictureError(f"{path}: access is denied: change the permissions of the file or its folder") from error
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror or error}: check the disk and the name") from error


def _refuse_by_name(path: Path) -> None:
    if path.suffix.lower() in UNSUPPORTED:
        raise PictureError(describe_unsupported(UNSUPPORTED[path.suffix.lower()]))
    if path.exists() and not path.is_file():
        raise PictureError(f"is a {'folder' if path.is_dir() else 'device or pipe'}, and a picture file was expected")


def choose_format(path: Path, options: SaveOptions) -> str:
    """Return the format in which `path` is written.

    Raises:
        PictureError: Its suffix names none that is written, or another than `options` ask for.
    """
    format = FORMAT_OF.get(path.suffix.lower())
    if format is None or format in READ_ONLY:
        known = " ".join(sorted(WRITTEN_SUFFIXES))
        raise PictureError(f"the suffix names no format that is written: use one of {known}")
    if options.format not in {"keep", format.lower()}:
        raise PictureError(f"the suffix names {format}, and {options.format} was asked for: let name and format agree")
    return format
