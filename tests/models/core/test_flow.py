"""A flow: its inverse, its determinant and its likelihood, against autograd and closed forms."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from models.backbones.invertible import ActNorm, ChannelMix, Coupling, FlowStep
from models.core.flow import Flow, FlowConfig


def random_flow(**settings: Any) -> Flow:
    torch.manual_seed(0)
    model = FlowConfig(**{"size": 8, "steps_per_level": 2, "width": 8, **settings}).translator().eval()
    for name, parameter in model.named_parameters():
        if not name.endswith("mix.weight"):  # the mixes of channels stay rotations
            torch.nn.init.normal_(parameter, std=0.2)
    return model.requires_grad_(False)


def log_determinant(function: Any, image: Tensor) -> float:
    """Of the Jacobian of a function of one image, by autograd."""
    size = image.numel()
    jacobian = torch.autograd.functional.jacobian(lambda values: function(values).flatten(), image)
    return float(torch.linalg.slogdet(jacobian.reshape(size, size)).logabsdet)


@pytest.mark.parametrize(
    "layer", [ActNorm(4), ChannelMix(4), Coupling(4, 6), FlowStep(4, 6)], ids=lambda layer: type(layer).__name__
)
def test_layers_are_inverted_and_know_their_determinants(layer: Any) -> None:
    torch.manual_seed(0)
    layer = layer.double().eval()
    for parameter in layer.requires_grad_(False).parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    image = torch.randn(1, 4, 2, 3, dtype=torch.float64)
    output, determinant = layer(image)
    torch.testing.assert_close(layer.inverse(output), image, atol=1e-4, rtol=0)
    assert float(determinant) == pytest.approx(log_determinant(lambda values: layer(values)[0], image), abs=1e-4)


@pytest.mark.parametrize("settings", [{}, {"channels": 3, "levels": 3}, {"levels": 1}, {"levels": 0, "channels": 2}])
def test_images_come_back_from_their_latents(settings: Any) -> None:
    model = random_flow(**settings)
    image = torch.rand(3, model.channels, 8, 8) * 1.6 - 0.8
    latent = model.encode(image)
    assert latent.shape == (3, model.latent)
    torch.testing.assert_close(model.generate(latent, torch.zeros(3)), image, atol=1e-4, rtol=0)


def test_the_determinant_of_the_whole_network_is_autograds() -> None:
    model = random_flow(channels=1, levels=2)
    image = torch.rand(1, 1, 8, 8)
    _, determinant = model.normalize(image)
    assert float(determinant) == pytest.approx(log_determinant(model.encode, image), abs=1e-3)


def test_bits_are_those_of_a_normal_distribution_where_nothing_is_changed() -> None:
    model = random_flow(levels=0, channels=2, size=1, quantized=False)
    for step in (module for module in model.modules() if isinstance(module, FlowStep)):
        norm, last = step.norm, step.coupling.layers[-1]
        assert isinstance(last, torch.nn.Conv2d)
        assert last.bias is not None
        torch.nn.init.zeros_(norm.log_scale)
        torch.nn.init.zeros_(norm.shift)
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.constant_(last.bias, 40)  # a scale of 1
        last.bias[1] = 0  # and a shift of 0
    points = torch.tensor([[0.0, 0.0], [1.0, -2.0]]).view(2, 2, 1, 1)
    expected = [math.log2(2 * math.pi) / 2, (math.log2(2 * math.pi) + 2.5 / math.log(2)) / 2]
    assert model.estimate_bits(points).tolist() == pytest.approx(expected, abs=1e-5)


def test_quantized_pictures_that_cannot_be_predicted_cost_8_bits() -> None:
    """Levels of equal probability have 8 bits each: no model can do better, and a wide normal one does little worse."""
    model = random_flow(levels=1)
    levels = torch.randint(256, (64, 1, 8, 8)) / 127.5 - 1
    assert float(model.estimate_bits(levels).mean()) > 8


def test_the_first_batch_sets_the_norms() -> None:
    norm = ActNorm(2).train()
    maps = torch.randn(50, 2, 4, 4) * torch.tensor([3.0, 0.5]).view(1, 2, 1, 1) + 7
    output, _ = norm(maps)
    torch.testing.assert_close(output.mean((0, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(output.std((0, 2, 3), correction=0), torch.ones(2), atol=1e-4, rtol=0)
    again, _ = norm(2 * maps)
    assert not torch.allclose(again.std((0, 2, 3)), torch.ones(2))
    restored = ActNorm(2)
    restored.load_state_dict(norm.state_dict())
    torch.testing.assert_close(restored(maps)[0], output)


def test_sizes_that_cannot_be_halved_are_refused() -> None:
    assert FlowConfig(size=30, levels=2).size_problem(30) == "a flow of 2 levels needs multiples of 4"
    assert FlowConfig(size=28, levels=2).size_problem(28) is None
