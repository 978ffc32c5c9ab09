"""BEGAN against its paper: losses, the balance, and any body."""

from typing import Any

import pytest
import torch

from datasets.contract import Pictures
from models.core.began import BEGANConfig
from translate.experiment import TrainingConfig
from translate.hardware import Numerics
from translate.training.processes import World
from translate.training.trainer import Trainer

MLP = {"name": "mlp", "hidden": (8,), "activation": "leaky-relu"}
BODIES: dict[str, dict[str, Any]] = {
    "mlp": MLP,
    "dcgan": {"name": "dcgan", "width": 4, "norm": "instance"},
    "resnet": {"name": "resnet", "width": 4},
}


def config(body: dict[str, Any], **settings: Any) -> BEGANConfig:
    small = {"channels": 1, "size": 16, "latent": 4, "generator": body, "discriminator": body}
    return BEGANConfig.model_validate({**small, **settings})


def batch() -> Pictures:
    draws = torch.Generator().manual_seed(0)
    return Pictures(torch.rand(4, 1, 16, 16, generator=draws) * 2 - 1, torch.tensor([0, 1, 2, 0]))


@pytest.mark.parametrize("body", BODIES)
def test_it_trains_with_any_body(body: str) -> None:
    torch.manual_seed(0)
    recipe = config(BODIES[body]).recipe()
    trainer: Trainer[Any] = Trainer(recipe, TrainingConfig(), Numerics("fp32", "contiguous", 1), World())
    for _ in range(4):
        report = trainer.advance([batch()])
        assert all(torch.isfinite(value) for value in report.values()), report
    assert trainer.skipped == 0
    assert 0 <= recipe.balance <= 1


def test_losses_and_balance_follow_the_papers_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = config(MLP, diversity=0.7, balance_rate=0.5).recipe()
    recipe.balance.fill_(0.25)
    monkeypatch.setattr(recipe.model, "draw", lambda count: torch.ones(count, 4))
    (discriminator, generator), (image, label) = recipe.updates(batch(), 0), batch()
    with torch.no_grad():
        fake = recipe.model.generate(torch.ones(4, 4), label)
        real_error, fake_error = ((recipe.discriminator(x, label) - x).abs().mean().item() for x in (image, fake))
    assert discriminator.losses["real"].item() == pytest.approx(real_error)
    assert discriminator.losses["fake"].item() == pytest.approx(-0.25 * fake_error)
    assert generator.losses["fake"].item() == pytest.approx(fake_error)
    convergence = real_error + abs(0.7 * real_error - fake_error)
    assert generator.metrics["convergence"].item() == pytest.approx(convergence)
    assert recipe.balance.item() == pytest.approx(min(1, max(0, 0.25 + 0.5 * (0.7 * real_error - fake_error))))


def test_its_generator_is_a_gans_and_takes_no_classes() -> None:
    chosen = config(MLP).with_domains(("shirt", "shoe"))
    model = chosen.translator()
    assert (model.prior, model.domains, model.size) == ("uniform", (), 16)
    assert chosen.size_problem(32) == "model.size is 16"
