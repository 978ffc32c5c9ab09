"""Validation is the mean over single samples, draws the same numbers every time, and leaves others' draws alone."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from datasets.contract import Samples, derive_seed, stack
from models.contract import Recipe
from translate.experiment import Experiment
from translate.training.processes import World
from translate.training.validation import fixed_randomness, make_previews, validate


@pytest.mark.parametrize(("limit", "counted"), [(100, 4), (2, 2)])
def test_metrics_are_means_over_the_first_samples(
    busy: Callable[..., Experiment], photos: Path, limit: int, counted: int
) -> None:
    experiment = busy()
    recipe: Recipe[Any, Any] = experiment.model.recipe().eval()
    samples: Samples[Any] = experiment.data.open(photos).training
    assert len(samples) == 4
    single = [
        recipe.validate(recipe.model, stack([samples.sample(index, derive_seed(index))])) for index in range(counted)
    ]
    found = validate(recipe, recipe.model, samples, limit, World())
    assert found == {
        name: pytest.approx(sum(float(one[name]) for one in single) / counted, abs=1e-6) for name in single[0]
    }
    assert validate(recipe, recipe.model, samples, limit, World()) == found


def test_without_samples_there_are_no_metrics(tiny: Callable[..., Experiment], photos: Path) -> None:
    experiment = tiny("data.validation_fraction=0")
    recipe = experiment.model.recipe()
    assert validate(recipe, recipe.model, experiment.data.open(photos).validation, 100, World()) == {}


def test_previews_are_the_same_every_time(busy: Callable[..., Experiment], photos: Path) -> None:
    experiment = busy()
    recipe, samples = experiment.model.recipe(), experiment.data.open(photos).training
    (one,), (other,) = (make_previews(recipe, recipe.model, samples, 3, World()) for _ in range(2))
    assert len(one.output) == 3
    assert torch.equal(one.output, other.output)


def test_fixed_randomness_draws_the_same_numbers_and_restores_the_state() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    drawn = []
    for rank in (0, 0, 1):
        with fixed_randomness(torch.device("cpu"), rank):
            drawn.append(torch.rand(2).tolist())
    assert torch.equal(torch.rand(3), expected)
    assert drawn[0] == drawn[1] != drawn[2]


def test_fixed_randomness_starts_no_gpu_but_the_one_that_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[str] = []

    def enter(device: object) -> contextlib.AbstractContextManager[None]:
        touched.append(str(device))
        return contextlib.nullcontext()

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device="cuda": touched.append(str(device)))
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device="cuda": touched.append(str(device)))
    monkeypatch.setattr(torch.cuda, "device", enter)
    monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: None)
    with fixed_randomness(torch.device("cuda:3")):
        pass
    assert touched == ["cuda:3"] * 3
    with fixed_randomness(torch.device("cpu")):
        pass
    assert touched == ["cuda:3"] * 3
