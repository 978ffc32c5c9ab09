"""Pixels between arrays, tensors and sizes, and colours under transparency."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from datasets.codecs.images import Picture
from datasets.pixels import convert_channels, drop_alpha, resize, resize_shorter_side, to_floats, to_pixels, to_tensor


@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_every_level_survives_the_way_to_a_tensor_and_back(depth, dtype):
    levels = np.arange(2**depth, dtype=dtype).reshape(1, -1, 1)
    tensor = to_tensor(to_floats(levels))
    assert (tensor.min().item(), tensor.max().item(), tensor.dtype) == (-1, 1, torch.float32)
    back = to_pixels(tensor, depth)
    assert back.dtype == dtype
    assert np.array_equal(back, levels)


def test_tensors_have_channels_first():
    pixels = np.random.default_rng(0).random((4, 5, 3), np.float32)
    assert to_tensor(pixels).shape == (3, 4, 5)
    assert to_tensor(pixels)[2, 3, 1] == pytest.approx(pixels[3, 1, 2] * 2 - 1)


def test_what_leaves_the_range_is_cut_and_halves_are_rounded():
    image = torch.tensor([-3.0, -1.0, 0.2 / 127.5 - 1, 0.7 / 127.5 - 1, 1.0, 7.0]).reshape(1, 1, -1)
    assert to_pixels(image, 8).ravel().tolist() == [0, 0, 0, 1, 255, 255]
    assert to_pixels(image.bfloat16(), 16).ravel().tolist()[-1] == 65535


def test_gray_is_what_everybody_calls_gray(photo):
    picture = photo(20, 10, seed=1)
    ours = convert_channels(to_floats(np.asarray(picture)), 1)
    assert ours.shape == (10, 20, 1)
    assert np.abs(ours[:, :, 0] * 255 - np.asarray(picture.convert("L"))).max() <= 0.51


def test_gray_becomes_colour_by_repeating_and_equal_channels_are_left_alone():
    gray = np.random.default_rng(0).random((3, 4, 1), np.float32)
    colour = convert_channels(gray, 3)
    assert colour.shape == (3, 4, 3)
    assert (colour == gray).all()
    assert convert_channels(colour, 3) is colour
    with pytest.raises(ValueError, match="not 2"):
        convert_channels(colour, 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (40, 30)])
def test_resizing_keeps_depth_and_channels_and_a_flat_colour(dtype, channels, size):
    pixels = np.full((9, 11, channels), np.iinfo(dtype).max - 7, dtype)
    result = resize(pixels, *size)
    assert (result.shape, result.dtype) == ((size[1], size[0], channels), dtype)
    assert (result == np.iinfo(dtype).max - 7).all()


def test_shrinking_averages():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    means = pixels.reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(resize(pixels, 4, 4) - means).max() <= 0.51


@pytest.mark.parametrize("size", [(30, 41), (41, 30), (1, 997), (17, 17)])
@pytest.mark.parametrize("shorter", [1, 16, 33])
def test_the_shorter_side_is_as_asked_and_the_aspect_kept(size, shorter):
    height, width = resize_shorter_side(np.zeros((*size, 3), np.uint8), shorter).shape[:2]
    assert min(height, width) == shorter
    assert max(height, width) == pytest.approx(shorter * max(size) / min(size), abs=0.5)


def test_invisible_pixels_take_the_colour_of_the_nearest_visible_one():
    draws = np.random.default_rng(3)
    pixels = draws.integers(0, 256, (12, 15, 3), np.uint8)
    alpha = np.where(draws.random((12, 15)) < 0.3, draws.integers(1, 256, (12, 15)), 0).astype(np.uint8)
    bled = drop_alpha(Picture(pixels, alpha))
    assert np.array_equal(bled[alpha > 0], pixels[alpha > 0])
    distance = ndimage.distance_transform_edt(alpha == 0)
    rows, columns = np.nonzero(alpha)
    for row, column in np.argwhere(alpha == 0):
        away = np.hypot(rows - row, columns - column)
        near = away <= 1.05 * distance[row, column] + 0.1  # the distances are computed to a few per cent
        assert bled[row, column].tolist() in pixels[rows[near], columns[near]].tolist()


@pytest.mark.parametrize("alpha", [None, np.full((2, 2), 9, np.uint8), np.zeros((2, 2), np.uint8)])
def test_pictures_without_holes_or_without_anything_visible_stay_as_they_are(alpha):
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert drop_alpha(Picture(pixels, alpha)) is pixels


def test_sixteen_bits_bleed_too():
    pixels = np.array([[[60_000], [1]]], np.uint16)
    assert drop_alpha(Picture(pixels, np.array([[65_535, 0]], np.uint16))).ravel().tolist() == [60_000, 60_000]


def test_pillow_agrees_on_what_a_smaller_picture_looks_like(photo):
    picture = photo(64, 48, seed=2)
    theirs = np.asarray(picture.resize((32, 24), Image.Resampling.BOX))
    assert np.abs(resize(np.asarray(picture), 32, 24).astype(int) - theirs).max() <= 1
