"""Configurations of inpainters: the networks they build, and the sizes they can take."""

import pytest
import torch
from torch import nn

from models.networks.inpainters import ContextConfig, DeepFillConfig, GatedConfig, LaMaConfig, PartialConfig

Config = ContextConfig | DeepFillConfig | GatedConfig | LaMaConfig | PartialConfig


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_defaults_are_the_published_networks() -> None:
    with torch.device("meta"):
        assert count(PartialConfig().build()) == 25_779_796
        assert count(ContextConfig().build()) == 71_196_259
        assert count(LaMaConfig().build()) == 50_975_875
    assert count(DeepFillConfig().build()) == 4_052_478


@pytest.mark.parametrize(
    ("config", "size", "sentence"),
    [
        (DeepFillConfig(width=2), 16, None),
        (DeepFillConfig(width=2), 12, "DeepFill needs multiples of 8"),
        (GatedConfig(width=2, widest=4, smooth_levels=3), 16, None),
        (GatedConfig(width=2, widest=4, smooth_levels=3), 12, "this generator needs multiples of 8"),
        (PartialConfig(depth=2, width=2), 12, None),
        (PartialConfig(depth=2, width=2), 14, "a U-Net of depth 2 needs multiples of 4"),
        (ContextConfig(size=16, width=2, bottleneck=3), 16, None),
        (ContextConfig(size=16, width=2, bottleneck=3), 32, "this context encoder works on squares of 16"),
        (LaMaConfig(blocks=1, width=2), 17, None),
        (LaMaConfig(blocks=1, width=2), 15, "LaMa needs at least 16"),
    ],
    ids=lambda value: value.name if hasattr(value, "name") else None,
)
def test_sizes_that_a_network_cannot_take_are_named(config: Config, size: int, sentence: str | None) -> None:
    assert config.size_problem(size) == sentence
    network = config.build()
    fits = size % network.multiple == 0 and size >= network.minimum and network.only_size in (None, size)
    assert fits == (sentence is None)
    if sentence is None:
        stages = network(torch.zeros(2, 3, size, size), torch.ones(2, 1, size, size))
        assert {stage.shape for stage in stages} == {(2, 3, size, size)}
