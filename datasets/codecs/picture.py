"""A picture in memory, the header of one in a file, and how one is saved."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor
from pydantic import AfterValidator, Field, field_validator

from datasets.codecs.formats import FORMAT_OF, SUFFIXES_OF, describe_absence
from datasets.codecs.origin import Origin, PictureError
from datasets.contract import Options

Pixels = NDArray[np.uint8 | np.uint16]

PIXEL_LIMIT = 500_000_000  # 1.5 GB of 8-bit RGB: chosen by hand, far above what cameras give


def _check_colour(value: str) -> str:
    try:
        channels = len(ImageColor.getrgb(value))
    except ValueError:
        raise ValueError(f"expected a colour such as red or #ff0000, found {value}") from None
    if channels != 3:
        raise ValueError(f"expected a colour without alpha such as white or #ffffff, found {value}")
    return value


Colour = Annotated[str, AfterValidator(_check_colour)]  # a name as in CSS, or "#rrggbb"


class FramesError(PictureError):
    """A file holds several pictures where one was expected."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in memory, upright.

    To keep a file's format and metadata, derive a new picture from the old one: `replace(picture, pixels=...)`.

    Attributes:
        pixels: (H, W, 1 or 3), gray or RGB, uint8 or uint16.
        alpha: (H, W) of the same dtype, not premultiplied; None: opaque.
        origin: What the picture's file was; None: the picture was made in memory.
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
                f"alpha {alpha.shape} {alpha.dtype} does not fit pixels {self.pixels.shape} {self.pixels.dtype}"
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
        """Bits per sample: 8 or 16."""
        return 8 * self.pixels.dtype.itemsize


@dataclass(frozen=True)
class Header:
    """What a picture will be once it is read.

    Attributes:
        width: In pixels, upright.
        height: In pixels, upright.
        channels: 1 or 3; alpha is not counted.
        depth: Bits per sample: 8 or 16.
        alpha: Whether there is an alpha channel.
        format: One of `datasets.codecs.formats.SUFFIXES_OF`.
        orientation: EXIF's, 1 to 8: how the pixels in the file are turned to be upright.
    """

    width: int
    height: int
    channels: int
    depth: int
    alpha: bool
    format: str
    orientation: int = 1


class SaveOptions(Options):
    """How pictures are saved; by default as their files were.

    Attributes:
        format: Of the file, or one of its suffixes; "keep": as its suffix says.
        quality: Of JPEG and WebP; None: as the source's, or else 95 for JPEG and 90 for WebP.
        metadata: "strip" drops EXIF, XMP, IPTC, comments and text, but not the colour profile.
        color: "srgb" converts colours to sRGB and drops what states others, such as a profile; HDR is refused.
        background: Colour that transparent pictures are laid on for formats without alpha.
    """

    format: Literal["keep", "jpeg", "png", "webp", "tiff", "bmp", "gif", "jxl", "jp2"] = "keep"
    quality: int | None = Field(default=None, ge=1, le=100)
    metadata: Literal["keep", "strip"] = "keep"
    color: Literal["keep", "srgb"] = "keep"
    background: Colour | None = None

    @field_validator("format", mode="before")
    @classmethod
    def _name_format(cls, value: Any) -> Any:
        """Return the format that a suffix stands for, such as "jpeg" for "jpg"."""
        return FORMAT_OF.get(f".{value.lower()}", value).lower() if isinstance(value, str) else value

    @field_validator("format")
    @classmethod
    def _check_format(cls, value: str) -> str:
        if value != "keep" and value.upper() not in SUFFIXES_OF:
            raise ValueError(f"{value} cannot be written {describe_absence(value.upper())}")
        return value


def parse_colour(name: str) -> tuple[int, int, int]:
    """Return red, green and blue, each of 255, of a colour's name in CSS or of "#rrggbb".

    Raises:
        ValueError: There is no such colour, or it has alpha.
    """
    red, green, blue = ImageColor.getrgb(_check_colour(name))[:3]
    return red, green, blue


def lay_on(pixels: Pixels, alpha: Pixels, colour: str) -> Pixels:
    """Return (H, W, C) pixels blended with a colour as their alpha (H, W) says; gray on a gray colour stays gray."""
    highest = np.iinfo(alpha.dtype).max
    ground = np.array(parse_colour(colour), np.float32) / np.float32(255) * highest
    if (ground == ground[0]).all():
        ground = ground[: pixels.shape[2]]
    opacity = alpha[:, :, None].astype(np.float32) / highest
    return np.rint(pixels * opacity + ground * (1 - opacity)).astype(pixels.dtype)
