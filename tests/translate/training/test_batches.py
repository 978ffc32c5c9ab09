"""Which samples a step sees, and their random numbers, are functions of the seed and the step alone."""

import itertools
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from datasets.contract import Samples
from translate.training.batches import Order, load_batches, seconds_per_step


class Seen(NamedTuple):
    number: Tensor
    seed: Tensor


class Numbers(Samples[Seen]):
    """Samples that hold their index and their seed."""

    def __len__(self) -> int:
        return 7

    def name(self, index: int) -> str:
        return str(index)

    def sample(self, index: int, seed: int) -> Seen:
        return Seen(torch.tensor(index), torch.tensor(seed))


def order(**changes: int) -> Order:
    usual = {"samples": 7, "seed": 3, "rollbacks": 0, "batch_size": 2, "accumulate": 1, "rank": 0, "processes": 1}
    return Order(**{**usual, **changes})


def steps(count: int, start: int = 0, workers: int = 2, **changes: int) -> list[list[list[tuple[int, int]]]]:
    """(index, seed) of every sample of every micro-batch of some steps."""
    batches = load_batches(Numbers(), order(**changes), start, workers)
    taken = [
        [list(zip(batch.number.tolist(), batch.seed.tolist(), strict=True)) for batch in step]
        for step in itertools.islice(batches, count)
    ]
    batches.close()
    return taken


def test_every_sample_comes_once_an_epoch_in_an_order_of_its_own():
    indices = [index for step in steps(21) for batch in step for index, _ in batch]
    epochs = [indices[first : first + 7] for first in range(0, 42, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 6


def test_every_position_has_its_own_seed():
    seeds = [seed for step in steps(21) for batch in step for _, seed in batch]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("change", ["seed", "rollbacks"])
def test_another_seed_or_a_rollback_changes_the_order_and_the_draws(change):
    usual, other = steps(10), steps(10, **{change: 1})
    assert [index for ((pair, *_),) in usual for index in pair[:1]] != [i for ((pair, *_),) in other for i in pair[:1]]
    assert not {s for ((*_, pair),) in usual for s in pair[1:]} & {s for ((*_, pair),) in other for s in pair[1:]}


@pytest.mark.parametrize("workers", [1, 5, 16])
def test_the_number_of_workers_changes_nothing(workers):
    assert steps(9, workers=workers, accumulate=2) == steps(9, workers=2, accumulate=2)


@pytest.mark.parametrize("start", [1, 4, 30])
def test_it_can_start_at_any_step(start):
    assert steps(5, start=start, accumulate=2) == steps(start + 5, accumulate=2)[start:]


@pytest.mark.parametrize(("processes", "accumulate"), [(1, 4), (4, 1), (2, 2)])
def test_processes_and_micro_batches_divide_what_one_big_batch_sees(processes, accumulate):
    big = [step[0] for step in steps(6, batch_size=8)]
    ranks = [steps(6, rank=rank, processes=processes, accumulate=accumulate) for rank in range(processes)]
    for step, whole in enumerate(big):
        parts = [rank[step][micro] for micro in range(accumulate) for rank in ranks]
        assert all(len(part) == 2 for part in parts)
        assert [sample for part in parts for sample in part] == whole


def test_a_batch_may_be_larger_than_the_data():
    ((batch,),) = steps(1, batch_size=16)
    counts = [sum(index == number for index, _ in batch) for number in range(7)]
    assert sum(counts) == 16
    assert set(counts) <= {2, 3}


class Finished(NamedTuple):
    number: Tensor
    seed: Tensor
    given: Tensor


class Unfinished(Numbers):
    """Samples that are finished in batches, by adding the seeds that they are finished with."""

    def finish(self, batch: Seen, seeds: Sequence[int], device: torch.device) -> Finished:
        return Finished(*batch, torch.tensor(seeds, device=device))


def test_samples_are_finished_with_the_seeds_that_they_were_drawn_with():
    batches = load_batches(Unfinished(), order(accumulate=2), 3, 2)
    for step in itertools.islice(batches, 4):
        assert len(step) == 2
        for batch in step:
            assert torch.equal(batch.seed, batch.given)
    batches.close()


def test_how_long_a_step_waits_for_its_batches_is_measured_and_the_threads_end():
    class Slow(Numbers):
        def finish(self, batch: Seen, seeds: Sequence[int], device: torch.device) -> Seen:
            time.sleep(0.01)
            return batch

    before = threading.active_count()
    assert seconds_per_step(Slow(), order(accumulate=2), 2, torch.device("cpu")) >= 0.02
    assert threading.active_count() == before


@pytest.mark.parametrize("undegraded", [False, True])
def test_pictures_are_read_equally_by_any_number_of_threads(tiny, photos, undegraded):
    samples = tiny("data.crop.jitter=0.3").data.open(photos).training
    samples = samples.without_degradation() if undegraded else samples
    settings = {"samples": len(samples), "accumulate": 2}
    few, many = (load_batches(samples, order(**settings), 2, workers) for workers in (1, 4))
    for one, other in itertools.islice(zip(few, many, strict=True), 5):
        for mine, theirs in zip(one, other, strict=True):
            assert mine.source.shape == (2, 3, 16, 16)
            assert all(map(torch.equal, mine, theirs))
    few.close()
    many.close()


def test_closing_ends_the_threads():
    before = threading.active_count()
    batches = load_batches(Numbers(), order(), 0, 4)
    next(batches)
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before
