"""The boxes that JPEG XL and JPEG 2000 files are made of: a length, a name and data."""

import struct
from collections.abc import Iterator
from typing import NamedTuple


class Box(NamedTuple):
    """A box of a file: its name and its data."""

    name: bytes
    data: bytes


def find_boxes(data: bytes) -> Iterator[Box]:
    """Yield the boxes of a file, or of a box that is made of boxes; one that is cut off is the last."""
    position = 0
    while position + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        head = 8
        if length == 1 and position + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, position + 8)
            head = 16
        end = len(data) if length == 0 else position + length  # 0: up to the end of the file
        if end < position + head:
            return
        yield Box(name, data[position + head : end])
        position = end


def build_box(name: bytes, data: bytes) -> bytes:
    """Return a box as it is stored."""
    if len(data) + 8 > 0xFFFFFFFF:
        return struct.pack(">I4sQ", 1, name, len(data) + 16) + data
    return struct.pack(">I4s", len(data) + 8, name) + data
