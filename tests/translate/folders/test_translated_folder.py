"""From folder to folder: every picture comes back as it went in, and a bad one is one failed outcome."""

import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.errors import UserError
from translate.folders.plan import make_plan
from translate.folders.translated_folder import Outcome, RunOptions, run_plan, translate_folder
from translate.inference.model import Model, load_model

Models = Callable[..., Model]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def run(model: Model, source: Path, destination: Path, **options: Any) -> dict[str, Outcome]:
    outcomes = list(translate_folder(model, source, destination, RunOptions.model_validate(options)))
    return {outcome.name.as_posix(): outcome for outcome in outcomes}


def statuses(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {name: outcome.status for name, outcome in outcomes.items()}


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def lines_of(manifest: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]


def drawn(*shape: int, dtype: type = np.uint8, seed: int = 0) -> Pixels:
    pixels: Pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return pixels


def noise(folder: Path, *names: str, size: tuple[int, int] = (12, 10)) -> Path:
    """A folder of pictures of noise, each its own."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn(*size, 3, seed=seed)).save(path)
    return folder


def test_every_picture_comes_back_at_its_path_and_size(photos: Path, loaded: Model, tmp_path: Path) -> None:
    noise(photos, "deep/er/naïve 写真.png", "deep/x.bmp", "deep/y.webp", "z.tiff")
    outcomes = run(loaded, photos, tmp_path / "out")
    assert set(statuses(outcomes).values()) == {"ok"}
    assert files_in(tmp_path / "out") == files_in(photos) | {"manifest.jsonl"}
    for name in files_in(photos):
        with Image.open(photos / name) as before, Image.open(tmp_path / "out" / name) as after:
            assert (after.size, after.mode, after.format) == (before.size, before.mode, before.format)
            assert before.tobytes() != after.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2), (13, 31), (8, 8), (17, 8)])
def test_any_size_from_one_pixel_up(loaded: Model, tmp_path: Path, size: tuple[int, int]) -> None:
    folder = noise(tmp_path / "in", "a.png", size=size)
    assert statuses(run(loaded, folder, tmp_path / "out")) == {"a.png": "ok"}
    assert read_picture(tmp_path / "out" / "a.png").pixels.shape == (*size, 3)


def test_pixels_that_a_model_leaves_alone_come_back_exactly(unchanged: Models, tmp_path: Path) -> None:
    folder = noise(tmp_path / "in", "a.png", "b.bmp", "c.tif", "d.png")
    run(unchanged(), folder, tmp_path / "out", batch=3)
    for name in files_in(folder):
        np.testing.assert_array_equal(read_picture(tmp_path / "out" / name).pixels, read_picture(folder / name).pixels)


def test_a_batch_changes_nothing(loaded: Model, tmp_path: Path) -> None:
    folder = noise(tmp_path / "in", *(f"{number}.png" for number in range(6)), size=(16, 24))
    noise(folder, "2.png", size=(9, 9))
    for batch in (1, 4):
        assert set(statuses(run(loaded, folder, tmp_path / str(batch), batch=batch)).values()) == {"ok"}
    for name in files_in(folder):
        alone, together = (read_picture(tmp_path / batch / name).pixels.astype(int) for batch in "14")
        assert alone.shape == together.shape
        assert np.abs(alone - together).max() <= 1


def test_gray_stays_gray_where_a_model_takes_colours(unchanged: Models, loaded: Model, tmp_path: Path) -> None:
    pixels = drawn(9, 11, 1)
    write_picture(Picture(pixels), tmp_path / "gray.png")
    run(unchanged(), tmp_path / "gray.png", tmp_path / "same.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "same.png").pixels, pixels)
    run(loaded, tmp_path / "gray.png", tmp_path / "made.png")
    with Image.open(tmp_path / "made.png") as made:
        assert made.mode == "L"


def test_gray_becomes_colour_where_a_model_makes_colours_from_gray(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    colours = ("model.channels_in=1", "data.source_channels=1")
    model = load_model(make_model(tmp_path / "colours.safetensors", *colours), device="cpu")
    write_picture(Picture(drawn(9, 11, 1)), tmp_path / "gray.png")
    run(model, tmp_path / "gray.png", tmp_path / "out.png")
    pixels = read_picture(tmp_path / "out.png").pixels
    assert pixels.shape == (9, 11, 3)
    assert (pixels != pixels[:, :, :1]).any()


def test_a_model_of_grays_sees_the_gray_of_colours(unchanged: Models, tmp_path: Path) -> None:
    folder = noise(tmp_path / "in", "a.png")
    run(unchanged(1, 1), folder, tmp_path / "out")
    expected = read_picture(folder / "a.png").pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_picture(tmp_path / "out" / "a.png").pixels[:, :, 0] - expected).max() <= 0.51


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_comes_back_bit_for_bit(loaded: Model, tmp_path: Path, dtype: type) -> None:
    alpha = drawn(10, 12, dtype=dtype, seed=5)
    alpha[2:5, 3:8] = 0
    for channels in (1, 3):
        source, destination = tmp_path / f"{channels}.png", tmp_path / "out" / f"{channels}.png"
        write_picture(Picture(drawn(10, 12, channels, dtype=dtype), alpha), source)
        run(loaded, source, destination)
        made = read_picture(destination)
        assert made.pixels.shape == (10, 12, channels)
        assert made.alpha is not None
        np.testing.assert_array_equal(made.alpha, alpha)


def test_what_lies_under_full_transparency_does_not_smear_over_the_visible(loaded: Model, tmp_path: Path) -> None:
    visible = np.zeros((24, 24), np.uint8)
    visible[6:18, 6:18] = 255
    pixels = np.full((24, 24, 3), 90, np.uint8)
    made = []
    for name, hidden in (("black.png", 0), ("white.png", 255)):
        pixels[visible == 0] = hidden
        write_picture(Picture(pixels, visible), tmp_path / name)
        run(loaded, tmp_path / name, tmp_path / "out")
        made.append(read_picture(tmp_path / "out" / name).pixels)
    np.testing.assert_array_equal(*made)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_stay_sixteen_bits(unchanged: Models, tmp_path: Path, name: str, channels: int) -> None:
    pixels = drawn(9, 11, channels, dtype=np.uint16)
    assert (pixels % 257 != 0).any()  # more than eight bits could say
    write_picture(Picture(pixels), tmp_path / name)
    run(unchanged(), tmp_path / name, tmp_path / "out")
    made = read_picture(tmp_path / "out" / name).pixels
    if channels == 3:
        np.testing.assert_array_equal(made, pixels)
    else:  # through colours and back
        assert made.dtype == np.uint16
        assert np.abs(made.astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_comes_back_upright(unchanged: Models, tmp_path: Path, orientation: int) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.png", "b.tif"):
        Image.fromarray(drawn(6, 9, 3)).save(folder / name, exif=exif)
    upright = read_picture(folder / "a.png").pixels
    assert upright.shape == ((9, 6, 3) if orientation > 4 else (6, 9, 3))
    assert set(statuses(run(unchanged(), folder, tmp_path / "out")).values()) == {"ok"}
    for name in ("a.png", "b.tif"):
        with Image.open(tmp_path / "out" / name) as made:
            assert made.getexif().get(0x0112, 1) == 1
            np.testing.assert_array_equal(np.asarray(made), upright)


def test_a_larger_translation_enlarges_alpha_alike(unchanged: Models, tmp_path: Path) -> None:
    alpha = np.zeros((6, 8), np.uint8)
    alpha[:, 4:] = 255
    write_picture(Picture(drawn(6, 8, 3), alpha), tmp_path / "a.png")
    run(unchanged(scale=4), tmp_path / "a.png", tmp_path / "out")
    made = read_picture(tmp_path / "out" / "a.png")
    assert made.alpha is not None
    assert (made.pixels.shape, made.alpha.shape) == ((24, 32, 3), (24, 32))
    assert made.alpha[:, :12].max() == 0
    assert made.alpha[:, 20:].min() == 255


@pytest.mark.parametrize("work_size", [5, 16, 40])
def test_a_work_size_is_for_the_model_only(
    unchanged: Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work_size: int
) -> None:
    model, seen = unchanged(), []
    model.translator.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[-2:]))
    folder = noise(tmp_path / "in", "wide.png", size=(16, 33))
    noise(folder, "tall.png", size=(40, 10))
    noise(folder, "pixel.png", size=(1, 1))
    assert set(statuses(run(model, folder, tmp_path / "out", work_size=work_size)).values()) == {"ok"}
    assert {min(shape) for shape in seen} == {work_size}
    for name in files_in(folder):
        assert read_picture(tmp_path / "out" / name).pixels.shape == read_picture(folder / name).pixels.shape


def test_a_work_size_keeps_the_depth(unchanged: Models, tmp_path: Path) -> None:
    gradient = np.linspace(0, 65535, 32 * 32 * 3).astype(np.uint16).reshape(32, 32, 3)
    write_picture(Picture(gradient), tmp_path / "a.png")
    run(unchanged(), tmp_path / "a.png", tmp_path / "out", work_size=16)
    made = read_picture(tmp_path / "out" / "a.png").pixels
    assert made.dtype == np.uint16
    assert (made % 257 != 0).mean() > 0.9


def test_a_model_of_one_size_fails_other_sizes_in_a_sentence_each(unchanged: Models, tmp_path: Path) -> None:
    model = unchanged()
    model.translator.only_size = 16
    folder = noise(tmp_path / "in", "fits.png", size=(16, 16))
    noise(folder, "large.png", size=(32, 32))
    noise(folder, "wide.png", size=(16, 33))
    outcomes = run(model, folder, tmp_path / "out")
    assert outcomes["fits.png"].status == "ok"
    expected = "expected 16x16 pixels, all that this model works on, found"
    assert outcomes["large.png"].reason == f"large.png: {expected} 32x32; scale it, as --work-size 16 does"
    assert outcomes["wide.png"].reason == f"wide.png: {expected} 33x16; cut it to a square first"
    again = statuses(run(model, folder, tmp_path / "again", work_size=16))
    assert again == {"fits.png": "ok", "large.png": "ok", "wide.png": "failed"}
    with pytest.raises(UserError, match="found 33x16; cut it to a square first"):
        model(np.zeros((16, 33, 3), np.uint8))


def test_a_domain_is_what_the_model_aims_for(unchanged: Models, tmp_path: Path) -> None:
    folder = noise(tmp_path / "in", "a.png")
    model = unchanged(domains=("positive", "negative"))
    run(model, folder, tmp_path / "out", to="negative")
    negative = read_picture(tmp_path / "out" / "a.png").pixels
    np.testing.assert_array_equal(negative, 255 - read_picture(folder / "a.png").pixels)
    given = read_picture(folder / "a.png").pixels
    np.testing.assert_array_equal(model(given, "negative"), negative)
    with pytest.raises(UserError, match="neutral: this model has the domains positive, negative"):
        model(given, "neutral")


def test_every_domain_gets_its_own_pictures_and_keeps_them_when_others_come(unchanged: Models, tmp_path: Path) -> None:
    folder = noise(tmp_path / "in", "a.png", "b/c.png")
    model = unchanged(domains=("positive", "negative"))
    made = run(model, folder, tmp_path / "out", to=["positive"])
    assert statuses(made) == {"a.png": "ok", "b/c.png": "ok"}
    made = run(model, folder, tmp_path / "both", to="all")
    assert len(statuses(made)) == 4
    for name in ("a.png", "b/c.png"):
        given = read_picture(folder / name).pixels
        np.testing.assert_array_equal(read_picture(tmp_path / "both" / "positive" / name).pixels, given)
        np.testing.assert_array_equal(read_picture(tmp_path / "both" / "negative" / name).pixels, 255 - given)
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


@contextlib.contextmanager
def ordinary_rights() -> Iterator[None]:
    """Let file permissions hold for this thread and those it starts, even for a superuser."""
    if os.geteuid():
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)
    before = (ctypes.c_uint32 * 6)()
    assert libc.capget(head, before) == 0
    reduced = (ctypes.c_uint32 * 6)(*before)
    reduced[0] &= ~0b110  # effective: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(head, reduced) == 0
    try:
        yield
    finally:
        assert libc.capset(head, before) == 0


def test_a_bad_file_is_one_failure_and_the_rest_is_done(unchanged: Models, tmp_path: Path) -> None:
    folder = noise(tmp_path / "in", "good.png", "sub/good.jpg", "truncated.png", "locked.png", size=(40, 40))
    data = (folder / "truncated.png").read_bytes()
    (folder / "truncated.png").write_bytes(data[: len(data) // 2])
    (folder / "locked.png").chmod(0)
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("no picture")
    (folder / "dangling.png").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.png")
    for name in ("phone.heic", "camera.NEF", "moving.gif"):
        (folder / name).write_bytes(b"whatever")
    with ordinary_rights():
        outcomes = run(unchanged(), folder, tmp_path / "out", batch=4)
    reasons = {
        "truncated.png": "damaged or cut-off PNG",
        "locked.png": "denied",
        "empty.jpg": "is empty",
        "text.png": "is not a picture",
        "dangling.png": "[Nn]o such file",
        "pipe.png": "pipe",
        "phone.heic": "HEIC cannot be read",
        "camera.NEF": "camera RAW cannot be read",
        "moving.gif": "GIF cannot be read",
    }
    good = {"good.png", "sub/good.jpg"}
    assert statuses(outcomes) == dict.fromkeys(good, "ok") | dict.fromkeys(reasons, "failed")
    for name, reason in reasons.items():
        sentence = outcomes[name].reason
        assert sentence is not None
        with pytest.raises(AssertionError, match=f"{name}: .*{reason}"):
            raise AssertionError(sentence)
        assert "\n" not in sentence
    assert files_in(tmp_path / "out") == good | {"manifest.jsonl"}


def test_a_file_that_vanishes_before_its_turn_is_one_failure(unchanged: Models, tmp_path: Path) -> None:
    folder, out, model = noise(tmp_path / "in", "a.png", "b.png", "c.png"), tmp_path / "out", unchanged()
    plan = make_plan(model.translator, 16, folder, out, RunOptions())
    (folder / "b.png").unlink()
    outcomes = {outcome.name.name: outcome for outcome in run_plan(model, plan, RunOptions())}
    assert statuses(outcomes) == {"a.png": "ok", "b.png": "failed", "c.png": "ok"}
    assert "b.png" in (outcomes["b.png"].reason or "")
    assert files_in(out) == {"a.png", "c.png", "manifest.jsonl"}


def test_a_file_that_is_replaced_before_its_turn_is_translated_as_it_is_then(unchanged: Models, tmp_path: Path) -> None:
    folder, out, model = noise(tmp_path / "in", "a.png", "b.png"), tmp_path / "out", unchanged()
    plan = make_plan(model.translator, 16, folder, out, RunOptions())
    Image.fromarray(drawn(30, 20, 3, seed=9)).save(folder / "b.png")
    assert [outcome.status for outcome in run_plan(model, plan, RunOptions())] == ["ok", "ok"]
    np.testing.assert_array_equal(read_picture(out / "b.png").pixels, read_picture(folder / "b.png").pixels)
    assert statuses(run(model, folder, out, on_exists="skip")) == {"a.png": "skipped", "b.png": "skipped"}


def test_an_output_folder_that_cannot_be_written_to_keeps_what_it_had(unchanged: Models, tmp_path: Path) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.png", "sub/c.png"), tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    out.chmod(0o555)
    with ordinary_rights():
        outcomes = run(unchanged(), folder, out, on_exists="overwrite")
    out.chmod(0o755)
    assert set(statuses(outcomes).values()) == {"failed"}
    assert all("denied" in (outcome.reason or "") for outcome in outcomes.values())
    assert files_in(out) == {"a.png"}
    assert (out / "a.png").read_bytes() == b"mine"


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


def test_a_full_disk_fails_what_finds_no_place_and_leaves_nothing_half(
    unchanged: Models, no_file_beyond: Callable[[int], AbstractContextManager[None]], tmp_path: Path
) -> None:
    folder, small = noise(tmp_path / "in", "1 large.png", "3 large.bmp", "5 large.tif", size=(300, 300)), tmp_path / "s"
    noise(folder, "2 small.png", "4 small.png")
    with small_disk(small, no_file_beyond):
        outcomes = run(unchanged(), folder, small / "out")
        left, manifest = files_in(small / "out"), lines_of(small / "out" / "manifest.jsonl")
    assert {name for name, status in statuses(outcomes).items() if status == "ok"} == {"2 small.png", "4 small.png"}
    for outcome in outcomes.values():
        if outcome.status == "failed":
            assert str(outcome.output) in (outcome.reason or "")
    assert left == {"2 small.png", "4 small.png", "manifest.jsonl"}
    assert {line["status"] for line in manifest} <= {"writing", "ok", "failed"}


def test_a_manifest_that_finds_no_place_is_told_and_does_not_end_the_run(unchanged: Models, tmp_path: Path) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.png"), tmp_path / "out"
    (out / "manifest.jsonl").mkdir(parents=True)
    outcomes = run(unchanged(), folder, out)
    assert len(outcomes) == 2
    for outcome in outcomes.values():
        assert "manifest.jsonl" in " ".join([outcome.reason or "", *outcome.notes])
    assert not list(out.rglob("*.partial"))


def test_names_that_are_no_unicode_are_names_like_others(
    unchanged: Models, model_file: Path, command: Callable[..., Any], tmp_path: Path
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


def test_the_manifest_tells_each_picture_on_one_line(unchanged: Models, tmp_path: Path) -> None:
    folder = noise(tmp_path / "in", "a.png", "naïve/b.png")
    write_picture(Picture(drawn(5, 7, 1, dtype=np.uint16), drawn(5, 7, dtype=np.uint16)), folder / "deep.png")
    (folder / "bad.png").write_text("no picture")
    run(unchanged(), folder, tmp_path / "out")
    ended = [line for line in lines_of(tmp_path / "out" / "manifest.jsonl") if line["status"] != "writing"]
    assert Counter((line["name"], line["status"]) for line in ended) == Counter(
        [("a.png", "ok"), ("naïve/b.png", "ok"), ("deep.png", "ok"), ("bad.png", "failed")]
    )
    by_name = {line["name"]: line for line in ended}
    assert by_name["deep.png"]["in"] == {"width": 7, "height": 5, "channels": 1, "depth": 16, "alpha": True}
    assert by_name["deep.png"]["out"] == by_name["deep.png"]["in"]
    assert "is not a picture" in by_name["bad.png"]["reason"]
    assert {line["model"] for line in ended} == {"unchanged"}
    assert all(line["v"] == 1 for line in ended)


def test_skip_passes_over_what_is_up_to_date(unchanged: Models, tmp_path: Path) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.png"), tmp_path / "out"
    run(unchanged(), folder, out, limit=1)
    before = (out / "a.png").stat()
    assert statuses(run(unchanged(), folder, out, on_exists="skip")) == {"a.png": "skipped", "b.png": "ok"}
    after = (out / "a.png").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    again = run(unchanged(), folder, out, on_exists="skip", batch=2, threads=1)  # these change no picture
    assert set(statuses(again).values()) == {"skipped"}


def test_skip_refuses_what_another_source_model_or_option_made(unchanged: Models, tmp_path: Path) -> None:
    folder, out, model = noise(tmp_path / "in", "a.png", "b.png"), tmp_path / "out", unchanged()
    run(model, folder, out)
    written = (out / "a.png").read_bytes()

    def only_b_is_kept(model: Model, kept: set[str], **options: Any) -> None:
        outcomes = run(model, folder, out, on_exists="skip", **options)
        for name, outcome in outcomes.items():
            assert outcome.status == ("skipped" if name in kept else "failed")
            if name not in kept:
                assert "was not made from this file by this model with these options" in (outcome.reason or "")

    only_b_is_kept(replace(model, digest="another"), set())
    only_b_is_kept(model, set(), work_size=8)
    only_b_is_kept(model, set(), save={"metadata": "strip"})
    only_b_is_kept(model, {"a.png", "b.png"})  # and those refusals are not held against the files
    Image.fromarray(drawn(12, 10, 3, seed=7)).save(folder / "a.png")
    only_b_is_kept(model, {"b.png"})
    assert (out / "a.png").read_bytes() == written


def test_skip_does_not_take_a_stranger_for_its_own_work(unchanged: Models, tmp_path: Path) -> None:
    folder, out = noise(tmp_path / "in", "a.png"), tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes((folder / "a.png").read_bytes())
    assert statuses(run(unchanged(), folder, out, on_exists="skip")) == {"a.png": "failed"}


@pytest.mark.parametrize("rest", [b'{"v": 1, "name": "b.pn', b"\xff\xfe\x00", b"[]\nnull\n{}\n"])
def test_a_damaged_manifest_is_read_as_far_as_it_goes(unchanged: Models, tmp_path: Path, rest: bytes) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.png", "c.png"), tmp_path / "out"
    run(unchanged(), folder, out, limit=1)
    with (out / "manifest.jsonl").open("ab") as manifest:
        manifest.write(rest)
    expected = {"a.png": "skipped", "b.png": "ok", "c.png": "ok"}
    assert statuses(run(unchanged(), folder, out, on_exists="skip")) == expected
    assert set(statuses(run(unchanged(), folder, out, on_exists="skip")).values()) == {"skipped"}
    assert b'{"v": 1, "name": "b.png", "status": "ok"' in (out / "manifest.jsonl").read_bytes()


def test_a_failure_while_overwriting_leaves_the_older_file_and_its_doubt(unchanged: Models, tmp_path: Path) -> None:
    folder, out = noise(tmp_path / "in", "a.png"), tmp_path / "out"
    run(unchanged(), folder, out)
    written = (out / "a.png").read_bytes()
    out.chmod(0o555)
    with ordinary_rights():
        failed = run(replace(unchanged(), digest="newer"), folder, out, on_exists="overwrite")
    out.chmod(0o755)
    assert statuses(failed) == {"a.png": "failed"}
    assert (out / "a.png").read_bytes() == written
    assert statuses(run(replace(unchanged(), digest="newer"), folder, out, on_exists="skip")) == {"a.png": "failed"}


def test_overwrite_replaces_and_error_refuses(unchanged: Models, tmp_path: Path) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.png"), tmp_path / "out"
    out.mkdir()
    (out / "b.png").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"b\.png: exists"):
        run(unchanged(), folder, out)
    assert files_in(out) == {"b.png"}
    assert (out / "b.png").read_bytes() == b"mine"
    assert set(statuses(run(unchanged(), folder, out, on_exists="overwrite")).values()) == {"ok"}
    np.testing.assert_array_equal(read_picture(out / "b.png").pixels, read_picture(folder / "b.png").pixels)


def test_alpha_that_the_format_cannot_hold_is_a_failure_unless_a_background_is_named(
    unchanged: Models, tmp_path: Path
) -> None:
    alpha = np.zeros((4, 4), np.uint8)
    write_picture(Picture(drawn(4, 4, 3), alpha), tmp_path / "a.png")
    refused = run(unchanged(), tmp_path / "a.png", tmp_path / "a.jpg", save={"format": "jpeg"})
    assert statuses(refused) == {"a.png": "failed"}
    assert not (tmp_path / "a.jpg").exists()
    save = {"format": "jpeg", "background": "white"}
    assert statuses(run(unchanged(), tmp_path / "a.png", tmp_path / "a.jpg", save=save)) == {"a.png": "ok"}
    assert read_picture(tmp_path / "a.jpg").pixels.min() >= 250


def test_a_model_that_draws_gives_one_picture_one_file(make_model: Callable[..., Path], tmp_path: Path) -> None:
    drawing = (
        "model.dropout_at_inference=true",
        "model.generator.depth=6",
        "model.generator.dropout=0.5",
        "data.crop.size=64",
    )
    model = load_model(make_model(tmp_path / "draws.safetensors", *drawing), device="cpu")
    assert model.translator.draws
    folder = noise(tmp_path / "in", "a.png", "b.png", "c.png")
    (folder / "twin of a.png").write_bytes((folder / "a.png").read_bytes())
    for place, options in (("1", {"batch": 1}), ("4", {"batch": 4}), ("shard", {"shard": (2, 3)})):
        torch.manual_seed(len(place))
        run(model, folder, tmp_path / place, **options)
    for name in files_in(folder):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()
    assert (tmp_path / "shard" / "b.png").read_bytes() == (tmp_path / "1" / "b.png").read_bytes()
    assert (tmp_path / "1" / "twin of a.png").read_bytes() != (tmp_path / "1" / "a.png").read_bytes()


def test_values_that_are_no_numbers_are_failures_and_no_files(loaded: Model, tmp_path: Path) -> None:
    next(iter(loaded.translator.parameters())).fill_(float("nan"))
    folder = noise(tmp_path / "in", "a.png", "b.png")
    outcomes = run(loaded, folder, tmp_path / "out", batch=2)
    assert statuses(outcomes) == {"a.png": "failed", "b.png": "failed"}
    assert "values that are no numbers" in (outcomes["a.png"].reason or "")
    assert files_in(tmp_path / "out") <= {"manifest.jsonl"}


def test_a_caller_may_stop_early_and_go_on_later(unchanged: Models, tmp_path: Path) -> None:
    folder, out = noise(tmp_path / "in", *(f"{number}.png" for number in range(30))), tmp_path / "out"
    stream = translate_folder(unchanged(), folder, out)
    next(stream)
    stream.close()
    done = files_in(out) - {"manifest.jsonl"}
    assert 0 < len(done) < 30
    again = run(unchanged(), folder, out, on_exists="skip")
    assert {name for name, outcome in again.items() if outcome.status == "skipped"} == done
    assert set(statuses(again).values()) == {"skipped", "ok"}


ROOT = Path(__file__).parents[3]


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


def test_a_killed_run_is_finished_by_the_same_command(
    model_file: Path, loaded: Model, command: Callable[..., Any], tmp_path: Path
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
        told = process.communicate(timeout=60)[1]
        out, interrupted = tmp_path / str(moment), moments[moment] == signal.SIGINT
        assert process.returncode == (130 if interrupted else -signal.SIGKILL), told
        done = pictures_in(out)
        assert moment <= len(done) < count
        for name in done:
            assert (out / name).read_bytes() == (whole / name).read_bytes()
        if interrupted:
            assert re.fullmatch(rf"interrupted \d+ ok, 0 skipped, 0 failed → {out}", told.splitlines()[-1])
            assert not list(out.glob(".*"))
        ended = command(*arguments(model_file, folder, out))
        assert ended.code == 0, ended.err
        assert re.fullmatch(rf"done \d+ ok, [1-9]\d* skipped, 0 failed → {out}", ended.err.splitlines()[-1])
        assert files_in(out) == files_in(whole)
        for name in files_in(folder):
            assert (out / name).read_bytes() == (whole / name).read_bytes()
