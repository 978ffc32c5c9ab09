"""Pix2Pix against its paper: losses, order of updates, options."""

import pytest
import torch
import torch.nn.functional as F

from datasets.contract import Paired
from datasets.errors import UserError
from models.apply import translate_batch
from models.losses.adversarial import ADVERSARIAL
from models.networks.generators import UNetConfig
from models.pix2pix import Pix2Pix, Pix2PixConfig

SMALL = {"generator": {"depth": 3, "width": 4}, "discriminator": {"layers": 1, "width": 4}}
DROPPING = {"generator": {"name": "resnet", "blocks": 1, "width": 4, "dropout": 0.5}}


def config(**settings) -> Pix2PixConfig:
    return Pix2PixConfig.model_validate({**SMALL, **settings})


def batch(channels_in: int = 3, channels_out: int = 3) -> Paired:
    draws = torch.Generator().manual_seed(0)
    return Paired(
        *(torch.rand(2, channels, 16, 16, generator=draws) * 2 - 1 for channels in (channels_in, channels_out))
    )


def test_the_defaults_are_the_papers():
    paper = Pix2PixConfig()
    assert isinstance(paper.generator, UNetConfig)
    assert (paper.generator.name, paper.generator.depth, paper.generator.width) == ("unet", 8, 64)
    assert (paper.generator.dropout, paper.discriminator.layers, paper.l1_weight) == (0.5, 3, 100)
    for adam in (paper.generator_adam, paper.discriminator_adam):
        assert (adam.lr, adam.beta1, adam.beta2) == (2e-4, 0.5, 0.999)


@pytest.mark.parametrize("name", list(ADVERSARIAL))
def test_losses_are_the_papers_equation(name):
    recipe = config(adversarial=name, adversarial_weight=0.7, l1_weight=30, gradient_penalty_weight=10).recipe()
    source, target = batch()
    with torch.no_grad():
        fake = recipe.model(source)
        real_scores = recipe.discriminator(torch.cat([source, target], 1))
        fake_scores = recipe.discriminator(torch.cat([source, fake], 1))
    discriminator, generator = recipe.updates(batch(), 0)
    assert (discriminator.player, generator.player) == ("discriminator", "generator")
    expected = 0.5 * ADVERSARIAL[name].discriminator(real_scores, fake_scores)
    assert torch.allclose(discriminator.losses["adversarial"], expected)
    assert discriminator.losses["penalty"] > 0
    assert torch.allclose(generator.losses["l1"], 30 * F.l1_loss(fake, target))
    assert torch.allclose(generator.losses["adversarial"], 0.7 * ADVERSARIAL[name].generator(fake_scores))


def test_the_generators_loss_uses_the_discriminator_that_has_just_moved():
    recipe = config().recipe()
    updates = recipe.updates(batch(), 0)
    next(updates)
    with torch.no_grad():
        for parameter in recipe.discriminator.parameters():
            parameter.zero_()
    assert next(updates).losses["adversarial"].item() == pytest.approx(0.693147, abs=1e-6)


def test_scores_depend_on_source_and_target():
    recipe = config().recipe()
    source, target = batch()
    assert not torch.allclose(recipe.score(source, target), recipe.score(-source, target))
    assert not torch.allclose(recipe.score(source, target), recipe.score(source, -target))


def test_without_an_adversarial_weight_it_is_plain_regression():
    (only,) = config(adversarial_weight=0).recipe().updates(batch(), 0)
    assert (only.player, set(only.losses)) == ("generator", {"l1"})


@pytest.mark.parametrize(("channels_in", "channels_out"), [(1, 3), (3, 1), (4, 2)])
def test_any_number_of_channels_goes_in_and_comes_out(channels_in, channels_out):
    recipe = config(channels_in=channels_in, channels_out=channels_out).recipe()
    assert len(list(recipe.updates(batch(channels_in, channels_out), 0))) == 2
    assert translate_batch(recipe.model, torch.zeros(1, channels_in, 5, 7)).shape == (1, channels_out, 5, 7)


def test_dropout_is_off_in_use_unless_it_is_asked_for_as_noise():
    image = batch().source
    quiet, noisy = config(**DROPPING).translator(), config(**DROPPING, dropout_at_inference=True).translator()
    assert (quiet.draws, noisy.draws) == (False, True)
    assert torch.equal(translate_batch(quiet, image), translate_batch(quiet, image))
    assert not torch.equal(translate_batch(noisy, image), translate_batch(noisy, image))
    assert not torch.equal(quiet.train()(image), quiet(image))


def test_noise_without_any_dropout_is_refused():
    with pytest.raises(UserError, match="dropout_at_inference: this generator has no dropout"):
        config(dropout_at_inference=True).translator()


def test_a_residual_generator_adds_to_its_input():
    model = config(residual=True).translator().eval()
    image = batch().source
    assert torch.allclose(model(image), image + model.generator(image))
    with pytest.raises(ValueError, match="residual needs as many channels_out"):
        config(residual=True, channels_in=1)


def test_wasserstein_without_a_bound_is_refused():
    with pytest.raises(ValueError, match="wasserstein needs a gradient_penalty_weight above 0, such as 10"):
        config(adversarial="wasserstein")


@pytest.mark.parametrize("generator", [{"depth": 3}, {"name": "resnet", "blocks": 1, "norm": "none"}])
def test_the_model_has_the_facts_of_its_generator(generator):
    model: Pix2Pix = config(generator={**generator, "width": 4}).translator()
    for fact in ("multiple", "minimum", "margin", "global_norm"):
        assert getattr(model, fact) == getattr(model.generator, fact)
