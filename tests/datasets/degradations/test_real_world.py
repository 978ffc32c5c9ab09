"""The second-order degradation: its kernels against closed forms, its draws, what it does to a picture."""

import cv2
import numpy as np
import pytest
from scipy.special import j1

from datasets.degradations.real_world import degrade_twice, gaussian_kernel, sinc_kernel


def photograph(height: int = 96, width: int = 128) -> np.ndarray:
    draws = np.random.default_rng(0)
    rough = cv2.GaussianBlur(draws.random((height, width, 3), np.float32), (0, 0), 2)
    return np.clip((rough - 0.5) * 4 + 0.5, 0, 1)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_one_seed_gives_one_small_picture_of_8_bit(scale):
    pixels = photograph(96, 144)
    seen = set()
    for seed in range(12):
        degraded = degrade_twice(pixels, scale, seed)
        assert degraded.shape == (96 // scale, 144 // scale, 3)
        assert degraded.dtype == np.float32
        np.testing.assert_array_equal(degraded, degrade_twice(pixels, scale, seed))
        np.testing.assert_allclose(degraded * 255, np.round(degraded * 255), atol=1e-4)
        seen.add(degraded.tobytes())
    assert len(seen) == 12


def test_what_it_shows_is_the_picture_still_and_worse_than_made_small_alone():
    pixels = photograph()
    small = cv2.resize(pixels, (32, 24), interpolation=cv2.INTER_AREA)
    alike = [np.corrcoef(degrade_twice(pixels, 4, seed).ravel(), small.ravel())[0, 1] for seed in range(40)]
    assert 0.5 < np.median(alike) < 0.999
    assert np.std(alike) > 0.01  # now hardly, now badly


def test_a_picture_keeps_its_colours_on_average():
    pixels = photograph() * np.array([0.4, 0.7, 1.0], np.float32)
    mean = np.mean([degrade_twice(pixels, 2, seed).mean(axis=(0, 1)) for seed in range(60)], axis=0)
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 1)), atol=0.02)


def test_a_gaussian_kernel_is_the_bell_that_opencv_makes():
    column = cv2.getGaussianKernel(13, 1.7)
    np.testing.assert_allclose(gaussian_kernel(13, (1.7, 1.7), 0.3), column @ column.T, atol=1e-6)


def test_deviations_lie_along_the_angle():
    kernel = gaussian_kernel(31, (4.0, 1.0), np.pi / 2)  # a quarter turn: the long side is upright
    offsets = np.arange(31) - 15
    spread = [np.sqrt((kernel.sum(axis=axis) * offsets**2).sum()) for axis in (0, 1)]
    assert spread == pytest.approx([1.0, 4.0], abs=0.05)


def test_a_plateau_is_flatter_than_a_bell():
    bell, plateau = gaussian_kernel(21, (2, 2)), gaussian_kernel(21, (2, 2), shape="plateau", beta=2)
    assert plateau[10, 11] / plateau[10, 10] > bell[10, 11] / bell[10, 10]
    assert plateau.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("cutoff", [np.pi / 3, 2.0, np.pi])
def test_a_sinc_kernel_is_the_transform_of_a_disc(cutoff):
    kernel = sinc_kernel(21, cutoff)
    radius = np.hypot(*np.meshgrid(np.arange(21) - 10, np.arange(21) - 10))
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(radius == 0, cutoff**2 / (4 * np.pi), cutoff * j1(cutoff * radius) / (2 * np.pi * radius))
    np.testing.assert_allclose(kernel, expected / expected.sum(), atol=1e-6)


def test_a_sinc_kernel_lets_slow_waves_pass_and_stops_fast_ones():
    x = np.arange(200, dtype=np.float32)
    for frequency, passes in ((0.5, True), (2.5, False)):
        wave = np.repeat(np.sin(frequency * x)[None], 60, axis=0)
        through = cv2.filter2D(wave, -1, sinc_kernel(21, 1.5))[30, 30:170].std() / wave[30, 30:170].std()
        assert (through > 0.85) == passes
        assert (through < 0.2) != passes
