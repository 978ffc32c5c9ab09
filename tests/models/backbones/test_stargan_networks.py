"""StarGAN's networks against the published ones: sizes, outputs, margins, and the influence of labels."""

from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.backbones.blocks import Upsampling
from models.backbones.stargan_networks import StarDiscriminator, StarGenerator


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("label", "parameters"), [(5, 8_430_528), (8, 8_439_936), (15, 8_461_888)])
def test_the_generator_has_the_published_size(label: int, parameters: int) -> None:
    with torch.device("meta"):
        assert count(StarGenerator(3, label)) == parameters


@pytest.mark.parametrize(
    ("size", "label", "parameters"),
    [
        (128, 5, 44_762_048),
        (128, 8, 44_786_624),
        (128, 13, 44_827_584),
        (256, 5, 44_884_928),
        (256, 13, 45_147_072),
    ],
)
def test_the_critic_has_the_published_size(size: int, label: int, parameters: int) -> None:
    with torch.device("meta"):
        critic = StarDiscriminator(3, label, size=size)
        scores, classes = critic(torch.zeros(2, 3, size, size))
    assert count(critic) == parameters
    assert scores.shape == (2, 1, size // 64, size // 64)
    assert classes.shape == (2, label)


def fill(network: nn.Module, published: dict[str, str]) -> None:
    """Draw each tensor by its published name."""
    for key, tensor in network.state_dict().items():
        name, leaf = key.rsplit(".", 1)
        draws = np.random.RandomState(crc32(f"{published[name]}.{leaf}".encode())).standard_normal(tuple(tensor.shape))
        if tensor.ndim > 1:
            tensor.copy_(torch.as_tensor(draws / np.sqrt(draws[0].size)))
        else:
            tensor.copy_(torch.as_tensor(0.1 * draws if leaf == "bias" else 1 + 0.1 * draws))


def names(network: nn.Module, heads: dict[str, str]) -> dict[str, str]:
    """One row of layers is `main` in the published files, and so are the layers of a block."""
    found = {name: name.replace("layers", "main") for name, _ in network.named_modules()}
    return {name: heads.get(name, published) for name, published in found.items()}


def summary(output: Tensor) -> list[float]:
    return [output.mean().item(), output.std(correction=0).item(), *output.flatten()[:2].tolist()]


def draw_image() -> Tensor:
    return torch.as_tensor(np.random.RandomState(0).uniform(-1, 1, (1, 3, 128, 128)), dtype=torch.float32)


def test_published_weights_give_published_outputs() -> None:
    network = StarGenerator(3, 5).eval()
    fill(network, names(network, {}))
    with torch.inference_mode():
        output = network(draw_image(), torch.tensor([[1.0, 0, 0, 1, 1]]))
    assert summary(output) == pytest.approx([-0.034490, 0.491068, 0.11427, 0.31070], rel=1e-4, abs=1e-5)


def test_published_weights_give_published_scores() -> None:
    network = StarDiscriminator(3, 5, size=128).eval()
    fill(network, names(network, {"scores": "conv1", "classes": "conv2"}))
    with torch.inference_mode():
        scores, classes = network(draw_image())
    assert summary(scores) == pytest.approx([0.006718, 0.036762, -0.05466, 0.01294], rel=1e-3, abs=1e-5)
    assert summary(classes) == pytest.approx([-0.074634, 0.064660, -0.08858, 0.01603], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_margin_is_how_far_a_pixel_reaches(blocks: int, upsampling: Upsampling) -> None:
    network = StarGenerator(1, 1, blocks=blocks, width=1, upsampling=upsampling).double()
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for name, layer in module.named_children():
                if isinstance(layer, nn.InstanceNorm2d):
                    setattr(module, name, nn.Identity())
    for parameter in network.parameters():  # positive weights, so that nothing cancels and no unit is dead
        nn.init.constant_(parameter, 0.5 / parameter[0].numel())
    side, places = 160, torch.arange(80, 84)
    image = torch.zeros(5, 1, side, side, dtype=torch.float64)
    image[torch.arange(1, 5), 0, places, places] = 1.0  # the first image is unchanged
    with torch.inference_mode():
        output = network(image, torch.zeros(5, 1))
    offsets = []
    for place, changed in zip(places, (output[1:] != output[:1]).squeeze(1), strict=True):
        offsets += [changed.any(dim=axis).nonzero() - place for axis in (0, 1)]
    assert torch.cat(offsets).abs().max() == network.margin


def test_a_label_is_not_lost_before_the_first_norm() -> None:
    network = StarGenerator(3, 2, blocks=1, width=4).eval()
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        one, other = (network(image, torch.tensor([label])) for label in ([1.0, 0.0], [0.0, 1.0]))
    assert (one - other).abs().max() > 1e-3


def test_no_statistics_of_earlier_images_are_kept() -> None:
    network = StarGenerator(3, 2, blocks=1, width=4)
    image, label = torch.rand(2, 3, 8, 12), torch.rand(2, 2)
    assert not list(network.buffers())
    with torch.inference_mode():
        before = network.eval()(image, label)
        network.train()(torch.rand(2, 3, 8, 8), label)
        torch.testing.assert_close(network.eval()(image, label), before, rtol=0, atol=0)
        torch.testing.assert_close(network(image[1:], label[1:]), before[1:], rtol=1e-4, atol=1e-6)
