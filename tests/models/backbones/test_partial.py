"""Partial convolutions against a plain loop, and their U-Net against the published size."""

import numpy as np
import pytest
import torch

from models.backbones.partial import PartialConvolution, PartialUNet


def naive(features: np.ndarray, known: np.ndarray, layer: PartialConvolution) -> tuple[np.ndarray, np.ndarray]:
    """(C, H, W) features, each channel with its own (H, W) of 0 and 1, window by window."""
    weight = layer.convolution.weight.detach().numpy()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().numpy()
    size, step = layer.kernel, layer.stride
    pad = ((0, 0), (size // 2, size // 2), (size // 2, size // 2))
    features, known = np.pad(features, pad), np.pad(known, pad)
    height, width = ((side - size) // step + 1 for side in features.shape[1:])
    output, reached = np.zeros((len(weight), height, width)), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            window = (slice(None), slice(step * y, step * y + size), slice(step * x, step * x + size))
            if known[window].sum():
                ratio = known[window].size / known[window].sum()
                output[:, y, x] = (weight * (features[window] * known[window])).sum((1, 2, 3)) * ratio + bias
                reached[y, x] = 1
    return output, reached


@pytest.mark.parametrize(("kernel", "stride", "bias"), [(3, 1, True), (5, 2, False), (7, 2, True)])
def test_a_partial_convolution_is_that_of_a_plain_loop(kernel, stride, bias):
    torch.manual_seed(0)
    layer = PartialConvolution(5, 4, kernel, stride=stride, bias=bias).double()
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    parts = [
        (torch.randn(1, count, 24, 26, dtype=torch.float64), (torch.rand(1, 1, 24, 26) < fraction).double())
        for count, fraction in ((2, 0.01), (3, 0.005))
    ]
    output, known = layer(*parts)
    features = torch.cat([part for part, _ in parts], 1)[0].numpy()
    each = torch.cat([known.expand_as(part) for part, known in parts], 1)[0].numpy()
    expected, reached = naive(features, each, layer)
    assert 0 < reached.mean() < 1
    np.testing.assert_allclose(output[0].detach().numpy(), expected, atol=1e-5)
    assert np.array_equal(known[0, 0].numpy(), reached)


def test_a_flat_image_stays_flat_however_little_of_it_is_known():
    layer = PartialConvolution(3, 1, 3)
    torch.nn.init.constant_(layer.convolution.weight, 1 / 27)
    known = torch.zeros(1, 1, 6, 6)
    known[..., 2, 3] = 1
    output, reached = layer((torch.full((1, 3, 6, 6), 0.6), known))
    assert reached.sum() == 9
    torch.testing.assert_close(output, 0.6 * reached)


@pytest.mark.parametrize(("depth", "parameters"), [(7, 25_779_796), (8, 32_859_732)])
def test_its_size_is_the_published_one(depth, parameters):
    with torch.device("meta"):
        network = PartialUNet(depth=depth)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert network.multiple == 2**depth


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_any_multiple_works_and_every_weight_learns(depth):
    network = PartialUNet(depth=depth, width=4)
    side = network.multiple
    mask = torch.zeros(2, 1, side, 3 * side)
    mask[..., side // 4 :, : side // 2] = 1
    (output,) = network(torch.rand(2, 3, side, 3 * side), mask)
    assert output.shape == (2, 3, side, 3 * side)
    output.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_content_of_the_hole_is_ignored():
    torch.manual_seed(0)
    network = PartialUNet(depth=3, width=4).eval()
    image, mask = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 5:25] = 1
    assert torch.equal(network(image, mask)[0], network(torch.where(mask > 0, -image, image), mask)[0])


def test_an_image_that_is_all_hole_gives_finite_values():
    network = PartialUNet(depth=3, width=4).eval()
    assert network(torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16))[0].isfinite().all()
