"""Every recipe that ships: its head says what a person must know, and it trains, saves, loads and runs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from translate.experiment import Experiment, load_experiment
from translate.folder import RunOptions, translate_folder
from translate.model import load_model
from translate.recipes import recipe_names, recipe_path, recipe_summary
from translate.training import Training

RECIPES = recipe_names()


def shrunk(recipe: str) -> list[str]:
    """Overrides by which a recipe keeps its kind and costs milliseconds a step."""
    generator = load_experiment(recipe).model.generator
    size = {"unet": "depth=3", "resnet": "blocks=1"}[generator.name]
    model = [f"model.generator.{size}", "model.generator.width=4", "model.discriminator.width=4"]
    data = ["data.crop.load=36", "data.crop.size=32"]
    return [*model, *data, "training.steps=2", "training.batch_size=2", "training.precision=fp32"]


def test_recipes_ship() -> None:
    assert {"pix2pix", "colorize", "sketch", "restore"} <= set(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_its_head_tells_purpose_paper_and_hours(recipe: str) -> None:
    lines = recipe_path(recipe).read_text(encoding="utf-8").splitlines()
    head = [line for line in lines if line.startswith("#")]
    assert lines[: len(head)] == head
    assert head[1] == "#"
    assert len(recipe_summary(recipe)) > 20
    assert head[0] == f"# {recipe_summary(recipe)}"
    text = " ".join(line.lstrip("# ") for line in head)
    assert re.search(r"\b(19|20)\d\d, arXiv:\d{4}\.\d{4,5}\b", text)
    assert re.search(r"(^|\. )Hours: .*\b(hour|GPU|cores?)\b", text)


@pytest.mark.parametrize("recipe", RECIPES)
def test_its_full_text_is_a_recipe_for_the_same_experiment(
    recipe: str, command: Callable[..., Any], tmp_path: Path
) -> None:
    for flags in ([], ["--full"]):
        shown = command("recipes", "show", recipe, *flags)
        assert (shown.code, shown.err) == (0, "")
        (tmp_path / "mine.yaml").write_text(shown.out, encoding="utf-8")
        assert load_experiment(str(tmp_path / "mine.yaml")) == load_experiment(recipe)
    assert "checkpoint_minutes: 10" in shown.out  # a default that no recipe states


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_trains_saves_loads_and_runs(recipe: str, photos: Path, pairs: Path, tmp_path: Path) -> None:
    experiment: Experiment = load_experiment(recipe, shrunk(recipe))
    derived = experiment.data.kind == "paired" and experiment.data.pairs.kind == "derived"
    data = photos if derived else pairs
    training = Training(experiment, data, tmp_path / "run", device="cpu")
    last = [*training.run()][-1]
    assert last.step == 2
    assert last.losses is not None
    assert training.figures
    model = load_model(tmp_path / "run", device="cpu")
    assert model.card.step == 2
    assert model.card.trained_size == 32
    aim = RunOptions(to=model.translator.domains[-1] if len(model.translator.domains) > 1 else None)
    outcomes = list(translate_folder(model, photos, tmp_path / "out", aim))
    assert [outcome.status for outcome in outcomes] == ["ok"] * 6
    for path in photos.iterdir():
        with Image.open(path) as before, Image.open(tmp_path / "out" / path.name) as after:
            assert (after.size, after.mode) == (before.size, before.mode)
