"""Spectral clamping, against singular values computed directly."""

import pytest
import torch
from torch import nn

from models.backbones.blocks import clamp_spectral_norm


def weight_of(network: nn.Sequential) -> torch.Tensor:
    """The first layer's weight; each access is a power iteration while the network is in training."""
    weight = network[0].weight
    assert isinstance(weight, torch.Tensor)
    return weight


def largest(weight: torch.Tensor) -> float:
    return torch.linalg.matrix_norm(weight.detach().flatten(1), 2).item()


@pytest.mark.parametrize("layer", [nn.Linear(30, 20), nn.Conv2d(3, 8, 4), nn.ConvTranspose2d(4, 6, 3)])
def test_a_clamped_weight_has_no_larger_singular_value_than_the_cap(layer):
    torch.manual_seed(0)
    nn.init.normal_(layer.weight, std=1.0)
    network = nn.Sequential(layer)
    before = largest(layer.weight)
    clamp_spectral_norm(network, 0.5)
    for _ in range(300):
        weight = weight_of(network)
    assert before > 1
    assert largest(weight) == pytest.approx(0.5, rel=1e-3)
    network.eval()
    assert torch.equal(weight_of(network), weight_of(network))


def test_a_weight_below_the_cap_is_left_as_it_is():
    network = nn.Sequential(nn.Linear(5, 5))
    kept = weight_of(network).detach().clone()
    clamp_spectral_norm(network, 100.0)
    assert torch.equal(weight_of(network), kept)


def test_a_clamped_network_learns_and_is_saved_whole():
    network, other = nn.Sequential(nn.Linear(4, 3)), nn.Sequential(nn.Linear(4, 3))
    for each in (network, other):
        clamp_spectral_norm(each, 0.1)
    network(torch.randn(2, 4)).sum().backward()
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())
    other.load_state_dict(network.state_dict())
    numbers = torch.randn(2, 4)
    assert torch.equal(other.eval()(numbers), network.eval()(numbers))
