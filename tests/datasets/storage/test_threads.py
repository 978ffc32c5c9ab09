"""Work on threads: in order, bounded, and over when the caller stops."""

import threading
import time
from collections.abc import Iterator

import pytest

from datasets.storage.threads import BoundedCache, ordered_map


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number * number

    assert list(ordered_map(slow_first, range(20), threads=4, ahead=6)) == [n * n for n in range(20)]


def test_several_items_are_worked_on_at_once() -> None:
    together = threading.Barrier(3, timeout=5)  # breaks unless three threads meet
    assert len(list(ordered_map(lambda _: together.wait(), range(3), threads=3, ahead=3))) == 3


def test_no_more_than_the_next_items_are_asked_for() -> None:
    asked: list[int] = []

    def endless() -> Iterator[int]:
        for number in range(10**9):
            asked.append(number)
            yield number

    results = ordered_map(lambda number: number, endless(), threads=2, ahead=5)
    assert next(results) == 0
    assert asked == [0, 1, 2, 3, 4, 5]
    results.close()


def test_of_large_results_fewer_are_worked_on_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.storage.threads.QUEUE_BYTES", 300)
    begun: list[int] = []
    sizes = [100] * 20 + [1000] * 20 + [1] * 10 + [0] * 10  # room for three, for less than one, for all

    def work(number: int) -> int:
        begun.append(number)
        return number

    results = ordered_map(work, range(60), threads=2, ahead=8, size=lambda number: sizes[number])
    ahead = []
    for number in results:
        time.sleep(0.003)  # let the threads come as far as they may
        ahead.append(len(begun) - 1 - number)
    assert max(ahead[1:18]) == 3
    assert set(ahead[25:38]) == {1}
    assert max(ahead[42:50]) == 8
    assert sorted(begun) == list(range(60))


def test_an_error_surfaces_at_its_items_turn() -> None:
    results = ordered_map(lambda number: 1 // (3 - number), range(6), threads=2, ahead=6)
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_stopping_early_cancels_what_waits_and_ends_the_threads() -> None:
    before, done = threading.active_count(), []

    def work(number: int) -> None:
        time.sleep(0.01)
        done.append(number)

    results = ordered_map(work, range(1000), threads=2, ahead=500)
    next(results)
    results.close()
    assert len(done) < 20
    assert threading.active_count() == before


def test_results_are_cached_while_they_fit() -> None:
    computed: list[int] = []

    def compute(index: int) -> bytes:
        computed.append(index)
        return bytes(index)

    cache = BoundedCache(compute, len, 100)
    for index in (60, 50, 60, 50, 40, 40, 1, 1):  # 60 and 40 fill it; 50 and 1 do not fit beside them
        assert cache(index) == bytes(index)
    assert computed == [60, 50, 50, 40, 1, 1]


def test_an_empty_cache_computes_every_time() -> None:
    counter = iter(range(10))
    cache = BoundedCache(lambda index: next(counter), lambda result: 1, 0)
    assert [cache(0), cache(0)] == [0, 1]
