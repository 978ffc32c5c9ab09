"""What EXIF and TIFF tags state of colours, and that they state sRGB afterwards."""

import struct

import pytest
from PIL import Image

from datasets.codecs.blocks.colour import ADOBE_RGB, SRGB
from datasets.codecs.blocks.directories import Values, build_block, shorts
from datasets.codecs.blocks.exif_colour import read_tagged_colours, state_srgb

P3 = (0.3127, 0.3290), (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def fractions(*values):
    return Values(5, b"".join(struct.pack("<II", round(value * 10000), 10000) for value in values))


def exif(space=None, rules=None, **main):
    """An EXIF block as other libraries write it, so that it has an interoperability directory."""
    block = Image.Exif()
    if space is not None:
        block.get_ifd(0x8769)[0xA001] = space
    if rules is not None:
        block.get_ifd(0x8769)[0xA005] = {1: rules}
    return block.tobytes()[6:]


@pytest.mark.parametrize(
    ("space", "rules", "expected"),
    [
        (1, None, None),
        (1, "R03", None),
        (2, None, ADOBE_RGB),
        (0xFFFF, "R03", ADOBE_RGB),
        (0xFFFF, "R98", None),
        (None, None, None),
    ],
)
def test_adobe_rgb_is_known_as_cameras_state_it(space, rules, expected):
    assert read_tagged_colours(exif(space, rules)) == expected


def test_primaries_are_read_with_their_gamma():
    main = {0x013E: fractions(*P3[0]), 0x013F: fractions(*P3[1])}
    found = read_tagged_colours(build_block(main, {}))
    assert found is not None
    assert found[1:5] == (P3[0], (0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
    assert found.curve.gamma == pytest.approx(2.2)
    found = read_tagged_colours(build_block(main, {0x8769: {0xA500: fractions(1.8)}}))
    assert found is not None
    assert found.curve.gamma == pytest.approx(1.8)
    assert read_tagged_colours(build_block(main, {0x8769: {0xA001: shorts(1)}})) is None
    assert read_tagged_colours(build_block(main | {0x013F: fractions(*[0.3] * 6)}, {})) is None
    srgb = {0x013E: fractions(*SRGB.white), 0x013F: fractions(*SRGB.red, *SRGB.green, *SRGB.blue)}
    assert read_tagged_colours(build_block(srgb, {})) is None


def test_all_tags_state_srgb_afterwards():
    main = {0x013E: fractions(*P3[0]), 0x013F: fractions(*P3[1]), 0x012D: shorts(*range(256))}
    before = build_block(main, {0x8769: {0xA001: shorts(0xFFFF), 0xA500: fractions(1.8)}})
    after = state_srgb(before)
    assert len(after) == len(before)
    assert read_tagged_colours(after) is None
    block = Image.Exif()
    block.load(after)
    assert block.get_ifd(0x8769)[0xA001] == 1
    assert block.get_ifd(0x8769)[0xA500] == 2.2
    assert block[0x012D][128] == round(65535 * ((128 / 255 + 0.055) / 1.055) ** 2.4)
    cameras = state_srgb(exif(0xFFFF, "R03"))
    assert b"R98\0" in cameras
    assert b"R03" not in cameras
    for length in range(len(before)):
        assert len(state_srgb(before[:length])) == length
        read_tagged_colours(before[:length])
