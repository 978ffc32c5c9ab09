"""How a long run tells whoever watches it what it is doing, and how it is asked to stop."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class InterruptedRunError(Exception):
    """The run was asked to stop; what was being computed is dropped."""


@dataclass(frozen=True)
class TileProgress:
    """How much of a picture is computed.

    Attributes:
        done: Tiles, or holes, that are done; in a picture that needs several passes, in all of them together.
        total: All of them, as far as is known now; None: unknown.
        fraction: Of the work, from 0 to 1.
    """

    done: int
    total: int | None
    fraction: float


Report = Callable[[TileProgress], None]


@dataclass
class PictureAtWork:
    """A picture, or a batch of them, that is being computed.

    Attributes:
        name: Of the first picture.
        megapixels: Of its input.
        started: Value of the monotonic clock.
        tiles: Its progress; None: it is computed in one piece.
        reported: Value of the monotonic clock when its progress was reported.
    """

    name: str
    megapixels: float
    started: float
    tiles: TileProgress | None = None
    reported: float = 0.0

    @property
    def fraction(self) -> float:
        """The part of the work that is done, from 0 to 1."""
        return 0.0 if self.tiles is None else self.tiles.fraction

    @property
    def seconds(self) -> float:
        """How long it has been computed."""
        return time.monotonic() - self.started

    @property
    def seconds_left(self) -> float | None:
        """An estimate, from the time that the tiles took so far; None: nothing to estimate it from."""
        if self.fraction == 0:
            return None
        return max(0.0, (self.reported - self.started) / self.fraction - self.seconds)


class Monitor:
    """What a run is doing, and whether it should stop; used by the run's threads and by whoever watches it."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._at_work: list[PictureAtWork] = []
        self._finished = 0

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask the run to stop after the current tile; what is being written is completed."""
        self._stop.set()

    def check(self) -> None:
        """Raise InterruptedRunError if the run was asked to stop."""
        if self.stopping:
            raise InterruptedRunError

    def until_stopped(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items up to the request to stop, or up to the one whose computation it interrupted."""
        try:
            for item in items:
                yield item
                if self.stopping:
                    return
        except InterruptedRunError:
            return

    @property
    def finished(self) -> int:
        """How many files were written, skipped or given up."""
        return self._finished

    def finish(self) -> None:
        """Count a file; its outcome may come later, since outcomes come in order."""
        with self._lock:
            self._finished += 1

    @property
    def at_work(self) -> PictureAtWork | None:
        """The picture that has been computed for the longest time; None: there is none."""
        with self._lock:
            return self._at_work[0] if self._at_work else None

    @property
    def fraction(self) -> float:
        """How many pictures' worth of work is done in those that are at work."""
        with self._lock:
            return sum(picture.fraction for picture in self._at_work)

    @contextmanager
    def picture(self, name: str, pixels: int) -> Iterator[Report]:
        """Give a function that takes the progress of a picture while it is computed within the block.

        Raises:
            InterruptedRunError: At the beginning, or from that function: the run was asked to stop.
        """
        self.check()
        picture = PictureAtWork(name, pixels / 1e6, time.monotonic())

        def report(tiles: TileProgress) -> None:
            picture.tiles, picture.reported = tiles, time.monotonic()
            self.check()

        with self._lock:
            self._at_work.append(picture)
        try:
            yield report
        finally:
            with self._lock:
                self._at_work.remove(picture)
