"""DeepFill v2's size, and contextual attention against a plain loop."""

import numpy as np
import pytest
import torch
from torch import nn

from models.backbones.deepfill import DeepFill, contextual_attention


def test_its_size_is_the_published_one():
    with torch.device("meta"):
        network = DeepFill()
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_052_478
    assert sum(parameter.numel() for parameter in network.fine.parameters()) == 2_421_327


def naive_attention(features: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(C, H, W) features and (H, W) masks, place by place; beyond the border there are zeros."""
    channels, height, width = features.shape
    small = np.pad(features[:, ::2, ::2], ((0, 0), (1, 1), (1, 1)))
    hole = np.pad(mask[::2, ::2], 1)
    places = [(y, x) for y in range(height // 2) for x in range(width // 2)]
    patch = {(y, x): small[:, y : y + 3, x : x + 3] for y, x in places}
    similar = {
        (to, of): (patch[to] * patch[of]).sum() / max(np.sqrt((patch[of] ** 2).sum()), 1e-4)
        for to in places
        for of in places
    }
    for order in (places, sorted(places, key=lambda place: place[::-1])):  # rows after rows, then columns
        number = {place: index for index, place in enumerate(order)}
        similar = {
            (to, of): sum(
                similar[order[number[to] + step], order[number[of] + step]]
                for step in (-1, 0, 1)
                if 0 <= number[to] + step < len(order) and 0 <= number[of] + step < len(order)
            )
            for to, of in similar
        }
    whole, output = np.pad(features, ((0, 0), (1, 1), (1, 1))), np.zeros((channels, height + 2, width + 2))
    free = {(y, x): not hole[y : y + 3, x : x + 3].any() for y, x in places}
    for to in places:
        # Patches that the hole touches count as unlike, take their share of the softmax and are then left out.
        powers = {of: np.exp(10 * similar[to, of] * free[of]) for of in places}
        for y, x in places:
            if free[y, x]:
                fraction = powers[y, x] / sum(powers.values())
                top, left = 2 * to[0], 2 * to[1]
                output[:, top : top + 4, left : left + 4] += (
                    fraction * whole[:, 2 * y : 2 * y + 4, 2 * x : 2 * x + 4] / 4
                )
    return output[:, 1:-1, 1:-1]


def test_contextual_attention_is_that_of_a_plain_loop():
    torch.manual_seed(0)
    features = torch.randn(2, 3, 10, 14, dtype=torch.float64) / 3
    mask = torch.zeros(2, 1, 10, 14, dtype=torch.float64)
    mask[0, :, 2:5, 3:8] = mask[1, :, 6:, 10:] = 1
    output = contextual_attention(features, mask)
    for index in range(2):
        expected = naive_attention(features[index].numpy(), mask[index, 0].numpy())
        np.testing.assert_allclose(output[index].numpy(), expected, atol=1e-10)


def test_nothing_is_copied_from_the_hole():
    torch.manual_seed(0)
    features = 0.01 * torch.rand(1, 1, 16, 16)  # so little that all places are nearly alike
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1
    marked = features + 100 * mask
    assert contextual_attention(marked, mask).max() <= 0.01
    assert contextual_attention(marked, torch.zeros_like(mask)).max() > 90


def test_a_repeating_pattern_is_copied_exactly():
    """Of a pattern that recurs every 16 pixels, features in the hole are found again elsewhere."""
    torch.manual_seed(0)
    features = torch.randn(1, 8, 16, 16).repeat(1, 1, 3, 3)
    mask = torch.zeros(1, 1, 48, 48)
    mask[..., 18:30, 18:30] = 1
    torch.testing.assert_close(contextual_attention(features, mask)[..., 8:40, 8:40], features[..., 8:40, 8:40])


@pytest.mark.parametrize("variant", ["pytorch", "tensorflow"])
@pytest.mark.parametrize("size", [(8, 8), (8, 24), (40, 16)])
def test_any_multiple_works_and_every_weight_learns(size, variant):
    network = DeepFill(width=4, variant=variant)
    mask = torch.zeros(2, 1, *size)
    mask[..., 2:6, 3:7] = 1
    output = network(torch.rand(2, 3, *size), mask)
    assert [image.shape for image in output] == [(2, 3, *size)] * 2
    sum(image.square().sum() for image in output).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_content_of_the_hole_is_ignored():
    torch.manual_seed(0)
    network = DeepFill(width=4)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.2)
    image, mask = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 5:25] = 1
    for one, other in zip(network(image, mask), network(torch.where(mask > 0, -image, image), mask), strict=True):
        assert torch.equal(one, other)
