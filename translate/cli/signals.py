"""Ctrl-C and the signals by which a system ends programs: the first stops the work in order, the second at once."""

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

INTERRUPTED = 130  # exit code: stopped by the user or the system, everything saved
SECONDS_BETWEEN_CHECKS = 0.1  # for a signal; short enough to seem immediate

# A closed terminal (SIGHUP, on Windows SIGBREAK) stops the work like SIGTERM.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def stop_on_signals(announcement: str | None = None) -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C, SIGTERM, SIGHUP or SIGBREAK came.

    The first prints the announcement, if there is one. A second Ctrl-C raises SystemExit as soon as the running
    computation allows. A signal that is ignored, as under nohup, stays ignored.
    """
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            sys.exit(INTERRUPTED)
        if not received and announcement is not None:
            with suppress(OSError):  # of a terminal that was closed
                os.write(2, f"\n{announcement}\n".encode())  # whatever is half printed at this moment
        received.append(number)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, remember) for number in numbers}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_in_background(stream: Generator[T, None, None]) -> Iterator[T | None]:
    """Yield the items of a stream that runs in a thread of its own, and None every tenth of a second between them.

    Python calls the handlers of signals in the main thread only, and only between two of its own instructions: while
    that thread computes, Ctrl-C would do nothing for as long as a computation takes.
    """
    results: queue.SimpleQueue[tuple[T | None, BaseException | None, bool]] = queue.SimpleQueue()

    def run() -> None:
        try:
            for item in stream:
                results.put((item, None, False))
            results.put((None, None, True))
        except BaseException as error:
            results.put((None, error, True))

    threading.Thread(target=run, daemon=True).start()
    while True:
        try:
            item, error, ended = results.get(timeout=SECONDS_BETWEEN_CHECKS)
        except queue.Empty:
            yield None
            continue
        if error is not None:
            raise error
        if ended:
            return
        yield item
