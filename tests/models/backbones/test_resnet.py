"""The residual generator against the published one: sizes, outputs, margins."""

from typing import Literal
from zlib import crc32

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.backbones.blocks import Norm, Upsampling
from models.backbones.resnet import BlurredHalving, Downsampling, ResidualBlock, ResNetGenerator

FOUR = torch.tensor([1.0, 3, 3, 1])


@pytest.mark.parametrize(
    ("blocks", "norm", "parameters"),
    [
        (9, "instance", 11_378_179),
        (6, "instance", 7_837_699),
        (9, "batch", 11_383_427),
        (9, "instance-affine", 11_383_427),
    ],
)
def test_size_is_the_published_one(blocks: int, norm: Norm, parameters: int) -> None:
    with torch.device("meta"):
        network = ResNetGenerator(blocks=blocks, norm=norm)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def published_key(key: str, blocks: int) -> str:
    """One row of layers, in which reflected borders are layers of their own."""
    part, index, *inside, leaf = key.split(".")
    if part == "encoder":
        return f"model.{int(index) + 1}.{leaf}"
    if part == "blocks":
        return f"model.{int(index) + 10}.conv_block.{int(inside[1]) + 1}.{leaf}"
    return f"model.{int(index) + 10 + blocks + (index == '6')}.{leaf}"


def test_published_weights_give_published_outputs() -> None:
    network = ResNetGenerator().eval()
    for key, tensor in network.state_dict().items():
        draws = np.random.RandomState(crc32(published_key(key, 9).encode())).standard_normal(tuple(tensor.shape))
        tensor.copy_(torch.as_tensor(0.1 * draws if tensor.ndim == 1 else draws / np.sqrt(draws[0].size)))
    image = torch.as_tensor(np.random.RandomState(0).uniform(-1, 1, (1, 3, 256, 256)), dtype=torch.float32)
    with torch.inference_mode():
        output = network(image)
    summary = [output.mean().item(), output.std(correction=0).item(), *output.flatten()[:2].tolist()]
    assert summary == pytest.approx([-0.063030, 0.586510, 0.30724, 0.61065], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("downsampling", ["strided", "blurred"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize", "blurred"])
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_margin_is_how_far_a_pixel_reaches(
    blocks: int, upsampling: Upsampling | Literal["blurred"], downsampling: Downsampling
) -> None:
    network = ResNetGenerator(
        1, 1, blocks=blocks, width=1, norm="none", downsampling=downsampling, upsampling=upsampling
    ).double()
    for parameter in network.parameters():  # positive weights, so that nothing cancels and no unit is dead
        nn.init.constant_(parameter, 0.5 / parameter[0].numel())
    side, places = 160, torch.arange(80, 84)
    image = torch.zeros(5, 1, side, side, dtype=torch.float64)
    image[torch.arange(1, 5), 0, places, places] = 1.0  # the first image is unchanged
    with torch.inference_mode():
        output = network(image)
    offsets = []
    for place, changed in zip(places, (output[1:] != output[:1]).squeeze(1), strict=True):
        offsets += [changed.any(dim=axis).nonzero() - place for axis in (0, 1)]
    assert torch.cat(offsets).abs().max() == network.margin


def test_blurred_resampling_is_a_convolution_with_binomial_filters() -> None:
    image = torch.rand(2, 3, 8, 12)
    three, four = (torch.outer(taps, taps) / taps.sum() ** 2 for taps in (torch.tensor([1.0, 2, 1]), FOUR))
    padded = F.pad(image, (1, 1, 1, 1), mode="reflect")
    halved = F.conv2d(padded, three.expand(3, 1, 3, 3), stride=2, groups=3)
    torch.testing.assert_close(BlurredHalving()(image), halved)
    (upsampling, *_) = ResNetGenerator(upsampling="blurred").decoder
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    doubled = F.conv_transpose2d(padded, 4 * four.expand(3, 1, 4, 4), stride=2, padding=3, groups=3)
    torch.testing.assert_close(upsampling(image), doubled)


@pytest.mark.parametrize("downsampling", ["strided", "blurred"])
def test_features_are_those_of_cuts_layers(downsampling: Downsampling) -> None:
    network = ResNetGenerator(blocks=5, width=4, downsampling=downsampling)
    features = network.encode(torch.rand(1, 3, 32, 32))
    sizes = [32, 32, 16, 8, 8] if downsampling == "blurred" else [32, 16, 8, 8, 8]
    assert [layer.shape[-1] for layer in features] == sizes
    assert tuple(layer.shape[1] for layer in features) == network.feature_channels


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("training", [False, True])
def test_any_multiple_from_the_minimum_works(norm: Norm, upsampling: Upsampling, training: bool) -> None:
    network = ResNetGenerator(4, 2, blocks=1, width=2, norm=norm, upsampling=upsampling).train(training)
    assert (network.multiple, network.minimum) == (4, 8)
    for height, width in [(8, 8), (8, 20), (36, 12)]:
        output = network(torch.rand(1, 4, height, width))
        assert output.shape == (1, 2, height, width)
        assert output.isfinite().all()


def test_nothing_below_the_minimum_works() -> None:
    network = ResNetGenerator(blocks=1, width=2).eval()
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        network(torch.rand(1, 3, network.minimum - network.multiple, 8))


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_outputs_do_not_depend_on_the_rest_of_the_batch(norm: Norm) -> None:
    network = ResNetGenerator(blocks=2, width=4, norm=norm).eval()
    images = torch.rand(3, 3, 16, 24)
    with torch.inference_mode():
        alone = torch.cat([network(image[None]) for image in images])
        torch.testing.assert_close(network(images), alone, rtol=1e-4, atol=1e-6)


def test_instance_norm_is_the_same_in_training_and_after() -> None:
    network = ResNetGenerator(blocks=1, width=4)
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(network.eval()(image), network.train()(image))
    assert network.global_norm
    assert not ResNetGenerator(blocks=1, width=4, norm="batch").global_norm


def test_dropout_acts_in_training_only() -> None:
    network = ResNetGenerator(blocks=1, width=4, dropout=0.5)
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert not torch.equal(network(image), network(image))
        network.eval()
        assert torch.equal(network(image), network(image))


def test_a_block_adds_to_its_input() -> None:
    block = ResidualBlock(2, norm="none")
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    features = torch.randn(1, 2, 4, 4)
    assert torch.equal(block(features), features)


def test_every_parameter_learns() -> None:
    network = ResNetGenerator(blocks=2, width=4, norm="batch")
    network(torch.rand(2, 3, 16, 16)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
