"""Profiles and primaries in the headers of BMP files are found."""

import io
import struct

import pytest
from PIL import Image, ImageCms

from datasets.codecs import images
from datasets.codecs.blocks.bmp_colour import read_bmp_profile
from datasets.codecs.blocks.colour import SRGB
from datasets.codecs.blocks.icc import Colours, Curve, build_matrix, build_profile

P3 = Colours("P3", SRGB.white, (0.68, 0.32), (0.265, 0.69), SRGB.blue, Curve(1.8))


def bmp(space, ends=(0,) * 9, gammas=(0, 0, 0), profile=b""):
    """A BMP of 5 by 4 pixels with the longest header."""
    rows = bytes((10, 100, 200)) * 5 + b"\0"
    head = struct.pack("<IiiHHIIiiII", 124, 5, 4, 1, 24, 0, 4 * len(rows), 2835, 2835, 0, 0) + bytes(16)
    head += struct.pack("<I9i3I", space, *ends, *gammas) + struct.pack("<IIII", 4, 124 + 4 * len(rows), len(profile), 0)
    body = head + 4 * rows + profile
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 138) + body


def test_a_profile_within_the_file_is_kept(tmp_path, roundtrip):
    profile = build_profile(P3, 3)
    (tmp_path / "a.bmp").write_bytes(bmp(0x4D424544, profile=profile))
    target, notes = roundtrip(tmp_path / "a.bmp", images.SaveOptions(format="png"))
    with Image.open(target) as image:
        assert (image.size, image.getpixel((2, 2)), image.info["icc_profile"]) == ((5, 4), (200, 100, 10), profile)
    assert notes == ()
    _, notes = roundtrip(tmp_path / "a.bmp")
    assert notes == ("colour profile was dropped: BMP holds none",)
    assert read_bmp_profile(bmp(0x4D424544, profile=profile)[:-1]) is None


def test_primaries_become_a_profile():
    ends = [round(value * 2**30) for value in build_matrix(P3).T.ravel()]
    found = read_bmp_profile(bmp(0, ends, [round(1.8 * 65536)] * 3))
    assert found is not None
    made, direct = (ImageCms.ImageCmsProfile(io.BytesIO(data)).profile for data in (found, build_profile(P3, 3)))
    assert made.red_colorant is not None
    assert direct.red_colorant is not None
    assert made.red_colorant[0] == pytest.approx(direct.red_colorant[0], abs=1e-4)


def test_what_states_nothing_gives_nothing():
    buffer = io.BytesIO()
    Image.new("RGB", (90, 90)).save(buffer, "BMP")
    srgb = [round(value * 2**30) for value in build_matrix(SRGB).T.ravel()]
    for data in (
        b"",
        buffer.getvalue(),
        bmp(0),
        bmp(0x73524742),
        bmp(0, srgb, [round(2.2 * 65536)] * 3),
        bmp(0, [-1] * 9),
    ):
        assert read_bmp_profile(data) is None
