"""The Fourier loss against a transform written out."""

import numpy as np
import pytest
import torch

from models.losses.fourier import fourier_loss


def test_it_is_the_mean_difference_of_both_parts_of_the_spectra() -> None:
    torch.manual_seed(0)
    output, target = torch.randn(2, 2, 3, 6, 8)
    spectra = [np.fft.rfft2(images.numpy()) for images in (output, target)]
    expected = (np.abs((spectra[0] - spectra[1]).real).mean() + np.abs((spectra[0] - spectra[1]).imag).mean()) / 2
    assert fourier_loss(output, target).item() == pytest.approx(expected, rel=1e-5)


def test_equal_images_have_no_loss_and_half_precision_is_enlarged_first() -> None:
    image = torch.rand(1, 3, 8, 8)
    assert fourier_loss(image, image).item() == 0
    assert fourier_loss(image.bfloat16(), image).dtype == torch.float32
