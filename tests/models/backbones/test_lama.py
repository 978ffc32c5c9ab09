"""LaMa's size, its spectral transform against numpy's, and what it sees of an image."""

import numpy as np
import pytest
import torch
from torch import nn

from models.backbones.lama import LaMa, SpectralTransform


@pytest.mark.parametrize(("blocks", "count", "tensors"), [(18, 50_975_875, 989), (9, 27_048_835, 521)])
def test_its_sizes_are_the_published_ones(blocks, count, tensors):
    with torch.device("meta"):
        network = LaMa(blocks=blocks)
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    assert len(network.state_dict()) == tensors


def test_the_spectral_transform_is_numpys():
    torch.manual_seed(0)
    layer = SpectralTransform(12)
    randomize(layer)
    features = torch.randn(2, 12, 7, 10)
    narrow = layer.narrow(features)
    spectrum = np.fft.rfft2(narrow.detach().double().numpy(), norm="ortho")
    parts = np.stack([spectrum.real, spectrum.imag], 2).reshape(2, 12, 7, 6)  # real, imaginary, real, …
    convolved = layer.spectrum(torch.from_numpy(parts).float()).detach().numpy().reshape(2, 6, 2, 7, 6)
    seen = np.fft.irfft2(convolved[:, :, 0] + 1j * convolved[:, :, 1], (7, 10), norm="ortho")
    expected = layer.widen(narrow + torch.from_numpy(seen).float())
    torch.testing.assert_close(layer(features), expected)


def randomize(network: nn.Module) -> None:
    """Give norms values other than those that they start with."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -1, 1)
            assert layer.running_mean is not None
            nn.init.uniform_(layer.running_mean, -0.1, 0.1)
    network.eval()


def build_tiny() -> LaMa:
    torch.manual_seed(0)
    network = LaMa(blocks=1, width=4)
    randomize(network)
    return network


def test_one_pixel_changes_the_whole_image():
    network, image, mask = build_tiny(), torch.rand(1, 3, 64, 96), torch.zeros(1, 1, 64, 96)
    mask[..., 20:40, 20:40] = 1
    changed = image.clone()
    changed[..., 0, 0] += 1000
    difference = (network(image, mask)[0] - network(changed, mask)[0]).abs().sum(1)[0]
    assert (difference > 0).float().mean() > 0.99


def test_sides_are_padded_by_repeating_the_image_backwards():
    network, image, mask = build_tiny(), torch.rand(2, 3, 35, 42), torch.zeros(2, 1, 35, 42)
    mask[..., 10:35, 20:42] = 1
    padded = [torch.from_numpy(np.pad(one, [(0, 0), (0, 0), (0, 5), (0, 6)], "symmetric")) for one in (image, mask)]
    torch.testing.assert_close(network(image, mask)[0], network(*padded)[0][..., :35, :42])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_computes_in_bfloat16_and_in_either_layout(memory_format):
    network, image, mask = build_tiny(), torch.rand(1, 3, 40, 48) * 2 - 1, torch.zeros(1, 1, 40, 48)
    mask[..., 10:30, 20:40] = 1
    expected = network(image, mask)[0]
    network = network.to(memory_format=memory_format)
    image = image.contiguous(memory_format=memory_format)
    torch.testing.assert_close(network(image, mask)[0], expected)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(image, mask)[0]
    torch.testing.assert_close(output.float(), expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("size", [(16, 16), (17, 40)])
def test_every_weight_learns(size):
    network = LaMa(blocks=2, width=4)
    mask = torch.zeros(2, 1, *size)
    mask[..., 2:6, 3:7] = 1
    (output,) = network(torch.rand(2, 3, *size), mask)
    assert output.shape == (2, 3, *size)
    output.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
