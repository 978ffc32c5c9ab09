"""A run over a folder: bad files, full disks and kills leave whole files and true manifests behind."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.images import read_picture
from datasets.errors import UserError
from translate.folders.manifest import Outcome
from translate.folders.options import RunOptions
from translate.folders.plan import make_plan
from translate.folders.translated_folder import run_plan, translate_folder
from translate.inference.model import Model

ROOT = Path(__file__).parents[3]
Models = Callable[..., Model]
Run = Callable[..., dict[str, Outcome]]
Noise = Callable[..., Path]
Rights = Callable[[], AbstractContextManager[None]]


def statuses(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {name: outcome.status for name, outcome in outcomes.items()}


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def small_disk(folder: Path, no_file_beyond: Callable[[int], AbstractContextManager[None]]) -> Iterator[None]:
    """In `folder` no 200 kB find place: a small disk where one can be mounted, else files kept that small."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if sys.platform == "linux" and subprocess.run(mounting, capture_output=True, check=False).returncode == 0:
        yield
        subprocess.run(["umount", str(folder)], check=True)
    else:
        with no_file_beyond(200_000):
            yield


def started(model: Path, source: Path, destination: Path) -> "subprocess.Popen[str]":
    """A process of its own that translates a folder, computing on one thread and giving way to the test."""
    command = ["nice", "-n", "19", sys.executable, "-m", "translate", *map(str, arguments(model, source, destination))]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings, cwd=source.parent
    )


def arguments(model: Path, source: Path, destination: Path) -> list[object]:
    return ["run", model, source, destination, "--on-exists", "skip", "--device", "cpu", "--precision", "fp32"]


def pictures_in(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".png")] if folder.is_dir() else []


def test_every_picture_comes_back_at_its_path_and_size(
    photos: Path, loaded: Model, tmp_path: Path, run: Run, noise: Noise
) -> None:
    noise(photos, "deep/er/naïve 写真.png", "deep/x.bmp", "deep/y.webp", "z.tiff")
    outcomes = run(loaded, photos, tmp_path / "out")
    assert set(statuses(outcomes).values()) == {"ok"}
    assert files_in(tmp_path / "out") == files_in(photos) | {"manifest.jsonl"}
    for name in files_in(photos):
        with Image.open(photos / name) as before, Image.open(tmp_path / "out" / name) as after:
            assert (after.size, after.mode, after.format) == (before.size, before.mode, before.format)
            assert before.tobytes() != after.tobytes()


def test_every_domain_gets_its_own_pictures_and_keeps_them_when_others_come(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    folder = noise(tmp_path / "in", "a.png", "b/c.png")
    model = unchanged(domains=("positive", "negative"))
    made = run(model, folder, tmp_path / "out", to=["positive"])
    assert statuses(made) == {"a.png": "ok", "b/c.png": "ok"}
    made = run(model, folder, tmp_path / "both", to="all")
    assert len(statuses(made)) == 4
    for name in ("a.png", "b/c.png"):
        before_pixels = read_picture(folder / name).pixels
        np.testing.assert_array_equal(read_picture(tmp_path / "both" / "positive" / name).pixels, before_pixels)
        np.testing.assert_array_equal(read_picture(tmp_path / "both" / "negative" / name).pixels, 255 - before_pixels)
    (tmp_path / "both" / "negative" / "a.png").unlink()
    again = statuses(run(model, folder, tmp_path / "both", to=["negative", "positive"], on_exists="skip"))
    assert again == {
        "negative/a.png": "ok",
        "negative/b/c.png": "skipped",
        "positive/a.png": "skipped",
        "positive/b/c.png": "skipped",
    }
    other = run(model, folder, tmp_path / "out", to=["negative"], on_exists="skip")
    assert set(statuses(other).values()) == {"failed"}  # made toward something else


@pytest.mark.posix("makes a pipe, a link and a file that may not be read")
def test_a_bad_file_is_one_failure_and_the_rest_is_done(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise, ordinary_rights: Rights
) -> None:
    folder = noise(tmp_path / "in", "good.png", "sub/good.jpg", "truncated.png", "locked.png", size=(40, 40))
    data = (folder / "truncated.png").read_bytes()
    (folder / "truncated.png").write_bytes(data[: len(data) // 2])
    (folder / "locked.png").chmod(0)
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("no picture")
    (folder / "dangling.png").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.png")
    for name in ("phone.heic", "camera.NEF", "layers.psd"):
        (folder / name).write_bytes(b"whatever")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    with ordinary_rights():
        outcomes = run(unchanged(), folder, tmp_path / "out", batch=4)
    reasons = {
        "truncated.png": "damaged or cut-off PNG",
        "locked.png": "denied",
        "empty.jpg": "is empty",
        "text.png": "is text, and not a picture",
        "dangling.png": "[Nn]o such file",
        "pipe.png": "pipe",
        "phone.heic": "HEIC is read, and not written: set `format`",
        "camera.NEF": "camera RAW is read, and not written: set `format`",
        "layers.psd": "Photoshop cannot be read",
        "moving.gif": "is animated .2 frames.",
    }
    good = {"good.png", "sub/good.jpg"}
    left_alone = ("phone.heic", "camera.NEF", "layers.psd", "moving.gif")
    expected = dict.fromkeys(good, "ok") | dict.fromkeys(reasons, "failed") | dict.fromkeys(left_alone, "left_alone")
    assert statuses(outcomes) == expected
    for name, reason in reasons.items():
        sentence = outcomes[name].reason
        assert sentence is not None
        with pytest.raises(AssertionError, match=f"{name}: .*{reason}"):
            raise AssertionError(sentence)
        assert "\n" not in sentence
    assert files_in(tmp_path / "out") == good | {"manifest.jsonl"}


def test_a_file_that_vanishes_before_its_turn_is_one_failure(unchanged: Models, tmp_path: Path, noise: Noise) -> None:
    folder, out, model = noise(tmp_path / "in", "a.png", "b.png", "c.png"), tmp_path / "out", unchanged()
    plan = make_plan(model.translator, 16, folder, out, RunOptions())
    (folder / "b.png").unlink()
    outcomes = {outcome.name.name: outcome for outcome in run_plan(model, plan, RunOptions())}
    assert statuses(outcomes) == {"a.png": "ok", "b.png": "failed", "c.png": "ok"}
    assert "b.png" in (outcomes["b.png"].reason or "")
    assert files_in(out) == {"a.png", "c.png", "manifest.jsonl"}


def test_a_file_that_is_replaced_before_its_turn_is_translated_as_it_is_then(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    folder, out, model = noise(tmp_path / "in", "a.png", "b.png"), tmp_path / "out", unchanged()
    plan = make_plan(model.translator, 16, folder, out, RunOptions())
    Image.new("RGB", (20, 30), "olive").save(folder / "b.png")
    assert [outcome.status for outcome in run_plan(model, plan, RunOptions())] == ["ok", "ok"]
    np.testing.assert_array_equal(read_picture(out / "b.png").pixels, read_picture(folder / "b.png").pixels)
    assert statuses(run(model, folder, out, on_exists="skip")) == {"a.png": "skipped", "b.png": "skipped"}


@pytest.mark.posix("takes away the right to write")
def test_an_output_folder_that_cannot_be_written_to_is_found_before_the_first_picture(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise, ordinary_rights: Rights
) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.png", "sub/c.png"), tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    out.chmod(0o555)
    with ordinary_rights(), pytest.raises(UserError, match="out: cannot be written to: Permission denied; choose ano"):
        run(unchanged(), folder, out, on_exists="overwrite")
    with ordinary_rights(), pytest.raises(UserError, match="out/deep/er: cannot be written to: Permission denied"):
        run(unchanged(), folder, out / "deep" / "er")
    out.chmod(0o755)
    assert files_in(out) == {"a.png"}
    assert (out / "a.png").read_bytes() == b"mine"


def test_a_full_disk_ends_the_run_and_leaves_nothing_half(
    unchanged: Models,
    no_file_beyond: Callable[[int], AbstractContextManager[None]],
    tmp_path: Path,
    run: Run,
    noise: Noise,
) -> None:
    folder, small = noise(tmp_path / "in", "3 large.png", "4 large.bmp", "5 large.tif", size=(300, 300)), tmp_path / "s"
    noise(folder, "1 small.png", "2 small.png")
    with small_disk(small, no_file_beyond):
        outcomes = run(unchanged(), folder, small / "out")
        left, manifest = files_in(small / "out"), (small / "out" / "manifest.jsonl").read_text()
    failed = [outcome for outcome in outcomes.values() if outcome.status == "failed"]
    assert {name for name, status in statuses(outcomes).items() if status == "ok"} == {"1 small.png", "2 small.png"}
    assert len(failed) == (1 if failed[0].disk_full else 3)  # where no disk can be mounted, only large files fail
    for outcome in failed:
        assert str(outcome.output) in (outcome.reason or "")
    assert left == {"1 small.png", "2 small.png", "manifest.jsonl"}
    assert {json.loads(line)["status"] for line in manifest.splitlines()} <= {"writing", "ok", "failed"}


def test_names_that_are_no_unicode_are_names_like_others(
    unchanged: Models, model_file: Path, command: Callable[..., Any], tmp_path: Path, run: Run, noise: Noise
) -> None:
    folder, out = noise(tmp_path / "in", "a.png"), tmp_path / "out"
    odd = os.fsdecode(b"caf\xe9.png")
    (folder / "a.png").rename(folder / odd)
    (folder / os.fsdecode(b"bad \xe9.png")).touch()
    assert run(unchanged(), folder, out)[odd].status == "ok"
    assert run(unchanged(), folder, out, on_exists="skip")[odd].status == "skipped"
    for flag in ("--json", "--dry-run"):
        ended = command("run", model_file, folder, tmp_path / flag, flag)
        assert ended.code == (3 if flag == "--json" else 0)
        assert r"caf\udce9.png" in ended.out


def test_overwrite_replaces_and_error_refuses(unchanged: Models, tmp_path: Path, run: Run, noise: Noise) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.png"), tmp_path / "out"
    out.mkdir()
    (out / "b.png").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"b\.png: exists"):
        run(unchanged(), folder, out)
    assert files_in(out) == {"b.png"}
    assert (out / "b.png").read_bytes() == b"mine"
    assert set(statuses(run(unchanged(), folder, out, on_exists="overwrite")).values()) == {"ok"}
    np.testing.assert_array_equal(read_picture(out / "b.png").pixels, read_picture(folder / "b.png").pixels)


def test_a_caller_may_stop_early_and_go_on_later(unchanged: Models, tmp_path: Path, run: Run, noise: Noise) -> None:
    folder, out = noise(tmp_path / "in", *(f"{number}.png" for number in range(30))), tmp_path / "out"
    stream = translate_folder(unchanged(), folder, out)
    next(stream)
    stream.close()
    done = files_in(out) - {"manifest.jsonl"}
    assert 0 < len(done) < 30
    again = run(unchanged(), folder, out, on_exists="skip")
    assert {name for name, outcome in again.items() if outcome.status == "skipped"} == done
    assert set(statuses(again).values()) == {"skipped", "ok"}


@pytest.mark.posix("kills processes by signals")
def test_a_killed_run_is_finished_by_the_same_command(
    model_file: Path, loaded: Model, command: Callable[..., Any], tmp_path: Path, run: Run, noise: Noise
) -> None:
    count = 200
    folder = noise(tmp_path / "in", *(f"{number}.png" for number in range(count)), size=(64, 64))
    whole = tmp_path / "whole"
    run(loaded, folder, whole)
    moments = {1: signal.SIGKILL, 20: signal.SIGKILL, 60: signal.SIGKILL, 40: signal.SIGINT}
    running = {moment: started(model_file, folder, tmp_path / str(moment)) for moment in moments}
    waiting = set(moments)
    while waiting:
        time.sleep(0.002)
        for moment in list(waiting):
            if running[moment].poll() is not None or len(pictures_in(tmp_path / str(moment))) >= moment:
                running[moment].send_signal(moments[moment])
                waiting.remove(moment)
    for moment, process in running.items():
        stderr = process.communicate(timeout=60)[1]
        out, interrupted = tmp_path / str(moment), moments[moment] == signal.SIGINT
        assert process.returncode == (130 if interrupted else -signal.SIGKILL), stderr
        done = pictures_in(out)
        assert moment <= len(done) < count
        for name in done:
            assert (out / name).read_bytes() == (whole / name).read_bytes()
        if interrupted:
            assert re.fullmatch(
                rf"interrupted \d+ ok, 0 skipped, 0 failed, \d+ not tried → {out}", stderr.splitlines()[-1]
            )
            assert not list(out.glob(".*"))
        ended = command(*arguments(model_file, folder, out))
        assert ended.code == 0, ended.err
        assert re.fullmatch(rf"done \d+ ok, [1-9]\d* skipped, 0 failed → {out}", ended.err.splitlines()[-1])
        assert files_in(out) == files_in(whole)
        for name in files_in(folder):
            assert (out / name).read_bytes() == (whole / name).read_bytes()
