"""Which code reads a file: that of its content, except that camera RAW goes by its name, since it looks like TIFF."""

from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from datasets.codecs.formats import FORMAT_OF, SUFFIXES_OF
from datasets.codecs.kinds import describe_unreadable, identify
from datasets.codecs.origin import Origin, PictureError
from datasets.codecs.picture import Header, Pixels

# Imported when first needed: most folders hold JPEG and PNG only.
_MODULES = {
    "JPEG": "decoding",
    "PNG": "decoding",
    "WEBP": "decoding",
    "BMP": "decoding",
    "GIF": "decoding",
    "TIFF": "tiff",
    "HEIC": "extras.heic",
    "RAW": "extras.raw",
    "JXL": "extras.jpeg_xl",
    "JP2": "extras.jpeg_2000",
    "J2K": "extras.jpeg_2000",
}


class Reader(Protocol):
    """A module that reads one or more formats."""

    def read_header(self, stream: BinaryIO) -> Header:
        """Return a picture's header."""
        ...

    def decode(self, data: bytes) -> tuple[Pixels, Pixels | None, Origin, int]:
        """Return the pixels (H, W, 1 or 3), the alpha (H, W), the origin and the orientation still to be applied."""
        ...


def choose_reader(path: Path, stream: BinaryIO) -> Reader:
    """Return what reads a file.

    Raises:
        PictureError: It is no picture, or one of a kind that is not read here.
    """
    kind = identify(stream)
    named = FORMAT_OF.get(path.suffix.lower())
    format = "RAW" if named == "RAW" and kind.name in {"TIFF", "RAW"} else kind.name
    if not kind.picture or format not in SUFFIXES_OF:
        raise PictureError(describe_unreadable(stream))
    return cast(Reader, import_module(f"datasets.codecs.{_MODULES[format]}"))
