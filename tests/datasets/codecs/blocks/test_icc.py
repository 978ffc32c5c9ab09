"""Profiles made from numbers mean to Little CMS what the numbers say."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageCms

from datasets.codecs.blocks.colour import ADOBE_RGB, SRGB, SRGB_CURVE
from datasets.codecs.blocks.icc import (
    Colours,
    Curve,
    _build_file,
    build_matrix,
    build_profile,
    read_profile_code_points,
)

P3 = SRGB._replace(red=(0.68, 0.32), green=(0.265, 0.69))
DCI = P3._replace(white=(0.314, 0.351), curve=Curve(2.6))
TELEVISION = Curve(1 / 0.45, 1 / 1.0993, 0.0993 / 1.0993, 1 / 4.5, 0.0813)
NARROW = SRGB_CURVE._replace(low=16 / 255, high=235 / 255)


def to_light(value, curve):
    """IEC 61966-2-1 and BT.709 as their texts have them, or a power."""
    if curve in {SRGB_CURVE, NARROW}:
        value = (value - curve.low) / (curve.high - curve.low)
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
    if curve == TELEVISION:
        return value / 4.5 if value < 0.0813 else ((value + 0.0993) / 1.0993) ** (1 / 0.45)
    return value**curve.gamma


def test_matrices_are_the_published_ones():
    assert build_matrix(SRGB) == pytest.approx(  # IEC 61966-2-1
        np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]), abs=1e-4
    )
    assert build_matrix(ADOBE_RGB) == pytest.approx(  # Adobe RGB (1998), 4.3.5.3
        np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]), abs=1e-4
    )


@pytest.mark.parametrize(
    ("colours", "columns"),
    [
        # The columns of the profiles that everybody has: ICC's and Apple's.
        (SRGB, [(0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)]),
        (P3, [(0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)]),
        (ADOBE_RGB, [(0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)]),
    ],
)
def test_columns_are_those_of_known_profiles(colours, columns):
    profile = ImageCms.ImageCmsProfile(io.BytesIO(build_profile(colours, 3))).profile
    for found, expected in zip(
        (profile.red_colorant, profile.green_colorant, profile.blue_colorant), columns, strict=True
    ):
        assert found is not None
        assert found[0] == pytest.approx(expected, abs=3e-4)
    assert profile.version == pytest.approx(4.4)
    assert profile.profile_description == colours.name


@pytest.mark.parametrize("curve", [SRGB_CURVE, TELEVISION, Curve(2.2), Curve(1.0), NARROW])
@pytest.mark.parametrize("primaries", [SRGB, P3, DCI, ADOBE_RGB])
def test_conversion_to_srgb_is_the_closed_form(primaries, curve):
    colours = primaries._replace(curve=curve)
    steps = [40, 90, 128, 200] if curve == NARROW else [20, 90, 128, 255]
    samples = np.array([*itertools.product(steps, repeat=3)], np.uint8)[None]
    image = ImageCms.profileToProfile(
        Image.fromarray(samples),
        ImageCms.ImageCmsProfile(io.BytesIO(build_profile(colours, 3))),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
    )
    light = np.vectorize(lambda value: to_light(value, curve))(samples / 255.0)
    if primaries.white == SRGB.white:
        linear = light @ (np.linalg.inv(build_matrix(SRGB)) @ build_matrix(colours)).T
    else:  # white stays white: each primary as the adapted profile has it
        bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
        white = [np.array([x / y, 1, (1 - x - y) / y]) for x, y in (primaries.white, SRGB.white)]
        adapt = np.linalg.inv(bradford) @ np.diag(bradford @ white[1] / (bradford @ white[0])) @ bradford
        linear = light @ (np.linalg.inv(build_matrix(SRGB)) @ adapt @ build_matrix(colours)).T
    linear = linear.clip(0, 1)
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert np.abs(np.asarray(image) - expected).max() <= 1.5


def test_gray_profiles_have_the_curve():
    profile = ImageCms.ImageCmsProfile(io.BytesIO(build_profile(SRGB._replace(curve=Curve(1.0)), 1)))
    assert profile.profile.xcolor_space == "GRAY"
    gray = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    flags = ImageCms.Flags.NOOPTIMIZE
    converted = ImageCms.profileToProfile(gray, profile, ImageCms.createProfile("sRGB"), outputMode="RGB", flags=flags)
    linear = np.arange(256) / 255
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert np.abs(np.asarray(converted)[0, :, 1] - expected).max() <= 1.5


def test_equal_colours_give_equal_bytes_and_points_on_a_line_none():
    assert build_profile(P3, 3) == build_profile(P3, 3)
    line = Colours("a", (0.3, 0.3), (0.1, 0.1), (0.2, 0.2), (0.3, 0.3), Curve(1.0))
    with pytest.raises(np.linalg.LinAlgError):
        build_profile(line, 3)


def test_code_points_within_a_profile_are_read():
    assert read_profile_code_points(build_profile(P3, 3)) == b""
    named = _build_file(b"RGB ", {b"cicp": b"cicp\0\0\0\0\x09\x10\0\x01"})
    assert read_profile_code_points(named) == b"\x09\x10\0\x01"
    assert read_profile_code_points(named[:150]) == b""
