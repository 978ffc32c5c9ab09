"""Models that ship are found by name; each has a card that says what a person must know."""

import shutil
from pathlib import Path

import pytest

from datasets.errors import UserError
from translate.inference import shipped as builtin
from translate.inference.model import load_model
from translate.inference.model_file import ModelError, model_path


@pytest.fixture
def shipped(model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for `models/pretrained`, with one model in it."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    shutil.copy(model_file, folder / "small.safetensors")
    monkeypatch.setattr(builtin, "pretrained_folder", lambda: folder)
    return folder


def test_a_name_means_the_model_that_ships_under_it(shipped: Path) -> None:
    assert model_path("small") == shipped / "small.safetensors"
    assert load_model("small", device="cpu", precision="fp32").card.step == 0


def test_a_file_or_folder_of_that_name_comes_first(shipped: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(shipped / "small.safetensors", tmp_path / "small")
    assert model_path("small") == Path("small")


def test_an_unknown_name_is_answered_with_those_that_ship(shipped: Path) -> None:
    with pytest.raises(ModelError, match=r"large: there is no such model file; the models that ship are small"):
        model_path("large")


def test_they_are_listed_by_name_and_once(command, shipped: Path) -> None:
    result = command("model", "list", shipped)
    assert result.code == 0
    assert result.out.startswith("small: pix2pix, step 0")
    assert len(result.out.splitlines()) == 1


def test_upscalers_are_named_by_scale_and_input() -> None:
    assert builtin.upscaler_name() == builtin.upscaler_name(4, "clean") == "upscale-x4"
    assert builtin.upscaler_name(2) == "upscale-x2"
    assert builtin.upscaler_name(4, "compressed") == "upscale-x4-compressed"
    with pytest.raises(UserError, match="`scale` 5: of clean pictures the models that ship enlarge 2, 3, 4 times"):
        builtin.upscaler_name(5, "clean")
    with pytest.raises(UserError, match="`input_kind` dirty: expected auto, clean, compressed, damaged"):
        builtin.upscaler_name(4, "dirty")


def test_each_has_a_card_and_is_small() -> None:
    for path in builtin.builtin_models().values():
        card = path.with_suffix(".md").read_text(encoding="utf-8")
        assert path.stat().st_size <= (5_000_000 if path.stem == "inpaint" else 2_000_000)
        assert all(word in card for word in ("Data", "Licence", "Recipe", "Metrics", "translate train"))
