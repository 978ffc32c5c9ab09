"""Batches for every step, as a function of the seed and the step."""

import functools
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch

from datasets.contract import B, Gathers, Samples, derive_seed, stack
from datasets.storage.threads import ordered_map

ORDER, SAMPLE = 2, 3  # what a seed is for, beside the trainer's draws


@dataclass(frozen=True)
class Order:
    """Which samples a step sees: every one once an epoch, in an order of that epoch's own.

    Position p counts samples over the whole training and all processes, so where a training stops,
    how many threads read, and how far ahead they are, changes nothing.
    """

    samples: int
    seed: int
    rollbacks: int
    batch_size: int
    accumulate: int
    rank: int
    processes: int

    def positions(self, step: int) -> list[int]:
        """The positions of this process's samples at `step`, micro-batch after micro-batch."""
        first = step * self.accumulate * self.processes * self.batch_size
        mine = (first + (micro * self.processes + self.rank) * self.batch_size for micro in range(self.accumulate))
        return [start + offset for start in mine for offset in range(self.batch_size)]

    @property
    def micro_batches(self) -> range:
        """Where, among a step's samples, each micro-batch begins."""
        return range(0, self.batch_size * self.accumulate, self.batch_size)

    def index(self, position: int) -> int:
        """Which sample stands at a position."""
        epoch, place = divmod(position, self.samples)
        return _shuffled(self.samples, self.seed, self.rollbacks, epoch)[place]

    def draw(self, position: int) -> int:
        """The seed of what augmentation draws there."""
        return derive_seed(self.seed, SAMPLE, self.rollbacks, position)


@functools.lru_cache(maxsize=4)
def _shuffled(count: int, seed: int, rollbacks: int, epoch: int) -> list[int]:
    draws = torch.Generator().manual_seed(derive_seed(seed, ORDER, rollbacks, epoch))
    order: list[int] = torch.randperm(count, generator=draws).tolist()
    return order


def load_batches(
    samples: Samples[B], order: Order, start: int, workers: int, *, pin: bool = False
) -> Generator[list[B], None, None]:
    """The micro-batches of step `start` and of every step after it.

    What lies in memory is gathered when it is asked for; everything else is read ahead by threads.
    """
    steps = iter(range(start, 2**63))
    for micro in (
        _gathered(samples, order, steps) if isinstance(samples, Gathers) else _read(samples, order, steps, workers)
    ):
        yield [_pinned(batch) for batch in micro] if pin else micro


def _gathered(samples: Gathers[B], order: Order, steps: Iterator[int]) -> Iterator[list[B]]:
    for step in steps:
        indices = [order.index(position) for position in order.positions(step)]
        yield [samples.gather(indices[first : first + order.batch_size]) for first in order.micro_batches]


def _read(samples: Samples[B], order: Order, steps: Iterator[int], workers: int) -> Iterator[list[B]]:
    count = order.batch_size * order.accumulate
    positions = (position for step in steps for position in order.positions(step))
    read = ordered_map(
        lambda position: samples.sample(order.index(position), order.draw(position)),
        positions,
        threads=workers,
        ahead=max(2 * count, 2 * workers),
    )
    try:
        while True:
            drawn = [next(read) for _ in range(count)]
            yield [stack(drawn[first : first + order.batch_size]) for first in order.micro_batches]
    finally:
        read.close()


def _pinned(batch: B) -> B:
    kind = type(batch)
    return kind(*(field.pin_memory() for field in batch))  # so that copying to a GPU does not wait
