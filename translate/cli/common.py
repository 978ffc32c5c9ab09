"""What several commands share: options, progress, printing."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[str, typer.Option(help="auto, fp32 or bf16.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

INTERRUPTED = 130  # exit code: stopped by a person or the system, everything saved
SOME_FAILED = 3  # exit code: the work is done, and some inputs failed


def console() -> "Console":
    """Where progress and sentences go: stderr, in colour where it is a terminal."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """The one document on stdout."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def absolute(path: Path) -> str:
    """A path that still means the same in another folder."""
    return str(path.resolve())


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came; a second Ctrl-C ends the program at once."""
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
