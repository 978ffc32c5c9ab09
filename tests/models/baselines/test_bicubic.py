"""Bicubic enlargement against the weights of MATLAB's imresize written out."""

import numpy as np
import pytest
import torch

from models.apply import translate_batch
from models.baselines.bicubic import BicubicUpscaler


def written_out(length: int, scale: int) -> np.ndarray:
    """The matrix by which MATLAB's imresize(…, scale) multiplies a column, from its description."""
    matrix = np.zeros((length * scale, length))
    mirror = np.concatenate([np.arange(length), np.arange(length)[::-1]])  # its border repeats the last pixel
    for row in range(length * scale):
        centre = (row + 0.5) / scale - 0.5
        places = np.arange(int(np.floor(centre)) - 2, int(np.floor(centre)) + 4)
        x = np.abs(places - centre)
        weights = (1.5 * x**3 - 2.5 * x**2 + 1) * (x <= 1) + (-0.5 * x**3 + 2.5 * x**2 - 4 * x + 2) * (
            (x > 1) & (x <= 2)
        )
        np.add.at(matrix[row], mirror[places % (2 * length)], weights)
    return matrix


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(7, 11), (1, 5), (2, 1)])
def test_it_is_matlabs_to_the_border(scale: int, height: int, width: int) -> None:
    image = torch.rand(2, 3, height, width) * 1.6 - 0.8
    output = BicubicUpscaler(scale)(image)
    expected = np.einsum("ih,bchw,jw->bcij", written_out(height, scale), image.numpy(), written_out(width, scale))
    np.testing.assert_allclose(output.numpy(), expected, atol=2e-6)


def test_overshoot_is_clipped_at_inference() -> None:
    image = torch.full((1, 3, 8, 8), -1.0)
    image[..., 4:] = 1.0
    assert BicubicUpscaler(4)(image).max() > 1
    assert translate_batch(BicubicUpscaler(4), image).abs().max() == 1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_margin_is_how_far_a_pixel_reaches(scale: int) -> None:
    image = torch.zeros(1, 3, 15, 15)
    image[..., 7, 7] = 1
    seen = BicubicUpscaler(scale)(image)[0, 0].any(dim=0).nonzero() // scale
    assert (seen - 7).abs().max() == BicubicUpscaler(scale).margin
