"""What the commands share: option types, progress, messages, exit codes."""

import json
import re
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

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


Device = Annotated[str, option("Where to compute; also cuda:N", panel=COMPUTING, metavar="auto|cpu|cuda|mps")]
Precision = Annotated[str, option("auto: bf16 where it is as good", panel=COMPUTING, metavar="auto|fp32|bf16")]
Json = Annotated[bool, flag("Print one JSON document on stdout", "--json")]

INTERRUPTED = 130  # exit code: stopped by the user or the system, everything saved
SOME_FAILED = 3  # exit code: the work is done, and some inputs failed
OUT_OF_MEMORY = 7  # exit code: the same, and memory was not enough for one of them

# A setting in backticks, as messages from below the command line name them.
SETTING = (
    "`(arithmetic|axes|background|batch|blend|box|circle|color|count|device|format|grid|init_from|input_kind|labels|mask|"
    "mask_color|mask_invert|mask_threshold|mask_tolerance|missing_mask|polygon|text_stamp|tolerance|"
    "model|norms|on_exists|out|precision|scale|shard|tile|to|truncation|work_size)`"
)


def option_name(setting: str) -> str:
    """Return the option for a setting, such as --on-exists for on_exists."""
    return "--input" if setting == "input_kind" else f"--{setting.replace('_', '-')}"


def spell_options(message: str) -> str:
    """Return a message with options in place of the settings that it names in backticks, such as `on_exists`."""
    return re.sub(SETTING, lambda found: option_name(found[1]), message)


def console() -> "Console":
    """Return where progress and messages go: stderr, in colour if it is a terminal."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print the one document on stdout."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_notes(notes: Iterable[str]) -> None:
    """Print what the user should know before a run."""
    for note in notes:
        console().print(f"note: {spell_options(note)}", markup=False)


def show_progress(stream: Generator["Outcome", None, None], total: int) -> tuple[list["Outcome"], bool]:
    """Run a stream of outcomes under a progress bar, and print failures and notes at once.

    Returns the outcomes, and whether the run was interrupted.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    screen = console()
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    outcomes: list[Outcome] = []
    with stop_on_signals() as stop, Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=total)
        for outcome in stream:
            outcomes.append(outcome)
            bar.advance(task)
            if outcome.status == "failed":
                bar.console.print(f"failed: {spell_options(str(outcome.reason))}", style="red", markup=False)
            for note in outcome.notes:
                bar.console.print(f"note: {outcome.name}: {spell_options(note)}", markup=False)
            if stop():
                stream.close()
                break
    return outcomes, stop() and len(outcomes) < total


def count_outcomes(outcomes: Sequence["Outcome"]) -> dict[str, int]:
    """Return the number of outcomes of each status."""
    return {status: sum(o.status == status for o in outcomes) for status in ("ok", "skipped", "failed")}


def print_outcomes(outcomes: Sequence["Outcome"], destination: Path, notes: Iterable[str]) -> None:
    """Print the outcomes of a run as the one JSON document."""
    document = {
        "out": absolute(destination),
        "counts": count_outcomes(outcomes),
        "notes": [spell_options(note) for note in notes],
        "files": [_describe_outcome(outcome) for outcome in outcomes],
    }
    print_json(document)


def finish(outcomes: Sequence["Outcome"], destination: Path, *, interrupted: bool, skips: bool = True) -> None:
    """Print the last line of a run and end the command with its exit code; some verbs never skip a file."""
    counts = count_outcomes(outcomes)
    if not skips:
        del counts["skipped"]
    tally = ", ".join(f"{count} {status}" for status, count in counts.items())
    console().print(f"{'interrupted' if interrupted else 'done'} {tally} → {absolute(destination)}", markup=False)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if counts["failed"]:
        out_of_memory = any(outcome.out_of_memory for outcome in outcomes)
        raise typer.Exit(OUT_OF_MEMORY if out_of_memory else SOME_FAILED)


def parse_options(kind: type[S], **values: Any) -> S:
    """Return settings from the values of options.

    Raises:
        UserError: A value is not allowed; the message names the option.
    """
    from pydantic import ValidationError

    from datasets.errors import UserError

    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        name = next(part for part in reversed(problem["loc"]) if isinstance(part, str))
        raise UserError(f"{option_name(name)}: {problem['msg'].removeprefix('Value error, ')}") from None


def absolute(path: Path) -> str:
    """Return a path that means the same in every folder."""
    return str(path.resolve())


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C or SIGTERM came.

    A second Ctrl-C ends the program as soon as the running computation allows.
    """
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            sys.exit(INTERRUPTED)
        received.append(number)

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _describe_outcome(outcome: "Outcome") -> dict[str, Any]:
    return {
        "name": outcome.name.as_posix(),
        "out": absolute(outcome.output),
        "status": outcome.status,
        "reason": None if outcome.reason is None else spell_options(outcome.reason),
        "notes": [spell_options(note) for note in outcome.notes],
        **outcome.record,
    }
