"""`translate sample` as a person starts it, with models that were trained, a little."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from translate.experiment import load_experiment
from translate.sampling.sampler import load_sampler
from translate.training.session import Training

Command = Callable[..., Any]

BRIEF = ("training.steps=3", "training.batch_size=2", "training.precision=fp32", "training.threads=1")
SQUARES = ("data.kind=pictures", "data.crop.load=18", "data.crop.size=16", "model.size=16")
GRAY = ("data.picture_channels=1", "model.body.hidden=[16]", "model.latent=2")
PERCEPTRONS = ("model.generator.name=mlp", "model.discriminator.name=mlp", "model.latent=3")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and runs; nothing in it ever changes.

    `gan` makes pictures of 3 numbers, and `classes` cats or dogs. `vae` and `autoencoder` have codes of 2.
    """
    place = tmp_path_factory.mktemp("models")
    for number, name in enumerate(("cat/1", "cat/2", "cat/3", "dog/1", "dog/2", "dog/3")):
        path = place / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((20, 20), 20 * number + 20).convert("RGB").save(path)
    labels = "data.labels.kind=folders"
    for run, recipe, settings in (
        ("gan", "gan", PERCEPTRONS),
        ("classes", "conditional-gan", (labels, *PERCEPTRONS)),
        ("vae", "vae", GRAY),
        ("autoencoder", "autoencoder", GRAY),
    ):
        experiment = load_experiment(recipe, [*SQUARES, *BRIEF, *settings])
        assert [*Training(experiment, place / "photos", place / run, device="cpu").run()][-1].step == 3
    (place / "notes.txt").write_text("no folder")
    (place / "taken").mkdir()
    Image.new("RGB", (4, 4)).save(place / "taken" / "000000.png")
    return place


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_samples_of_every_class_and_their_tally(command: Command, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = command("sample", models / "classes", out, "--count", 2, "--grid")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.splitlines()[-1] == f"done 4 ok, 0 skipped, 0 failed → {out}"
    pictures = {f"{kind}/00000{index}.png" for kind in ("cat", "dog") for index in (0, 1)}
    assert names(out) == {*pictures, "grid.png", "manifest.jsonl"}
    loaded = load_sampler(models / "classes", device="cpu")
    assert np.array_equal(np.asarray(Image.open(out / "dog" / "000001.png")), loaded(2, of="dog")[1])


def test_the_same_seed_gives_the_same_bytes(command: Command, models: Path, tmp_path: Path) -> None:
    for out, more in (("first", "--count 20"), ("again", "--count 3"), ("other", "--count 3 --seed 1")):
        assert command("sample", models / "gan", tmp_path / out, *more.split()).code == 0

    def content(out: str, index: int) -> bytes:
        return (tmp_path / out / f"00000{index}.png").read_bytes()

    assert [content("again", index) for index in range(3)] == [content("first", index) for index in range(3)]
    assert content("other", 0) != content("first", 0)


def test_json_is_one_document(command: Command, models: Path, tmp_path: Path) -> None:
    words = ["sample", models / "classes", tmp_path / "out", "--class", "dog", "--count", 1, "--json"]
    document = json.loads(command(*words).out)
    assert document["counts"] == {"ok": 1, "skipped": 0, "failed": 0, "left_alone": 0}
    (file,) = document["files"]
    assert (file["name"], file["classes"], file["source"]) == ("dog/000000.png", ["dog"], "seed 0, class 1, picture 0")
    skipped = json.loads(command(*words, "--on-exists", "skip").out)
    assert skipped["counts"] == {"ok": 0, "skipped": 1, "failed": 0, "left_alone": 0}


def test_classes_are_chosen_by_name(command: Command, models: Path, tmp_path: Path) -> None:
    for out, words in (("both", "--class dog,cat"), ("apart", "--class dog --class cat")):
        assert command("sample", models / "classes", tmp_path / out, "--count", 1, *words.split()).code == 0
        assert names(tmp_path / out) == {"cat/000000.png", "dog/000000.png", "manifest.jsonl"}


def test_every_way_of_sampling(command: Command, models: Path, tmp_path: Path) -> None:
    ways = {
        "--interpolate 3,4 --steps 3": {"000000.png", "000001.png", "000002.png", "strip.png"},
        "--manifold --axes 0,2 --steps 4": {"manifold.png"},
        "--truncation 0.5 --count 1 --format jpeg": {"000000.jpg"},
        f"--arithmetic '{models}/photos/cat/1.png - {models}/photos/dog/1.png'": {"result.png", "strip.png"},
    }
    for number, (words, expected) in enumerate(ways.items()):
        out = tmp_path / str(number)
        ended = command("sample", models / "gan", out, *shlex.split(words))
        assert ended.code == 0, ended.err
        assert names(out) == {*expected, "manifest.jsonl"}
    assert re.search(r"^note: .*1\.png: scaled from 20x20 to the 16x16 pixels of this model$", ended.err, re.MULTILINE)
    assert len(re.findall(r"^note: strip\.png: .*the latent that descent found", ended.err, re.MULTILINE)) == 2


def test_a_vae_makes_sheets_and_adds_up_codes(command: Command, models: Path, tmp_path: Path) -> None:
    assert command("sample", models / "vae", tmp_path / "sheet", "--manifold", "--steps", 5).code == 0
    assert np.asarray(Image.open(tmp_path / "sheet" / "manifold.png")).shape == (5 * 64, 5 * 64)
    cat, dog = (models / "photos" / kind / "1.png" for kind in ("cat", "dog"))
    ended = command("sample", models / "vae", tmp_path / "sum", "--arithmetic", f"{cat} - {dog} + {dog}")
    assert ended.code == 0, ended.err
    assert len(re.findall(r"the latent that the encoder found", ended.err)) == 3
    # What is added and taken away again leaves the reconstruction, which `run` gives, too.
    assert command("run", models / "vae", cat, tmp_path / "cat.png", "--work-size", 16).code == 0
    again = np.asarray(Image.open(tmp_path / "sum" / "result.png").resize((20, 20), Image.Resampling.BICUBIC), int)
    reconstructed = np.asarray(Image.open(tmp_path / "cat.png").convert("L"), int)
    assert abs(again - reconstructed).mean() < 3
    listed = command("model", "list", models / "vae").out
    assert "vae, step 3, latent 2 normal, 16 pixels, " in listed


MISTAKES = [
    ("autoencoder new", 6, "autoencoder: translates pictures and makes none from noise"),
    ("autoencoder new --arithmetic photos/cat/1.png", 6, "translates pictures and makes none .*`translate run`"),
    ("gan new --class cat", 2, "there is no class cat: this model was trained without classes"),
    ("classes new --class dig", 2, r"there is no class dig in this model; did you mean dog\?"),
    ("classes new --class cat,bird", 2, "there is no class bird in this model; there are cat, dog"),
    ("gan notes.txt", 2, r"notes\.txt: is a file; samples need a folder"),
    ("gan taken", 2, r"taken/000000\.png: exists; choose another place, or set --on-exists to skip or overwrite"),
    ("gan new --truncation 0", 2, r"--truncation 0: expected 0\.01 or more"),
    ("gan new --interpolate 1,2 --truncation nan", 2, r"--truncation nan: expected 0\.01 or more"),
    ("gan new --device cuda:99", 2, "--device cuda:99: this machine has none"),
    ("gan new --precision int3", 2, "--precision int3: .*auto, fp32"),
    ("gan new --interpolate 3", 2, "--interpolate 3: expected 2 or more whole numbers"),
    ("gan new --interpolate 3,x", 2, "--interpolate 3,x: expected 2 or more whole numbers"),
    ("gan new --manifold", 2, "a manifold shows 2 numbers, and this model's latents have 3"),
    ("gan new --manifold --steps 1", 2, "--steps 1: expected 2 or more with --manifold"),
    ("gan new --steps 5", 2, "this model makes each picture in one go, so there are no --steps to choose"),
    ("gan new --manifold --axes 1", 2, "--axes 1: expected 2 whole numbers"),
    ("gan new --manifold --axes 0,1,2", 2, "--axes 0,1,2: expected 2 whole numbers"),
    ("gan new --manifold --axes 0,3", 2, "--axes 0,3: expected two different numbers from 0 to 2"),
    ("gan new --arithmetic 'gone.png - notes.txt'", 4, r"gone\.png: there is no such picture; .*needs quotes"),
    ("gan new --arithmetic notes.txt", 5, r"notes\.txt: "),
    ("gan new --arithmetic ''", 2, "--arithmetic: expected pictures with signs between them"),
    ("classes new --arithmetic photos/cat/1.png", 2, "this model makes cat, dog: choose one class"),
]


@pytest.mark.parametrize(("line", "code", "sentence"), MISTAKES, ids=[line for line, _, _ in MISTAKES])
def test_a_mistake_gets_one_sentence_and_its_exit_code(
    command: Command, models: Path, monkeypatch: pytest.MonkeyPatch, line: str, code: int, sentence: str
) -> None:
    monkeypatch.chdir(models)
    before = names(models)
    ended = command("sample", *shlex.split(line))
    assert re.search(rf"^error: .*{sentence}", ended.err, re.MULTILINE), ended.err
    assert ended.err.count("error: ") == 1
    assert (ended.code, ended.out) == (code, "")
    assert names(models) == before


@pytest.mark.parametrize("line", ["gan new --count 0", "gan new --seed -1", "gan new --steps 0"])
def test_what_cannot_be_parsed_is_a_usage_error(
    command: Command, models: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(models)
    ended = command("sample", *line.split())
    assert (ended.code, ended.out) == (2, "")
    assert "Usage: translate sample" in ended.err


def test_a_sampler_is_no_translator(command: Command, models: Path, tmp_path: Path) -> None:
    ended = command("run", models / "gan", models / "photos", tmp_path / "out")
    assert (ended.code, ended.out) == (6, "")
    assert re.search(r"makes pictures from noise and translates none; use `sample`", ended.err)


def test_model_files_tell_what_they_make(command: Command, models: Path) -> None:
    info = yaml.safe_load(command("model", "info", models / "classes").out)
    assert (info["model"], info["latent"], info["prior"], info["size"]) == ("gan", 3, "normal", 16)
    assert (info["classes"], info["encoder"]) == (["cat", "dog"], False)
    assert "scale" not in info
    listed = command("model", "list", models / "classes").out.splitlines()
    assert re.fullmatch(r".*last\.safetensors: gan, step 3, latent 3 normal, 16 pixels, 2 classes, .*", listed[-1])
    row = json.loads(command("model", "list", models / "gan", "--json").out)[-1]
    assert (row["latent"], row["classes"]) == (3, [])


def test_the_best_model_of_a_run_folder_can_be_chosen(command: Command, models: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(models / "gan" / "last.safetensors", run)
    missing = command("sample", run, tmp_path / "out", "--count", 1, "--best")
    assert missing.code == 6
    assert "--best" in missing.err
    assert "has no best.safetensors" in missing.err
    shutil.copy(models / "classes" / "last.safetensors", run / "best.safetensors")
    assert command("sample", run, tmp_path / "out", "--count", 1, "--best").code == 0
    assert (tmp_path / "out" / "dog" / "000000.png").is_file()
    file = command("sample", run / "last.safetensors", tmp_path / "more", "--best")
    assert (file.code, "expected a run folder" in file.err) == (6, True)
