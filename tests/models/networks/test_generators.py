"""Configurations of generators: the networks they build, sizes, and what a section without a name means."""

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from models.backbones.resnet import ResNetGenerator
from models.backbones.unet import UNet
from models.networks.generators import (
    GeneratorConfig,
    ResidualGeneratorConfig,
    ResNetConfig,
    StarGeneratorConfig,
    UNetConfig,
)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_defaults_are_the_published_networks() -> None:
    with torch.device("meta"):
        assert count(UNetConfig().build(3, 3)) == 54_409_603
        assert count(ResNetConfig().build(3, 3)) == 11_378_179
        assert count(StarGeneratorConfig().build(3, 5)) == 8_430_528


@pytest.mark.parametrize(("size", "parameters"), [(64, 7_837_699), (128, 7_837_699), (132, 11_378_179)])
def test_a_resnet_has_6_blocks_up_to_128_pixels_and_9_above(size: int, parameters: int) -> None:
    with torch.device("meta"):
        assert count(ResNetConfig().for_size(size).build(3, 3)) == parameters
    assert ResNetConfig(blocks=2).for_size(size).blocks == 2
    assert UNetConfig().for_size(size) == UNetConfig()


@pytest.mark.parametrize(
    ("config", "size", "sentence"),
    [
        (UNetConfig(depth=3), 16, None),
        (UNetConfig(depth=3), 20, "a U-Net of depth 3 needs multiples of 8"),
        (ResNetConfig(), 8, None),
        (ResNetConfig(), 10, "a ResNet needs multiples of 4 from 8 on, in"),
        (ResNetConfig(), 4, "a ResNet needs multiples of 4 from 8 on, in"),
    ],
)
def test_sizes_that_a_network_cannot_take_are_named(
    config: UNetConfig | ResNetConfig, size: int, sentence: str | None
) -> None:
    assert config.size_problem(size) == sentence
    network = config.model_copy(update={"width": 2}).build(3, 3)
    assert (size % network.multiple == 0 and size >= network.minimum) == (sentence is None)


def test_a_section_without_a_name_is_the_models_own_generator() -> None:
    small = {"width": 2}
    assert isinstance(TypeAdapter(GeneratorConfig).validate_python(small).build(3, 3), UNet)
    assert isinstance(TypeAdapter(ResidualGeneratorConfig).validate_python(small).build(3, 3), ResNetGenerator)


def test_settings_reach_the_network() -> None:
    resnet = ResNetConfig(blocks=1, width=2, norm="batch", dropout=0.25, upsampling="resize").build(1, 2)
    unet = UNetConfig(depth=6, width=2, norm="batch", dropout=0.25, upsampling="resize").build(1, 2)
    for network in (resnet, unet):
        kinds = [type(module) for module in network.modules()]
        assert nn.BatchNorm2d in kinds
        assert nn.Upsample in kinds
        assert nn.ConvTranspose2d not in kinds
        assert {module.p for module in network.modules() if isinstance(module, nn.Dropout)} == {0.25}
        assert network(torch.zeros(2, 1, 64, 64)).shape == (2, 2, 64, 64)
