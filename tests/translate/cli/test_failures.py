"""A command that fails says so in one sentence, and in the one document, whatever happens to its output."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from translate.cli.common import print_json

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("upscale gone out --json", 4, "gone: there is no such file or folder"),
        ("run gone.safetensors photos out --json", 6, "gone.safetensors: there is no such model file"),
        ("upscale photos out --on-exists maybe --json", 2, "--on-exists: expected error, skip or overwrite"),
        ("train restore --data gone --out run --json", 5, "gone: expected a folder, found nothing"),
        ("upscale photos --json --nonsense", 2, "the command line cannot be understood"),
    ],
)
def test_a_failure_is_a_document_too(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = command(*line.split())
    document = json.loads(ended.out)
    assert (ended.code, document["exit_code"]) == (code, code)
    assert document["error"].startswith(message)
    assert "error" in ended.err.lower()


def run(line: str, *, stdout: str = "", stderr: str = "") -> "subprocess.CompletedProcess[str]":
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "translate", *line.split()]
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")
    with Path("/dev/full").open("w") as full:
        out, error = (full if name == "full" else subprocess.PIPE for name in (stdout, stderr))
        return subprocess.run(words, text=True, env=surroundings, check=False, stdout=out, stderr=error)


@pytest.mark.parametrize("line", ["recipes list", "--help", "--version"])
def test_output_that_cannot_be_written_is_one_sentence(line: str) -> None:
    ended = run(line, stdout="full")
    assert ended.returncode == 2
    assert ended.stderr == "error: what was to be printed cannot be written: No space left on device; " + (
        "print to another place\n"
    )


def test_messages_that_cannot_be_written_end_nothing(tmp_path: Path) -> None:
    ended = run(f"data mixture ring {tmp_path} --count 5", stderr="full")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert (tmp_path / "points.csv").is_file()


def test_documents_are_json_in_every_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe, "cp1252", "backslashreplace"))  # as redirected on Windows
    document = {"name": "naïve 写真 🐈 \udce9"}
    print_json(document)
    assert json.loads(pipe.getvalue()) == document
