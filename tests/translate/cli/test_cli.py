"""The command line: instant help, results on stdout alone, exit codes, and a sentence for every mistake."""

import json
import os
import re
import resource
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from safetensors.torch import save_file
from torch import zeros

from translate import __version__
from translate.cli import app
from translate.experiment import parse_experiment
from translate.inference.model_file import Card, save_model
from translate.inference.shipped import builtin_models

ROOT = Path(__file__).parents[3]
Command = Callable[..., Any]


def python(*arguments: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """A Python of its own that finds the packages, in a folder."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=surroundings, cwd=folder, check=False
    )


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group of commands, with the words that call it."""
    yield path, command
    for name, part in getattr(command, "commands", {}).items():
        yield from commands(part, (*path, name))


EVERY = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_explains_itself_and_its_options(command: Command, path: tuple[str, ...]) -> None:
    ended = command(*path, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert "Usage: translate" in ended.out
    assert EVERY[path].help
    assert command(*path, "-h").out == ended.out
    for parameter in EVERY[path].params:
        if parameter.name not in ("json", "help"):
            assert getattr(parameter, "help", None), f"{parameter.name} has no help"


def test_the_version_is_one_line(command: Command) -> None:
    ended = command("--version")
    assert (ended.code, ended.out, ended.err) == (0, f"translate {__version__}\n", "")


@pytest.mark.parametrize("words", ["--help", "--version", "run --help", "train --help", "data degrade --help"])
def test_help_imports_nothing_heavy(words: str) -> None:
    ended = python("-X", "importtime", "-m", "translate", *words.split())
    assert ended.returncode == 0
    imported = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in ended.stderr.splitlines() if "|" in line}
    assert "typer" in imported
    assert not imported & {"torch", "torchvision", "numpy", "cv2", "PIL", "albumentations", "safetensors", "yaml"}


def test_help_is_instant() -> None:
    def seconds(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        python(*arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    rounds = [(seconds("-c", "pass"), seconds("-m", "translate", "--help")) for _ in range(5)]
    nothing, helped = (statistics.median(times) for times in zip(*rounds, strict=True))
    # Of a core, so that other work on the machine does not count; a slow machine takes long for nothing, too.
    assert helped < max(0.3, 20 * nothing)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Path:
    """A folder with good and bad things to name on a command line; nothing in it ever changes."""
    place = tmp_path_factory.mktemp("place")
    pictures = {"photos/a.png": 20, "photos/b.png": 24, "lonely/A/1.png": 20, "lonely/B/2.png": 20}
    for name, side in {**pictures, "unequal/A/1.png": 20, "unequal/B/1.png": 24, "taken/a.png": 20}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (side, side)).save(place / name)
    (place / "empty").mkdir()
    model = model_file.read_bytes()
    (place / "good.safetensors").write_bytes(model)
    (place / "cut.safetensors").write_bytes(model[: len(model) // 2])
    save_file({"weight": zeros(1)}, place / "foreign.safetensors")
    (place / "notes.txt").write_text("no picture, no model")
    (place / "broken.yaml").write_text("model: [")
    (place / "list.yaml").write_text("- pix2pix")
    return place


MISTAKES = [
    ("train pix2pixx --data photos --out new", 2, "pix2pixx: there is no such recipe; there are .*pix2pix"),
    ("train gone.yaml --data photos --out new", 2, r"gone\.yaml: there is no such file"),
    ("train broken.yaml --data photos --out new", 2, r"broken\.yaml: is no readable YAML"),
    ("train list.yaml --data photos --out new", 2, r"list\.yaml: expected the sections model, data and training"),
    ("train notes.txt --data photos --out new", 2, r"notes\.txt: there is no such recipe"),
    ("train restore --data photos --out new --set training.stepz=3", 2, r"training\.stepz: unknown; did you mean st"),
    ("train restore --data photos --out new --set training.steps", 2, r"--set training\.steps: expected section\.key="),
    ("train restore --data photos --out new --set training.steps=many", 2, r"training\.steps: .*'many'"),
    ("train restore --data photos --out new --set training.steps=0", 2, r"training\.steps: .*greater than or equal"),
    ("train restore --data photos --out new --set model.name=cyclegun", 2, "model.*cyclegun"),
    ("train restore --data photos --out new --set training=3", 2, "training"),
    ("train restore --data photos --out new --set training.steps.more=3", 2, "steps is a value and has no parts"),
    ("train restore --data photos --out new --set model.channels_in=1", 2, "channels"),
    ("train restore --data photos --out new --set data.pairs.strength=1e9", 5, "noise: strength is .* from 1 to 100"),
    ("train restore --data gone --out new", 5, "gone: expected a folder, found nothing"),
    ("train restore --data notes.txt --out new", 5, r"notes\.txt: expected a folder, found a file"),
    ("train restore --data empty --out new", 5, "empty: found no pair of pictures to learn from"),
    ("train pix2pix --data gone --out new", 5, "gone: expected the folders A and B"),
    ("train pix2pix --data photos --out new", 5, "photos: expected the folders A and B, found no folders"),
    ("train pix2pix --data lonely --out new", 5, "lonely: 2 of its pictures cannot be used.*skip_bad"),
    ("train pix2pix --data unequal --out new", 5, "unequal: 1 of its pictures cannot be used.*skip_bad"),
    ("train restore --data photos --out taken", 2, "taken: is not empty and holds no run; choose another --out"),
    ("train restore --data photos --out notes.txt", 2, r"notes\.txt: "),
    ("train restore --data photos --out new --device cuda:99", 2, "--device cuda:99: there is none here"),
    ("train restore --data photos --out new --init-from gone", 6, "gone: there is no such model file"),
    ("run gone.safetensors photos new", 6, r"gone\.safetensors: there is no such model file"),
    ("run cut.safetensors photos new", 6, r"cut\.safetensors: cannot be read as a model file"),
    ("run foreign.safetensors photos new", 6, r"foreign\.safetensors: .*not written by translate"),
    ("run notes.txt photos new", 6, r"notes\.txt: cannot be read as a model file"),
    ("run photos photos new", 6, r"photos: expected a run folder with last\.safetensors"),
    ("run good.safetensors gone new", 4, "gone: there is no such file or folder"),
    ("run good.safetensors empty new", 4, "empty: holds no picture"),
    ("run good.safetensors notes.txt new", 4, r"notes\.txt: is no picture"),
    ("run good.safetensors photos photos", 2, "photos: lies in the folder that is read"),
    ("run good.safetensors photos photos/new", 2, "photos/new: lies in the folder that is read"),
    ("run good.safetensors photos notes.txt", 2, r"notes\.txt: is a file; a folder of pictures needs a folder"),
    ("run good.safetensors photos taken", 2, r"taken/a\.png: exists; .*--on-exists"),
    ("run good.safetensors photos new --device cuda:99", 2, "--device cuda:99: there is none here; choose auto, cpu"),
    ("run good.safetensors photos new --device toaster", 2, "--device toaster: there is none here; choose auto, cpu"),
    ("run good.safetensors photos new --precision int3", 2, "--precision int3: .*auto, fp32"),
    ("run good.safetensors photos new --batch 0", 2, "--batch: .*greater than or equal to 1"),
    ("run good.safetensors photos new --batch abc", 2, "--batch: .*valid integer"),
    ("run good.safetensors photos new --shard 3/2", 2, "--shard: .*expected i/n"),
    ("run good.safetensors photos new --shard x", 2, "--shard: "),
    ("run good.safetensors photos new --shard 1/2/3", 2, "--shard: "),
    ("run good.safetensors photos new --shard 3/3", 4, "shard 3/3 of 2 pictures is empty"),
    ("run good.safetensors photos new --work-size 0", 2, "--work-size: .*greater than or equal to 1"),
    ("run good.safetensors photos new --work-size abc", 2, "--work-size: .*valid integer"),
    ("run good.safetensors photos new --on-exists maybe", 2, "--on-exists: .*'error', 'skip' or 'overwrite'"),
    ("run good.safetensors photos new --to nowhere", 2, "--to: nowhere: this model has no domains"),
    ("run good.safetensors photos new --format gif", 2, "--format: .*'png'"),
    ("run good.safetensors photos new --quality 101", 2, "--quality: .*less than or equal to 100"),
    ("run good.safetensors photos new --background nocolour", 2, "--background: .*nocolour"),
    ("run good.safetensors photos/a.png new.jpg", 2, r"new\.jpg: is another format than PNG"),
    ("sample gone new", 6, "gone: there is no such model file"),
    ("sample good.safetensors new", 6, r"good\.safetensors: translates pictures and makes none .*`translate run`"),
    ("sample good.safetensors new --interpolate 1,2 --manifold", 2, "--interpolate and --manifold: exclude each other"),
    ("sample good.safetensors new --arithmetic a --manifold", 2, "--arithmetic and --manifold: exclude each other"),
    ("sample good.safetensors new --manifold --count 3", 2, "--count: has no meaning with --manifold; leave it out"),
    ("sample good.safetensors new --interpolate 1,2 --seed 0", 2, "--seed: has no meaning with --interpolate"),
    ("sample good.safetensors new --arithmetic a --grid", 2, "--grid: has no meaning with --arithmetic"),
    ("sample good.safetensors new --steps 3", 2, "--steps: has a meaning only with --interpolate or --manifold"),
    ("sample good.safetensors new --axes 0,1", 2, "--axes: has a meaning only with --manifold"),
    ("sample good.safetensors new --batch 0", 2, "--batch: .*greater than or equal to 1"),
    ("sample good.safetensors new --on-exists maybe", 2, "--on-exists: .*'error', 'skip' or 'overwrite'"),
    ("sample good.safetensors new --format gif", 2, "--format: .*'png'"),
    ("sample good.safetensors new --format keep", 2, "--format keep: there is no file whose format to keep"),
    ("data degrade rust photos new", 2, "rust: there is no such degradation; there are gray, edges"),
    ("data degrade blur photos new --strength 1000", 5, "blur: strength is the Gaussian's .*, from 0.1 to 20, and"),
    ("data degrade blur photos new --strength nan", 5, "blur: strength is .*nan"),
    ("data degrade blur gone new", 4, "gone: there is no such file or folder"),
    ("data degrade blur empty new", 4, "empty: holds no picture"),
    ("data degrade blur photos photos", 2, "photos: lies in the folder that is read"),
    ("data degrade blur photos taken", 2, r"taken/a\.png: exists"),
    ("model info gone", 6, "gone: there is no such model file"),
    ("model info notes.txt", 6, r"notes\.txt: cannot be read as a model file"),
    ("model list gone", 2, "gone: expected a folder"),
    ("recipes show gone", 2, "gone: there is no such recipe"),
    ("recipes show broken.yaml --full", 2, r"broken\.yaml: is no readable YAML"),
]


@pytest.mark.parametrize(("line", "code", "sentence"), MISTAKES, ids=[line for line, _, _ in MISTAKES])
def test_a_mistake_gets_one_sentence_and_its_exit_code(
    command: Command, place: Path, monkeypatch: pytest.MonkeyPatch, line: str, code: int, sentence: str
) -> None:
    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    ended = command(*shlex.split(line))
    assert re.search(rf"^error: .*{sentence}", ended.err, re.MULTILINE), ended.err
    assert ended.err.count("error: ") == 1
    assert "Traceback" not in ended.err
    assert (ended.code, ended.out) == (code, "")
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("line", ["nonsense", "run", "run --nonsense a b c", "train restore", "run a b c --limit 0"])
def test_what_cannot_be_parsed_is_a_usage_error(command: Command, line: str) -> None:
    ended = command(*line.split())
    assert (ended.code, ended.out) == (2, "")
    assert "Usage: translate" in ended.err
    assert "Traceback" not in ended.err


def test_a_run_ends_with_its_tally_and_says_nothing_on_stdout(
    command: Command, model_file: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = command("run", model_file, photos, out, "--limit", 2)
    assert (first.code, first.out) == (0, "")
    assert first.err.splitlines()[-1] == f"done 2 ok, 0 skipped, 0 failed → {out}"
    (photos / "bad.png").write_text("no picture")
    second = command("run", model_file, photos, out, "--on-exists", "skip")
    assert (second.code, second.out) == (3, "")
    lines = second.err.splitlines()
    assert lines[-1] == f"done 4 ok, 2 skipped, 1 failed → {out}"
    assert [line for line in lines if line.startswith("failed: ") and "bad.png" in line]


def test_without_a_terminal_there_are_only_plain_lines(
    command: Command, photos: Path, shrunk: tuple[str, ...], tmp_path: Path
) -> None:
    settings = [word for setting in shrunk for word in ("--set", setting)]
    trained = command("train", "restore", "--data", photos, "--out", tmp_path / "run", *settings, "--device", "cpu")
    (photos / "bad.png").write_text("no picture")
    ran = command("run", tmp_path / "run", photos, tmp_path / "out")
    for ended in (trained, ran):
        assert ended.out == ""
        assert not set("\x1b\r━") & set(ended.err)
    assert trained.code == 0
    assert trained.err.splitlines()[-1] == f"done at step 2 of 2 → {tmp_path / 'run'}"
    assert re.search(r"^step 2/2: .*generator/l1", trained.err, re.MULTILINE)


def test_json_is_one_document_and_alone_on_stdout(
    command: Command, photos: Path, shrunk: tuple[str, ...], tmp_path: Path
) -> None:
    def told(code: int, *arguments: object) -> Any:
        ended = command(*arguments, "--json")
        assert ended.code == code, ended.err
        return json.loads(ended.out)

    run, out = tmp_path / "run", tmp_path / "out"
    settings = [word for setting in shrunk for word in ("--set", setting)]
    trained = told(0, "train", "restore", "--data", photos, "--out", run, *settings, "--device", "cpu")
    assert (trained["run"], trained["step"]) == (str(run), 2)
    assert set(trained["metrics"]) >= {"l1", "psnr", "ssim"}
    assert told(0, "recipes", "list")["pix2pix"].startswith("Pix2Pix")
    assert told(0, "model", "info", run)["step"] == 2
    listed = {row["model"] for row in told(0, "model", "list", tmp_path)}
    assert listed == {*builtin_models(), str(run / "last.safetensors"), str(run / "best.safetensors")}
    planned = told(0, "run", run, photos, out, "--dry-run")
    assert planned["out"] == str(out)
    assert {file["out"] for file in planned["files"]} == {str(out / path.name) for path in photos.iterdir()}
    assert not out.exists()
    (photos / "naïve.png").write_text("no picture")
    done = told(3, "run", run, photos, out)
    assert done["counts"] == {"ok": 6, "skipped": 0, "failed": 1}
    assert {file["name"]: file["status"] for file in done["files"]}["naïve.png"] == "failed"


def test_listings_are_for_eyes_and_for_pipes(command: Command, model_file: Path, tmp_path: Path) -> None:
    listed = command("recipes", "list")
    assert (listed.code, listed.err) == (0, "")
    assert re.search(r"^pix2pix +Pix2Pix: ", listed.out, re.MULTILINE)
    (tmp_path / "good.safetensors").write_bytes(model_file.read_bytes())
    (tmp_path / "bad.safetensors").write_text("no model")
    models = command("model", "list", tmp_path)
    shipped, own = models.out.splitlines()[:-1], models.out.splitlines()[-1]
    assert [line.split(":")[0] for line in shipped] == list(builtin_models())
    assert own == f"{tmp_path / 'good.safetensors'}: pix2pix, step 0"
    assert "bad.safetensors" in models.err
    info = command("model", "info", model_file)
    assert (info.code, info.err) == (0, "")
    assert "channels: 3 in, 3 out" in info.out


def test_a_dry_run_names_every_output_and_writes_nothing(
    command: Command, model_file: Path, photos: Path, tmp_path: Path
) -> None:
    ended = command("run", model_file, photos, tmp_path / "out", "--dry-run")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        f"{name} → {tmp_path / 'out' / name}" for name in sorted(path.name for path in photos.iterdir())
    ]
    assert ended.err.splitlines()[-1].startswith("would translate 6 pictures")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained StarGAN of hair that excludes each other, and age."""
    labels = {"names": ["black", "blond", "young"], "exclusive": [["black", "blond"]]}
    small = {"generator": {"blocks": 1, "width": 4}, "discriminator": {"layers": 2, "width": 4}, "label_sets": [labels]}
    tree = {"model": {"name": "stargan", **small}, "data": {"kind": "attributes"}}
    experiment = parse_experiment(tree, "test")
    path = tmp_path_factory.mktemp("faces") / "faces.safetensors"
    save_model(path, experiment.model.translator(), Card(experiment=experiment, step=0, trained_size=16))
    return path


def test_a_run_makes_what_is_asked_for_and_all_of_it_in_folders(
    command: Command, faces: Path, photos: Path, tmp_path: Path
) -> None:
    names = sorted(path.name for path in photos.iterdir())
    for number, (to, folders) in enumerate(
        {
            ("young",): ["."],
            ("blond,young",): ["."],
            ("blond,young", "--to", "black"): ["blond,young", "black"],
            ("all",): ["black", "blond", "young"],
        }.items()
    ):
        out = tmp_path / str(number)
        ended = command("run", faces, photos, out, "--precision", "fp32", "--to", *to)
        assert (ended.code, ended.out) == (0, ""), ended.err
        assert f"done {len(folders) * len(names)} ok" in ended.err
        for folder in folders:
            assert sorted(path.name for path in (out / folder).iterdir() if path.suffix != ".jsonl") == names
    refused = command("run", faces, photos, tmp_path / "none", "--to", "black,blond")
    assert (refused.code, refused.out) == (2, "")
    assert "no picture is black and blond" in refused.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("stranger", ["datasets/__init__.py", "models/__init__.py", "datasets.py"])
def test_a_stranger_under_one_of_our_names_is_told_of(tmp_path: Path, stranger: str) -> None:
    (tmp_path / stranger).parent.mkdir(exist_ok=True)
    (tmp_path / stranger).touch()
    ended = python("-m", "translate", "recipes", "list", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    name = Path(stranger).parts[0].removesuffix(".py")
    assert re.fullmatch(
        rf"error: the package {name} that Python finds is .*, not translate's own in .*\n", ended.stderr
    )


def test_a_folder_of_data_called_datasets_is_no_stranger(tmp_path: Path) -> None:
    (tmp_path / "datasets" / "photos").mkdir(parents=True)
    assert python("-m", "translate", "recipes", "list", folder=tmp_path).returncode == 0


def test_a_reader_that_has_had_enough_gets_no_traceback(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "translate", "recipes", "list"]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
