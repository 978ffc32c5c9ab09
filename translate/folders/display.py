"""Show how a run proceeds: as bars on a terminal or in a notebook, elsewhere as a line every ten seconds."""

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from types import TracebackType

import psutil
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.text import Text

from translate.folders.manifest import Outcome
from translate.inference.monitor import Monitor, PictureAtWork

SECONDS_PER_LINE = 10.0  # where there is no terminal
SLOW = 2.0  # seconds after which a picture gets a line of its own on a terminal; chosen by judgement


class Display:
    """Shows how a run proceeds, as a context manager around it.

    Attributes:
        console: Where other messages can be printed meanwhile.
    """

    def __init__(self, monitor: Monitor, total: int | None, console: Console) -> None:
        """Take what the run reports to, how many files it makes (None: unknown), and where to print."""
        self.console = console
        self._monitor = monitor
        self._total = total
        self._bars = _Bars(self._update, console) if console.is_terminal or console.is_jupyter else None
        self._ended = threading.Event()
        self._printer = threading.Thread(target=self._print_lines, daemon=True)

    def __enter__(self) -> "Display":
        if self._bars is not None:
            self._bars.add_task("", total=self._total)
            self._bars.start()
        else:
            self._printer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._bars is not None:
            self._bars.stop()
        else:
            self._printer.join()

    def describe(self) -> str:
        """Return the state of the run in one line."""
        total = "" if self._total is None else f" of {self._total}"
        picture = self._monitor.at_work
        return f"{self._monitor.finished}{total} done" + ("" if picture is None else f"; {describe_picture(picture)}")

    def _update(self, bars: Progress) -> str | None:
        """Update the bar; return the line below it."""
        for task in bars.task_ids:
            bars.update(task, completed=self._monitor.finished + self._monitor.fraction)
        picture = self._monitor.at_work
        return None if picture is None or picture.seconds < SLOW else describe_picture(picture)

    def _print_lines(self) -> None:
        while not self._ended.wait(SECONDS_PER_LINE):
            self.console.print(self.describe(), markup=False)


class _Bars(Progress):
    """A bar for the run and a line for the picture that is being computed."""

    def __init__(self, update: Callable[[Progress], str | None], console: Console) -> None:
        self._update_line = update
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=console, speed_estimate_period=120)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return what is drawn, each time that it is."""
        line = self._update_line(self)
        yield from super().get_renderables()
        if line is not None:
            yield Text(line, overflow="ellipsis", no_wrap=True)


def describe_picture(picture: PictureAtWork) -> str:
    """Return the state of a picture that is being computed, in words."""
    parts = [f"{picture.megapixels:.1f} megapixels"]
    if picture.tiles is not None:
        total = "" if picture.tiles.total is None else f" of {picture.tiles.total}"
        parts.append(f"part {picture.tiles.done}{total}")
    left = picture.seconds_left
    parts.append(f"{format_time(picture.seconds)} so far" if left is None else f"{format_time(left)} left")
    parts.append(f"{psutil.Process().memory_info().rss / 2**30:.1f} GiB of memory")
    return f"{picture.name}: {', '.join(parts)}"


def format_time(seconds: float) -> str:
    """Return a duration as 1:05 or 2:01:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def show_outcomes(
    stream: Generator[Outcome, None, None], total: int | None, monitor: Monitor
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of a run, and show on stderr how it proceeds."""
    with closing(stream), Display(monitor, total, Console(stderr=True, highlight=False, soft_wrap=True)):
        yield from stream
