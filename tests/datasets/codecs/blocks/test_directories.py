"""TIFF directories keep their types and bytes in either byte order, and damaged ones give what they can."""

import io
import struct
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image

from datasets.codecs.blocks import directories
from datasets.codecs.blocks.descriptive import read_description, read_resolution, state_resolution
from datasets.codecs.blocks.directories import Values, build_block

EXIF = {
    0x9000: Values(7, b"0232"),
    0x9286: Values(7, b"ASCII\0\0\0a comment"),
    0x927C: Values(7, bytes(range(200))),
    0x9101: Values(7, b"\x01\x02\x03\0"),
    0xA300: Values(7, b"\x03"),
    0x9204: Values(10, struct.pack("<ii", -2, 3)),
    0x829A: Values(5, struct.pack("<II", 1, 200)),
    0xA002: Values(4, struct.pack("<I", 40)),
    0x9207: Values(3, struct.pack("<H", 5)),
    0xA432: Values(5, struct.pack("<8I", 24, 1, 70, 1, 28, 10, 4, 1)),
    0x8827: Values(3, struct.pack("<2H", 100, 200)),
}
MAIN = {0x010E: Values(2, "ein See, bläulich\0".encode()), 0x9C9B: Values(1, "See\0".encode("utf-16-le"))}
GPS = {
    0: Values(1, b"\x02\x03\0\0"),
    2: Values(5, struct.pack("<6I", 1, 1, 2, 1, 3, 1)),
    27: Values(7, b"ASCII\0\0\0GPS"),
}


def turned(block):
    """The same block in the other byte order, by the lengths of the types."""
    result, order = bytearray(b"MM\0*" + struct.pack(">I", 8) + block[8:]), ("<", ">")
    starts = [8]
    while starts:
        start = starts.pop()
        (count,) = struct.unpack_from("<H", block, start)
        struct.pack_into(">H", result, start, count)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from("<HHII", block, place)
            struct.pack_into(">HHI", result, place, tag, kind, values)
            letter, size, repeat = {3: ("H", 2, 1), 4: ("I", 4, 1), 5: ("I", 4, 2), 10: ("i", 4, 2)}.get(
                kind, ("B", 1, 1)
            )
            data = place + 8
            if size * repeat * values > 4:
                data = value
                struct.pack_into(">I", result, place + 8, value)
            form = f"{repeat * values}{letter}"
            struct.pack_into(order[1] + form, result, data, *struct.unpack_from(order[0] + form, block, data))
            starts += [value] if tag in {0x8769, 0x8825} else []
    return bytes(result)


@pytest.mark.parametrize("other_order", [False, True])
def test_tags_come_back_with_their_types(other_order):
    block = build_block(MAIN, {0x8769: EXIF, 0x8825: GPS})
    assert read_description(turned(block) if other_order else block) == (MAIN, {0x8769: EXIF, 0x8825: GPS}, True)


def test_other_libraries_read_the_block():
    block = build_block(MAIN | state_resolution((300, 72.5)), {0x8769: EXIF, 0x8825: GPS})
    exif = Image.Exif()
    exif.load(block)
    assert exif[0x011A] == 300
    assert exif.get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0a comment"
    assert exif.get_ifd(0x8769)[0x9204] == -2 / 3
    assert exif.get_ifd(0x8825)[27] == b"ASCII\0\0\0GPS"
    assert read_resolution(block) == (300, 72.5)


@pytest.mark.parametrize("other_order", [False, True])
def test_tags_are_added_without_moving_anything(other_order):
    block = build_block(MAIN, {0x8769: EXIF, 0x8825: GPS})
    block = turned(block) if other_order else block
    added = directories.add_tags(block, state_resolution((300, 72.5)) | {0x010E: Values(2, b"sea\0")})
    assert added is not None
    assert added[8 : len(block)] == block[8:]
    assert read_description(added) == (MAIN | {0x010E: Values(2, b"sea\0")}, {0x8769: EXIF, 0x8825: GPS}, True)
    assert read_resolution(added) == (300, 72.5)
    exif = Image.Exif()
    exif.load(added)
    assert (exif[0x011B], exif.get_ifd(0x8769)[0xA002]) == (72.5, 40)
    assert directories.add_tags(b"II*\0\xff\xff\0\0" + bytes(20), {}) is None


def test_bigtiff_is_read(tmp_path):
    buffer = io.BytesIO()
    tags = [(315, "s", 0, "Ada", True)]
    tifffile.imwrite(buffer, np.zeros((8, 8), np.uint8), bigtiff=True, byteorder=">", extratags=tags, metadata=None)
    assert read_description(buffer.getvalue()).main[315] == Values(2, b"Ada\0")


def test_a_long_list_of_overlapping_values_takes_no_memory():
    entries = b"".join(struct.pack("<HHII", tag, 7, 100_000, 0) for tag in range(60_000))
    main = struct.pack("<HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)
    block = b"II*\0\x08\0\0\0" + main + struct.pack("<H", 60_000) + entries + bytes(4)
    found = read_description(block).below[0x8769]
    assert sum(len(values.data) for values in found.values()) <= len(block)


def test_damaged_blocks_give_what_they_can_and_never_raise():
    block = build_block(MAIN, {0x8769: EXIF, 0x8825: GPS})
    draws = np.random.default_rng(0)
    with warnings.catch_warnings(action="error"):
        for length in range(0, len(block), 3):
            read_description(block[:length])
            read_resolution(block[:length])
        for _ in range(300):
            noise = bytearray(block)
            for place in draws.integers(4, 200, 3):
                noise[place] = draws.integers(0, 256)
            description = read_description(bytes(noise))
            build_block(description.main, description.below)
    assert not read_description(block[:60]).complete
    assert directories.read_layout(b"no block") is None
