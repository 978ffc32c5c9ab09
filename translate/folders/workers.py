"""How many pictures are computed at once, and with how many threads each.

Threads that share a picture wait for each other at every layer, for as long as another process, or a decoder of this
one, keeps one of them from its core. Threads with a picture each do not: on two cores a folder of frames took five to
eight per cent less time. Large pictures are given all threads, one after the other: several at once might not find
room in memory.
"""

import functools
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

import torch

from datasets.storage.threads import ordered_map

T = TypeVar("T")
R = TypeVar("R")

MOST = 4  # at once
LARGE = 2**19  # pixels of a picture, or of a batch of them, beyond which it is computed by itself


def map_on_workers(
    compute: Callable[[T], R],
    items: Iterable[T],
    *,
    count: int,
    alone: Callable[[T], bool],
    size: Callable[[R], int],
) -> Generator[R, None, None]:
    """`map(compute, items)`, several at once, which share the threads that torch has been given.

    Args:
        compute: What is done with an item.
        items: All of them.
        count: How many there are, at most: a single one is given all threads.
        alone: Whether an item is to be computed by itself, in the thread that asks for it.
        size: Bytes of what was computed: of large things fewer wait.
    """
    threads = torch.get_num_threads()
    lanes = max(1, min(threads, count, MOST))
    for by_itself, run in itertools.groupby(items, key=lambda item: lanes == 1 or alone(item)):
        if by_itself:
            yield from map(compute, run)
            continue
        shares = iter([threads // lanes + (lane < threads % lanes) for lane in range(lanes)])
        prepare = functools.partial(_take, shares)
        try:
            yield from ordered_map(compute, run, lanes, ahead=2 * lanes, prepare=prepare, size=size)
        finally:
            torch.set_num_threads(threads)  # what one thread sets counts for all that begin later, too


def _take(shares: Iterator[int]) -> None:
    torch.get_num_threads()  # a thread that was never asked takes on what any thread has set last
    torch.set_num_threads(next(shares))
