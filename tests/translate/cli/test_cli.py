"""The command line: instant help, results on stdout alone, and exit codes."""

import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

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


@pytest.mark.posix("measures the time of a child process")
def test_help_is_instant() -> None:
    import resource  # not on Windows

    def seconds(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        python(*arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    rounds = [(seconds("-c", "pass"), seconds("-m", "translate", "--help")) for _ in range(5)]
    nothing, helped = (statistics.median(times) for times in zip(*rounds, strict=True))
    # Of a core, so that other work on the machine does not count; a slow machine takes long for nothing, too.
    assert helped < max(0.3, 20 * nothing)


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
    assert trained.err.splitlines()[-1].startswith(f"done at step 2 of 2 → {tmp_path / 'run'}")
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
    assert done["counts"] == {"ok": 6, "skipped": 0, "failed": 1, "left_alone": 0}
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
    kind = "pix2pix, step 0, translates colour pictures, licence unknown, "
    assert own.startswith(f"{tmp_path / 'good.safetensors'}: {kind}")
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
    assert "--to black,blond: no picture is both black and blond" in refused.err
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
