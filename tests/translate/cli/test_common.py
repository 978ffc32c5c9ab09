"""What the commands share: options for settings in messages, exit codes, and the one document."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from datasets.errors import UserError
from translate.cli import app
from translate.cli.common import (
    SETTING,
    Results,
    finish,
    option_name,
    parse_options,
    print_results,
    spell_options,
)
from translate.folders.manifest import Outcome
from translate.folders.options import RunOptions

ROOT = Path(__file__).parents[3]
BELOW = sorted(
    path
    for package in ("translate", "models", "datasets")
    for path in (ROOT / package).rglob("*.py")
    if (ROOT / "translate" / "cli") not in path.parents
)


def texts(path: Path) -> Iterator[str]:
    """The strings of a module that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def options_of(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (name for name in parameter.opts if name.startswith("--"))
    for part in getattr(command, "commands", {}).values():
        yield from options_of(part)


def test_settings_in_backticks_become_options() -> None:
    assert spell_options("exists; set `on_exists` to skip, or `work_size` 64") == (
        "exists; set --on-exists to skip, or --work-size 64"
    )
    assert spell_options("use `sample`; see `translate run`, `generate` and `data.crop.size`") == (
        "use `sample`; see `translate run`, `generate` and `data.crop.size`"
    )
    assert option_name("input_kind") == "--input"


def test_every_setting_is_an_option_of_a_command() -> None:
    settings = re.findall(r"[a-z_]+", SETTING)
    assert {option_name(setting) for setting in settings} <= set(options_of(typer.main.get_command(app)))


def test_only_the_command_line_names_options() -> None:
    named = {
        (path.relative_to(ROOT), text) for path in BELOW for text in texts(path) if re.search(r"(?<!-)--[a-z]", text)
    }
    # What to type to install another torch names options of pip; cards and pages tell readers what to type.
    assert {path.name for path, _ in named} <= {"doctor.py", "darktable.py", "hub_card.py", "page.py"}


def test_settings_that_messages_name_are_known_to_the_command_line() -> None:
    options = set(options_of(typer.main.get_command(app)))
    quoted = {name for path in BELOW for text in texts(path) for name in re.findall("`([a-z_]+)`", text)}
    assert "on_exists" in quoted
    unknown = {name for name in quoted if option_name(name) in options and not re.fullmatch(SETTING, f"`{name}`")}
    assert not unknown


@pytest.mark.parametrize(
    ("statuses", "interrupted", "line", "code"),
    [
        (("ok", "ok"), False, "done 2 ok, 0 skipped, 0 failed", 0),
        (("ok", "skipped", "failed"), False, "done 1 ok, 1 skipped, 1 failed", 3),
        (("ok", "memory"), False, "done 1 ok, 0 skipped, 1 failed", 7),
        (("ok", "failed"), True, "interrupted 1 ok, 0 skipped, 1 failed, 7 not tried", 130),
        (("ok", "left_alone"), False, "done 1 ok, 0 skipped, 0 failed, 1 left alone", 0),
        (("left_alone", "left_alone"), False, "done 0 ok, 0 skipped, 0 failed, 2 left alone", 4),
    ],
)
def test_a_run_ends_with_a_tally_and_an_exit_code(
    statuses: tuple[Any, ...], interrupted: bool, line: str, code: int, tmp_path: Path, capsys: Any
) -> None:
    outcomes = [
        Outcome(Path("a"), tmp_path / "a", "failed" if status == "memory" else status, out_of_memory=status == "memory")
        for status in statuses
    ]
    ended = 0
    try:
        finish(Results(outcomes, 7 if interrupted else 0, interrupted=interrupted), tmp_path)
    except typer.Exit as exit:
        ended = exit.exit_code
    assert ended == code
    assert capsys.readouterr().err == f"{line} → {tmp_path}\n"


def test_the_document_spells_options(tmp_path: Path, capsys: Any) -> None:
    outcome = Outcome(Path("a"), tmp_path / "a", "failed", "set `tile`", ("see `work_size`",), {"ms": 3})
    print_results(Results([outcome]), tmp_path, ["try `batch` 1"])
    document = json.loads(capsys.readouterr().out)
    assert document["counts"] == {"ok": 0, "skipped": 0, "failed": 1, "left_alone": 0}
    assert document["notes"] == ["try --batch 1"]
    (file,) = document["files"]
    assert (file["reason"], file["notes"], file["ms"]) == ("set --tile", ["see --work-size"], 3)


def test_a_value_that_cannot_be_names_its_option() -> None:
    with pytest.raises(UserError, match=r"^--work-size: expected 1 or more"):
        parse_options(RunOptions, work_size=0)
    with pytest.raises(UserError, match=r"^--format: expected keep, jpeg, png"):
        parse_options(RunOptions, save={"format": "psd"})
    assert parse_options(RunOptions, limit=3).limit == 3
