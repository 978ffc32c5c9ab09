"""What a picture's file holds beside its pixels, so that a new file can be written like it."""

import io
import math
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from datasets.codecs import metadata
from datasets.codecs.blocks.bmp_colour import read_bmp_profile
from datasets.codecs.blocks.descriptive import read_description, read_resolution
from datasets.codecs.blocks.directories import build_block
from datasets.codecs.blocks.exif_colour import read_tagged_colours
from datasets.codecs.blocks.extended_xmp import join_extended
from datasets.codecs.blocks.icc import build_profile
from datasets.codecs.blocks.pictures import blank_pictures
from datasets.codecs.blocks.png_text import RAW_PROFILE, clean_text, read_raw_profile
from datasets.codecs.blocks.thumbnails import blank_previews
from datasets.codecs.blocks.trailing import describe_segments, describe_trailing, find_trailing
from datasets.codecs.blocks.xmp import CREDENTIALS, remove_claims
from datasets.codecs.vp8 import estimate_webp_quality
from datasets.errors import UserError

# Our names, and Pillow's for the same.
TIFF_COMPRESSIONS = {"none": "raw", "lzw": "tiff_lzw", "deflate": "tiff_adobe_deflate", "packbits": "packbits"}
_TIFF_LOST = {
    330: "smaller pictures within the TIFF",
    33550: "geographic tags",
    34264: "geographic tags",
    34377: "Photoshop resources",
    34735: "geographic tags",
    37724: "Photoshop layers",
    52545: CREDENTIALS,
}
PNG_COLOUR_CHUNKS = frozenset({b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"})
# Kept, or said by the pixels; iDOT only tells Apple's decoder where to cut the file.
_PNG_KNOWN_CHUNKS = PNG_COLOUR_CHUNKS | set(b"IHDR PLTE IDAT IEND tRNS iCCP pHYs tEXt zTXt iTXt eXIf iDOT".split())
_PNG_KNOWN_CHUNKS |= {b"acTL", b"fcTL", b"fdAT"}  # frames, which `datasets.codecs.frames` reads
_WEBP_KNOWN_CHUNKS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP ", b"ANIM", b"ANMF"})
_XMP_TEXT = "XML:com.adobe.xmp"  # of PNG: international text, or against the rules another kind of text
_XMP_HEADING = b"http://ns.adobe.com/xap/1.0/\0"
_GRAY_MODES = frozenset({"1", "L", "LA", "I;16", "I;16B", "I;16L", "I;16N"})


class PictureError(UserError):
    """A picture that cannot be read, or cannot be written as asked."""

    exit_code = 5


@dataclass(frozen=True)
class Origin:
    """What a picture's file held beside its pixels; all that is None or empty was not there."""

    format: str  # one of `datasets.codecs.formats.SUFFIXES_OF`
    icc: bytes | None = None
    exif: bytes | None = None  # a TIFF block without "Exif\0\0"; its orientation is 1, and its thumbnail overwritten
    xmp: bytes | None = None
    iptc: bytes | None = None  # JPEG
    comment: bytes | None = None  # JPEG
    text: tuple[tuple[str, str], ...] = ()  # PNG
    png_colour: tuple[tuple[bytes, bytes], ...] = ()  # chunks that define the colours, beside or without a profile
    dpi: tuple[float, float] | None = None
    jpeg_tables: tuple[tuple[int, ...], ...] = ()  # quantisation: of luma, then chroma
    jpeg_subsampling: int | None = None  # 0: 4:4:4, 1: 4:2:2, 2: 4:2:0
    jpeg_progressive: bool = False
    webp_quality: int | None = None  # None: lossless
    jpeg_xl_lossy: bool = False
    tiff_compression: str | None = None  # "none", "lzw", "deflate" or "packbits"
    notes: tuple[str, ...] = ()  # what could not be kept


def format_name(image: Image.Image) -> str:
    """Return the name of an open picture's format; MPO is JPEG with more pictures behind the first."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def read_exif(image: Image.Image, stream: BinaryIO) -> bytes | None:
    """Return the file's EXIF block without its heading, or None."""
    block = image.info.get("exif") or _read_raw_profile(image, "exif", b"") or _read_raw_profile(image, "APP1", b"Exif")
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


def _read_xmp(image: Image.Image) -> bytes | None:
    """Return the file's XMP packet, or None; of a JPEG, without its extension."""
    xmp = image.info.get("xmp") or image.info.get(_XMP_TEXT)
    if isinstance(xmp, str):
        xmp = xmp.encode()
    xmp = xmp or _read_raw_profile(image, "xmp", b"") or _read_raw_profile(image, "APP1", _XMP_HEADING)
    return xmp.removeprefix(_XMP_HEADING) if xmp else None


def _read_raw_profile(image: Image.Image, kind: str, heading: bytes) -> bytes | None:
    """Return what ImageMagick stored as hexadecimal PNG text before PNG had chunks for it, or None."""
    data = read_raw_profile(str(image.info.get(RAW_PROFILE + kind, "")))
    return data if data and data.startswith(heading) else None


def read_origin(image: Image.Image, data: bytes, *, turned: bool) -> Origin:
    """Return what a file holds beside its pixels; `image` has to be decoded, since PNG text may follow the pixels.

    Copies of the picture are left out, since they show what a new picture may no longer show, and so are claims on what
    is left out. `turned`: the pixels will be turned, so that the orientation in XMP has to become 1.
    """
    info, format = image.info, format_name(image)
    exif, xmp, dropped = read_exif(image, io.BytesIO(data)), _read_xmp(image), list[str]()
    if xmp and isinstance(image, JpegImagePlugin.JpegImageFile):
        xmp, complete = join_extended(xmp, (segment for name, segment in image.applist if name == "APP1"))
        dropped += [] if complete else ["damaged extended XMP"]
    if xmp:
        xmp, claims = remove_claims(metadata.reset_xmp_orientation(xmp) if turned else xmp)
        dropped += claims
    dropped += describe_trailing(find_trailing(format, data))
    origin = Origin(format, icc=info.get("icc_profile") or None, xmp=xmp or None, dpi=_parse_dpi(info.get("dpi")))
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        origin = _read_tiff_origin(origin, image, data, dropped)
    elif exif is not None:
        dpi = origin.dpi or (read_resolution(exif) if format not in {"JPEG", "PNG"} else None)
        exif = metadata.patch_numbers(blank_previews(exif), {metadata.ORIENTATION: 1, metadata.THUMBNAIL: 0})
        origin = replace(origin, exif=exif, dpi=dpi)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        origin = _read_jpeg_origin(origin, image, dropped)
    elif isinstance(image, PngImagePlugin.PngImageFile):
        origin = _read_png_origin(origin, image, data, dropped)
    elif format == "BMP":
        origin = replace(origin, icc=read_bmp_profile(data))
    elif format == "WEBP":
        origin = replace(origin, webp_quality=estimate_webp_quality(data))
        names = {chunk.name for chunk in metadata.find_webp_chunks(data[: 8 + int.from_bytes(data[4:8], "little")])}
        dropped += _name_lost_chunks("WebP", names - _WEBP_KNOWN_CHUNKS, b"C2PA")
    origin = _read_tagged_profile(origin, data if format == "TIFF" else exif, 1 if image.mode in _GRAY_MODES else 3)
    note = ("dropped: " + ", ".join(dict.fromkeys(dropped)),) if dropped else ()
    return replace(origin, notes=(*origin.notes, *note))


def _parse_dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(part) and 0 < part < 65535 for part in (x, y)) else None


def _read_tagged_profile(origin: Origin, block: bytes | None, channels: int) -> Origin:
    """Return an origin with a profile made from EXIF's or TIFF's tags, if nothing else states the colours."""
    if origin.icc is not None or origin.png_colour or block is None:
        return origin
    colours = read_tagged_colours(block)
    if colours is None:
        return origin
    note = f"its tags state {colours.name} as its colours: a colour profile was made from them"
    return replace(origin, icc=build_profile(colours, channels), notes=(*origin.notes, note))


def _read_jpeg_origin(origin: Origin, image: JpegImagePlugin.JpegImageFile, dropped: list[str]) -> Origin:
    photoshop = image.info.get("photoshop")
    iptc = photoshop.get(0x0404) if isinstance(photoshop, dict) else None
    comment = image.info.get("comment")
    dropped += describe_segments(segment for _, segment in image.applist)
    sampling = JpegImagePlugin.get_sampling(image)
    components = [layer[3] for layer in image.layer[:2]]  # the number of each one's table
    tables = [tuple(image.quantization[key]) for key in components if key in image.quantization]
    return replace(
        origin,
        iptc=blank_pictures(iptc) if iptc else None,
        comment=blank_pictures(comment) if comment else None,
        jpeg_tables=tuple(tables),
        jpeg_subsampling=sampling if sampling in {0, 1, 2} else None,
        jpeg_progressive=bool(image.info.get("progressive")),
    )


def _read_png_origin(origin: Origin, image: PngImagePlugin.PngImageFile, data: bytes, dropped: list[str]) -> Origin:
    used = {_XMP_TEXT, *(RAW_PROFILE + kind for kind in ("exif", "xmp", "APP1"))}  # kept as XMP and EXIF
    text = tuple((key, str(value)) for key, value in image.text.items() if key not in used)
    cleaned = [(key, clean_text(key, value)) for key, value in text]
    dropped += ["a picture in PNG text"] if tuple(cleaned) != text else []
    chunks = [*metadata.find_png_chunks(io.BytesIO(data))]
    colour = {name: data[start : start + length] for name, start, length in chunks if name in PNG_COLOUR_CHUNKS}
    dropped += _name_lost_chunks("PNG", {chunk.name for chunk in chunks} - _PNG_KNOWN_CHUNKS, b"caBX")
    kept = tuple((key, value) for key, value in cleaned if value is not None)
    return replace(origin, text=kept, png_colour=tuple(colour.items()))


def _name_lost_chunks(format: str, names: set[bytes], credentials: bytes) -> list[str]:
    """Return what the chunks of a PNG or WebP file that are not kept were, in the words of a note."""
    others = ", ".join(sorted(name.decode("latin-1").strip() for name in names - {credentials}))
    return ([f"{format}'s {others}"] if others else []) + ([CREDENTIALS] if credentials in names else [])


def _read_tiff_origin(origin: Origin, image: TiffImagePlugin.TiffImageFile, data: bytes, dropped: list[str]) -> Origin:
    tags, notes = image.tag_v2, []
    dropped += (_TIFF_LOST[tag] for tag in _TIFF_LOST if tag in tags)
    known = {theirs: ours for ours, theirs in TIFF_COMPRESSIONS.items()} | {"tiff_deflate": "deflate"}
    found = str(image.info.get("compression"))
    compression = known.get(found)
    if compression is None:
        notes.append(f"compression {found} within TIFF became deflate")
    main, below, complete = read_description(data)
    dropped += [] if complete else ["damaged EXIF"]
    exif = blank_previews(build_block(main, below)) if main or below else None
    return replace(origin, exif=exif, tiff_compression=compression or "deflate", notes=tuple(notes))
