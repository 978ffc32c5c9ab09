"""How many pictures are computed at once, and with how many threads each.

Threads that share a picture wait for each other at every layer, for as long as another process, or a decoder of this
one, keeps one of them from its core. Threads with a picture each do not: with two cores a folder of frames takes a
tenth to a fifth less time, and on a busy machine far less.
"""

import functools
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

import torch

from datasets.threads import ordered_map

T = TypeVar("T")
R = TypeVar("R")

MOST = 4  # pictures at once: each takes memory


def side_by_side(
    compute: Callable[[T], R], items: Iterable[T], *, pictures: int, alone: bool, size: Callable[[R], int]
) -> Generator[R, None, None]:
    """`map(compute, items)`, several at once, which share the threads that torch has been given.

    Args:
        compute: What is done with an item.
        items: All of them.
        pictures: How many there are, at most: a single one is given all threads.
        alone: One after the other: on an accelerator, or because what is drawn depends on a common seed.
        size: Bytes of what was computed: of large things fewer wait.
    """
    threads = torch.get_num_threads()
    lanes = 1 if alone else max(1, min(threads, pictures, MOST))
    share = functools.partial(torch.set_num_threads, threads // lanes)
    try:
        yield from ordered_map(compute, items, lanes, ahead=2 * lanes, prepare=share, size=size)
    finally:
        torch.set_num_threads(threads)  # what one thread sets counts for all that begin later, too
