"""SRGAN's losses written out, its two stages, blending, and relativistic scores."""

import copy
from typing import Any
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.contract import Paired
from datasets.errors import UserError
from models.losses.fourier import fourier_loss
from models.srgan import SRGANConfig
from translate.experiment import TrainingConfig
from translate.hardware import Numerics
from translate.training.processes import World
from translate.training.trainer import Trainer


def config(**settings: Any) -> SRGANConfig:
    tiny = {
        "generator": {"name": "compact", "depth": 1, "width": 4},
        "discriminator": {"width": 2, "dense": 3},
        "content": "vgg22",
        "pixel_steps": 1,
        "discriminator_size": 32,
    }
    return SRGANConfig.model_validate({**tiny, **settings})


def batch(count: int = 2) -> Paired:
    return Paired(torch.rand(count, 3, 8, 8) * 2 - 1, torch.rand(count, 3, 32, 32) * 2 - 1)


def losses(recipe: Any, examples: Paired, step: int) -> dict[str, dict[str, float]]:
    found = {}
    for update in recipe.updates(examples, step):
        found[update.player] = {name: value.item() for name, value in update.losses.items()}
    return found


@pytest.mark.parametrize(("name", "function"), [("l1", F.l1_loss), ("mse", F.mse_loss)])
def test_the_first_stage_is_the_pixel_loss_alone(name, function) -> None:
    recipe, examples = config(pixel_loss=name).recipe(), batch()
    expected = function(recipe.model(examples.source), examples.target).item()
    assert losses(recipe, examples, 0) == {"generator": {"pixel": pytest.approx(expected)}}


def test_the_fourier_loss_stands_beside_the_pixel_loss() -> None:
    recipe, examples = config(pixel_loss="l1", fourier_weight=0.05).recipe(), batch()
    found = losses(recipe, examples, 0)["generator"]
    output = recipe.model(examples.source).detach()
    assert found["pixel"] == pytest.approx(F.l1_loss(output, examples.target).item())
    assert found["fourier"] == pytest.approx(0.05 * fourier_loss(output, examples.target).item())


def cross_entropy(scores: Tensor, real: bool) -> Tensor:
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, float(real)))


def test_the_second_stage_is_equations_2_and_3() -> None:
    recipe, examples = config(pixel_weight=0.5).recipe(), batch()
    real, output = examples.target, recipe.model(examples.source).detach()
    assert recipe.content is not None
    assert recipe.discriminator is not None
    discriminator = copy.deepcopy(recipe.discriminator)  # every forward pass moves the original's batch norms
    expected_discriminator = cross_entropy(discriminator(real), True) + cross_entropy(discriminator(output), False)
    found = losses(recipe, examples, 1)
    assert found["discriminator"] == {"adversarial": pytest.approx(expected_discriminator.item(), rel=1e-5)}
    assert found["generator"]["adversarial"] == pytest.approx(
        1e-3 * cross_entropy(discriminator(output), True).item(), rel=1e-5
    )
    assert found["generator"]["content"] == pytest.approx(recipe.content(output, real).item(), rel=1e-5)
    assert found["generator"]["pixel"] == pytest.approx(0.5 * F.mse_loss(output, real).item(), rel=1e-5)


def test_relativistic_scores_are_relative_to_the_mean_of_the_other_kind() -> None:
    recipe, examples = config(relativistic=True).recipe(), batch(4)
    real, output = examples.target, recipe.model(examples.source).detach()
    assert recipe.discriminator is not None
    discriminator = copy.deepcopy(recipe.discriminator)
    real_scores, fake_scores = discriminator(real), discriminator(output)
    real_odds, fake_odds = real_scores - fake_scores.mean(), fake_scores - real_scores.mean()
    found = losses(recipe, examples, 1)
    expected = (cross_entropy(real_odds, True) + cross_entropy(fake_odds, False)).item()
    assert found["discriminator"]["adversarial"] == pytest.approx(expected, rel=1e-5)
    adversarial = (cross_entropy(real_odds, False) + cross_entropy(fake_odds, True)).item() / 2
    assert found["generator"]["adversarial"] == pytest.approx(1e-3 * adversarial, rel=1e-5)


def test_relativistic_losses_keep_their_digits_in_half_precision() -> None:
    torch.manual_seed(0)
    recipe, examples = config(relativistic=True).recipe(), batch(4)
    scores: list[Tensor] = []
    assert recipe.discriminator is not None
    recipe.discriminator.register_forward_hook(lambda module, inputs, output: scores.append(output))
    with torch.autocast("cpu", torch.bfloat16):
        found = next(recipe.updates(examples, 1)).losses["adversarial"]
    assert {one.dtype for one in scores} == {torch.bfloat16}
    real, fake = (one.double() for one in scores)
    expected = cross_entropy(real - fake.mean(), True) + cross_entropy(fake - real.mean(), False)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_without_vggs_weights_a_sentence_names_the_setting_that_does_without(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    with pytest.raises(UserError, match=r"content loss needs VGG-19's .* with model\.pixel_steps=null"):
        config().recipe()


def unreachable(*arguments: object, **options: object) -> None:
    raise URLError("no network")


def test_the_pixel_loss_alone_needs_neither_vgg_nor_a_discriminator(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    recipe = config(pixel_steps=None).recipe()
    assert set(recipe.optimizers()) == {"generator"}
    assert recipe.content is None
    assert recipe.discriminator is None
    assert set(losses(recipe, batch(), 10**9)) == {"generator"}
    assert sum(p.numel() for p in recipe.parameters()) == sum(p.numel() for p in recipe.model.generator.parameters())


def test_the_model_keeps_the_weights_that_the_first_stage_ended_with() -> None:
    trainer = Trainer(config(pixel_steps=2).recipe(), TrainingConfig(), Numerics("fp32", "contiguous", 1), World())
    model = trainer.recipe.model
    assert [trainer.recipe.stage(step) for step in (0, 1, 2, 3)] == [0, 0, 1, 1]
    for step in range(4):
        trainer.advance([batch()])
        if step == 1:
            ended = copy.deepcopy(model.generator.state_dict())
    assert model.first_stage is not None
    kept, moved = model.first_stage.state_dict(), model.generator.state_dict()
    assert all(torch.equal(kept[name], ended[name]) for name in ended)
    assert not all(torch.equal(moved[name], ended[name]) for name in ended)


@pytest.mark.parametrize("fraction", [0.0, 0.8, 1.0])
def test_a_blend_lies_between_the_two_stages(fraction: float) -> None:
    model = config(generator={"name": "srresnet", "blocks": 1, "width": 4}).translator().eval()
    for parameter in model.generator.parameters():
        torch.nn.init.normal_(parameter)
    assert model.first_stage is not None
    first, second = (copy.deepcopy(part.state_dict()) for part in (model.first_stage, model.generator))
    model.blend_stages(fraction)
    for name, blended in model.generator.state_dict().items():
        expected = (1 - fraction) * first[name] + fraction * second[name]
        torch.testing.assert_close(blended, expected.to(blended.dtype))


def test_a_model_of_one_stage_cannot_be_blended() -> None:
    with pytest.raises(UserError, match="trained in one stage"):
        config(pixel_steps=None).translator().blend_stages(0.5)


def test_a_scale_that_a_generator_cannot_make_is_refused() -> None:
    with pytest.raises(ValueError, match="scale is 3, and rrdb enlarges only by 2 and 4"):
        config(generator={"name": "rrdb"}, scale=3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_images_are_converted_to_the_range_of_the_networks(scale: int) -> None:
    model = config(scale=scale, pixel_steps=None).translator()
    image = torch.rand(1, 3, 5, 7) * 2 - 1
    expected = 2 * model.generator((image + 1) / 2) - 1
    assert torch.equal(model(image), expected)
    assert expected.shape == (1, 3, 5 * scale, 7 * scale)


def test_squares_that_the_discriminator_cannot_take_are_refused() -> None:
    assert config().size_problem(40) is not None
    assert config().size_problem(48) is None
    assert config(pixel_steps=None).size_problem(40) is None
    assert config().for_size(48).discriminator_size == 48
