"""Crops, flips and colours: the same for both pictures of a pair, and the same for the same seed."""

import sys

import numpy as np
import pytest

from datasets.augment import CropConfig, Cropper
from datasets.storage.threads import ordered_map

HEIGHT, WIDTH = 30, 40


def map_of_places() -> np.ndarray:
    """Every pixel says where it stands: (row, column, 0)."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([rows, columns, 0 * rows], 2).astype(np.uint8)


def places(crop: np.ndarray) -> np.ndarray:
    return np.rint(crop * 255).astype(int)


def cropper(training: bool = True, **settings) -> Cropper:
    return Cropper(CropConfig(**{"load": None, "size": 16, **settings}), training=training)


def crop(by: Cropper, source: np.ndarray, target: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return by.crop_pair(by.resize(source), by.resize(target), seed)


def test_both_pictures_are_cut_and_flipped_alike():
    source, target = map_of_places(), map_of_places()
    target[:, :, 2] = 200
    for seed in range(20):
        one, other = crop(cropper(), source, target, seed)
        assert (places(one)[:, :, :2] == places(other)[:, :, :2]).all()
        assert (places(other)[:, :, 2] == 200).all()


def test_a_crop_is_a_square_of_the_picture_mirrored_half_of_the_time():
    corners, flipped = set(), 0
    for seed in range(200):
        cropped = places(crop(cropper(), map_of_places(), map_of_places(), seed)[0])
        mirrored = cropped[0, 0, 1] > cropped[0, 1, 1]
        flipped += mirrored
        upright = cropped[:, ::-1] if mirrored else cropped
        top, left = upright[0, 0, :2]
        assert (upright == map_of_places()[top : top + 16, left : left + 16]).all()
        corners.add((top, left))
    assert 70 <= flipped <= 130
    tops, lefts = zip(*corners, strict=True)
    assert (min(tops), max(tops), min(lefts), max(lefts)) == (0, HEIGHT - 16, 0, WIDTH - 16)


def test_nothing_is_mirrored_when_the_config_says_so():
    for seed in range(20):
        cropped = places(crop(cropper(flip=False), map_of_places(), map_of_places(), seed)[0])
        assert cropped[0, 0, 1] < cropped[0, 1, 1]


def test_validation_sees_the_centre_whatever_the_seed():
    pixels = map_of_places()
    for seed in range(5):
        cropped = places(crop(cropper(training=False), pixels, pixels, seed)[0])
        assert (cropped == pixels[7:23, 12:28]).all()


def test_validation_sees_the_whole_shorter_side_where_training_scales():
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[0], pixels[-1] = 255, 255
    cropped = crop(cropper(training=False, load=18), pixels, pixels, 0)[0]
    assert cropped[0].min() > 0.4
    assert cropped[-1].min() > 0.4


def test_training_scales_the_shorter_side_before_it_cuts():
    # 64 rows, 4 levels each
    ramp = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[:, np.newaxis], 100, 1)[:, :, np.newaxis]
    cropped = places(crop(cropper(load=32), ramp, ramp, 0)[0])
    assert np.diff(cropped[:, 0, 0]).tolist() == pytest.approx([8] * 15, abs=1)


@pytest.mark.parametrize("load", [None, 18])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 1), (15, 16, 3), (200, 3, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_of_any_size_and_depth_make_a_full_square(load, training, shape, dtype):
    value = np.iinfo(dtype).max // 5
    pixels = np.full(shape, value, dtype)
    for cropped in crop(cropper(training, load=load), pixels, pixels, 1):
        assert (cropped.shape, cropped.dtype) == ((16, 16, shape[2]), np.dtype(np.float32))
        assert np.allclose(cropped, 0.2, atol=1e-6)


def test_one_seed_gives_one_crop_from_any_thread():
    shared = cropper(jitter=0.5)
    pixels = map_of_places()

    def draw(seed: int) -> np.ndarray:
        source, target = crop(shared, pixels, pixels, seed)
        return np.stack([shared.recolour(source, seed), target])

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads come in each other's way if they can
    try:
        threaded = list(ordered_map(draw, range(80), threads=4, ahead=80))
    finally:
        sys.setswitchinterval(usual)
    assert all(np.array_equal(one, draw(seed)) for seed, one in enumerate(threaded))
    assert len({one.tobytes() for one in threaded}) > 70


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_moves_colours_differently_for_every_seed_and_within_the_range(channels):
    pixels = np.random.default_rng(0).random((16, 16, channels), np.float32)
    moved = [cropper(jitter=0.8).recolour(pixels, seed) for seed in range(10)]
    assert all((one.shape, one.dtype) == (pixels.shape, np.dtype(np.float32)) for one in moved)
    assert all(one.min() >= 0 and one.max() <= 1 for one in moved)
    assert len({one.tobytes() for one in moved}) == 10


def test_colours_stay_where_jitter_is_off_or_nobody_learns():
    pixels = np.random.default_rng(0).random((16, 16, 3), np.float32)
    assert cropper(jitter=0.0).recolour(pixels, 1) is pixels
    assert cropper(training=False, jitter=0.8).recolour(pixels, 1) is pixels
