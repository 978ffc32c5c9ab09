"""Sound pictures in files with a harmless flaw, and sound files that no library of ours opens."""

import io
import struct
import zlib
from typing import BinaryIO, NamedTuple

from datasets.codecs import metadata
from datasets.codecs.kinds import describe_unreadable

_JPEG = b"\xff\xd8"
_LOSSLESS = frozenset({0xC3, 0xCB})  # with Huffman and with arithmetic coding
_HIERARCHICAL = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF})
_JPEG_LS = 0xF7
_FRAMES = {*range(0xC0, 0xD0), _JPEG_LS} - {0xC4, 0xC8, 0xCC}  # the rest of these are tables


class JpegFrame(NamedTuple):
    """What the header of a JPEG's frame says: the marker of its process, bits a sample, and channels."""

    marker: int
    bits: int
    channels: int

    @property
    def lossless(self) -> bool:
        """Whether the pixels come back exactly."""
        return self.marker in _LOSSLESS


def repair(data: bytes) -> tuple[bytes, list[str]]:
    """Return a file without flaws that do not touch its pixels, and notes on those that it had.

    A PNG's chunks of metadata get the checksums that they ought to have, since Pillow refuses the whole file for one.
    """
    if not data.startswith(metadata.PNG_SIGNATURE):
        return data, []
    result, wrong = bytearray(data), list[str]()
    for name, start, length in metadata.find_png_chunks(io.BytesIO(data)):
        end = start + length
        if name == b"IEND" or end + 4 > len(data):
            break
        ancillary = name[:1].islower() and name not in {b"fcTL", b"fdAT"}
        expected = struct.pack(">I", zlib.crc32(data[start - 4 : end])) if ancillary else data[end : end + 4]
        if data[end : end + 4] != expected:
            result[end : end + 4] = expected
            wrong.append(name.decode("latin-1"))
    notes = [f"the checksum of its {name} chunk is wrong: that may be damaged" for name in dict.fromkeys(wrong)]
    return (bytes(result) if wrong else data), notes


def read_jpeg_frame(data: bytes) -> JpegFrame | None:
    """Return what the header of a JPEG's frame says, or None where there is none."""
    position = len(_JPEG)
    while data.startswith(_JPEG) and position + 10 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _FRAMES:
            return JpegFrame(marker, data[position + 4], data[position + 9])
        padding = marker == 0xFF or marker == 1 or 0xD0 <= marker <= 0xD8  # markers without a length
        position += (1 if marker == 0xFF else 2) if padding else 2 + int.from_bytes(data[position + 2 : position + 4])
    return None


def explain(stream: BinaryIO) -> str:
    """Return why a file cannot be opened, and what to do about it, as a sentence without its subject."""
    stream.seek(0)
    frame = read_jpeg_frame(stream.read(2**20))  # more metadata than that before the frame is not looked through
    if frame is None:
        return describe_unreadable(stream)
    advice = "which is not read: save it as an ordinary 8-bit JPEG, or as PNG"
    if frame.marker == _JPEG_LS:
        return f"is a JPEG-LS picture, {advice}"
    if frame.marker in _HIERARCHICAL:
        return f"is a hierarchical JPEG picture, {advice}"
    if frame.bits != 8:
        return f"is a {'lossless ' if frame.lossless else ''}JPEG picture of {frame.bits} bits a channel, {advice}"
    if frame.channels not in {1, 3, 4}:
        return f"is a JPEG picture of {frame.channels} channels, {advice}"
    return describe_unreadable(stream)
