"""Gated convolutions and their generators: sizes, signals through all layers, and the smooth filling."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.gated import CoarseGenerator, GatedConvolution, GatedUNet, smooth_fill


def masks(*shape: int) -> Tensor:
    """Of random holes of 4 x 4 pixels."""
    batch, height, width = shape
    return (torch.rand(batch, 1, height // 4, width // 4) < 0.4).float().repeat_interleave(4, 2).repeat_interleave(4, 3)


def test_a_gated_convolution_is_two_convolutions_of_which_one_decides_about_the_other():
    torch.manual_seed(0)
    layer = GatedConvolution(3, 5, kernel=5, stride=2)
    image = torch.randn(2, 3, 12, 8)
    weight, bias = layer.convolution.weight, layer.convolution.bias
    assert bias is not None
    feature = F.conv2d(image, weight[:5], bias[:5], stride=2, padding=2)
    gate = F.conv2d(image, weight[5:], bias[5:], stride=2, padding=2)
    torch.testing.assert_close(layer(image), torch.where(feature > 0, feature, feature.exp() - 1) / (1 + (-gate).exp()))


def test_the_coarse_stage_has_the_published_size():
    assert sum(parameter.numel() for parameter in CoarseGenerator().parameters()) == 1_631_151


def test_the_small_one_weighs_less_than_five_megabytes():
    assert 4 * sum(parameter.numel() for parameter in GatedUNet().parameters()) < 5e6


def small(**settings) -> GatedUNet:
    return GatedUNet(**{"width": 4, "halvings": 2, "widest": 8, "smooth_levels": 3, **settings})


@pytest.mark.parametrize("smooth_levels", [1, 4])
@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_any_multiple_works_and_every_weight_learns(halvings, smooth_levels):
    network = small(halvings=halvings, smooth_levels=smooth_levels)
    nn.init.normal_(network.last.weight)
    assert network.multiple == max(2 ** (halvings + 1), 2**smooth_levels)
    for height, width in [(1, 1), (1, 3), (5, 2)]:
        size = height * network.multiple, width * network.multiple
        (output,) = network(torch.rand(1, 3, *size), torch.ones(1, 1, *size))
        assert output.shape == (1, 3, *size)
        assert output.isfinite().all()
    output.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_content_of_the_hole_is_ignored():
    torch.manual_seed(0)
    network, coarse = small(), CoarseGenerator(4)
    nn.init.normal_(network.last.weight)
    image, mask = torch.rand(1, 3, 32, 32), masks(1, 32, 32)
    for fill in (lambda *given: network(*given)[0], coarse):
        output = fill(image, mask)
        assert torch.equal(fill(torch.where(mask > 0, -image, image), mask), output)
        assert not torch.equal(fill(torch.where(mask > 0, image, -image), mask), output)


def test_it_begins_by_adding_nothing_to_a_smooth_filling():
    image, mask = torch.rand(1, 3, 32, 32), masks(1, 32, 32)
    torch.testing.assert_close(small()(image, mask)[0], smooth_fill(image, mask, 3))


@pytest.mark.parametrize("part", ["coarse", "small"])
def test_a_signal_comes_through_all_layers(part):
    """Neither lost nor blown up on the way from noise to the last features."""
    torch.manual_seed(0)
    network = CoarseGenerator() if part == "coarse" else GatedUNet()
    seen = []
    last = network.layers[-1] if isinstance(network, CoarseGenerator) else network.last
    last.register_forward_pre_hook(lambda module, given: seen.append(given[0].std().item()))
    network(torch.randn(1, 3, 128, 128).clamp(-1, 1), masks(1, 128, 128))
    assert 0.02 < seen[0] < 20


def naive_fill(image: np.ndarray, known: np.ndarray, levels: int, level: int = 0) -> np.ndarray:
    """(H, W) values, cell by cell, with the weights of bilinear enlargement written out."""
    if level == levels:
        return np.where(known > 0, image / np.maximum(known, 1e-6), 0)
    height, width = image.shape
    cells = [
        [(slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2)) for x in range(width // 2)] for y in range(height // 2)
    ]
    small, less = (np.array([[part[cell].mean() for cell in row] for row in cells]) for part in (image, known))
    coarse = naive_fill(small, less, levels, level + 1)
    filled = np.empty_like(image)
    for y in range(height):
        for x in range(width):
            near, far = (y // 2, x // 2), (y // 2 + 2 * (y % 2) - 1, x // 2 + 2 * (x % 2) - 1)
            far = min(max(far[0], 0), height // 2 - 1), min(max(far[1], 0), width // 2 - 1)
            larger = (9 * coarse[near] + 3 * coarse[near[0], far[1]] + 3 * coarse[far[0], near[1]] + coarse[far]) / 16
            filled[y, x] = image[y, x] + (1 - known[y, x]) * larger
    for _ in range(4 * 2**level):
        before = filled.copy()
        for y in range(height):
            for x in range(width):
                around = [before[max(y - 1, 0), x], before[min(y + 1, height - 1), x]]
                around += [before[y, max(x - 1, 0)], before[y, min(x + 1, width - 1)]]
                filled[y, x] = image[y, x] + (1 - known[y, x]) * sum(around) / 4
    return filled


def test_a_smooth_filling_is_that_of_a_plain_loop():
    torch.manual_seed(0)
    image, mask = torch.randn(1, 1, 16, 24, dtype=torch.float64), masks(1, 16, 24).double()
    known = 1 - mask[0, 0].numpy()
    expected = naive_fill(image[0, 0].numpy() * known, known, 3)
    np.testing.assert_allclose(smooth_fill(image, mask, 3)[0, 0].numpy(), expected, atol=1e-12)


def test_a_slope_which_solves_laplaces_equation_is_continued_nearly_exactly():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 128), torch.linspace(-1, 1, 128), indexing="ij")
    slope, mask = (0.6 * x - 0.3 * y)[None, None], torch.zeros(1, 1, 128, 128)
    mask[..., 40:90, 30:80] = 1
    assert (smooth_fill(slope, mask, 6) - slope).abs().max() < 0.02


def test_a_smooth_filling_keeps_what_is_known_and_stays_within_its_range():
    torch.manual_seed(0)
    image, mask = torch.rand(2, 3, 32, 64), masks(2, 32, 64)
    filled = smooth_fill(image, mask, 4)
    assert torch.equal(filled * (1 - mask), image * (1 - mask))
    assert filled.min() >= 0
    assert filled.max() <= 1
    flat = torch.full((1, 3, 64, 64), 0.7)
    torch.testing.assert_close(smooth_fill(flat, masks(1, 64, 64), 4), flat)
