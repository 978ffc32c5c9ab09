"""Gated convolutions and the generators of them: sizes, reach, and the smooth filling that one begins from."""

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
        (made,) = network(torch.rand(1, 3, *size), torch.ones(1, 1, *size))
        assert made.shape == (1, 3, *size)
        assert made.isfinite().all()
    made.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_what_the_hole_hides_does_not_count():
    torch.manual_seed(0)
    network, coarse = small(), CoarseGenerator(4)
    nn.init.normal_(network.last.weight)
    image, mask = torch.rand(1, 3, 32, 32), masks(1, 32, 32)
    for fill in (lambda *given: network(*given)[0], coarse):
        made = fill(image, mask)
        assert torch.equal(fill(torch.where(mask > 0, -image, image), mask), made)
        assert not torch.equal(fill(torch.where(mask > 0, image, -image), mask), made)


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


@pytest.mark.parametrize("halvings", [1, 2])
def test_margin_is_how_far_a_pixel_reaches(halvings):
    network = small(width=2, halvings=halvings, smooth_levels=1).double()
    for parameter in network.parameters():  # positive weights, so that nothing cancels
        nn.init.constant_(parameter, 0.5 / parameter[0].numel())
    multiple, margin = network.multiple, network.margin - 4  # without the smooth filling's own
    first = (margin // multiple + 2) * multiple
    image = torch.zeros(1 + multiple, 3, 2 * first + multiple, 2 * first + multiple, dtype=torch.float64)
    places = torch.arange(first, first + multiple)
    image[torch.arange(1, 1 + multiple), :, places, places] = 1.0  # the first picture stays as it is
    with torch.inference_mode():
        (made,) = network(image, torch.zeros_like(image[:, :1]))
    changed = (made[1:] != made[:1]).any(dim=1)
    reach = [
        max(int(place - touched.min()), int(touched.max() - place))
        for place, seen in zip(places, changed, strict=True)
        for touched in (seen.any(dim=0).nonzero(), seen.any(dim=1).nonzero())
    ]
    assert max(reach) == margin


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_a_smooth_filling_reaches_no_further_than_two_of_the_largest_cells(levels):
    side, cell = 8 * 2**levels, 2**levels
    reached = 0
    for place in range(4 * cell, 5 * cell):
        mask = torch.ones(1, 1, side, side)
        mask[..., place, place] = 0
        filled = smooth_fill(torch.ones(1, 1, side, side), mask, levels)
        touched = (filled[0, 0] != 0).any(dim=0).nonzero()
        reached = max(reached, int(place - touched.min()), int(touched.max() - place))
    assert cell <= reached <= 2 * cell
    assert small(smooth_levels=levels).margin - small(smooth_levels=levels + 1).margin == 2 * cell - 4 * cell


def naive_fill(image: np.ndarray, known: np.ndarray, levels: int) -> np.ndarray:
    """(H, W) values, cell by cell, with the weights of bilinear enlargement written out."""
    if levels == 0:
        return np.where(known > 0, image / np.maximum(known, 1e-6), 0)
    height, width = image.shape
    cells = [
        [(slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2)) for x in range(width // 2)] for y in range(height // 2)
    ]
    small, less = (np.array([[part[cell].mean() for cell in row] for row in cells]) for part in (image, known))
    coarse = naive_fill(small, less, levels - 1)
    filled = np.empty_like(image)
    for y in range(height):
        for x in range(width):
            near, far = (y // 2, x // 2), (y // 2 + 2 * (y % 2) - 1, x // 2 + 2 * (x % 2) - 1)
            far = min(max(far[0], 0), height // 2 - 1), min(max(far[1], 0), width // 2 - 1)
            larger = (9 * coarse[near] + 3 * coarse[near[0], far[1]] + 3 * coarse[far[0], near[1]] + coarse[far]) / 16
            filled[y, x] = image[y, x] + (1 - known[y, x]) * larger
    return filled


def test_a_smooth_filling_is_that_of_a_plain_loop():
    torch.manual_seed(0)
    image, mask = torch.randn(1, 1, 16, 24, dtype=torch.float64), masks(1, 16, 24).double()
    known = 1 - mask[0, 0].numpy()
    expected = naive_fill(image[0, 0].numpy() * known, known, 3)
    np.testing.assert_allclose(smooth_fill(image, mask, 3)[0, 0].numpy(), expected, atol=1e-12)


def test_a_smooth_filling_keeps_what_is_known_and_continues_a_flat_picture():
    torch.manual_seed(0)
    image, mask = torch.rand(2, 3, 32, 64), masks(2, 32, 64)
    filled = smooth_fill(image, mask, 4)
    assert torch.equal(filled * (1 - mask), image * (1 - mask))
    assert filled.min() >= 0
    torch.testing.assert_close(smooth_fill(torch.full((1, 3, 64, 64), 0.7), masks(1, 64, 64), 4).mean().item(), 0.7)
