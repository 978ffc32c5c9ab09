"""What the verbs from folder to folder do alike: inputs, dry runs, sheets, and pictures that arrive later."""

import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from translate.experiment import parse_experiment
from translate.folders import watching
from translate.inference.model_file import Card, save_model

Command = Callable[..., Any]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_name_chooses_the_format(command: Command, model_file: Path, photos: Path, tmp_path: Path) -> None:
    ended = command("run", model_file, photos / "c.jpg", tmp_path / "big.png", "--json")
    assert ended.code == 0
    with Image.open(tmp_path / "big.png") as picture:
        assert picture.format == "PNG"
    (file,) = json.loads(ended.out)["files"]
    assert file["out"] == str(tmp_path / "big.png")
    assert (file["before"]["width"], file["after"]["width"]) == (48, 48)


@pytest.mark.parametrize(("name", "format"), [("jpg", "JPEG"), ("tif", "TIFF"), ("JPG", "JPEG")])
def test_formats_have_the_names_of_suffixes_too(
    command: Command, model_file: Path, photos: Path, tmp_path: Path, name: str, format: str
) -> None:
    assert command("run", model_file, photos / "a.png", tmp_path / "out", "--format", name).code == 0
    (path,) = (path for path in (tmp_path / "out").iterdir() if path.stem == "a")
    with Image.open(path) as picture:
        assert picture.format == format


def test_inputs_are_several_or_a_list(
    command: Command, model_file: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("run", model_file, photos / "a.png", photos / "b.png", tmp_path / "1").code == 0
    (tmp_path / "list").write_text(f"{photos / 'a.png'}\n{photos / 'b.png'}\n")
    assert command("run", model_file, "--from-file", tmp_path / "list", tmp_path / "2").code == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO((tmp_path / "list").read_text()))
    assert command("run", model_file, tmp_path / "3", "--from-file", "-").code == 0
    assert command("run", model_file, photos / "[ab].png", tmp_path / "4").code == 0
    for number in "1234":
        assert files(tmp_path / number) == {"a.png", "b.png", "manifest.jsonl"}


def test_a_dry_run_looks_into_the_files(command: Command, model_file: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "bad.png").write_text("no picture")
    (photos / "draft.psd").write_bytes(b"whatever")
    ended = command("run", model_file, photos, tmp_path / "out", "--dry-run", "--json")
    document = json.loads(ended.out)
    assert ended.code == 0
    assert len(document["files"]) == 6
    assert {problem["name"]: problem["left_alone"] for problem in document["problems"]} == {
        "bad.png": False,
        "draft.psd": True,
    }
    assert "would fail: " in ended.err
    assert "would be left alone: draft.psd: Photoshop cannot be read" in ended.err


def test_a_broken_file_is_told_once_for_all_domains(command: Command, tmp_path: Path, photos: Path) -> None:
    labels = {"names": ["blond", "young"], "exclusive": []}
    small = {"generator": {"blocks": 1, "width": 4}, "discriminator": {"layers": 2, "width": 4}, "label_sets": [labels]}
    tree = {"model": {"name": "stargan", **small}, "data": {"kind": "attributes"}}
    experiment = parse_experiment(tree, "test")
    path = tmp_path / "faces.safetensors"
    save_model(path, experiment.model.translator(), Card(experiment=experiment, step=0, trained_size=16))
    (photos / "bad.png").write_text("no picture")
    ended = command("run", path, photos, tmp_path / "out", "--to", "all", "--precision", "fp32")
    assert ended.code == 3
    assert len([line for line in ended.err.splitlines() if line.startswith("failed: ")]) == 1
    assert "12 ok, 0 skipped, 2 failed" in ended.err.splitlines()[-1]


def test_kinds_that_are_not_read_do_not_fail_every_run(
    command: Command, model_file: Path, photos: Path, tmp_path: Path
) -> None:
    (photos / "draft.psd").write_bytes(b"whatever")
    for tally in ("done 6 ok, 0 skipped, 0 failed, 1 left alone", "done 0 ok, 6 skipped, 0 failed, 1 left alone"):
        ended = command("run", model_file, photos, tmp_path / "out", "--on-exists", "skip")
        assert ended.code == 0
        assert ended.err.splitlines()[-1].startswith(tally)
    assert command("run", model_file, photos / "draft.psd", tmp_path / "out").code == 3


def test_a_sheet_is_never_written_over_another_file(
    command: Command, model_file: Path, photos: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "b-contact-sheet.png"
    sheet.write_bytes(b"mine")
    arguments = ("run", model_file, photos / "a.png", tmp_path / "b.png", "--compare")
    refused = command(*arguments)
    assert (refused.code, sheet.read_bytes()) == (2, b"mine")
    assert "contact-sheet.png: exists; move it, or set --on-exists to overwrite, or leave --compare out" in refused.err
    assert not (tmp_path / "b.png").exists()
    ended = command(*arguments, "--on-exists", "overwrite", "--json")
    assert json.loads(ended.out)["sheet"] == str(sheet)
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"


def test_a_limit_advances_where_the_rest_is_skipped(
    command: Command, model_file: Path, photos: Path, tmp_path: Path
) -> None:
    for done in range(3):
        ended = command("run", model_file, photos, tmp_path / "out", "--limit", 1, "--on-exists", "skip")
        assert ended.err.splitlines()[-1].startswith(f"done 1 ok, {done} skipped, 0 failed")


def test_what_arrives_is_translated_once_it_is_whole(
    command: Command, model_file: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(watching, "SETTLED", 0.3)
    data, out = (photos / "a.png").read_bytes(), tmp_path / "out"
    (photos / "sub").mkdir()

    def wait_for(name: str) -> None:
        deadline = time.monotonic() + 20
        while not (out / name).exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    def arrive() -> None:
        wait_for("f.png")
        with (photos / "sub" / "late.png").open("wb") as file:  # in two parts, as over a network
            file.write(data[: len(data) // 2])
            file.flush()
            time.sleep(0.15)
            file.write(data[len(data) // 2 :])
        (photos / "broken.png").write_text("no picture")
        wait_for("sub/late.png")
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=arrive)
    thread.start()
    ended = command("run", model_file, photos, out, "--watch", "--json")
    thread.join()
    assert ended.code == 3
    assert json.loads(ended.out)["counts"] == {"ok": 7, "skipped": 0, "failed": 1, "left_alone": 0}
    assert files(out) == {*(files(photos) - {"broken.png"}), "manifest.jsonl"}
    assert "watching" in ended.err


def test_shells_complete_commands(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TRANSLATE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "translate ups")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert command().out.split() == ["upscale"]
