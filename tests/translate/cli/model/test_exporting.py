"""`translate model export`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_the_file_is_printed_and_what_was_compared_is_told(command: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "x2.onnx"
    ended = command("model", "export", "upscale-x2", "--to", "onnx", "--out", out)
    assert (ended.code, ended.out) == (0, f"{out.resolve()}\n")
    assert ended.err.startswith("verified on 6 inputs: largest difference ")
    assert len(ended.err.splitlines()) == 1


def test_the_sidecar_is_printed_as_json(command: Callable[..., Any], tmp_path: Path) -> None:
    ended = command("model", "export", "upscale-x2", "--out", tmp_path / "x2.onnx", "--to-size", "40x30", "--json")
    document = json.loads(ended.out)
    assert ended.err == ""
    assert document["output"]["shape"] == ["batch", 3, 60, 80]
    assert document["out"] == str((tmp_path / "x2.onnx").resolve())


def test_mistakes_name_the_option(command: Callable[..., Any], tmp_path: Path) -> None:
    sized = command("model", "export", "upscale-x2", "--out", tmp_path / "x2.onnx", "--to-size", "40")
    assert (sized.code, sized.err) == (2, "error: --to-size 40: expected width and height in pixels, such as 640x480\n")
    named = command("model", "export", "upscale-x2", "--out", tmp_path / "x2.pt")
    assert named.code == 2
    assert named.err.startswith("error: --out ")
    assert not list(tmp_path.iterdir())
