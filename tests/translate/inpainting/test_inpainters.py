"""Inpainters by name: what ships, what is none, and in which precision they compute."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datasets.codecs.images import Picture, read_picture
from datasets.errors import UserError
from translate.experiment import load_experiment
from translate.folders.manifest import Outcome
from translate.folders.translated_folder import translate_folder
from translate.hardware import Numerics
from translate.inference.model import Model
from translate.inference.model_file import Card, save_model
from translate.inpainting.fill import fill_holes
from translate.inpainting.inpainters import learned_inpainter
from translate.inpainting.masked_folder import inpaint_folder

Run = Callable[..., dict[str, Outcome]]
Draw = Callable[..., NDArray[Any]]
Save = Callable[..., Path]


def test_a_model_of_another_kind_is_refused(
    folder: Path, masks: Path, tmp_path: Path, model_file: Path, mean: Model, command: Any, pixels: Draw
) -> None:
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks, "--model", model_file)
    assert ended.code == 6
    assert "takes whole pictures and fills no holes; use `translate run`" in ended.err
    with pytest.raises(UserError, match="this model fills holes and needs a mask; use `inpaint`"):
        translate_folder(mean, folder, tmp_path / "out")
    with pytest.raises(UserError, match="this model fills holes and needs a mask; use `inpaint`"):
        mean(Picture(pixels()))
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks, "--feather", "-1")
    assert ended.code == 2
    assert "error: --feather:" in ended.err


def test_the_inpainter_that_ships_fills_holes_and_is_no_translator(
    folder: Path,
    masks: Path,
    tmp_path: Path,
    smaller: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    command: Any,
    hole: Draw,
) -> None:
    experiment = load_experiment("inpaint", smaller("inpaint"))
    torch.manual_seed(0)
    path = tmp_path / "own.safetensors"
    save_model(path, experiment.model.translator(), Card(experiment=experiment, step=0, trained_size=32))
    ships = tmp_path / "pretrained"
    ships.mkdir()
    monkeypatch.setattr("translate.inference.shipped.pretrained_folder", lambda: ships)
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks)
    assert ended.code == 2
    assert ended.err == ("error: no inpainter ships with this program: name one as --model, such as telea\n")
    shutil.copy(path, ships / "inpaint.safetensors")
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks)
    assert ended.code == 0, ended.err
    for name, mask in (("a.png", hole()), ("b.png", hole()[::-1]), ("deep/c.png", hole()[:, ::-1])):
        changed = (read_picture(folder / name).pixels != read_picture(tmp_path / "out" / name).pixels).any(2)
        assert not changed[~mask].any()
        assert changed[mask].mean() > 0.9
    ended = command("run", path, folder, tmp_path / "not")
    assert ended.code == 2
    assert "error: this model fills holes and needs a mask; use `inpaint`" in ended.err
    ended = command("upscale", folder, tmp_path / "not", "--model", path)
    assert "does not enlarge; `translate inpaint` is for it" in ended.err


def test_what_is_deep_or_flat_around_the_hole_is_computed_in_fp32(mean: Model, hole: Draw, pixels: Draw) -> None:
    model, seen = mean.translator, []
    model.register_forward_hook(lambda module, inputs, output: seen.append(torch.is_autocast_enabled("cpu")))
    inpainter = learned_inpainter(Model(model, mean.card, "mean", mean.device, Numerics("bf16", "contiguous", 1)))
    flat = np.where(hole()[:, :, np.newaxis], pixels(), np.uint8(90))
    for picture in (pixels(), flat, pixels(dtype=np.uint16)):
        fill_holes(inpainter, Picture(picture), hole())
    assert seen == [True, False, False]


def test_a_model_that_gives_no_numbers_fails_in_a_sentence(folder: Path, masks: Path, mean: Model) -> None:
    mean.translator.register_forward_hook(lambda module, inputs, output: output * float("nan"))
    outcomes = list(inpaint_folder(learned_inpainter(mean), folder, folder.parent / "out", masks))
    assert {outcome.reason for outcome in outcomes} == {
        f"{name}: the model's output is not finite; was its training sound?"
        for name in ("a.png", "b.png", "deep/c.png")
    }
