"""Adversarial losses against closed forms."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from models.losses.adversarial import ADVERSARIAL, AdversarialName, fraction_right, relativistic

NAMES: tuple[AdversarialName, ...] = get_args(AdversarialName)


def test_every_name_has_an_objective() -> None:
    assert tuple(ADVERSARIAL) == NAMES


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def by_formula(name: AdversarialName, real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """The discriminator's and the generator's loss, as the papers write them."""
    cross_entropy = -np.log(sigmoid(real)).mean() - np.log(1 - sigmoid(fake)).mean()
    losses = {
        "minimax": (cross_entropy, np.log(1 - sigmoid(fake)).mean()),
        "non-saturating": (cross_entropy, -np.log(sigmoid(fake)).mean()),
        "least-squares": (
            0.5 * ((real - 1) ** 2).mean() + 0.5 * (fake**2).mean(),
            0.5 * ((fake - 1) ** 2).mean(),
        ),
        "hinge": (np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(), -fake.mean()),
        "wasserstein": (fake.mean() - real.mean(), -fake.mean()),
    }
    return losses[name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(7,), (3, 1), (2, 1, 5, 4)])
def test_losses_are_those_of_the_papers(name: AdversarialName, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0.5, 2, shape), rng.normal(-0.5, 2, shape)
    discriminator, generator = by_formula(name, real, fake)
    objective = ADVERSARIAL[name]
    assert objective.discriminator(torch.tensor(real), torch.tensor(fake)).item() == pytest.approx(discriminator)
    assert objective.generator(torch.tensor(fake)).item() == pytest.approx(generator)


@pytest.mark.parametrize(
    ("name", "scores", "discriminator", "generator"),
    [  # where no discriminator can do better, since real and fake are alike
        ("minimax", 0.0, math.log(4), -math.log(2)),
        ("non-saturating", 0.0, math.log(4), math.log(2)),
        ("least-squares", 0.5, 0.25, 0.125),
        ("hinge", 0.0, 2.0, 0.0),
        ("wasserstein", 3.0, 0.0, -3.0),
    ],
)
def test_equilibrium(name: AdversarialName, scores: float, discriminator: float, generator: float) -> None:
    alike = torch.full((2, 1, 3, 3), scores, requires_grad=True)
    loss = ADVERSARIAL[name].discriminator(alike, alike)
    loss.backward()
    assert loss.item() == pytest.approx(discriminator)
    assert ADVERSARIAL[name].generator(alike).item() == pytest.approx(generator)
    assert alike.grad is not None
    torch.testing.assert_close(alike.grad, torch.zeros_like(alike))


@pytest.mark.parametrize(
    ("name", "real", "fake", "generator"),
    [  # slopes of the losses at f(x) = 2 and f(G) = -3, in that order, and of the generator's at f(G)
        ("minimax", -1 / (1 + math.exp(2)), 1 / (1 + math.exp(3)), -1 / (1 + math.exp(3))),
        ("non-saturating", -1 / (1 + math.exp(2)), 1 / (1 + math.exp(3)), -1 / (1 + math.exp(-3))),
        ("least-squares", 1.0, -3.0, -4.0),
        ("hinge", 0.0, 0.0, -1.0),  # both beyond the margin
        ("wasserstein", -1.0, 1.0, -1.0),
    ],
)
def test_slopes(name: AdversarialName, real: float, fake: float, generator: float) -> None:
    objective = ADVERSARIAL[name]
    of_real, of_fake = torch.tensor(2.0, requires_grad=True), torch.tensor(-3.0, requires_grad=True)
    slopes = torch.autograd.grad(objective.discriminator(of_real, of_fake), (of_real, of_fake))
    assert [slope.item() for slope in slopes] == pytest.approx([real, fake])
    (slope,) = torch.autograd.grad(objective.generator(of_fake), of_fake)
    assert slope.item() == pytest.approx(generator)


@pytest.mark.parametrize("name", NAMES)
def test_extreme_scores_stay_finite_and_teach(name: AdversarialName) -> None:
    scores = torch.tensor([-1000.0, 1000.0], requires_grad=True)
    loss = ADVERSARIAL[name].discriminator(scores, scores) + ADVERSARIAL[name].generator(scores)
    (slope,) = torch.autograd.grad(loss, scores)
    assert loss.isfinite()
    assert slope.isfinite().all()
    assert slope.any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_means_are_taken_in_float32_at_least(name: AdversarialName, dtype: torch.dtype) -> None:
    scores = torch.tensor([1.0] * 300 + [2.0], dtype=dtype)  # its mean is no bfloat16 number
    losses = ADVERSARIAL[name].discriminator(scores, scores), ADVERSARIAL[name].generator(scores)
    assert all(loss.dtype == torch.promote_types(dtype, torch.float32) for loss in losses)
    expected = by_formula(name, *[scores.double().numpy()] * 2)
    assert [loss.item() for loss in losses] == pytest.approx(expected, rel=5e-3, abs=1e-6)
    if name == "wasserstein":
        assert losses[1].item() == pytest.approx(-302 / 301)


def test_maps_of_scores_may_differ_in_number() -> None:
    real, fake = torch.zeros(4, 1, 2, 2), torch.zeros(1, 1, 3, 3)
    loss: Tensor = ADVERSARIAL["non-saturating"].discriminator(real, fake)
    assert loss.item() == pytest.approx(math.log(4))


def test_relativistic_scores_are_differences_from_the_mean_of_the_other_kind() -> None:
    real, fake = relativistic(torch.tensor([1.0, 3.0]), torch.tensor([5.0]))
    assert real.tolist() == [-4, -2]
    assert fake.tolist() == [3]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_relativistic_scores_keep_their_digits_in_half_precision(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(64, 1, generator=generator).to(dtype) + offset for offset in (3, 0))
    exact = real.double() - fake.double().mean(), fake.double() - real.double().mean()
    for found, expected in zip(relativistic(real, fake), exact, strict=True):
        assert found.dtype == torch.promote_types(dtype, torch.float32)
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)


def test_the_fraction_right_is_how_often_the_real_score_is_higher() -> None:
    assert fraction_right(torch.tensor([1.0, 2.0, 0.0, 4.0]), torch.tensor([0.0, 3.0, 0.0, 1.0])) == 0.5
