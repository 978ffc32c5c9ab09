"""Configurations of discriminators: the networks they build, and the sizes they can take."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from models.networks.discriminators import (
    ContextDiscriminatorConfig,
    PatchConfig,
    SNPatchConfig,
    SRDiscriminatorConfig,
    StarDiscriminatorConfig,
)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_defaults_are_the_published_networks() -> None:
    with torch.device("meta"):
        assert count(PatchConfig().build(6)) == 2_767_809
        assert count(SRDiscriminatorConfig().build(96)) == 23_565_505
        assert count(ContextDiscriminatorConfig().build(3)) == 2_832_257
        assert count(StarDiscriminatorConfig().build(3, 5, 128)) == 44_762_048
    assert count(SNPatchConfig().build(4)) == 5_946_816


@pytest.mark.parametrize(
    ("config", "size", "sentence"),
    [
        (PatchConfig(layers=2, width=2), 12, None),
        (PatchConfig(layers=2, width=2), 11, "a discriminator of 2 layers needs 12 or more"),
        (PatchConfig(layers=0, width=2), 1, "a discriminator of 0 layers needs 2 or more"),
        (SRDiscriminatorConfig(width=2, dense=3), 32, None),
        (SRDiscriminatorConfig(width=2, dense=3), 40, "SRGAN's discriminator needs multiples of 16"),
        (SNPatchConfig(layers=2, width=2), 7, None),
        (ContextDiscriminatorConfig(size=16, width=2), 16, None),
        (ContextDiscriminatorConfig(size=16, width=2), 32, "this discriminator takes squares of 16"),
        (StarDiscriminatorConfig(layers=2, width=2), 12, None),
        (StarDiscriminatorConfig(layers=3, width=2), 12, "3 layers of model.discriminator need multiples of 8"),
        (StarDiscriminatorConfig(layers=1, width=2), 6, "1 layers of model.discriminator need multiples of 4"),
    ],
)
def test_sizes_that_a_network_cannot_take_are_named(config: Any, size: int, sentence: str | None) -> None:
    assert config.size_problem(size) == sentence
    if sentence is None:
        build: dict[type, Callable[[], Any]] = {
            SRDiscriminatorConfig: lambda: config.build(size),
            StarDiscriminatorConfig: lambda: config.build(3, 2, size),
        }
        network = build.get(type(config), lambda: config.build(3))()
        scores = network(torch.zeros(2, 3, size, size))
        assert len(scores[0] if isinstance(scores, tuple) else scores) == 2


def test_settings_reach_the_network() -> None:
    network = PatchConfig(layers=1, width=2, norm="batch", spectral=True).build(3)
    assert network.receptive_field == 16
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert nn.utils.parametrize.is_parametrized(network.layers[0], "weight")
