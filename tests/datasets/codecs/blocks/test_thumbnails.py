"""No byte of a thumbnail or a preview is left in an EXIF block, and no other byte is touched."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.blocks.thumbnails import blank_previews

RED = bytes((248, 0, 0)) * 100


def jpeg():
    buffer = io.BytesIO()
    Image.fromarray(np.full((32, 48, 3), (248, 0, 0), np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def directory(order, entries, following=0):
    """A directory of entries (tag, type, number, value); the value is a number or four bytes."""
    packed = [
        struct.pack(order + "HHI", *entry[:3])
        + (entry[3] if isinstance(entry[3], bytes) else struct.pack(order + "I", entry[3]))
        for entry in entries
    ]
    return struct.pack(order + "H", len(packed)) + b"".join(packed) + struct.pack(order + "I", following)


def block(order, *, thumbnail, strips=(), note=b"a maker's note"):
    """An EXIF block with a note, and a second directory at 200 with a thumbnail at 300."""
    main = directory(order, [(0x010F, 2, 6, 100), (0x8769, 4, 1, 60)], 200)
    exif = directory(order, [(0x927C, 7, len(note), 1000)])
    places = strips or [(0x0201, 4, 1, 300), (0x0202, 4, 1, len(thumbnail))]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    data = (head + main).ljust(60, b"\0") + exif
    data = data.ljust(100, b"\0") + b"Maker\0"
    data = (data.ljust(200, b"\0") + directory(order, places)).ljust(300, b"\0") + thumbnail
    return data.ljust(1000, b"\0") + note


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["jpeg", "strips", "note", "below"])
def test_previews_are_overwritten_where_they_lie(order, kind):
    if kind == "jpeg":
        before, shown = block(order, thumbnail=jpeg()[:600]), jpeg()[:600]
    elif kind == "strips":  # two, without compression
        strips = [(0x0111, 4, 2, 280), (0x0117, 3, 2, struct.pack(order + "HH", 100, 200))]
        before, shown = bytearray(block(order, thumbnail=RED, strips=strips)), RED
        struct.pack_into(order + "II", before, 280, 300, 400)
    elif kind == "below":  # a directory below the second one
        places = [(0x014A, 4, 1, 240)]
        before, shown = bytearray(block(order, thumbnail=RED, strips=places)), RED
        below = directory(order, [(0x0201, 4, 1, 300), (0x0202, 4, 1, len(RED))])
        before[240 : 240 + len(below)] = below
    else:
        before, shown = block(order, thumbnail=RED, note=b"PREVIEW" + jpeg() + b"end"), jpeg()
        before, shown = before.replace(RED, bytes(len(RED))), jpeg()
    after = blank_previews(bytes(before))
    assert after == bytes(before).replace(shown, bytes(len(shown)))
    assert after != before


def test_damaged_places_harm_no_directory():
    data = block("<", thumbnail=b"", strips=[(0x0201, 4, 1, 0), (0x0202, 4, 1, 10_000)])
    after = blank_previews(data)
    assert after[8:38] == data[8:38]  # the main directory
    assert b"Maker\0" in after
    assert after.endswith(b"a maker's note")


def test_damaged_blocks_never_raise():
    data = block(">", thumbnail=jpeg()[:600])
    draws = np.random.default_rng(0)
    for length in range(0, len(data), 7):
        assert len(blank_previews(data[:length])) == length
    for _ in range(300):
        noise = bytearray(data)
        for place in draws.integers(0, 260, 4):
            noise[place] = draws.integers(0, 256)
        assert len(blank_previews(bytes(noise))) == len(data)
    circle = directory("<", [(0x8769, 4, 1, 8)], 8)
    assert blank_previews(b"II*\0\x08\0\0\0" + circle) == b"II*\0\x08\0\0\0" + circle
