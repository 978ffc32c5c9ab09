"""DCGAN's networks: published sizes, halving, and how a label enters."""

import pytest
import torch
from torch import nn

from models.backbones.dcgan import ConvEncoder, ConvGenerator, count_halvings


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_sizes_are_the_published_ones() -> None:
    assert count(ConvGenerator(100, 3, 64)) == 3_576_704
    assert count(ConvEncoder(3, 64, 1)) == 2_765_568
    assert count(ConvGenerator(100, 3, 64, classes=10)) == 3_658_624
    assert count(ConvEncoder(3, 64, 1, classes=10)) == 2_775_808


@pytest.mark.parametrize(("size", "expected"), [(64, (4, 4)), (28, (2, 7)), (96, (4, 6)), (5, (0, 5)), (80, (4, 5))])
def test_sizes_are_halved_down_to_4_to_7_pixels(size: int, expected: tuple[int, int]) -> None:
    assert count_halvings(size) == expected


@pytest.mark.parametrize(("size", "depth"), [(50, None), (2, None), (36, None), (100, 6), (64, 2)])
def test_a_size_that_cannot_be_halved_so_is_refused(size: int, depth: int | None) -> None:
    with pytest.raises(ValueError, match=f"{size} pixels cannot be halved"):
        count_halvings(size, depth)


def test_depth_is_the_number_of_halvings() -> None:
    assert count_halvings(64, 6) == (6, 1)
    label = torch.zeros(2).long()
    encoder = ConvEncoder(1, 32, 3, depth=5, width=4, norm="instance")
    assert encoder(torch.randn(2, 1, 32, 32), label).shape == (2, 3)
    generator = ConvGenerator(3, 1, 32, depth=5, width=4, norm="instance")
    assert generator(torch.randn(2, 3), label).shape == (2, 1, 32, 32)


def test_a_label_enters_one_hot_beside_the_latent_and_as_planes_beside_the_image() -> None:
    torch.manual_seed(0)
    image, latent, label = torch.randn(2, 1, 8, 8), torch.randn(2, 3), torch.tensor([1, 0])
    one_hot = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    encoder, generator = ConvEncoder(1, 8, 1, classes=2, width=4), ConvGenerator(3, 1, 8, classes=2, width=4)
    planes = one_hot[:, :, None, None].expand(2, 2, 8, 8)
    assert torch.equal(encoder.features(image, label), encoder.trunk(torch.cat([image, planes], 1)).flatten(1))
    expected = generator.layers(torch.cat([latent, one_hot], 1)[:, :, None, None])
    assert torch.equal(generator(latent, label), expected)
