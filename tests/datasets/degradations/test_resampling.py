"""Shrinking against the weights of MATLAB's imresize written out, and against torch's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from datasets.degradations.resampling import cubic_kernel, kernel_reach, shrink, shrink_padded
from models.baselines.bicubic import BicubicUpscaler


def written_out(length: int, scale: int) -> np.ndarray:
    """The matrix by which MATLAB's imresize(…, 1 / scale) multiplies a column, from its description."""
    matrix = np.zeros((length // scale, length))
    for row in range(length // scale):
        centre = (row + 0.5) * scale - 0.5
        places = np.arange(int(np.floor(centre - 2 * scale)), int(np.ceil(centre + 2 * scale)) + 1)
        x = np.abs((places - centre) / scale)
        weights = (1.5 * x**3 - 2.5 * x**2 + 1) * (x <= 1) + (-0.5 * x**3 + 2.5 * x**2 - 4 * x + 2) * (
            (x > 1) & (x <= 2)
        )
        mirror = np.concatenate([np.arange(length), np.arange(length)[::-1]])  # its border repeats the last pixel
        np.add.at(matrix[row], mirror[places % (2 * length)], weights / weights.sum())
    return matrix


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(24, 36), (12, 60)])
def test_it_is_matlabs_to_the_border(scale: int, height: int, width: int) -> None:
    pixels = np.random.default_rng(0).random((height, width, 3), np.float32)
    expected = np.einsum("ih,hwc,jw->ijc", written_out(height, scale), pixels, written_out(width, scale))
    np.testing.assert_allclose(shrink(pixels, scale), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_it_is_torchs_inside(scale: int) -> None:
    pixels = np.random.default_rng(1).random((48, 60, 1), np.float32)
    theirs = F.interpolate(
        torch.from_numpy(pixels).permute(2, 0, 1)[None], size=(48 // scale, 60 // scale), mode="bicubic", antialias=True
    )
    inside = (slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(shrink(pixels, scale)[inside], theirs[0].permute(1, 2, 0).numpy()[inside], atol=1e-6)


def test_the_kernel_is_keys() -> None:
    assert cubic_kernel(np.array([0, 1, 2, 5], np.float32)).tolist() == [1, 0, 0, 0]
    assert cubic_kernel(np.array([0.5, 1.5], np.float32)).tolist() == [0.5625, -0.0625]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bicubic_baseline_enlarges_with_the_same_kernel(scale: int) -> None:
    image = torch.zeros(1, 3, 12, 12)
    image[:, :, 6] = 1  # a line, whose picture is the kernel
    enlarged = BicubicUpscaler(scale)(image)[0, 0, :, 6 * scale].numpy()
    distances = (np.arange(12 * scale) + 0.5) / scale - 0.5 - 6
    np.testing.assert_allclose(enlarged, cubic_kernel(distances.astype(np.float32)), atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_square_shrinks_as_it_does_within_its_picture(scale: int) -> None:
    pixels, reach = np.random.default_rng(2).random((72, 72, 3), np.float32), kernel_reach(scale)
    around = pixels[24 - reach : 48 + reach, 24 - reach : 48 + reach]
    part = slice(24 // scale, 48 // scale)
    np.testing.assert_allclose(shrink_padded(around, scale), shrink(pixels, scale)[part, part], atol=1e-6)
