"""Work on threads, results in order."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(function: Callable[[T], R], items: Iterable[T], threads: int, ahead: int) -> Iterator[R]:
    """`map(function, items)` with `threads` threads at work on the next `ahead` items.

    Decoders, OpenCV and NumPy release the interpreter's lock, so threads suffice, and unlike worker
    processes they need no fork, no copies and no clean-up. An exception of `function` surfaces at its
    item's turn. What is waiting when the caller stops early is cancelled.
    """
    rest = iter(items)
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[R]] = deque(pool.submit(function, item) for item in itertools.islice(rest, ahead))
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in itertools.islice(rest, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
