"""Every recipe that ships: its head comment is complete, and it trains, saves, loads and runs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from models.contract import Sampler, Translator
from translate.experiment import Experiment, load_experiment
from translate.folders.options import RunOptions
from translate.folders.translated_folder import translate_folder
from translate.inference.model import load_model
from translate.inference.model_file import load_network, model_path
from translate.recipes import recipe_names, recipe_path, recipe_summary
from translate.sampling.outputs import SampleOptions
from translate.sampling.sampled_folder import run_samples
from translate.sampling.sampler import load_sampler
from translate.sampling.samples import plan_samples
from translate.training.session import train

RECIPES = recipe_names()


@pytest.fixture
def data_for(
    photos: Path, large_photos: Path, pairs: Path, tmp_path: Path, write_idx: Callable[..., Any]
) -> Callable[[Experiment], Path]:
    """`data_for(experiment)`: a folder that it can learn from."""
    return lambda experiment: _data_for(experiment, photos, large_photos, pairs, tmp_path / "idx", write_idx)


def _data_for(
    experiment: Experiment, photos: Path, large_photos: Path, pairs: Path, idx: Path, write_idx: Callable[..., Any]
) -> Path:
    match experiment.data.kind:
        case "paired":
            return photos if experiment.data.pairs.kind == "derived" else pairs
        case "inpainting":
            return photos
        case "pictures":
            return photos if experiment.data.labels.kind == "none" else pairs
        case "idx":
            for split in ("train", "t10k"):
                write_idx(idx, split, 12, size=28)
            return idx
        case "super-resolution":
            return large_photos
        case _:
            return pairs


def test_recipes_ship() -> None:
    assert {"pix2pix", "colorize", "sketch", "restore"} <= set(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_its_head_tells_purpose_paper_and_hours(recipe: str) -> None:
    lines = recipe_path(recipe).read_text(encoding="utf-8").splitlines()
    head = [line for line in lines if line.startswith("#")]
    assert head, "the file lacks a head comment"
    assert lines[: len(head)] == head, "the head is not in one piece: all comments that begin a line belong on top"
    assert head[0] == f"# {recipe_summary(recipe)}", "the head's first line lacks the form '# Summary'"
    assert len(recipe_summary(recipe)) > 20, "the head lacks a summary of more than 20 characters in its first line"
    assert not head[0].endswith("."), "the head's first line ends in a full stop, which a summary has not"
    assert head[1:2] == ["#"], "the head lacks a second line that is '#' alone"
    text = " ".join(line.lstrip("# ") for line in head)
    paper = re.search(r"\b(19|20)\d\d, arXiv:\d{4}\.\d{4,5}\b", text)
    assert paper, "the head lacks a paper with year and arXiv number, such as '2017, arXiv:1611.07004'"
    hours = re.search(r"\. Hours: (.*)", text)
    assert hours, "the head lacks a sentence that begins with 'Hours:', after a full stop"
    assert re.search(r"\b(hours?|GPUs?|cores?)\b", hours[1]), "the head lacks hours, a GPU or cores after 'Hours:'"


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
def test_it_trains_saves_loads_and_runs(
    recipe: str,
    photos: Path,
    data_for: Callable[[Experiment], Path],
    smaller: Callable[[str], list[str]],
    command: Callable[..., Any],
    tmp_path: Path,
) -> None:
    experiment, run = load_experiment(recipe, smaller(recipe)), tmp_path / "run"
    last = [*train(experiment, data_for(experiment), run, device="cpu")][-1]
    assert last.step == 2
    assert last.losses
    assert last.metrics
    network, card = load_network(model_path(run))
    assert (card.step, card.trained_size, card.domains) == (2, experiment.data.training_size, network.domains)
    if isinstance(network, Sampler):
        check_sampler(run, network, tmp_path / "out")
    if isinstance(network, Translator) and network.fills_holes:
        check_inpainter(run, photos, command, tmp_path)
    elif isinstance(network, Translator):
        check_translator(run, network, photos, tmp_path)


def check_sampler(run: Path, network: Sampler, out: Path) -> None:
    """It makes pictures of the size and number of channels that it states."""
    label = torch.tensor([0, max(len(network.domains) - 1, 0)])
    assert network.generate(network.draw(2), label).shape == (2, network.channels, network.size, network.size)
    sampler = load_sampler(run, device="cpu")
    outcomes = run_samples(sampler, plan_samples(sampler, out, 2, 0, False, SampleOptions()))
    assert {outcome.status for outcome in outcomes} == {"ok"}


def check_inpainter(run: Path, photos: Path, command: Callable[..., Any], folder: Path) -> None:
    """It fills holes that the program draws."""
    assert command("data", "masks", "box", folder / "masks", "--like", photos).code == 0
    ended = command("inpaint", photos, folder / "out", "--mask", folder / "masks", "--model", run)
    assert f"done {len(list(photos.iterdir()))} ok, 0 skipped, 0 failed" in ended.err


def check_translator(run: Path, network: Translator, photos: Path, folder: Path) -> None:
    """Its outputs have the sizes and modes that it states."""
    model = load_model(run, device="cpu", precision="fp32")  # given, since "auto" measures for seconds
    if network.only_size is not None:
        photos = resize_all(photos, network.only_size, folder / "fitting")
    options = RunOptions(to=network.domains[-1] if len(network.domains) > 1 else None)
    outcomes = list(translate_folder(model, photos, folder / "out", options))
    assert {outcome.status for outcome in outcomes} == {"ok"}
    for path in photos.iterdir():
        with Image.open(path) as before, Image.open(folder / "out" / path.name) as after:
            assert after.size == (before.width * network.scale, before.height * network.scale)
            assert after.mode == (before.mode if network.channels_out == 3 else "L")


def resize_all(photos: Path, side: int, folder: Path) -> Path:
    """Write the PNG files, as squares of this side, into a folder; return it."""
    folder.mkdir()
    for path in photos.glob("*.png"):
        with Image.open(path) as picture:
            picture.resize((side, side)).save(folder / path.name)
    return folder
