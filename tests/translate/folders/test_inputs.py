"""What a run reads: lists with comments, and patterns that match nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from translate.folders.inputs import read_list
from translate.folders.jobs import NothingFoundError, find_jobs
from translate.folders.options import RunOptions


def test_a_list_may_have_comments_and_a_file_may_be_called_like_one(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "#1.png").touch()
    lines = ["# holiday", "a.png", "", "  #b.png", "#1.png", "c #2.png"]
    assert read_list(lines) == [Path("a.png"), Path("#1.png"), Path("c #2.png")]


@pytest.mark.parametrize("sources", [("*.png",), ("a.jpg", "sub/[ab]?.png")])
def test_a_pattern_that_matches_nothing_is_said_to_be_one(sources: tuple[str, ...], tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    with pytest.raises(NothingFoundError, match=r"\.png: no file matches this pattern$"):
        find_jobs([tmp_path / source for source in sources], tmp_path / "out", RunOptions())
    assert not (tmp_path / "out").exists()


def test_a_list_that_is_not_there_or_no_text_is_a_sentence(
    command: Callable[..., Any], photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "pictures.txt").write_bytes(b"\xff\xfe\xfa")
    gone = command("upscale", "--from-file", tmp_path / "picture.txt", tmp_path / "out")
    assert (gone.code, gone.err.count("\n")) == (4, 1)
    assert gone.err.endswith(f"there is no such list; did you mean {tmp_path / 'pictures.txt'}?\n")
    binary = command("upscale", "--from-file", tmp_path / "pictures.txt", tmp_path / "out")
    assert (binary.code, binary.err.count("\n")) == (2, 1)
    assert "expected a text in UTF-8, one path a line" in binary.err
