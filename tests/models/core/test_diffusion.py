"""Diffusion models as samplers: what a latent means, steps, classes and guidance."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from datasets.contract import Pictures
from datasets.errors import DataError
from models.core.diffusion import Diffusion, DiffusionConfig, DiffusionPathConfig, StraightPathConfig
from models.networks.denoisers import TimedMLPConfig

MLP = TimedMLPConfig(hidden=(16, 16))


def small(**settings: Any) -> DiffusionConfig:
    return DiffusionConfig(channels=1, size=4, steps=3, generator=MLP, **settings)


def perturbed(config: DiffusionConfig) -> Diffusion:
    """A model whose last layer, which starts at 0, has random weights."""
    torch.manual_seed(0)
    model = config.translator()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("path", [None, StraightPathConfig()])
def test_equal_latents_give_equal_images_alone_and_in_company(path: Any) -> None:
    model = perturbed(small() if path is None else small(path=path))
    latent, label = torch.randn(3, model.latent), torch.zeros(3, dtype=torch.int64)
    together, alone = model.generate(latent, label), model.generate(latent[1:2], label[1:2])
    torch.testing.assert_close(together[1:2], alone)
    assert together.shape == (3, 1, 4, 4)
    assert float(together.abs().max()) <= 1


def test_steps_are_evaluations_of_the_network() -> None:
    model, calls = perturbed(small()), []
    model.network.register_forward_hook(lambda *_: calls.append(1))
    for steps in (1, 5):
        calls.clear()
        model.set_steps(steps)
        model.generate(torch.randn(2, model.latent), torch.zeros(2, dtype=torch.int64))
        assert len(calls) == steps


def test_guidance_moves_away_from_the_answer_without_a_class() -> None:
    config = small(conditional=True, domains=("boots", "bags"))
    model = perturbed(config)
    guided = Diffusion(config.model_copy(update={"guidance": 1.5}))
    guided.load_state_dict(model.state_dict())
    noisy, time, label = torch.randn(2, 1, 4, 4), torch.rand(2), torch.tensor([0, 1])
    with_class, without = model.network(noisy, time, label), model.network(noisy, time, torch.tensor([2, 2]))
    assert not torch.allclose(with_class, without)
    torch.testing.assert_close(guided.answer(noisy, time, label), with_class + 1.5 * (with_class - without))


def test_classes_are_withheld_as_often_as_the_configuration_says() -> None:
    recipe = small(conditional=True, domains=("boots", "bags"), class_dropout=1.0).recipe()
    seen: list[Tensor] = []
    recipe.model.network.register_forward_hook(lambda module, inputs, output: seen.append(inputs[2]))
    batch = Pictures(torch.rand(4, 1, 4, 4), torch.tensor([0, 1, 0, 1]))
    next(recipe.updates(batch, 0))
    assert seen[0].tolist() == [2] * 4


def test_a_small_model_learns_two_points() -> None:
    torch.manual_seed(0)
    path = DiffusionPathConfig(schedule="cosine", predicts="velocity")
    network = TimedMLPConfig(hidden=(64, 64))
    config = DiffusionConfig(channels=2, size=1, bounded=False, steps=20, path=path, generator=network)
    recipe = config.recipe()
    optimizer = torch.optim.Adam(recipe.model.parameters(), lr=3e-3)
    points = torch.tensor([[0.8, -0.4], [-0.8, 0.4]]).view(2, 2, 1, 1).repeat(64, 1, 1, 1)
    for step in range(400):
        (update,) = recipe.updates(Pictures(points, torch.zeros(128, dtype=torch.int64)), step)
        optimizer.zero_grad()
        update.losses["error"].backward()
        optimizer.step()
    made = recipe.model.generate(torch.randn(200, 2), torch.zeros(200, dtype=torch.int64)).flatten(1).detach()
    distances = torch.cdist(made, points[:2].flatten(1)).min(1)
    assert float(distances.values.mean()) < 0.15
    assert 50 < int((distances.indices == 0).sum()) < 150


def test_guidance_without_classes_is_refused() -> None:
    with pytest.raises(ValidationError, match="nothing to guide to without classes"):
        small(guidance=2.0)
    with pytest.raises(DataError, match=r"model\.conditional: the data have no labels"):
        small(conditional=True).with_domains(())
