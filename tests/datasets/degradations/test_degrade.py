"""Degradations against what their names promise."""

import io
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from datasets.degradations.degrade import DEGRADATIONS, DegradationName, degrade
from datasets.errors import DataError

NAMES = get_args(DegradationName)


@pytest.fixture
def picture(photo):
    return np.asarray(photo(24, 20, seed=5), np.float32) / np.float32(255)


def test_every_name_has_a_degradation():
    assert set(NAMES) == set(DEGRADATIONS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_size_range_and_channels_are_as_stated_over_all_strengths(picture, name, channels):
    kind = DEGRADATIONS[name]
    for strength in (None, kind.lowest, kind.highest):
        result = degrade(picture[:, :, :channels], name, strength, seed=0)
        assert (result.shape, result.dtype) == ((20, 24, kind.channels or channels), np.dtype(np.float32))
        assert result.min() >= 0
        assert result.max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_what_is_drawn_and_nothing_else_does(picture, name):
    untouched = picture.copy()
    assert np.array_equal(degrade(picture, name, None, 3), degrade(picture, name, None, 3))
    assert np.array_equal(picture, untouched)
    others = not np.array_equal(degrade(picture, name, None, 3), degrade(picture, name, None, 4))
    assert others == (name == "noise")


@pytest.mark.parametrize("name", NAMES)
def test_a_strength_out_of_reach_is_refused_with_the_reach(picture, name):
    kind = DEGRADATIONS[name]
    for strength in (kind.lowest / 2, kind.highest * 2):
        with pytest.raises(DataError, match=rf"{name}: .*from {kind.lowest:g} to {kind.highest:g}, and {strength:g} "):
            degrade(picture, name, strength, seed=0)


def test_gray_is_pillows_gray_and_its_strength_is_contrast(picture):
    eight_bit = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    gray = degrade(picture, "gray", None, 0)
    assert np.abs(gray[:, :, 0] * 255 - np.asarray(eight_bit.convert("L"))).max() <= 0.51
    assert np.allclose(degrade(picture, "gray", 0.5, 0), 0.5 + 0.5 * (gray - 0.5), atol=1e-6)


def test_edges_are_white_lines_where_the_picture_changes():
    halves = np.zeros((20, 20, 3), np.float32)
    halves[:, 10:] = 1
    lines = degrade(halves, "edges", None, 0)[:, :, 0]
    assert set(np.unique(lines)) == {0, 1}
    assert (lines[:, 8:12].sum(axis=1) == 1).all()
    assert lines[:, :8].sum() + lines[:, 12:].sum() == 0


def test_blur_is_scipys_gaussian(picture):
    expected = ndimage.gaussian_filter(picture, (2, 2, 0), mode="reflect", truncate=4)
    assert np.abs(degrade(picture, "blur", 2.0, 0) - expected).max() < 1e-5
    gray = picture[:, :, :1]
    assert np.allclose(degrade(gray, "blur", 2.0, 0), expected[:, :, :1], atol=1e-5)


def test_noise_has_the_deviation_asked_for_and_no_mean():
    noise = degrade(np.full((100, 100, 3), 0.5, np.float32), "noise", 20.0, 0) - 0.5
    assert noise.std() * 255 == pytest.approx(20, rel=0.02)
    assert abs(noise.mean()) * 255 < 0.5
    assert abs(np.corrcoef(noise[:, :, 0].ravel(), noise[:, :, 1].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_is_what_pillow_writes_at_that_quality(photo, mode):
    picture = photo(24, 20, seed=5, mode=mode)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=30)
    expected = np.asarray(Image.open(file)).reshape(20, 24, -1) / 255
    pixels = np.asarray(picture, np.float32).reshape(20, 24, -1) / np.float32(255)
    assert np.abs(degrade(pixels, "jpeg", 30, 0) - expected).max() < 1e-6


@pytest.mark.parametrize("levels", [2, 5, 64])
def test_posterize_keeps_that_many_levels_evenly_spread(levels):
    ramp = np.linspace(0, 1, 1000, dtype=np.float32).reshape(1, -1, 1)
    kept = degrade(ramp, "posterize", levels, 0)
    assert np.allclose(np.unique(kept), np.linspace(0, 1, levels), atol=1e-6)
    assert np.abs(kept - ramp).max() <= 0.5 / (levels - 1) + 1e-6
