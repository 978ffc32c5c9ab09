"""Shared options: written once, expanded into each command, and readable on a small terminal."""

import inspect
import re
from collections.abc import Callable
from typing import Any, get_args

import pytest
import typer

from datasets.codecs.images import SaveOptions
from translate.cli import app
from translate.cli.options import DeviceOptions, OutputOptions, ReportOptions, expand_options
from translate.hardware import ACCELERATORS, PRECISIONS

FOLDER_VERBS = ("run", "upscale", "inpaint", "sample")
COMMANDS: Any = typer.main.get_command(app).commands  # type: ignore[attr-defined]
PANELS = {"What to do", "Output files", "Which pictures", "Computing", "Options", "Arguments"}


def test_a_group_becomes_its_options_and_comes_back_as_a_group() -> None:
    seen: list[Any] = []

    @expand_options
    def verb(name: str, size: int = 3, *, output: OutputOptions, computing: DeviceOptions) -> None:
        """Do something."""
        seen.extend([name, size, output, computing])

    parameters = inspect.signature(verb).parameters
    assert list(parameters) == ["name", "size", *OutputOptions._fields, *DeviceOptions._fields]
    assert parameters["name"].default is inspect.Parameter.empty
    assert (parameters["size"].default, parameters["device"].default) == (3, "auto")
    assert verb.__doc__ == "Do something."
    given = {name: parameter.default for name, parameter in parameters.items()} | {"name": "x", "quality": 80}
    verb(**given)
    assert seen == ["x", 3, OutputOptions(quality=80), DeviceOptions()]


@pytest.mark.parametrize("group", [OutputOptions, DeviceOptions, ReportOptions])
def test_every_folder_verb_has_the_same_shared_options(group: Any) -> None:
    verbs = [verb for verb in FOLDER_VERBS if verb != "sample"]
    assert all(set(group._fields) <= {parameter.name for parameter in COMMANDS[verb].params} for verb in verbs)
    for field in group._fields:
        helps = {next(p.help for p in COMMANDS[verb].params if p.name == field) for verb in verbs}
        assert len(helps) == 1


@pytest.mark.parametrize("verb", FOLDER_VERBS)
def test_an_option_takes_one_line_of_80_columns(
    verb: str, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = command(verb, "--help").out.splitlines()
    panels = {found[1] for line in lines if (found := re.match(r"╭─ (.+?) ─+╮$", line))}
    assert panels - PANELS <= {"Instead of pictures of a seed"}
    assert panels >= {"What to do", "Output files", "Computing"}
    inside = [line for line in lines if line.startswith("│")]
    assert [line for line in inside if not re.match(r"│ (\*  )?\s*(--[a-z]|\* +[A-Z]+|IN )", line)] == []
    assert (
        sum(len(re.findall(r"^│ \*?\s+--|^│ --", line)) for line in inside)
        == sum(parameter.param_type_name == "option" for parameter in COMMANDS[verb].params) + 1
    )  # --help
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("verb", FOLDER_VERBS)
def test_the_first_of_several_choices_is_the_default(verb: str) -> None:
    for parameter in COMMANDS[verb].params:
        choices = (getattr(parameter, "metavar", None) or "").split("|")
        if len(choices) > 1 and parameter.default is not None and not parameter.required:
            assert choices[0] == parameter.default, parameter.name
    assert "the first is the default" in re.sub(r"\s+", " ", COMMANDS[verb].help or "")


@pytest.mark.parametrize("verb", ["run", "sample"])
def test_the_help_names_all_that_the_code_takes(verb: str) -> None:
    options = {parameter.name: parameter for parameter in COMMANDS[verb].params}
    formats = get_args(SaveOptions.model_fields["format"].annotation)
    assert {*str(options["image_format"].help).split()} | {"keep"} == {*formats}
    assert {*str(options["device"].metavar).split("|")} == {"auto", "cpu", *ACCELERATORS}
    assert tuple(str(options["precision"].metavar).split("|")) == PRECISIONS
