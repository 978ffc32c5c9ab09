"""Work on threads: results in order, and results that are cached."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

QUEUE_BYTES = 2**29  # of results that may wait for their turn; chosen by hand, small beside what a model takes


def ordered_map(
    function: Callable[[T], R],
    items: Iterable[T],
    threads: int,
    ahead: int,
    prepare: Callable[[], None] | None = None,
    size: Callable[[R], int] | None = None,
) -> Generator[R, None, None]:
    """Yield `function(item)` for all items in their order, computed on threads that work up to `ahead` items ahead.

    Decoders, OpenCV and NumPy release the interpreter's lock, so threads suffice; unlike worker processes they need no
    fork, no copies and no clean-up. An exception in `function` is raised when its item's turn comes. When the caller
    stops early, the waiting items are cancelled.

    Args:
        function: Called once for each item, on any thread.
        items: Taken from the iterable only as they are needed.
        threads: Their number.
        ahead: The largest number of items that are worked on, or whose results wait.
        prepare: Called first on each thread.
        size: Returns the bytes of a result. If given, fewer items are worked on ahead where results are large: as many
            as would fit into `QUEUE_BYTES` if all results were as large as the last one of more than 0 bytes.
    """
    rest = iter(items)
    pool = ThreadPoolExecutor(threads, initializer=prepare)
    limit = ahead if size is None else min(threads, ahead)
    waiting: deque[Future[R]] = deque()
    try:
        waiting.extend(pool.submit(function, item) for item in itertools.islice(rest, limit))
        while waiting:
            result = waiting.popleft().result()
            if size is not None and (result_size := size(result)):
                limit = min(ahead, max(1, QUEUE_BYTES // result_size))
            more = itertools.islice(rest, max(0, limit - len(waiting)))
            waiting.extend(pool.submit(function, item) for item in more)
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class BoundedCache(Generic[R]):
    """Results of a function of an index, cached as long as they fit into memory.

    Results that do not fit are computed again each time: training draws pictures in random order, so keeping the first
    is as good as keeping the latest, and simpler.
    """

    def __init__(self, compute: Callable[[int], R], size: Callable[[R], int], capacity: float) -> None:
        """Take the function, one that returns the bytes of a result, and how many bytes the cache may hold."""
        self._compute = compute
        self._size = size
        self._capacity = capacity
        self._cached: dict[int, R] = {}
        self._lock = threading.Lock()

    def __call__(self, index: int) -> R:
        """Return the result for `index`; it must not be changed."""
        if index in self._cached:
            return self._cached[index]
        result = self._compute(index)
        size = self._size(result)
        with self._lock:
            if index not in self._cached and size <= self._capacity:
                self._capacity -= size
                self._cached[index] = result
        return result
