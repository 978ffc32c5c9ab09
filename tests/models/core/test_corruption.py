"""Corruption of a denoising autoencoder's input: how many pixels change, and to what."""

import pytest
import torch

from models.core.corruption import GaussianNoise, Masking, NoCorruption, SaltAndPepper


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def images() -> torch.Tensor:
    return torch.rand(8, 3, 64, 64) * 2 - 1


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_masking_blackens_a_fraction_of_the_pixels_in_all_channels(fraction):
    image = images()
    masked = Masking(fraction=fraction).apply(image)
    black = (masked == -1).all(1)
    assert black.float().mean().item() == pytest.approx(fraction, abs=0.02)
    assert torch.equal(torch.where(black[:, None], image, masked), image)


def test_salt_and_pepper_are_equally_frequent():
    image = 0.9 * images()
    noisy = SaltAndPepper(fraction=0.4).apply(image)
    assert (noisy == 1).all(1).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert (noisy == -1).all(1).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert (noisy == image).all(1).float().mean().item() == pytest.approx(0.6, abs=0.02)


def test_gaussian_noise_has_its_deviation_on_the_scale_from_0_to_1():
    image = images()
    noise = (GaussianNoise(deviation=0.25).apply(image) - image) / 2
    assert noise.std().item() == pytest.approx(0.25, abs=0.005)
    assert noise.mean().item() == pytest.approx(0, abs=0.005)
    assert NoCorruption().apply(image) is image
