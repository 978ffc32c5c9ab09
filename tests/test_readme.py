"""The commands in the READMEs do what the text says.

The top README is run first, then translate/README.md, in one folder. Trainings are shrunk. The two commands that create
an environment are left to CI, which runs them as printed, and `translate doctor`, which measures for half a minute, to
tests/translate/test_doctor.py.
"""

import multiprocessing
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from translate.cli import app, main

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
GUIDE = ROOT / "translate" / "README.md"
PAGES = [
    README,
    ROOT / ".github" / "CONTRIBUTING.md",
    *sorted(path for folder in ("translate", "models", "datasets", "tests") for path in (ROOT / folder).rglob("*.md")),
]
WORDS = 1000  # more would keep a newcomer reading for longer than five minutes
PICTURES = {"photos": 4, "pairs/A": 4, "pairs/B": 4, "animals/horse": 4, "animals/zebra": 3, "faces": 12, "stickers": 4}


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(path: Path) -> list[str]:
    return [line for block in blocks(path, "sh") for line in block.splitlines()]


@pytest.fixture(scope="module")
def tour(
    tmp_path_factory: pytest.TempPathFactory, smaller: Callable[[str], list[str]], write_idx: Callable[..., Any]
) -> Path:
    """The folder in which every distinct command of both READMEs was run once, in order."""
    if os.name != "posix":
        pytest.skip("runs commands in forks")
    folder = tmp_path_factory.mktemp("readme")
    for kind, count in PICTURES.items():
        (folder / kind).mkdir(parents=True)
        for index in range(count):
            Image.radial_gradient("L").resize((40 + index, 36)).convert("RGB").save(folder / kind / f"{index}.png")
    for index, name in enumerate(("cat", "dog")):
        (folder / "photos" / f"{index}.png").rename(folder / "photos" / f"{name}.png")
    kinds = ("1,1,0", "0,0,1", "1,0,0", "0,1,0")
    rows = ("file,young,blond,brown", *(f"{index}.png,{kinds[index % 4]}" for index in range(12)))
    (folder / "faces" / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    for split in ("train", "t10k"):
        write_idx(folder / "fashion", split, 120, size=28)
    for command in dict.fromkeys([*commands(README), *commands(GUIDE)]):
        if ".venv" not in command and command != "translate doctor":
            _run(command, folder, smaller)
    return folder


def _run(command: str, folder: Path, smaller: Callable[[str], list[str]]) -> None:
    if command.startswith("torchrun "):
        command = command.replace("torchrun", f"{sys.executable} -m torch.distributed.run --standalone", 1)
    words = shlex.split(command)
    if "train" in words:
        place = words.index("train") + 2  # after the recipe; what the command itself sets comes later, and counts
        words[place:place] = [word for override in smaller(words[place - 1]) for word in ("--set", override)]
    with pytest.MonkeyPatch.context() as patch:
        # One thread: on a busy machine two that wait for each other take many times as long.
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.chdir(folder)
        code = _fork(words, patch) if words[0] == "translate" else subprocess.run(words, check=False).returncode
    assert code == 0, f"{command} ended with {code}"


def _fork(words: list[str], patch: pytest.MonkeyPatch) -> int | None:
    """Run a command in a fork of a process that has imported torch: imports are most of a short command's time."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["translate.training.session", "translate.inpainting.masked_folder"])
    patch.setattr(sys, "argv", words)  # the forked process gets these and the current folder
    process = forks.Process(target=main)
    process.start()
    process.join()
    return process.exitcode


def test_the_first_two_commands_do_everything_on_a_fresh_machine() -> None:
    start = "python3 -m venv .venv && . .venv/bin/activate && "
    first, second, third = commands(README)[:3]
    assert first == f"{start}pip install '.[demo]' && translate demo"
    assert second == f"{start}pip install -e '.[dev]' && pytest"  # .ci/run cuts it at the last &&
    assert ".venv" not in third


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) < WORDS


@pytest.mark.parametrize("path", [README, GUIDE], ids=["readme", "guide"])
def test_every_command_succeeds(path: Path, tour: Path) -> None:
    written = {name for command in commands(path) for name in outputs_of(shlex.split(command))}
    assert len(written) > 4
    assert {name for name in written if not (tour / name).exists()} == set()


def outputs_of(words: list[str]) -> Iterator[str]:
    """What a command writes: after --out, or its last path."""
    if "--out" in words:
        yield words[words.index("--out") + 1]
    elif words[:2] in (["translate", "run"], ["translate", "sample"]):
        yield words[4 if words[1] == "run" else 3]
    elif words[:2] in (["translate", "upscale"], ["translate", "inpaint"]):
        yield words[3]


def test_the_results_are_what_the_text_says(tour: Path) -> None:
    names = {"cat.png", "dog.png", "2.png", "3.png"}
    for folder in ("large", "cleaned", "filled", "patched", "stripes", "restored", "younger", "zoo/horse", "zoo/zebra"):
        assert {path.name for path in (tour / folder).glob("*.png")} - {"contact-sheet.png"} == names, folder
    assert len(list((tour / "samples" / "zebra").glob("*.png"))) == 8
    assert (tour / "between" / "horse" / "strip.png").is_file()
    assert (tour / "clothes" / "grid.png").is_file()
    assert (tour / "runs" / "together" / "last.safetensors").is_file()
    with Image.open(tour / "larger" / "cat.png") as output, Image.open(tour / "photos" / "cat.png") as source:
        assert output.size == (2 * source.width, 2 * source.height)


def test_a_run_folder_holds_what_the_guide_lists(tour: Path) -> None:
    section = GUIDE.read_text(encoding="utf-8").split("A **run folder**")[1].split("\n\n")[0]
    listed = {name.rstrip("/") for name in re.findall(r"`([\w/]+\.\w+|\w+/)`", section)}
    assert {"report.html", "samples", "state.pt"} <= listed
    assert {path.name for path in (tour / "runs" / "pairs").iterdir() if not path.name.startswith(".")} == listed


@pytest.mark.parametrize("path", [README, GUIDE], ids=["readme", "guide"])
def test_the_python_examples_work(path: Path, tour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tour)
    names: dict[str, Any] = {}
    examples = blocks(path, "python")
    assert examples
    for example in examples:
        exec(example, names)
    with Image.open("cat.png") as output, Image.open("photos/cat.png") as source:
        assert (output.size, output.mode) == (source.size, source.mode)


def test_every_verb_is_in_the_table() -> None:
    names = {str(command.name) for command in app.registered_commands}
    for group in app.registered_groups:
        assert group.typer_instance is not None
        names |= {f"{group.name} {command.name}" for command in group.typer_instance.registered_commands}
    assert names <= set(verbs_in_the_table())


def verbs_in_the_table() -> Iterator[str]:
    """`recipes list` and `recipes show` for a row that begins with `translate recipes list\\|show`."""
    for row in re.findall(r"^\| `translate (.*?)` \|", README.read_text(encoding="utf-8"), re.MULTILINE):
        verb = re.match(r"[a-z]+(?: [a-z]+(?:\\\|[a-z]+)*)?", row)
        assert verb is not None
        first, _, second = verb[0].partition(" ")
        yield from (f"{first} {name}".strip() for name in second.split("\\|"))
