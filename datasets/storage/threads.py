"""Work on threads: results in order, and results that are kept."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

ROOM = 2**29  # bytes of results that may wait for their turn


def ordered_map(
    function: Callable[[T], R],
    items: Iterable[T],
    threads: int,
    ahead: int,
    prepare: Callable[[], None] | None = None,
    size: Callable[[R], int] | None = None,
) -> Generator[R, None, None]:
    """`map(function, items)` with `threads` threads, each of which calls `prepare` first, at work on the next `ahead`.

    Decoders, OpenCV and NumPy release the interpreter's lock, so threads suffice, and unlike worker
    processes they need no fork, no copies and no clean-up. An exception of `function` surfaces at its
    item's turn. What is waiting when the caller stops early is cancelled. Where `size` tells the bytes
    of a result, only as many are worked on ahead as would fit into `ROOM`, were all like the last that had any.
    """
    rest = iter(items)
    pool = ThreadPoolExecutor(threads, initializer=prepare)
    many = ahead if size is None else min(threads, ahead)
    waiting: deque[Future[R]] = deque()
    try:
        waiting.extend(pool.submit(function, item) for item in itertools.islice(rest, many))
        while waiting:
            result = waiting.popleft().result()
            if size is not None and (taken := size(result)):
                many = min(ahead, max(1, ROOM // taken))
            more = itertools.islice(rest, max(0, many - len(waiting)))
            waiting.extend(pool.submit(function, item) for item in more)
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class BoundedCache(Generic[R]):
    """A function of an index whose results take much memory; remembers them while there is room.

    What does not fit any more is made anew each time: pictures are drawn in random order, so keeping
    the first is as good as keeping the latest, and simpler.
    """

    def __init__(self, make: Callable[[int], R], size: Callable[[R], int], room: float) -> None:
        """`size` tells how many of the `room` bytes a result takes."""
        self._make = make
        self._size = size
        self._room = room
        self._kept: dict[int, R] = {}
        self._lock = threading.Lock()

    def __call__(self, index: int) -> R:
        """The result for `index`; nobody may change it."""
        if index in self._kept:
            return self._kept[index]
        made = self._make(index)
        size = self._size(made)
        with self._lock:
            if index not in self._kept and size <= self._room:
                self._room -= size
                self._kept[index] = made
        return made
