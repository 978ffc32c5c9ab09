"""GANs against their papers: losses, players, bodies, options."""

import itertools
from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from datasets.contract import Pictures
from datasets.errors import DataError, UserError
from models.contract import Sampler
from models.core.gan import GANConfig, GANRecipe
from models.losses.adversarial import ADVERSARIAL, AdversarialName
from models.losses.penalties import r1
from translate.experiment import TrainingConfig
from translate.hardware import Numerics
from translate.training.processes import World
from translate.training.trainer import Trainer

MLP = {"name": "mlp", "hidden": (8,), "activation": "leaky-relu"}
SMALL = {"channels": 1, "size": 16, "latent": 4, "generator": MLP, "discriminator": MLP}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "minimax": {"adversarial": "minimax"},
    "non-saturating": {},
    "wgan": {"adversarial": "wasserstein", "clip_weights": 0.01, "discriminator_steps": 2},
    "wgan-gp": {"adversarial": "wasserstein", "gradient_penalty_weight": 10, "discriminator_steps": 2},
    "lsgan": {"adversarial": "least-squares"},
    "dragan": {"dragan_weight": 10},
    "hinge": {"adversarial": "hinge"},
    "r1": {"r1_weight": 10},
    "relativistic": {"relativistic": True},
    "features": {"feature_matching_weight": 1},
    "spectral": {"adversarial": "hinge", "spectral": "norm"},
    "clamp": {"adversarial": "wasserstein", "spectral": "clamp"},
}
BODIES: dict[str, dict[str, Any]] = {
    "mlp": MLP,
    "dcgan": {"name": "dcgan", "width": 4, "norm": "instance"},
    "resnet": {"name": "resnet", "width": 4},
}


def config(**settings: Any) -> GANConfig:
    return GANConfig.model_validate({**SMALL, **settings})


def batch(size: int = 16) -> Pictures:
    draws = torch.Generator().manual_seed(0)
    return Pictures(torch.rand(4, 1, size, size, generator=draws) * 2 - 1, torch.tensor([0, 1, 2, 0]))


def train(chosen: Any, steps: int = 4) -> Trainer[Any]:
    torch.manual_seed(0)
    trainer: Trainer[Any] = Trainer(chosen.recipe(), TrainingConfig(), Numerics("fp32", "contiguous", 1), World())
    for _ in range(steps):
        report = trainer.advance([batch(chosen.size)])
        assert all(torch.isfinite(value) for value in report.values()), report
    assert trainer.skipped == 0
    return trainer


@pytest.mark.parametrize("conditional", [False, True], ids=["unconditional", "conditional"])
@pytest.mark.parametrize(("objective", "body"), list(itertools.product(OBJECTIVES, BODIES)))
def test_any_objective_trains_any_body(objective, body, conditional):
    chosen = config(
        **OBJECTIVES[objective], generator=BODIES[body], discriminator=BODIES[body], conditional=conditional
    )
    trainer = train(chosen.with_domains(("shirt", "shoe", "bag")))
    assert trainer.recipe.model.domains == (("shirt", "shoe", "bag") if conditional else ())


@pytest.mark.parametrize("name", get_args(AdversarialName))
def test_losses_are_those_of_the_objective(name, monkeypatch):
    torch.manual_seed(0)
    recipe = config(adversarial=name, r1_weight=3, spectral="norm").recipe().eval()
    drawn: list[Tensor] = []

    def draw(count: int) -> Tensor:
        drawn.append(torch.randn(count, 4))
        return drawn[-1]

    monkeypatch.setattr(recipe.model, "draw", draw)
    discriminator, generator = recipe.updates(batch(), 0)
    assert (discriminator.player, generator.player) == ("discriminator", "generator")
    image, label = batch()
    with torch.no_grad():
        fake = recipe.model.generate(drawn[0], label)
        real_scores, fake_scores = recipe.score(image, label), recipe.score(fake, label)
    objective = ADVERSARIAL[name]
    assert torch.allclose(discriminator.losses["adversarial"], objective.discriminator(real_scores, fake_scores))
    assert torch.allclose(discriminator.losses["r1"], 3 * r1(lambda x: recipe.score(x, label), image))
    assert torch.allclose(generator.losses["adversarial"], objective.generator(fake_scores))
    assert len(drawn) == 1  # one forward of the generator a step


def test_a_relativistic_generator_minimises_the_discriminators_loss_exchanged(monkeypatch):
    torch.manual_seed(0)
    recipe = config(relativistic=True).recipe()
    monkeypatch.setattr(recipe.model, "draw", lambda count: torch.ones(count, 4))
    discriminator, generator = recipe.updates(batch(), 0)
    with torch.no_grad():
        image, label = batch()
        real = recipe.score(image, label)
        fake = recipe.score(recipe.model.generate(torch.ones(4, 4), label), label)
        ahead, behind = real - fake.mean(), fake - real.mean()
        bce = torch.nn.functional.binary_cross_entropy_with_logits
        ones, zeros = torch.ones_like(real), torch.zeros_like(real)
        assert torch.allclose(discriminator.losses["adversarial"], bce(ahead, ones) + bce(behind, zeros))
        assert torch.allclose(generator.losses["adversarial"], bce(behind, ones) + bce(ahead, zeros))


def test_the_generator_moves_at_every_nth_step_only():
    recipe = config(discriminator_steps=3).recipe()
    players = [[update.player for update in recipe.updates(batch(), step)] for step in range(6)]
    assert players == [["discriminator"], ["discriminator"], ["discriminator", "generator"]] * 2


def test_weights_are_clipped_after_the_discriminator_moved():
    trainer = train(config(**OBJECTIVES["wgan"]))
    assert isinstance(trainer.recipe, GANRecipe)
    assert max(float(p.detach().abs().max()) for p in trainer.recipe.discriminator.parameters()) <= 0.01
    assert max(float(p.detach().abs().max()) for p in trainer.recipe.model.parameters()) > 0.01


def test_feature_matching_is_the_distance_of_mean_features(monkeypatch):
    recipe = config(feature_matching_weight=2).recipe()
    monkeypatch.setattr(recipe.model, "draw", lambda count: torch.ones(count, 4))
    *_, generator = recipe.updates(batch(), 0)
    with torch.no_grad():
        image, label = batch()
        fake = recipe.model.generate(torch.ones(4, 4), label)
        means = [recipe.discriminator.features(x, label).mean(0) for x in (image, fake)]
    assert generator.losses["features"].item() == pytest.approx(2 * float((means[0] - means[1]).square().sum()))


def test_a_generator_learns_a_gaussian():
    """Samples of one-pixel images get the data's mean and deviation."""
    torch.manual_seed(0)
    chosen = config(
        size=1, channels=1, output="linear", latent=2, r1_weight=1, generator={**MLP, "hidden": (32,)},
        discriminator={**MLP, "hidden": (32,)}, generator_adam={"lr": 2e-3}, discriminator_adam={"lr": 2e-3},
    )  # fmt: skip
    trainer: Trainer[Any] = Trainer(chosen.recipe(), TrainingConfig(), Numerics("fp32", "contiguous", 1), World())
    data = 3 + 0.5 * torch.randn(4096, 1, 1, 1)
    for step in range(600):
        trainer.advance([Pictures(data[(64 * step) % 4096 :][:64], torch.zeros(64, dtype=torch.long))])
    with torch.no_grad():
        output = trainer.recipe.model.generate(torch.randn(4096, 2), torch.zeros(4096, dtype=torch.long))
    assert output.mean().item() == pytest.approx(3, abs=0.3)
    assert output.std().item() == pytest.approx(0.5, abs=0.3)


def test_priors_have_their_distributions():
    normal, uniform = config().translator(), config(prior="uniform").translator()
    assert isinstance(normal, Sampler)
    draws = torch.Generator().manual_seed(1)
    assert normal.draw(20000, draws).std().item() == pytest.approx(1, abs=0.02)
    numbers = uniform.draw(20000, draws)
    assert (-1 <= numbers.min().item() < -0.99, 0.99 < numbers.max().item() < 1) == (True, True)
    assert numbers.std().item() == pytest.approx(3**-0.5, abs=0.01)


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ValidationError, match="needs a bound"):
        config(adversarial="wasserstein")
    with pytest.raises(ValidationError, match="gradient penalty is per example"):
        config(dragan_weight=10, discriminator={"name": "dcgan"})
    with pytest.raises(ValidationError, match="set conditional"):
        config(domains=("a",))
    with pytest.raises(DataError, match="have no labels"):
        config(conditional=True).with_domains(())
    with pytest.raises(UserError, match="is a, b, and the data's are a, c"):
        config(conditional=True, domains=("a", "b")).with_domains(("a", "c"))
    assert config().with_domains(("a", "b")).domains == ()
    assert config().size_problem(32) == "model.size is 16"
    assert "power of 2" in str(GANConfig(size=50).size_problem(50))
