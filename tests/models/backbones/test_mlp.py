"""Perceptrons: published sizes, maxout, linear networks, and how a label enters."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.backbones.mlp import MLP, Layer, MLPEncoder, MLPGenerator


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def encoder(inputs: int, outputs: int, hidden: tuple[int, ...], **settings: Any) -> MLPEncoder:
    return MLPEncoder(MLP(inputs, hidden, **settings), outputs)


def generator(latent: int, channels: int, size: int, hidden: tuple[int, ...], **settings: Any) -> MLPGenerator:
    return MLPGenerator(MLP(latent, hidden, **settings), channels, size)


def test_sizes_are_those_of_the_papers() -> None:
    mirza = generator(100, 1, 28, (200, 1200), classes=10, label_width=1000)
    assert count(mirza) == 2_413_984
    maxout = {"activation": "maxout", "pieces": (5, 4)}
    assert count(encoder(784, 1, (240, 240), classes=10, label_width=50, **maxout)) == 1_224_351
    assert count(generator(2, 2, 1, (400,) * 4, norm="batch")) == 484_802  # PacGAN
    assert count(encoder(2, 1, (200,) * 3, activation="maxout", pieces=(5,) * 3)) == 405_201
    assert count(encoder(784, 2 * 20, (400,))) + count(generator(20, 1, 28, (400,))) == 652_824  # PyTorch's VAE


def test_without_layers_it_is_linear() -> None:
    network = encoder(16, 5, ())
    assert count(network) == 16 * 5 + 5
    label, image = torch.zeros(3).long(), torch.randn(3, 1, 4, 4)
    zero = network(torch.zeros(3, 1, 4, 4), label)
    assert torch.allclose(network(2 * image, label) - zero, 2 * (network(image, label) - zero), atol=1e-5)
    assert generator(5, 1, 4, ())(torch.randn(3, 5), label).shape == (3, 1, 4, 4)


def test_maxout_is_the_largest_of_its_pieces() -> None:
    layer = Layer(3, 2, "maxout", 4, "none", 0.0)
    numbers = torch.randn(5, 3)
    units = numbers @ layer.linear.weight.T + layer.linear.bias
    expected = torch.stack([units[:, :4].max(1).values, units[:, 4:].max(1).values], 1)
    assert torch.allclose(layer(numbers), expected, atol=1e-6)


def test_a_label_has_a_layer_of_its_own_beside_the_first() -> None:
    torch.manual_seed(0)
    network = MLP(4, (5, 6), classes=3, label_width=2)
    numbers, label = torch.randn(2, 4), torch.tensor([2, 0])
    assert network.label is not None
    first, second = (layer.linear for layer in network.layers if isinstance(layer, Layer))
    own = F.relu(network.label.linear.weight[:, label].T + network.label.linear.bias)
    joined = torch.cat([F.relu(first(numbers)), own], dim=1)
    assert torch.allclose(network(numbers, label), F.relu(second(joined)), atol=1e-6)


@pytest.mark.parametrize("gain", [None, 0.02])
def test_first_weights_are_torchs_or_drawn_with_a_gain(gain: float | None) -> None:
    torch.manual_seed(0)
    weight = MLPEncoder(MLP(100, (400,)), 1, gain=gain).trunk.layers.get_parameter("0.linear.weight")
    assert weight.std().item() == pytest.approx(gain or 0.1 / 3**0.5, rel=0.02)  # U(-0.1, 0.1) of 100 inputs
