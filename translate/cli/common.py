"""What several commands share: options, progress, printing."""

import json
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
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

Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[str, typer.Option(help="auto, fp32 or bf16.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

INTERRUPTED = 130  # exit code: stopped by a person or the system, everything saved
SOME_FAILED = 3  # exit code: the work is done, and some inputs failed
OUT_OF_MEMORY = 7  # exit code: the same, and memory was not enough for one of them


def console() -> "Console":
    """Where progress and sentences go: stderr, in colour where it is a terminal."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """The one document on stdout."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def show_progress(stream: Generator["Outcome", None, None], total: int) -> tuple[list["Outcome"], bool]:
    """Run a stream of outcomes under a bar; every failure is a line at once. Also tells whether it was interrupted."""
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
                bar.console.print(f"failed: {outcome.reason}", style="red", markup=False)
            for note in outcome.notes:
                bar.console.print(f"note: {outcome.name}: {note}", markup=False)
            if stop():
                stream.close()
                break
    return outcomes, stop() and len(outcomes) < total


def count_outcomes(outcomes: Sequence["Outcome"]) -> dict[str, int]:
    """How many outcomes are of each kind."""
    return {status: sum(o.status == status for o in outcomes) for status in ("ok", "skipped", "failed")}


def describe_outcome(outcome: "Outcome") -> dict[str, Any]:
    """An outcome for a JSON document."""
    told = {"name": outcome.name.as_posix(), "out": absolute(outcome.output), "status": outcome.status}
    return {**told, "reason": outcome.reason, "notes": list(outcome.notes), **outcome.record}


def finish(counts: dict[str, int], destination: Path, *, interrupted: bool, out_of_memory: bool = False) -> None:
    """The last line of a verb over a folder, and its exit code."""
    tally = ", ".join(f"{count} {status}" for status, count in counts.items())
    console().print(f"{'interrupted' if interrupted else 'done'} {tally} → {absolute(destination)}", markup=False)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if counts["failed"]:
        raise typer.Exit(OUT_OF_MEMORY if out_of_memory else SOME_FAILED)


def parse_options(kind: type[S], **values: Any) -> S:
    """Settings from what was given on the command line.

    Raises:
        UserError: A value cannot be; it names the option.
    """
    from pydantic import ValidationError

    from datasets.errors import UserError

    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        name = next(part for part in reversed(problem["loc"]) if isinstance(part, str)).replace("_", "-")
        raise UserError(f"--{name}: {problem['msg'].removeprefix('Value error, ')}") from None


def absolute(path: Path) -> str:
    """A path that still means the same in another folder."""
    return str(path.resolve())


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came; a second Ctrl-C ends the program as soon as what is being computed lets it."""
    came: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        if came and number == signal.SIGINT:
            sys.exit(INTERRUPTED)
        came.append(number)

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
