"""EXIF, XMP and chunks: bytes in, bytes out, whatever they are."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from datasets.codecs import metadata


def test_exif_keeps_makers_notes_in_place_and_loses_its_stale_thumbnail(tmp_path, smooth, save, roundtrip):
    note = b"offsets in here must not move"
    entries = [(0x0112, 3, 1, struct.pack(">HH", 3, 0)), (0x8769, 4, 1, struct.pack(">I", 38))]
    block = b"MM\0*\0\0\0\x08" + struct.pack(">H", 2)
    block += b"".join(struct.pack(">HHI", *entry[:3]) + entry[3] for entry in entries) + struct.pack(">I", 200)
    block += struct.pack(">HHHII", 1, 0x927C, 7, len(note), 60) + b"\0" * 4
    block = block.ljust(60, b"\0") + note
    block = block.ljust(200, b"\0") + struct.pack(">HHHIHHI", 1, 0x0103, 3, 1, 6, 0, 0)
    target, _ = roundtrip(save(tmp_path / "a.jpg", smooth(20, 30, 3), exif=b"Exif\0\0" + block))
    with Image.open(target) as image:
        found = image.info["exif"][6:]
    expected = bytearray(block)
    expected[19] = 1  # the orientation
    expected[34:38] = bytes(4)  # the way to the thumbnail
    assert found == bytes(expected)


def test_size_tags_grow_where_the_size_outgrows_them():
    block = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0100, 3, 1, 9, 0, 0)
    assert metadata.read_number(metadata.patch_numbers(block, {0x0100: 65535}), 0x0100) == 65535
    assert metadata.read_number(metadata.patch_numbers(block, {0x0100: 65536}), 0x0100) == 65536


def tiff_block(order="<", tag=0x0112, kind=3, value=6):
    """A TIFF block of one entry."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(
        order + ("HHIHH" if kind == 3 else "HHII"), tag, kind, 1, *([value, 0] if kind == 3 else [value])
    )
    return mark + struct.pack(order + "IH", 8, 1) + entry + struct.pack(order + "I", 0)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_numbers_are_read_and_patched_in_either_byte_order(order, kind):
    block = tiff_block(order, kind=kind)
    assert metadata.read_number(block, metadata.ORIENTATION) == 6
    patched = metadata.patch_numbers(block, {metadata.ORIENTATION: 1, metadata.WIDTH: 99})
    assert metadata.read_number(patched, metadata.ORIENTATION) == 1
    assert metadata.read_number(patched, metadata.WIDTH) is None  # only tags that are there are patched
    assert len(patched) == len(block)
    assert sum(one != other for one, other in zip(block, patched, strict=True)) == 1


def test_damaged_blocks_give_what_they_can_and_never_raise():
    block = tiff_block()
    for length in range(len(block)):
        metadata.patch_numbers(block[:length], {metadata.ORIENTATION: 1})
        assert metadata.read_number(block[:length], metadata.ORIENTATION) in {None, 6}
    draws = np.random.default_rng(0)
    for _ in range(200):
        noise = block[:8] + draws.bytes(60)
        assert len(metadata.patch_numbers(noise, {metadata.ORIENTATION: 1})) == len(noise)


def test_xmp_states_the_new_size_and_no_turn(xmp):
    sized = metadata.set_xmp_size(xmp, 40, 60)
    assert b'tiff:ImageWidth="40"' in sized
    assert b"PixelYDimension>60<" in sized
    assert b'tiff:Orientation="1"' in metadata.reset_xmp_orientation(sized)
    assert metadata.set_xmp_size(b"<x/>", 40, 60) == b"<x/>"


def test_a_panorama_grows_with_its_picture():
    before = (
        b'<a GPano:CroppedAreaImageWidthPixels="400" GPano:FullPanoWidthPixels="1000" GPano:CroppedAreaLeftPixels="30" '
        b'GPano:FullPanoHeightPixels="500"><GPano:CroppedAreaImageHeightPixels>200</GPano:CroppedAreaImageHeightPixels>'
        b"<GPano:CroppedAreaTopPixels>7</GPano:CroppedAreaTopPixels></a>"
    )
    after = metadata.set_xmp_size(before, 800, 600)
    for number, expected in ((b"400", b"800"), (b"1000", b"2000"), (b"30", b"60"), (b"500", b"1500")):
        before = before.replace(b'"' + number + b'"', b'"' + expected + b'"')
    assert after == before.replace(b">200<", b">600<").replace(b">7<", b">21<")
    assert metadata.set_xmp_size(b'GPano:FullPanoWidthPixels="9"', 800, 600) == b'GPano:FullPanoWidthPixels="9"'


def test_png_chunks_are_found_as_they_were_built():
    parts = [(b"IHDR", b"head"), (b"tEXt", b""), (b"IEND", b"")]
    data = metadata.PNG_SIGNATURE + b"".join(metadata.build_png_chunk(name, content) for name, content in parts)
    found = list(metadata.find_png_chunks(io.BytesIO(data)))
    assert [(name, data[start : start + length]) for name, start, length in found] == parts
    assert list(metadata.find_png_chunks(io.BytesIO(data[:-9]))) == found[:-1]


def test_webp_chunks_are_padded_to_even_lengths():
    data = b"RIFF\0\0\0\0WEBP" + struct.pack("<4sI", b"EXIF", 3) + b"abc\0" + struct.pack("<4sI", b"XMP ", 2) + b"de"
    found = list(metadata.find_webp_chunks(data))
    assert [(name, data[start : start + length]) for name, start, length in found] == [
        (b"EXIF", b"abc"),
        (b"XMP ", b"de"),
    ]
