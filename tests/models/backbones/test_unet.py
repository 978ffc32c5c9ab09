"""The U-Net against the published one: sizes, outputs, margins."""

from collections.abc import Callable
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.backbones.blocks import Norm, Upsampling, apply_spectral_norm, initialize_weights
from models.backbones.unet import UNet


@pytest.mark.parametrize(
    ("depth", "norm", "parameters"),
    [(8, "batch", 54_413_955), (8, "instance", 54_409_603), (7, "batch", 41_828_995)],
)
def test_size_is_the_published_one(depth: int, norm: Norm, parameters: int) -> None:
    with torch.device("meta"):
        network = UNet(depth=depth, norm=norm)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def published_key(key: str, depth: int) -> str:
    """Each level is nested in the one above: first on the way down, then the levels below, then on the way up."""
    part, place, index, leaf = key.split(".")
    level = int(place) if part == "encoder" else depth - 1 - int(place)
    prefix = "model.model." + "1.model." * (level > 0) + "3.model." * (level - 1)
    if part == "decoder":
        index = str(int(index) + (4 if 0 < level < depth - 1 else 2))  # the outermost and the innermost lack norms
    return f"{prefix}{index}.{leaf}"


def fill(network: nn.Module, published: Callable[[str], str]) -> None:
    """Give every tensor the value that its published name stands for."""
    for key, tensor in network.state_dict().items():
        draws = np.random.RandomState(crc32(published(key).encode())).standard_normal(tuple(tensor.shape))
        if tensor.ndim >= 2:
            draws /= np.sqrt(draws[0].size)
        elif key.endswith("running_var"):
            draws = 1 + 0.1 * np.abs(draws)
        elif key.endswith(("running_mean", "bias")):
            draws = 0.1 * draws
        elif tensor.ndim == 1:
            draws = 1 + 0.1 * draws
        else:
            draws = 0 * draws  # num_batches_tracked
        tensor.copy_(torch.as_tensor(draws))


def test_published_weights_give_published_outputs() -> None:
    network = UNet(norm="batch", dropout=0.0)
    fill(network, lambda key: published_key(key, 8))
    image = torch.as_tensor(np.random.RandomState(0).uniform(-1, 1, (1, 3, 256, 256)), dtype=torch.float32)
    with torch.inference_mode():
        running, batch = network.eval()(image), network.train()(image)
    assert summary(running) == pytest.approx([-0.031871, 0.625116, -0.11736, 0.23653], rel=1e-4, abs=1e-5)
    assert summary(batch) == pytest.approx([0.049617, 0.770716, 0.54012, 0.22016], rel=1e-4, abs=1e-5)


def summary(output: Tensor) -> list[float]:
    return [output.mean().item(), output.std(correction=0).item(), *output.flatten()[:2].tolist()]


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_margin_is_how_far_a_pixel_reaches(depth: int, upsampling: Upsampling) -> None:
    network = UNet(1, 1, depth=depth, width=2, norm="none", dropout=0.0, upsampling=upsampling).double()
    assert reach(network, network.margin, network.multiple) == (network.margin, network.margin)


def reach(network: nn.Module, margin: int, multiple: int) -> tuple[int, int]:
    """Measure how far before and after its own place a pixel of a square image changes the output."""
    for parameter in network.parameters():  # positive weights, so that nothing cancels and no unit is dead
        nn.init.constant_(parameter, 0.5 / parameter[0].numel())
    first = (margin // multiple + 2) * multiple
    image = torch.zeros(1 + multiple, 1, 2 * first + multiple, 2 * first + multiple, dtype=torch.float64)
    places = torch.arange(first, first + multiple)
    image[torch.arange(1, 1 + multiple), 0, places, places] = 1.0  # the first image is unchanged
    with torch.inference_mode():
        output = network(image)
    before, after = [], []
    for place, changed in zip(places, (output[1:] != output[:1]).squeeze(1), strict=True):
        for axis in (0, 1):
            touched = changed.any(dim=axis).nonzero()
            before.append(int(place - touched.min()))
            after.append(int(touched.max() - place))
    return max(before), max(after)


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("depth", [2, 3, 6])
@pytest.mark.parametrize("training", [False, True])
def test_any_multiple_works(depth: int, norm: Norm, training: bool) -> None:
    network = UNet(4, 2, depth=depth, width=2, norm=norm).train(training)
    assert network.minimum == network.multiple == 2**depth
    for height, width in [(1, 1), (1, 3), (5, 2)]:
        output = network(torch.rand(1, 4, height * network.multiple, width * network.multiple))
        assert output.shape == (1, 2, height * network.multiple, width * network.multiple)
        assert output.isfinite().all()


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_outputs_do_not_depend_on_the_rest_of_the_batch(norm: Norm) -> None:
    network = UNet(depth=3, width=4, norm=norm).eval()
    images = torch.rand(3, 3, 16, 24)
    with torch.inference_mode():
        alone = torch.cat([network(image[None]) for image in images])
        torch.testing.assert_close(network(images), alone, rtol=1e-4, atol=1e-6)


def test_instance_norm_is_the_same_in_training_and_after() -> None:
    network = UNet(depth=3, width=4, dropout=0.0)
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(network.eval()(image), network.train()(image))
    assert network.global_norm
    assert not UNet(depth=3, width=4, norm="batch").global_norm


@pytest.mark.parametrize(("depth", "dropping"), [(5, []), (6, [4]), (7, [4, 5]), (8, [4, 5, 6]), (9, [5, 6, 7])])
def test_dropout_is_above_the_innermost_level(depth: int, dropping: list[int]) -> None:
    decoder = UNet(depth=depth, width=1).decoder
    rates = [sum(layer.p for layer in up.modules() if isinstance(layer, nn.Dropout)) for up in decoder]
    assert [level for level, rate in zip(reversed(range(depth)), rates, strict=True) if rate == 0.5] == dropping[::-1]


@pytest.mark.parametrize(("silent", "level"), [("decoder.0", "encoder.1"), ("decoder.1", "encoder.0")])
def test_shortcuts_carry_every_level(silent: str, level: str) -> None:
    network = UNet(1, 1, depth=3, width=2, norm="none")
    nn.init.zeros_(network.get_parameter(f"{silent}.1.weight"))  # nothing from below that level comes up
    network(torch.rand(1, 1, 8, 8)).sum().backward()
    taught = [parameter.grad for parameter in network.get_submodule(level).parameters()]
    assert all(gradient is not None and gradient.any() for gradient in taught)


def test_every_parameter_learns() -> None:
    network = UNet(depth=3, width=4, norm="batch")
    network(torch.rand(2, 3, 16, 16)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_first_weights_are_drawn_as_published() -> None:
    torch.manual_seed(0)
    network = UNet(depth=5, width=32, norm="batch")
    weights = [layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    for weight in weights:
        assert weight.mean().item() == pytest.approx(0.0, abs=2e-3)
        assert weight.std().item() == pytest.approx(0.02, rel=0.1)
    scales = torch.cat([norm.weight for norm in norms])
    assert scales.mean().item() == pytest.approx(1.0, abs=3e-3)
    assert scales.std().item() == pytest.approx(0.02, rel=0.1)
    assert not any(norm.bias.any() for norm in norms)
    assert not network.get_parameter("decoder.4.1.bias").any()


def test_a_normalised_weight_is_not_initialised_in_vain() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1))
    apply_spectral_norm(network)
    with pytest.raises(ValueError, match="before"):
        initialize_weights(network)


def test_depth_below_two_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        UNet(depth=1)
