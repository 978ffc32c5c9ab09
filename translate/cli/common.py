"""What the commands share: option types, progress, messages, exit codes."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar, cast

import typer

from translate.cli.signals import INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console

    from datasets.contract import Settings
    from translate.folders.manifest import Outcome

S = TypeVar("S", bound="Settings")

# The panels of `--help`.
TASK = "What to do"
OUTPUT = "Output files"
PICTURES = "Which pictures"
COMPUTING = "Computing"


def option(help: str, *names: str, panel: str | None = None, metavar: str | None = None, **settings: Any) -> Any:
    """Return an option in one of the panels of `--help`.

    Its default is not shown by itself, so that each option fits on one line: of choices with | between them the first
    is the default.
    """
    return typer.Option(*names, help=help, rich_help_panel=panel, metavar=metavar, show_default=False, **settings)


def flag(help: str, name: str, panel: str | None = None) -> Any:
    """Return an option without a value."""
    return option(help, name, panel=panel, metavar="")


Device = Annotated[str, option("Where to compute, or cuda:N", panel=COMPUTING, metavar="auto|cpu|cuda|xpu|mps")]
Precision = Annotated[str, option("auto: bf16 where as good", panel=COMPUTING, metavar="auto|fp32|bf16|fp16")]
Json = Annotated[bool, flag("Print one JSON document on stdout", "--json")]

Best = Annotated[bool, flag("Of a run folder, use its best model", "--best", TASK)]

NOTHING_FOUND = 4  # exit code: there was nothing to work on
SOME_FAILED = 3  # exit code: the work is done, and some inputs failed
OUT_OF_MEMORY = 7  # exit code: the same, and memory was not enough for one of them

# A setting in backticks, as messages from below the command line name them.
SETTING = (
    "`(crop|features|human|metrics|"  # of `eval`
    "arithmetic|axes|background|batch|best|blend|box|circle|color|compare|count|device|domains|fill|format|frames|grid|"
    "init_from|input_kind|labels|mask|mask_color|mask_invert|mask_threshold|mask_tolerance|missing_mask|model|norms|"
    "on_exists|opset|out|polygon|precision|quality|scale|set|shard|statistics|steps|strength|text_stamp|tile|to|to_size|"
    "tolerance|truncation|work_size)`"
)


def option_name(setting: str) -> str:
    """Return the option for a setting, such as --on-exists for on_exists."""
    return "--input" if setting == "input_kind" else f"--{setting.replace('_', '-')}"


def spell_options(message: str) -> str:
    """Return a message with options in place of the settings that it names in backticks, such as `on_exists`."""
    return re.sub(SETTING, lambda found: option_name(found[1]), message)


class _Messages:
    """stderr, of which a failure ends nothing: the work goes on after its terminal was closed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def console() -> "Console":
    """Return where progress and messages go: stderr, in colour if it is a terminal."""
    from rich.console import Console

    return Console(file=cast(IO[str], _Messages()), highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print the one document on stdout, in ASCII, which every encoding of a console or a pipe has."""
    typer.echo(json.dumps(document, indent=2))


def print_notes(notes: Iterable[str]) -> None:
    """Print what the user should know before a run."""
    for note in notes:
        console().print(f"note: {spell_options(note)}", markup=False)


@dataclass(frozen=True)
class Results:
    """What came of a run.

    Attributes:
        outcomes: Of all files that were tried.
        untried: Files that were not, since the run ended early.
        interrupted: A signal ended it early.
        abandoned: It was ended at once, while threads still compute.
    """

    outcomes: Sequence["Outcome"]
    untried: int = 0
    interrupted: bool = False
    abandoned: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """The number of outcomes of each status."""
        statuses = ("ok", "skipped", "failed", "left_alone")
        return {status: sum(outcome.status == status for outcome in self.outcomes) for status in statuses}


def print_results(results: Results, destination: Path, notes: Iterable[str], **facts: Any) -> None:
    """Print the results of a run as the one JSON document; `facts` are further members of it."""
    document = {
        "out": absolute(destination),
        "counts": results.counts,
        "not_tried": results.untried,
        **facts,
        "notes": [spell_options(note) for note in notes],
        "files": [_describe_outcome(outcome) for outcome in results.outcomes],
    }
    print_json(document)


def finish(results: Results, destination: Path) -> None:
    """Print the last line of a run and end the command with its exit code."""
    counts = results.counts
    shown = {"ok": True, "skipped": True, "failed": True, "left_alone": counts["left_alone"]}
    verb = "interrupted" if results.interrupted else "stopped" if results.untried else "done"
    tally = [f"{count} {status.replace('_', ' ')}" for status, count in counts.items() if shown[status]]
    tally += [f"{results.untried} not tried"] if results.untried else []
    console().print(f"{verb} {', '.join(tally)} → {absolute(destination)}", markup=False)
    if results.abandoned:
        leave_at_once()
    if results.interrupted:
        raise typer.Exit(INTERRUPTED)
    if counts["failed"]:
        out_of_memory = any(outcome.out_of_memory for outcome in results.outcomes)
        raise typer.Exit(OUT_OF_MEMORY if out_of_memory else SOME_FAILED)
    if counts["left_alone"] and not counts["ok"] and not counts["skipped"]:
        raise typer.Exit(NOTHING_FOUND)


def leave_at_once() -> NoReturn:
    """End the program though threads still compute, and remove the files that they had begun."""
    from datasets.storage.atomic import remove_unfinished

    remove_unfinished()
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(INTERRUPTED)


def parse_options(kind: type[S], **values: Any) -> S:
    """Return settings from the values of options.

    Raises:
        UserError: A value is not allowed; the message names the option.
    """
    from datasets.errors import OptionError, UserError

    try:
        return kind(**values)
    except OptionError as error:
        raise UserError(f"{option_name(error.option)}: {error.reason}") from None


def choose_model(model: str, *, best: bool) -> str:
    """Return MODEL; with --best the best model of the run folder that it is; of a published checkpoint, what it became.

    Raises:
        ModelError: It is no run folder, or has no best model, or is a file that cannot be imported.
    """
    if best:
        from translate.inference.model_file import best_model

        return str(best_model(model))
    on_hub = model.startswith(("hf://", "https://huggingface.co/"))
    if not Path(model).is_file() and not on_hub:
        return model
    from translate.exchange.importing import resolve_model

    if on_hub:
        silence_bars()

    return str(resolve_model(model))


def silence_bars() -> None:
    """Let the Hub's client draw its bars on terminals only."""
    from translate.exchange.hub import load_client

    if not sys.stderr.isatty():
        load_client().utils.disable_progress_bars()


def choose_own_model(model: str | None, *, best: bool) -> str | None:
    """Return what `choose_model` does, for a verb that has a model of its own if none is named.

    Raises:
        ModelError: It is no run folder, or has no best model, or none is named.
    """
    from datasets.errors import UserError

    if model is None and best:
        raise UserError("--best: is for a run folder of yours; name it with --model")
    return None if model is None else choose_model(model, best=best)


def absolute(path: Path) -> str:
    """Return a path that means the same in every folder."""
    return str(path.resolve())


def _describe_outcome(outcome: "Outcome") -> dict[str, Any]:
    names = {"in": "before", "out": "after"}  # of what the pictures were; "out" is the path
    return {
        "name": outcome.name.as_posix(),
        "out": absolute(outcome.output),
        "status": outcome.status,
        "reason": None if outcome.reason is None else spell_options(outcome.reason),
        "notes": [spell_options(note) for note in outcome.notes],
        **{names.get(key, key): value for key, value in outcome.record.items()},
    }
