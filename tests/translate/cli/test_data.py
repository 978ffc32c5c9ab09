"""`translate data mixture` and `translate data preview`, as a person starts them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.mixtures import MIXTURES
from datasets.points import PointsConfig, read_points

Command = Callable[..., Any]


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_a_mixture_can_be_learned_from_as_it_was_drawn(command: Command, tmp_path: Path, name: str) -> None:
    out = tmp_path / "new" / name
    ended = command("data", "mixture", name, out, "--count", 500, "--seed", 4)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == f"done 500 points → {out / 'points.csv'}\n"
    assert np.array_equal(read_points(out / "points.csv"), MIXTURES[name].draw(500, 4))
    assert len(PointsConfig().open(out).training) == 450


def test_what_cannot_be_drawn_or_written_is_a_sentence(command: Command, tmp_path: Path) -> None:
    ended = command("data", "mixture", "spiral", tmp_path)
    assert (ended.code, ended.err) == (2, "error: spiral: there is no such mixture; there are ring, grid\n")
    (tmp_path / "points.csv").write_text("mine", encoding="utf-8")
    ended = command("data", "mixture", "ring", tmp_path)
    assert ended.code == 2
    assert ended.err.endswith("points.csv: is there already; remove it, or choose another OUT\n")
    assert (tmp_path / "points.csv").read_text(encoding="utf-8") == "mine"
    ended = command("data", "mixture", "ring", tmp_path / "points.csv")
    assert ended.code == 2
    assert "cannot be written to" in ended.err


def test_data_are_checked(command: Command, tmp_path: Path, photo: Callable[..., Any]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 80, 90, 3)).astype(np.uint8)
    (tmp_path / "data").mkdir()
    for index, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / "data" / f"{index}.png")
    arguments = ("data", "check", tmp_path / "data", "--set", "data.crop.size=64", "--set", "data.crop.load=null")
    ended = command(*arguments)
    assert (ended.code, "3 90x80" in ended.out) == (0, True)
    assert ended.err.endswith(f"done 3 pictures, 0 errors, 0 warnings → {tmp_path / 'data'}\n")
    (tmp_path / "data" / "bad.png").write_bytes(b"broken")
    page, good = tmp_path / "report.html", tmp_path / "good.txt"
    ended = command(*arguments, "--json", "--out", page, "--fix", good)
    document = json.loads(ended.out)
    assert (ended.code, document["would_fail"], document["findings"][0]["files"]) == (5, True, ["bad.png"])
    assert page.is_file()
    assert good.read_text(encoding="utf-8").split() == [str(tmp_path / "data" / f"{index}.png") for index in range(3)]
    assert command("data", "check", tmp_path / "data", "--out", tmp_path / "page.txt").code == 2
