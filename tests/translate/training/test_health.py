"""Each failure mode is reported once, with a hint that names real settings; a healthy training gets no message."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from torch import Tensor

from datasets.contract import Settings
from models.contract import FailureMode, Preview
from models.pix2pix import Pix2PixRecipe
from translate.experiment import Experiment, load_experiment
from translate.recipes import recipe_names
from translate.training.health import WON_LINES, Health
from translate.training.session import train

TARGET = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
SOURCE = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
HINTS: dict[FailureMode, str] = {mode: f"hint for {mode}" for mode in get_args(FailureMode)}


@pytest.mark.parametrize(
    ("mode", "output"),
    [
        ("generator copies its input", SOURCE + 0.005),
        ("colours inverted", -TARGET),
        ("diversity lost", TARGET[:1].expand_as(TARGET)),
    ],
)
def test_a_failure_is_reported_at_the_second_sight_once_and_again_when_it_returns(
    mode: FailureMode, output: Tensor
) -> None:
    health = Health(HINTS)
    failing, well = [Preview(SOURCE, output, TARGET)], [Preview(SOURCE, TARGET + 0.1, TARGET)]
    messages = [health.after_validation(previews) for previews in (failing, failing, failing, well, failing, failing)]
    message = [f"{mode}: hint for {mode}"]
    assert messages == [[], message, [], [], [], message]


def test_a_good_translation_of_pictures_that_are_all_alike_is_no_failure() -> None:
    health = Health(HINTS)
    alike = [Preview(TARGET[:1].expand_as(TARGET), TARGET[:1].expand_as(TARGET), TARGET[:1].expand_as(TARGET))]
    assert health.after_validation(alike) == health.after_validation(alike) == []


def test_a_discriminator_has_won_when_it_is_right_all_the_time() -> None:
    health = Health(HINTS)
    lines = [{"discriminator/accuracy": 1.0}] * WON_LINES
    assert [health.after_losses(line) for line in lines] == [[]] * (WON_LINES - 1) + [
        ["discriminator won: hint for discriminator won"]
    ]
    assert health.after_losses({"discriminator/accuracy": 0.9}) == []


@pytest.mark.parametrize("recipe", recipe_names())
def test_every_hint_names_settings_that_exist(recipe: str) -> None:
    experiment = load_experiment(recipe)
    hints = get_type_hints(type(experiment.model).recipe)["return"].hints
    assert set(hints) <= set(get_args(FailureMode))
    for hint in hints.values():
        named = [
            word.rstrip(",.").partition("=")[0]
            for word in hint.split()
            if word.startswith(("model.", "data.", "training."))
        ]
        assert named
        for name in named:
            classes: set[Any] = {Experiment}  # of settings that the key so far may stand for
            for part in name.split("."):
                found = {kind for kind in classes if part in kind.model_fields}
                assert found, name
                classes = set().union(*(settings_in(kind.model_fields[part].annotation) for kind in found))


def settings_in(annotation: Any) -> set[type[Settings]]:
    """The classes of settings in a possibly nested, possibly annotated union."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return {annotation}
    return set[type[Settings]]().union(*map(settings_in, get_args(annotation)))


def test_a_training_whose_generator_stands_still_is_told_that_the_discriminator_won(
    tiny: Callable[..., Experiment], pairs: Path, tmp_path: Path, run_of: Callable[[Path], Any]
) -> None:
    frozen = tiny(
        "training.steps=200",
        "training.log_every=2",
        "training.sample_every=1000",
        "model.generator_adam.lr=1e-12",
        "model.discriminator_adam.lr=0.01",
        recipe="pix2pix",
    )
    expected = f"discriminator won: {Pix2PixRecipe.hints['discriminator won']}"
    found = (expected in progress.notes for progress in train(frozen, pairs, tmp_path / "run", device="cpu"))
    assert any(found)  # the rest of the steps is not taken
    assert expected in run_of(tmp_path / "run").recorded("health").values()


def test_a_healthy_training_gets_no_message(
    tiny: Callable[..., Experiment], photos: Path, tmp_path: Path, run_of: Callable[[Path], Any]
) -> None:
    settings = ("training.log_every=4", "training.steps=160", "training.validate_every=40", "training.sample_every=160")
    experiment = tiny(*settings, "model.adversarial_weight=0.1")
    notes = [note for progress in train(experiment, photos, tmp_path / "run", device="cpu") for note in progress.notes]
    assert notes == ["4 samples to learn from are too few: models need hundreds"]
    assert run_of(tmp_path / "run").recorded("health") == {}
