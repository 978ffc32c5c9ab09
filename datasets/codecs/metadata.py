"""What lies around the pixels of a picture file: EXIF blocks, XMP packets, PNG and WebP chunks.

Bytes in, bytes out; nothing here decodes a pixel. Damaged blocks are common in real folders, so
reading one gives what could be read and never raises.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

ORIENTATION, WIDTH, LENGTH, EXIF_DIRECTORY, PIXEL_WIDTH, PIXEL_HEIGHT = 0x0112, 0x0100, 0x0101, 0x8769, 0xA002, 0xA003
THUMBNAIL = -1  # the link from a block's main directory to the next one, where EXIF keeps its thumbnail
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class _Layout(NamedTuple):
    """How one TIFF block writes its directories."""

    order: str  # "<" or ">"
    entries: str  # struct formats: number of entries, and offsets
    offset: str
    entry: int  # bytes


class Field(NamedTuple):
    """A number within a TIFF block: its struct format, where it lies and where its type is told."""

    format: str
    position: int
    type_position: int


def fields(block: bytes) -> dict[int, Field]:
    """Where a TIFF block (an EXIF block is one) keeps its whole numbers, by tag.

    Covers the main and the Exif directory; THUMBNAIL is the main directory's link to the next one.
    """
    found: dict[int, Field] = {}
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return found
    try:
        big = struct.unpack_from(order + "H", block, 2)[0] == 43
        layout = _Layout(order, "Q", "Q", 20) if big else _Layout(order, "H", "I", 12)
        (start,) = struct.unpack_from(order + layout.offset, block, 8 if big else 4)
        _directory(block, start, layout, found)
        if EXIF_DIRECTORY in found:
            main = found.pop(THUMBNAIL)
            (start,) = struct.unpack_from(found[EXIF_DIRECTORY].format, block, found[EXIF_DIRECTORY].position)
            _directory(block, start, layout, found)
            found[THUMBNAIL] = main
    except (struct.error, KeyError, OverflowError):
        pass  # a cut or damaged block: what was found so far is what there is
    return found


def _directory(block: bytes, start: int, layout: _Layout, found: dict[int, Field]) -> None:
    (count,) = struct.unpack_from(layout.order + layout.entries, block, start)
    first = start + struct.calcsize(layout.entries)
    for position in range(first, min(first + count * layout.entry, len(block)), layout.entry):
        tag, kind = struct.unpack_from(layout.order + "HH", block, position)
        size = struct.calcsize(layout.offset)
        format = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(kind)
        if format is not None:
            found.setdefault(tag, Field(layout.order + format, position + 4 + size, position + 2))
    link = first + count * layout.entry
    found[THUMBNAIL] = Field(layout.order + layout.offset, link, link)


def number(block: bytes, tag: int) -> int | None:
    """The value of a whole-number tag of a TIFF block, or None."""
    field = fields(block).get(tag)
    try:
        return None if field is None else int(struct.unpack_from(field.format, block, field.position)[0])
    except struct.error:
        return None


def patched(block: bytes, values: dict[int, int]) -> bytes:
    """A TIFF block with the numbers of `values` in place of those of its tags that it has.

    Everything else stays byte for byte where it was: makers' own notes hold offsets that moving would break.
    """
    result = bytearray(block)
    found = fields(block)
    for tag in values.keys() & found.keys():
        format, position, type_position = found[tag]
        if format[1] == "H" and values[tag] > 0xFFFF:
            format = format[0] + "I"  # the entry has room for four bytes
            struct.pack_into(format[0] + "H", result, type_position, 4)
        if position + struct.calcsize(format) <= len(result):
            struct.pack_into(format, result, position, values[tag])
    return bytes(result)


def upright_xmp(xmp: bytes) -> bytes:
    """An XMP packet that says that its picture needs no turning."""
    return re.sub(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8]", rb"\g<1>1", xmp)


def sized_xmp(xmp: bytes, width: int, height: int) -> bytes:
    """An XMP packet whose size tags, where it has them, tell this size in pixels."""
    for names, value in (
        (rb"exif:PixelXDimension|tiff:ImageWidth", width),
        (rb"exif:PixelYDimension|tiff:ImageLength", height),
    ):
        xmp = re.sub(rb"((?:" + names + rb")\s*(?:=\s*[\"']|>)\s*)\d+", rb"\g<1>" + str(value).encode(), xmp)
    return xmp


class Chunk(NamedTuple):
    """A chunk of a PNG or WebP file: where its data starts, and how long they are."""

    name: bytes
    start: int
    length: int


def png_chunks(stream: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a PNG file; only their heads are read."""
    position = len(PNG_SIGNATURE)
    while True:
        stream.seek(position)
        head = stream.read(8)
        if len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head)
        yield Chunk(name, position + 8, length)
        position += length + 12


def png_chunk(name: bytes, data: bytes) -> bytes:
    """A PNG chunk as it stands in a file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def webp_chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a WebP file."""
    position = 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        yield Chunk(name, position + 8, length)
        position += 8 + length + length % 2


def webp_quality(data: bytes) -> int | None:
    """The quality, 1 to 100, that a WebP file was made with; None: it is lossless.

    Lossy WebP files tell their quantizers only; this turns libwebp's own rule around (RFC 6386
    section 9 is the layout of the frame header). Right to about three steps.
    """
    for name, start, length in webp_chunks(data):
        if name == b"VP8 ":
            quantizer = _vp8_quantizer(data[start : start + min(length, 256)])
            compression = (1 - quantizer / 127) ** 3
            share = compression * 1.5 if compression < 0.5 else (compression + 1) / 2
            return min(100, max(1, round(100 * share)))
    return None


class _Bits:
    """The boolean decoder of RFC 6386 section 7, at even odds; past the end it reads zeros."""

    def __init__(self, data: bytes):
        self.data = data
        self.position = 2
        self.value = int.from_bytes(data[:2].ljust(2, b"\0"), "big")
        self.range = 255
        self.shifts = 0

    def bit(self) -> int:
        split = 1 + ((self.range - 1) * 128 >> 8)
        one = self.value >= split << 8
        self.value -= split << 8 if one else 0
        self.range = self.range - split if one else split
        while self.range < 128:
            self.value, self.range, self.shifts = self.value << 1, self.range << 1, self.shifts + 1
            if self.shifts % 8 == 0:
                self.value |= self.data[self.position] if self.position < len(self.data) else 0
                self.position += 1
        return int(one)

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.bit()
        return value

    def optional(self, bits: int, *, signed: bool = False, default: int = 0) -> int:
        if not self.bit():
            return default
        value = self.number(bits)
        return -value if signed and self.bit() else value


def _vp8_quantizer(frame: bytes) -> float:
    """The quantizer index, 0 to 127, of a VP8 key frame: the mean over its segments, by their shares."""
    bits = _Bits(frame[10:])
    bits.number(2)  # colour space, clamping
    segments, shares, absolute = [0, 0, 0, 0], [1.0, 0.0, 0.0, 0.0], 0
    if bits.bit():
        mapped, updated = bits.bit(), bits.bit()
        if updated:
            absolute = bits.bit()
            segments = [bits.optional(7, signed=True) for _ in range(4)]
            for _ in range(4):
                bits.optional(6, signed=True)  # loop filter levels
        if mapped:
            first, low, high = (bits.optional(8, default=255) / 255 for _ in range(3))
            shares = [first * low, first * (1 - low), (1 - first) * high, (1 - first) * (1 - high)]
    bits.number(10)  # loop filter type, level, sharpness
    if bits.bit() and bits.bit():
        for _ in range(8):
            bits.optional(6, signed=True)
    bits.number(2)  # partitions
    base = bits.number(7)
    return sum(share * (level if absolute else base + level) for share, level in zip(shares, segments, strict=True))
