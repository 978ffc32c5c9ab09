"""The data around the pixels of a picture file: EXIF blocks, XMP packets, PNG and WebP chunks.

Bytes in, bytes out; nothing here decodes a pixel. Damaged blocks are common in real folders, so reading one returns
what could be read, and never raises.

EXIF is patched by hand, since libraries (Pillow, piexif) rewrite a block, which moves the notes of camera makers
and so breaks the offsets within them.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from datasets.codecs.blocks.xmp import remove_names

ORIENTATION, WIDTH, LENGTH, EXIF_DIRECTORY, PIXEL_WIDTH, PIXEL_HEIGHT = 0x0112, 0x0100, 0x0101, 0x8769, 0xA002, 0xA003
THUMBNAIL = -1  # no tag: the link from the main directory to the next one, where EXIF keeps its thumbnail
_XMP_COLOURS = {  # patterns of the names that state other colours, by namespace
    "http://ns.adobe.com/photoshop/1.0/": "ICCProfile",
    "http://ns.adobe.com/tiff/1.0/": "TransferFunction|WhitePoint|PrimaryChromaticities",
    "http://cipa.jp/exif/1.0/": "Gamma",
}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class _Layout(NamedTuple):
    """How a TIFF block stores its directories: TIFF 6.0, or BigTIFF."""

    order: str  # "<" or ">"
    entries: str  # struct formats: number of entries, and offsets
    offset: str
    entry: int  # bytes of one


class NumberField(NamedTuple):
    """A number within a TIFF block: its struct format, its position, and the position of its type."""

    format: str
    position: int
    type_position: int


def locate_numbers(block: bytes) -> dict[int, NumberField]:
    """Return the positions of the whole numbers in a TIFF block, such as an EXIF block, by tag.

    Covers the main and the Exif directory; THUMBNAIL is the main directory's link to the next one.
    """
    found: dict[int, NumberField] = {}
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return found
    try:
        big = struct.unpack_from(order + "H", block, 2)[0] == 43
        layout = _Layout(order, "Q", "Q", 20) if big else _Layout(order, "H", "I", 12)
        (start,) = struct.unpack_from(order + layout.offset, block, 8 if big else 4)
        _read_directory(block, start, layout, found)
        if EXIF_DIRECTORY in found:
            main = found.pop(THUMBNAIL)
            (start,) = struct.unpack_from(found[EXIF_DIRECTORY].format, block, found[EXIF_DIRECTORY].position)
            _read_directory(block, start, layout, found)
            found[THUMBNAIL] = main
    except (struct.error, KeyError, OverflowError):
        pass  # a cut-off or damaged block: what was found before that is returned
    return found


def _read_directory(block: bytes, start: int, layout: _Layout, found: dict[int, NumberField]) -> None:
    (count,) = struct.unpack_from(layout.order + layout.entries, block, start)
    first = start + struct.calcsize(layout.entries)
    for position in range(first, min(first + count * layout.entry, len(block)), layout.entry):
        tag, kind = struct.unpack_from(layout.order + "HH", block, position)
        size = struct.calcsize(layout.offset)
        format = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(kind)  # TIFF's types of whole numbers and offsets
        if format is not None:
            found.setdefault(tag, NumberField(layout.order + format, position + 4 + size, position + 2))
    link = first + count * layout.entry
    found[THUMBNAIL] = NumberField(layout.order + layout.offset, link, link)


def read_number(block: bytes, tag: int) -> int | None:
    """Return the value of a whole-number tag of a TIFF block, or None."""
    field = locate_numbers(block).get(tag)
    try:
        return None if field is None else int(struct.unpack_from(field.format, block, field.position)[0])
    except struct.error:
        return None


def patch_numbers(block: bytes, values: dict[int, int]) -> bytes:
    """Return a TIFF block with new values for those tags of `values` that it has.

    Everything else stays where it was, byte for byte, since the notes of camera makers hold offsets.
    """
    result = bytearray(block)
    found = locate_numbers(block)
    for tag in values.keys() & found.keys():
        format, position, type_position = found[tag]
        if format[1] == "H" and values[tag] > 0xFFFF:
            format = format[0] + "I"  # the entry has room for four bytes
            struct.pack_into(format[0] + "H", result, type_position, 4)
        if position + struct.calcsize(format) <= len(result):
            struct.pack_into(format, result, position, values[tag])
    return bytes(result)


def reset_xmp_orientation(xmp: bytes) -> bytes:
    """Return an XMP packet whose orientation, if it has one, is 1."""
    return re.sub(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8]", rb"\g<1>1", xmp)


def set_xmp_srgb(xmp: bytes) -> bytes:
    """Return an XMP packet that names no colours but sRGB."""
    xmp = re.sub(rb"(exif:ColorSpace\s*(?:=\s*[\"']|>)\s*)\d+", rb"\g<1>1", xmp)
    return remove_names(xmp, _XMP_COLOURS)


def set_xmp_size(xmp: bytes, width: int, height: int) -> bytes:
    """Return an XMP packet whose size tags, if it has them, state this size in pixels; a panorama's grow with it."""
    xmp = _scale_panorama(_scale_panorama(xmp, b"Width", b"Left", width), b"Height", b"Top", height)
    for names, value in (
        (rb"exif:PixelXDimension|tiff:ImageWidth", width),
        (rb"exif:PixelYDimension|tiff:ImageLength", height),
    ):
        xmp = re.sub(rb"((?:" + names + rb")\s*(?:=\s*[\"']|>)\s*)\d+", rb"\g<1>" + str(value).encode(), xmp)
    return xmp


def _scale_panorama(xmp: bytes, side: bytes, start: bytes, size: int) -> bytes:
    """Return an XMP packet whose panorama (Google's GPano) has a picture of `size` pixels along one of its sides."""
    value = rb"(\s*(?:=\s*[\"']|>)\s*)(\d{1,9})(?!\d)"
    before = re.search(rb"GPano:CroppedAreaImage" + side + rb"Pixels" + value, xmp)
    if before is None or int(before[2]) == 0:
        return xmp
    names = rb"(GPano:(?:(?:FullPano|CroppedAreaImage)" + side + rb"|CroppedArea" + start + rb")Pixels)"
    scale = size / int(before[2])
    return re.sub(names + value, lambda found: found[1] + found[2] + b"%d" % round(int(found[3]) * scale), xmp)


class Chunk(NamedTuple):
    """A chunk of a PNG or WebP file: its name, the position of its data, and their length in bytes."""

    name: bytes
    start: int
    length: int


def find_png_chunks(stream: BinaryIO) -> Iterator[Chunk]:
    """Yield the chunks of a PNG file; only their headers are read."""
    position = len(PNG_SIGNATURE)
    while True:
        stream.seek(position)
        header = stream.read(8)
        if len(header) < 8:
            return
        length, name = struct.unpack(">I4s", header)
        yield Chunk(name, position + 8, length)
        if name == b"IEND":
            return  # what follows is no chunk
        position += length + 12


def insert_png_chunks(data: bytes, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a PNG file with more chunks behind its header."""
    end = len(PNG_SIGNATURE) + 12 + 13  # IHDR has 13 bytes
    return b"".join([data[:end], *(build_png_chunk(name, content) for name, content in chunks), data[end:]])


def build_png_chunk(name: bytes, data: bytes) -> bytes:
    """Return a PNG chunk as it is stored in a file: length, name, data, checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def find_webp_chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a WebP file."""
    position = 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        yield Chunk(name, position + 8, length)
        position += 8 + length + length % 2
