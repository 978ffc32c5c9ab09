"""What a format cannot hold is told before anything is computed, and by a dry run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from translate.folders.jobs import find_jobs
from translate.folders.manifest import Outcome
from translate.folders.options import RunOptions
from translate.folders.plan import Problem, find_problem
from translate.inference.model import Model

Models = Callable[..., Model]
Run = Callable[..., dict[str, Outcome]]


@pytest.fixture
def idle(unchanged: Models, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model that enlarges four times and must not be run."""
    monkeypatch.setattr(Model, "run", lambda *_: pytest.fail("was computed"))
    return unchanged(scale=4)


@pytest.mark.parametrize(
    ("name", "width", "save", "reason"),
    [
        ("a.webp", 4096, {}, "the output's 16384 × 32 pixels are more than WEBP holds (16383 a side)"),
        ("a.jpg", 16376, {}, "the output's 65504 × 32 pixels are more than JPEG holds (65500 a side)"),
        ("a.png", 4096, {"format": "webp"}, "the output's 16384 × 32 pixels are more than WEBP holds (16383 a side)"),
        ("a.gif", 16384, {}, "the output's 65536 × 32 pixels are more than GIF holds (65535 a side)"),
    ],
)
def test_a_size_that_the_format_cannot_hold(
    idle: Model, run: Run, tmp_path: Path, name: str, width: int, save: dict[str, Any], reason: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (width, 8)).save(folder / name)
    sentence = f"{name}: {reason}: set `format` to png or tiff"
    (outcome,) = run(idle, folder, tmp_path / "out", save=save).values()
    assert (outcome.status, outcome.reason) == ("failed", sentence)
    options = RunOptions.model_validate({"save": save})
    jobs, _ = find_jobs(folder, tmp_path / "new", options)
    assert [find_problem(job, options, 4) for job in jobs] == [Problem(sentence)]
    assert [find_problem(job, options, 3) for job in jobs] == [None]


def test_alpha_that_the_format_cannot_hold(idle: Model, run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(np.full((8, 8, 4), 9, np.uint8)).save(tmp_path / "in" / "a.png")
    (outcome,) = run(idle, tmp_path / "in", tmp_path / "out", save={"format": "jpeg"}).values()
    assert outcome.status == "failed"
    assert "a.png: the picture has alpha, which JPEG cannot hold: set `background`" in str(outcome.reason)


def test_files_of_several_pictures(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    for options, suffix, left_alone, found in (
        (RunOptions(), ".gif", False, "is animated (2 frames)"),
        (RunOptions(frames="all"), ".gif", False, None),
        (RunOptions(frames="all"), ".jpg", False, "JPEG holds one picture, and this has 2"),
    ):
        (job,), _ = find_jobs(tmp_path / "a.gif", tmp_path / f"out{suffix}", options)
        problem = find_problem(job, options, 1)
        assert (problem is None) == (found is None)
        if problem is not None and found is not None:
            assert found in problem.reason
            assert problem.left_alone == left_alone  # since the user named it
