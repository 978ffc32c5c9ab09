"""The README's commands do what it says; trainings are shrunk, and the commands that install are left to CI."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines()]


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, smaller: Callable[[str], list[str]], write_idx: Callable[..., Any]
) -> Callable[[], Path]:
    """Runs all commands of the tour, in order, once; gives the folder in which they ran."""
    folder = tmp_path_factory.mktemp("readme")
    for kind, count in (
        ("photos", 4),
        ("pairs/A", 4),
        ("pairs/B", 4),
        ("animals/horse", 4),
        ("animals/zebra", 3),
        ("faces", 12),
    ):
        (folder / kind).mkdir(parents=True)
        for index in range(count):
            Image.radial_gradient("L").resize((40 + index, 36)).convert("RGB").save(folder / kind / f"{index}.png")
    kinds = ("1,1,0", "0,0,1", "1,0,0", "0,1,0")
    rows = ("file,young,blond,brown", *(f"{index}.png,{kinds[index % 4]}" for index in range(12)))
    (folder / "faces" / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    (folder / "photos" / "0.png").rename(folder / "photos" / "cat.png")
    for split in ("train", "t10k"):
        write_idx(folder / "fashion", split, 120, size=28)
    done = False

    def run() -> Path:
        nonlocal done
        if not done:
            for command in commands():
                _run(command, folder, smaller)
            done = True
        return folder

    return run


def _run(command: str, folder: Path, smaller: Callable[[str], list[str]]) -> None:
    if ".venv" in command:
        return  # what installs into a fresh environment: CI runs it as printed
    if command.startswith("torchrun "):
        command = command.replace("torchrun", f"{sys.executable} -m torch.distributed.run --standalone", 1)
    words = shlex.split(command)
    if "train" in words:
        place = words.index("train") + 2  # after the recipe; what the command itself sets comes later, and counts
        words[place:place] = [word for override in smaller(words[place - 1]) for word in ("--set", override)]
    if words[0] == "translate":
        words = [sys.executable, "-m", "translate", *words[1:]]
    # One thread: where others are at work too, two that wait for each other take many times as long.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(README.parent)}
    environment["XDG_CACHE_HOME"] = str(folder / "cache")
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_the_first_two_commands_do_everything_on_a_fresh_machine() -> None:
    start = "python3 -m venv .venv && . .venv/bin/activate && "
    assert [command.startswith(start) for command in commands()[:3]] == [True, True, False]
    assert commands()[0].endswith("pip install '.[demo]' && translate demo")
    assert commands()[1].endswith("pip install -e '.[dev]' && pytest")


def test_every_command_of_the_tour_succeeds(told: Callable[[], Path]) -> None:
    folder = told()
    assert sorted(path.name for path in (folder / "mended").glob("*.png")) == ["1.png", "2.png", "3.png", "cat.png"]
    assert len(list((folder / "made" / "zebra").glob("*.png"))) == 8
    assert (folder / "between" / "horse" / "strip.png").is_file()
    assert (folder / "runs" / "pairs" / "report.html").is_file()
    assert len(list((folder / "stripes").glob("*.png"))) == 4
    assert [len(list((folder / "zoo" / kind).glob("*.png"))) for kind in ("horse", "zebra")] == [4, 4]
    assert len(list((folder / "younger").glob("*.png"))) == 4
    assert (folder / "clothes" / "grid.png").is_file()
    with Image.open(folder / "larger" / "cat.png") as made, Image.open(folder / "photos" / "cat.png") as given:
        assert made.size == (2 * given.width, 2 * given.height)
    assert len(list((folder / "whole").glob("*.png"))) == 4
    assert (folder / "runs" / "together" / "last.safetensors").is_file()


def test_the_python_example_works(told: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = told()
    for path in (folder / "mended").iterdir():
        path.unlink()
    monkeypatch.chdir(folder)
    (example,) = blocks("python")
    exec(example, {})
    with Image.open("zebra.png") as zebra:
        assert zebra.mode == "RGB"
    with Image.open("cat.png") as made, Image.open("photos/cat.png") as given:
        assert (made.size, made.mode) == (given.size, given.mode)


def test_every_verb_is_in_the_table() -> None:
    from translate.cli import app

    text = README.read_text(encoding="utf-8")
    names = [command.name for command in app.registered_commands]
    names += [
        f"{group.name} {c.name}" for group in app.registered_groups for c in group.typer_instance.registered_commands
    ]
    for name in names:
        assert f"`translate {name}" in text or f"`{name}" in text, name
