"""Configurations of upscalers: the networks they build, and the scales they can have."""

import pytest
import torch
from torch import nn

from models.networks.upscalers import (
    CompactConfig,
    EDSRConfig,
    MSRResNetConfig,
    RRDBConfig,
    SPANConfig,
    SRResNetConfig,
    UpConvConfig,
    UpscalerConfig,
)

SMALL = (
    SRResNetConfig(blocks=1, width=2),
    RRDBConfig(blocks=1, width=2, growth=2),
    MSRResNetConfig(blocks=1, width=2),
    EDSRConfig(blocks=1, width=2),
    CompactConfig(depth=1, width=2),
    CompactConfig(depth=1, width=2, shuffle=4),
    SPANConfig(blocks=1, width=2),
    UpConvConfig(width=1),
)
UPCONV = "upconv enlarges only by 2"
PROBLEMS = {("rrdb", 3): "rrdb enlarges only by 2 and 4", **{("upconv", scale): UPCONV for scale in (1, 3, 4)}}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_defaults_are_the_published_networks() -> None:
    with torch.device("meta"):
        assert count(SRResNetConfig().build(4)) == 1_549_462
        assert count(RRDBConfig().build(4)) == 16_697_987
        assert count(CompactConfig().build(4)) == 621_424
        assert count(UpConvConfig().build(2)) == 552_483
        assert count(MSRResNetConfig().build(4)) == count(EDSRConfig().build(4)) == 1_517_571


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("config", SMALL, ids=lambda config: config.name)
def test_every_scale_is_built_or_named(config: UpscalerConfig, scale: int) -> None:
    problem = config.scale_problem(scale)
    assert problem == PROBLEMS.get((config.name, scale))
    if problem is None:
        assert config.build(scale)(torch.zeros(1, 3, 4, 4)).shape == (1, 3, 4 * scale, 4 * scale)


def test_a_shuffle_below_the_scale_is_refused() -> None:
    assert CompactConfig(shuffle=2).scale_problem(4) == "generator.shuffle 2 is less"
