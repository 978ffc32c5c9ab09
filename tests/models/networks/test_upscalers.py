"""Configurations of upscalers: the networks they build, and the scales they can have."""

import pytest
import torch
from torch import nn

from models.networks.upscalers import CompactConfig, RRDBConfig, SPANConfig, SRResNetConfig

SMALL = (
    SRResNetConfig(blocks=1, width=2),
    RRDBConfig(blocks=1, width=2, growth=2),
    CompactConfig(depth=1, width=2),
    SPANConfig(blocks=1, width=2),
)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_defaults_are_the_published_networks() -> None:
    with torch.device("meta"):
        assert count(SRResNetConfig().build(4)) == 1_549_462
        assert count(RRDBConfig().build(4)) == 16_697_987
        assert count(CompactConfig().build(4)) == 621_424


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("config", SMALL, ids=lambda config: config.name)
def test_every_scale_is_built_or_named(
    config: SRResNetConfig | RRDBConfig | CompactConfig | SPANConfig, scale: int
) -> None:
    problem = config.scale_problem(scale)
    assert problem == ("rrdb enlarges only by 2 and 4" if config.name == "rrdb" and scale == 3 else None)
    if problem is None:
        assert config.build(scale)(torch.zeros(1, 3, 4, 4)).shape == (1, 3, 4 * scale, 4 * scale)
