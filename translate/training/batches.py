"""Batches for every step, as a function of the seed and the step."""

import functools
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from datasets.contract import B, Samples, derive_seed, stack
from datasets.storage.threads import ordered_map
from translate.experiment import TrainingConfig
from translate.training.processes import World

CPU = torch.device("cpu")
MEASURED_STEPS = 10  # so many that the two steps which may have been read before the clock starts weigh little
ORDER, SAMPLE = 2, 3  # enter seeds, so that order, augmentation and the trainer's draws (1) are independent


@dataclass(frozen=True)
class Order:
    """Which samples a step sees: every sample once an epoch, shuffled anew in each.

    A position counts samples over the whole training and all processes. Which sample is at a position, and what is
    drawn for it, does not depend on where a training was interrupted, how many threads read, or how far ahead.

    Attributes:
        samples: Number of training samples.
        seed: Of the training.
        rollbacks: How often the training returned to an earlier state; changes order and draws.
        batch_size: Samples in a micro-batch of one process.
        accumulate: Micro-batches in a step.
        rank: Index of this process.
        processes: How many train together.
    """

    samples: int
    seed: int
    rollbacks: int
    batch_size: int
    accumulate: int
    rank: int
    processes: int

    def positions(self, step: int) -> list[int]:
        """Return the positions of this process's samples at `step`, micro-batch after micro-batch."""
        first = step * self.accumulate * self.processes * self.batch_size
        starts = (first + (micro * self.processes + self.rank) * self.batch_size for micro in range(self.accumulate))
        return [start + offset for start in starts for offset in range(self.batch_size)]

    @property
    def micro_batches(self) -> range:
        """The index, among a step's samples, at which each micro-batch begins."""
        return range(0, self.batch_size * self.accumulate, self.batch_size)

    def index(self, position: int) -> int:
        """Return the index of the sample at a position."""
        epoch, place = divmod(position, self.samples)
        return _shuffle(self.samples, self.seed, self.rollbacks, epoch)[place]

    def sample_seed(self, position: int) -> int:
        """Return the seed of the augmentation of the sample at a position."""
        return derive_seed(self.seed, SAMPLE, self.rollbacks, position)


def plan_order(samples: Samples[Any], config: TrainingConfig, world: World, rollbacks: int = 0) -> Order:
    """Return which samples this process of a training sees, and when."""
    return Order(len(samples), config.seed, rollbacks, config.batch_size, config.accumulate, world.rank, world.size)


@functools.lru_cache(maxsize=4)  # the current epoch, the next, and spares for batches larger than the data
def _shuffle(count: int, seed: int, rollbacks: int, epoch: int) -> list[int]:
    generator = torch.Generator().manual_seed(derive_seed(seed, ORDER, rollbacks, epoch))
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order


def load_batches(
    samples: Samples[B], order: Order, start: int, workers: int, device: torch.device = CPU
) -> Generator[list[Any], None, None]:
    """Yield the micro-batches of step `start` and of every step after it, without end, finished on `device`.

    Samples in memory are gathered when they are needed; all others are read ahead by `workers` threads.
    """
    steps = iter(range(start, 2**63))
    for micro_batches in _gather(samples, order, steps) if samples.in_memory else _read(samples, order, steps, workers):
        # From pinned memory, so that copying to a GPU does not wait.
        pinned = [(_pin(batch) if device.type == "cuda" else batch, seeds) for batch, seeds in micro_batches]
        yield [samples.finish(batch, seeds, device) for batch, seeds in pinned]


def seconds_per_step(samples: Samples[Any], order: Order, workers: int, device: torch.device) -> float:
    """Return the seconds between two steps' batches on `device`, if nothing else is computed there."""
    batches = load_batches(samples, order, 0, workers, device)
    try:
        _wait(next(batches))
        began = time.perf_counter()
        for _ in range(MEASURED_STEPS):
            _wait(next(batches))
        return (time.perf_counter() - began) / MEASURED_STEPS
    finally:
        batches.close()


def _wait(micro_batches: list[Any]) -> None:
    """Wait until batches are computed: their device may be behind."""
    for batch in micro_batches:
        batch[0].sum().item()


def _gather(samples: Samples[B], order: Order, steps: Iterator[int]) -> Iterator[list[tuple[B, list[int]]]]:
    """Yield each step's micro-batches, each with the seeds of its samples."""
    seeds = [0] * order.batch_size  # samples in memory draw nothing
    for step in steps:
        indices = [order.index(position) for position in order.positions(step)]
        yield [
            (samples.gather(indices[first : first + order.batch_size], seeds), seeds) for first in order.micro_batches
        ]


def _read(samples: Samples[B], order: Order, steps: Iterator[int], workers: int) -> Iterator[list[tuple[B, list[int]]]]:
    """Yield each step's micro-batches, each with the seeds of its samples."""
    count = order.batch_size * order.accumulate

    def read(position: int) -> tuple[B, int]:
        seed = order.sample_seed(position)
        return samples.sample(order.index(position), seed), seed

    stream = ordered_map(
        read,
        (position for step in steps for position in order.positions(step)),
        threads=workers,
        ahead=max(2 * count, 2 * workers),  # a step in advance, and work for every thread
    )
    try:
        while True:
            drawn, seeds = zip(*(next(stream) for _ in range(count)), strict=True)
            places = [slice(first, first + order.batch_size) for first in order.micro_batches]
            yield [(stack(drawn[place]), list(seeds[place])) for place in places]
    finally:
        stream.close()


def _pin(batch: B) -> B:
    kind = type(batch)
    return kind(*(field.pin_memory() for field in batch))
