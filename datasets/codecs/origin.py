"""What a picture's file holds beside its pixels, so that a new file can be written like it."""

import io
import math
import struct
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, TiffTags

from datasets.codecs import metadata
from datasets.codecs.vp8 import estimate_webp_quality
from datasets.errors import UserError

# Our names, and Pillow's for the same.
TIFF_COMPRESSIONS = {"none": "raw", "lzw": "tiff_lzw", "deflate": "tiff_adobe_deflate", "packbits": "packbits"}
# A little-endian TIFF header, whose directory follows at once.
TIFF_HEAD = b"II*\0\x08\0\0\0"
# Tags that describe a picture: names, makers, dates, words, ratings, IPTC, and the Exif and GPS directories.
_TIFF_DESCRIPTIVE = frozenset(
    {269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, 33723, 34665, 34853, *range(40091, 40096)}
)
_TIFF_LOST = {33550: "geographic tags", 34264: "geographic tags", 34735: "geographic tags", 37724: "Photoshop layers"}
_PNG_COLOUR_CHUNKS = frozenset({b"gAMA", b"cHRM", b"sRGB", b"cICP"})
_INTEROPERABILITY = 0xA005  # points to another directory, which says nothing of the picture
_LEGACY_EXIF = "Raw profile type exif"  # where ImageMagick stored EXIF in PNG text before PNG had eXIf
# What Pillow raises for damaged tags.
DAMAGED_TAGS = (ValueError, TypeError, KeyError, AttributeError, OSError, struct.error)


class PictureError(UserError):
    """A picture that cannot be read, or cannot be written as asked."""

    exit_code = 5


@dataclass(frozen=True)
class Origin:
    """What a picture's file held beside its pixels; all that is None or empty was not there."""

    format: str  # "JPEG", "PNG", "WEBP", "TIFF" or "BMP"
    icc: bytes | None = None
    exif: bytes | None = None  # a TIFF block without "Exif\0\0"; its orientation is 1, and its thumbnail is unlinked
    xmp: bytes | None = None
    iptc: bytes | None = None  # JPEG
    comment: bytes | None = None  # JPEG
    text: tuple[tuple[str, str], ...] = ()  # PNG
    png_colour: tuple[tuple[bytes, bytes], ...] = ()  # chunks that define the colours where there is no profile
    dpi: tuple[float, float] | None = None
    jpeg_tables: tuple[tuple[int, ...], ...] = ()  # quantisation: of luma, then chroma
    jpeg_subsampling: int | None = None  # 0: 4:4:4, 1: 4:2:2, 2: 4:2:0
    jpeg_progressive: bool = False
    webp_quality: int | None = None  # None: lossless
    tiff_compression: str | None = None  # "none", "lzw", "deflate" or "packbits"
    notes: tuple[str, ...] = ()  # what could not be kept


def format_name(image: Image.Image) -> str:
    """Return the name of an open picture's format; MPO is JPEG with more pictures behind the first."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def read_exif(image: Image.Image, stream: BinaryIO) -> bytes | None:
    """Return the file's EXIF block without its heading, or None."""
    block = image.info.get("exif")
    if block is None and _LEGACY_EXIF in image.info:
        try:
            block = bytes.fromhex("".join(str(image.info[_LEGACY_EXIF]).split("\n")[3:]))
        except ValueError:
            block = None
    if block is None and image.format == "PNG":
        position = stream.tell()  # Pillow continues to read from there
        for name, start, length in metadata.find_png_chunks(stream):
            if name == b"eXIf":  # it may follow the pixels, which Pillow has not read yet
                stream.seek(start)
                block = stream.read(length)
        stream.seek(position)
    while isinstance(block, bytes) and block.startswith(b"Exif\0\0"):
        block = block[6:]
    return block or None


def read_origin(image: Image.Image, data: bytes, *, turned: bool) -> Origin:
    """Return what a file holds beside its pixels; `image` has to be decoded, since PNG text may follow the pixels.

    `turned`: the pixels will be turned, so that the orientation in XMP has to become 1.
    """
    info = image.info
    exif, xmp = read_exif(image, io.BytesIO(data)), info.get("xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if xmp and turned:
        xmp = metadata.reset_xmp_orientation(xmp)
    origin = Origin(
        format_name(image), icc=info.get("icc_profile") or None, xmp=xmp or None, dpi=_parse_dpi(info.get("dpi"))
    )
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _read_tiff_origin(origin, image)
    if exif is not None:
        neutral = {metadata.ORIENTATION: 1, metadata.THUMBNAIL: 0}  # the thumbnail shows the old picture
        origin = replace(origin, exif=metadata.patch_numbers(exif, neutral))
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        return _read_jpeg_origin(origin, image)
    if isinstance(image, PngImagePlugin.PngImageFile):
        return _read_png_origin(origin, image, data)
    return replace(origin, webp_quality=estimate_webp_quality(data)) if origin.format == "WEBP" else origin


def _parse_dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(part) and 0 < part < 65535 for part in (x, y)) else None


def _read_jpeg_origin(origin: Origin, image: JpegImagePlugin.JpegImageFile) -> Origin:
    photoshop = image.info.get("photoshop")
    iptc = photoshop.get(0x0404) if isinstance(photoshop, dict) else None
    more_pictures = "mp" in image.info
    sampling = JpegImagePlugin.get_sampling(image)
    components = [layer[3] for layer in image.layer[:2]]  # the number of each one's table
    tables = [tuple(image.quantization[key]) for key in components if key in image.quantization]
    return replace(
        origin,
        iptc=iptc,
        comment=image.info.get("comment") or None,
        jpeg_tables=tuple(tables),
        jpeg_subsampling=sampling if sampling in {0, 1, 2} else None,
        jpeg_progressive=bool(image.info.get("progressive")),
        notes=("the pictures behind the first one (a preview or a gain map) were dropped",) if more_pictures else (),
    )


def _read_png_origin(origin: Origin, image: PngImagePlugin.PngImageFile, data: bytes) -> Origin:
    skipped = {"XML:com.adobe.xmp", _LEGACY_EXIF}  # these are kept as XMP and EXIF
    text = tuple((key, str(value)) for key, value in image.text.items() if key not in skipped)
    chunks = [chunk for chunk in metadata.find_png_chunks(io.BytesIO(data)) if chunk.name in _PNG_COLOUR_CHUNKS]
    colour = tuple((name, data[start : start + length]) for name, start, length in chunks)
    return replace(origin, text=text, png_colour=colour)


def _read_tiff_origin(origin: Origin, image: TiffImagePlugin.TiffImageFile) -> Origin:
    tags = image.tag_v2
    notes = [f"{name} were dropped" for name in dict.fromkeys(_TIFF_LOST[tag] for tag in _TIFF_LOST if tag in tags)]
    known = {theirs: ours for ours, theirs in TIFF_COMPRESSIONS.items()} | {"tiff_deflate": "deflate"}
    found = str(image.info.get("compression"))
    compression = known.get(found)
    if compression is None:
        notes.append(f"compression {found} within TIFF became deflate")
    directory = TiffImagePlugin.ImageFileDirectory_v2(TIFF_HEAD)
    try:
        copy_tags(image.getexif(), directory)
        exif = TIFF_HEAD + directory.tobytes(8) if len(directory) else None
    except DAMAGED_TAGS:
        exif = None
        notes.append("damaged EXIF was dropped")
    return replace(origin, exif=exif, tiff_compression=compression or "deflate", notes=tuple(notes))


def copy_tags(source: Image.Exif, target: TiffImagePlugin.ImageFileDirectory_v2) -> None:
    """Copy the tags that describe a picture from one TIFF directory into another."""
    for tag in sorted(_TIFF_DESCRIPTIVE & set(source)):
        if tag in TiffTags.TAGS_V2_GROUPS:
            directory = source.get_ifd(tag)
            target[tag] = {key: directory[key] for key in directory if key != _INTEROPERABILITY}
        else:
            target[tag] = source[tag]
