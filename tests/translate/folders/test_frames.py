"""`frames` all: every picture of an animation or of a TIFF of several pages is translated."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from datasets.codecs.frames import read_frames
from translate.folders.manifest import Outcome
from translate.inference.model import Model

Models = Callable[..., Model]
Run = Callable[..., dict[str, Outcome]]


@pytest.fixture
def animations(tmp_path: Path) -> Path:
    """A folder of animations, of pages and of one still picture."""
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 4, (12, 16, 3), np.uint8) * 64) for _ in range(3)]
    timing: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": [50, 100, 150], "loop": 2}
    frames[0].save(folder / "a.gif", **timing)
    frames[0].save(folder / "a.png", **timing)
    frames[0].save(folder / "a.webp", lossless=True, **timing)
    with tifffile.TiffWriter(folder / "a.tif") as file:
        for frame in frames:
            file.write(np.asarray(frame), photometric="rgb", metadata=None)
    frames[0].save(folder / "still.gif")
    return folder


@pytest.mark.parametrize("batch", [1, 2, None])
def test_every_frame_is_translated_and_the_timing_kept(
    unchanged: Models, run: Run, animations: Path, tmp_path: Path, batch: int | None
) -> None:
    outcomes = run(unchanged(scale=2), animations, tmp_path / "out", frames="all", batch=batch)
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}
    for name in ("a.gif", "a.png", "a.webp", "a.tif"):
        before, after = read_frames(animations / name), read_frames(tmp_path / "out" / name)
        assert after.timing == before.timing
        for one, other in zip(before.pictures, after.pictures, strict=True):
            assert np.array_equal(other.pixels, one.pixels.repeat(2, 0).repeat(2, 1))
    records = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    counts = {record["name"]: record.get("frames") for record in records if record["status"] == "ok"}
    assert counts == {"a.gif": 3, "a.png": 3, "a.webp": 3, "a.tif": 3, "still.gif": None}
    again = run(unchanged(scale=2), animations, tmp_path / "out", frames="all", on_exists="skip")
    assert {outcome.status for outcome in again.values()} == {"skipped"}


def test_the_default_names_them_and_leaves_them(unchanged: Models, run: Run, animations: Path, tmp_path: Path) -> None:
    outcomes = run(unchanged(), animations, tmp_path / "out")
    assert outcomes.pop("still.gif").status == "ok"
    for outcome in outcomes.values():
        assert outcome.status == "left_alone"
        assert str(outcome.reason).endswith("apart, or set `frames` to all to translate each")
    (named,) = run(unchanged(), animations / "a.gif", tmp_path / "single.gif").values()
    assert named.status == "failed"


def test_a_format_of_one_picture_is_refused_before_computing(
    unchanged: Models, run: Run, animations: Path, tmp_path: Path
) -> None:
    (outcome,) = run(unchanged(), animations / "a.gif", tmp_path / "a.jpg", frames="all").values()
    assert (outcome.status, outcome.reason) == (
        "failed",
        "JPEG holds one picture, and this has 3: choose gif, png, webp or tiff",
    )
    (outcome,) = run(unchanged(), animations / "a.gif", tmp_path / "a.webp", frames="all").values()
    assert outcome.status == "ok"
    assert read_frames(tmp_path / "a.webp").timing == read_frames(animations / "a.gif").timing
