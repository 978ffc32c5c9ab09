"""How many pictures are computed at once on a CPU, and with how many threads each.

Threads that share a picture wait for each other at every layer, for as long as another process or a decoder of this
one keeps one of them from its core. Threads with a picture each do not: on two cores a folder of frames took five to
eight per cent less time (`tests/benchmarks/bench_folder.py`). A large picture is given all threads, and is computed
while nothing else is: several of them at once might not fit in memory.
"""

import functools
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

import torch

from datasets.storage.threads import ordered_map

T = TypeVar("T")
R = TypeVar("R")

MAX_WORKERS = 4  # bounds the memory that pictures computed at once take; chosen by judgement
LARGE = 2**19  # pixels in a batch beyond which it is computed by itself, about 724 x 724; chosen by judgement


def map_on_workers(
    compute: Callable[[T], R],
    items: Iterable[T],
    *,
    count: int,
    exclusive: Callable[[T], bool],
    size: Callable[[R], int],
) -> Generator[R, None, None]:
    """Yield `map(compute, items)`, several at once, on workers that divide torch's threads among themselves.

    Args:
        compute: What is done with an item.
        items: All of them.
        count: The most items there can be: a single one is given all threads.
        exclusive: Whether an item must be computed while no other is; that happens in the calling thread.
        size: Bytes of a result: the larger results are, the fewer wait to be consumed.
    """
    threads = torch.get_num_threads()
    workers = max(1, min(threads, count, MAX_WORKERS))
    for by_itself, run in itertools.groupby(items, key=lambda item: workers == 1 or exclusive(item)):
        if by_itself:
            yield from map(compute, run)
            continue
        threads_each = iter([threads // workers + (index < threads % workers) for index in range(workers)])
        prepare = functools.partial(_take_threads, threads_each)
        try:
            yield from ordered_map(compute, run, workers, ahead=2 * workers, prepare=prepare, size=size)
        finally:
            torch.set_num_threads(threads)  # what one thread sets is the default of all that start later


def _take_threads(threads_each: Iterator[int]) -> None:
    torch.get_num_threads()  # a thread that was never asked would take on what any other thread has set last
    torch.set_num_threads(next(threads_each))
