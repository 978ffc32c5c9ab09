"""Each ailment is told on a training that has it, once, with a remedy that exists; a healthy one is left in peace."""

import json
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
from translate.training.session import Training

TRUTH = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
SOURCE = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
REMEDIES: dict[FailureMode, str] = {ailment: f"remedy of {ailment}" for ailment in get_args(FailureMode)}


@pytest.mark.parametrize(
    ("ailment", "made"),
    [
        ("generator copies its input", SOURCE + 0.005),
        ("colours inverted", -TRUTH),
        ("diversity lost", TRUTH[:1].expand_as(TRUTH)),
    ],
)
def test_pictures_that_tell_an_ailment_tell_it_once_and_again_when_it_returns(
    ailment: FailureMode, made: Tensor
) -> None:
    health = Health(REMEDIES)
    sick, well = [Preview(SOURCE, made, TRUTH)], [Preview(SOURCE, TRUTH + 0.1, TRUTH)]
    told = [health.after_validation(shown) for shown in (sick, sick, sick, well, sick, sick)]
    sentence = [f"{ailment}: remedy of {ailment}"]
    assert told == [[], sentence, [], [], [], sentence]


def test_a_good_translation_of_pictures_that_are_all_alike_has_no_ailment() -> None:
    health = Health(REMEDIES)
    alike = [Preview(TRUTH[:1].expand_as(TRUTH), TRUTH[:1].expand_as(TRUTH), TRUTH[:1].expand_as(TRUTH))]
    assert health.after_validation(alike) == health.after_validation(alike) == []


def test_a_discriminator_has_won_when_it_is_right_all_the_time() -> None:
    health = Health(REMEDIES)
    lines = [{"discriminator/right": 1.0}] * WON_LINES
    assert [health.after_losses(line) for line in lines] == [[]] * (WON_LINES - 1) + [
        ["discriminator won: remedy of discriminator won"]
    ]
    assert health.after_losses({"discriminator/right": 0.9}) == []


@pytest.mark.parametrize("recipe", recipe_names())
def test_every_remedy_names_keys_that_exist(recipe: str) -> None:
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
            kinds: set[Any] = {Experiment}  # of settings that the key so far may stand for
            for part in name.split("."):
                found = {kind for kind in kinds if part in kind.model_fields}
                assert found, name
                kinds = set().union(*(settings_in(kind.model_fields[part].annotation) for kind in found))


def settings_in(annotation: Any) -> set[type[Settings]]:
    """The classes of settings in a possibly nested, possibly annotated union."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return {annotation}
    return set[type[Settings]]().union(*map(settings_in, get_args(annotation)))


def _health_lines(run: Path) -> list[str]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["health"] for line in lines if "health" in line]


FAST = ("training.log_every=4", "training.steps=160", "training.validate_every=40", "training.sample_every=1000")


def test_a_training_whose_generator_stands_still_is_told_so(
    tiny: Callable[..., Experiment], pairs: Path, tmp_path: Path
) -> None:
    frozen = tiny(*FAST, "model.generator_adam.lr=1e-12", "model.discriminator_adam.lr=0.01", recipe="pix2pix")
    training = Training(frozen, pairs, tmp_path / "run", device="cpu")
    notes = [note for progress in training.run() for note in progress.notes]
    expected = f"discriminator won: {Pix2PixRecipe.hints['discriminator won']}"
    assert expected in notes
    assert expected in _health_lines(tmp_path / "run")


def test_a_healthy_training_is_left_in_peace(tiny: Callable[..., Experiment], photos: Path, tmp_path: Path) -> None:
    for _ in Training(tiny(*FAST, "model.adversarial_weight=0.1"), photos, tmp_path / "run", device="cpu").run():
        pass
    assert _health_lines(tmp_path / "run") == []
