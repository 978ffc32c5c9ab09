"""The demo, with seconds of training instead of minutes: everything that it promises is there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.images import read_picture
from translate import demo
from translate.demo import draw_damage, filter_bilateral, filter_median

HELD_OUT = ("chelsea", "coins")  # the smallest, one of them gray


@pytest.fixture(scope="module")
def shortened() -> Any:
    """The demo on small photographs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "HELD_OUT", HELD_OUT)
        patch.setattr(demo, "TRAINING", ("brick", "coffee"))
        yield


def test_photographs_that_are_trained_on_are_not_held_out() -> None:
    assert len(set(demo.TRAINING)) == 10
    assert not set(demo.TRAINING) & set(demo.HELD_OUT)


def test_the_demo_leaves_sheets_a_report_and_an_honest_table(
    shortened: None, command: Callable[..., Any], tmp_path: Path
) -> None:
    """Takes longer than other tests: it enlarges and fills photographs of full size with the models that ship."""
    out = tmp_path / "demo"
    ended = command("demo", "--out", out, "--minutes", "0.05")
    assert (ended.code, ended.out) == (0, "")
    scores = [float(value) for value in re.findall(r"(\d+\.\d+) dB\n", ended.err)]
    bicubic, upscaled, telea, inpainted, *_ = scores
    assert upscaled > bicubic + 0.3
    assert inpainted > telea
    for name in HELD_OUT:
        before, after, hole = (
            read_picture(out / kind / f"{name}.png").pixels for kind in ("unseen", "filled", "masks")
        )
        assert (after[hole[:, :, 0] == 0] == before[hole[:, :, 0] == 0]).all()
    with Image.open(out / "upscaled.png") as sheet:
        assert sheet.width == 4 * 256 + 3 * 6
    noisy, median, bilateral, translated = scores[-4:]
    assert noisy < median < bilateral
    assert noisy < translated < bilateral
    assert re.search(r"note: \d+ steps are too few .* --minutes 0\.2 ", ended.err)  # as three seconds always are
    for kind, names in (("photos", {"brick", "coffee", "coffee-1", "coffee-2"}), ("unseen", set(HELD_OUT))):
        assert {path.stem for path in (out / kind).iterdir()} == names
    colours = [read_picture(out / "photos" / f"coffee{turn}.png").pixels.mean((0, 1)) for turn in ("", "-1", "-2")]
    assert [int(means.argmax()) for means in colours] == [0, 1, 2]  # red, green and blue in equal parts
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.width > 5 * 200
    assert (out / "run" / "report.html").stat().st_size > 10_000


def test_the_demo_does_not_write_among_other_files(command: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    for place in (tmp_path, tmp_path / "mine.txt", tmp_path / "mine.txt" / "demo"):
        ended = command("demo", "--out", place)
        assert ended.code == 2
        assert ended.err.startswith(f"error: {place}: ")
        assert "choose another --out" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_filters_keep_the_shape_of_gray_and_colour_and_remove_noise() -> None:
    draws = np.random.default_rng(0)
    for channels in (1, 3):
        clean = np.full((40, 30, channels), 120, np.uint8)
        noisy = np.clip(clean + draws.normal(0, 50, clean.shape), 0, 255).astype(np.uint8)
        for filtered in (filter_median(noisy), filter_bilateral(noisy, clean)):
            assert filtered.shape == clean.shape
            assert np.abs(filtered.astype(float) - clean).mean() < 0.7 * np.abs(noisy.astype(float) - clean).mean()


def test_damage_is_a_scratch_and_a_square() -> None:
    hole = draw_damage(200, 300)
    assert hole.shape == (200, 300)
    assert hole[120:148, 165:193].all()
    assert 0.02 < hole.mean() < 0.1
