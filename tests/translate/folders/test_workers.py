"""Pictures that are computed side by side."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from translate.folders.translated_folder import translate_folder
from translate.folders.workers import MAX_WORKERS, map_on_workers
from translate.inference.model import load_model


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def nothing(_: object) -> int:
    return 0


@pytest.mark.parametrize(
    ("threads", "count", "workers", "threads_each"),
    [
        (2, 9, 2, [1, 1]),
        (6, 9, MAX_WORKERS, [2, 2, 1, 1]),
        (8, 9, MAX_WORKERS, [2] * MAX_WORKERS),
        (4, 3, 3, [2, 1, 1]),
    ],
)
def test_workers_share_all_threads(threads: int, count: int, workers: int, threads_each: list[int]) -> None:
    torch.set_num_threads(threads)
    gate = threading.Barrier(workers)  # passed only when all workers are at work
    used: dict[int, int] = {}

    def compute(item: int) -> int:
        if item < workers:
            gate.wait(timeout=60)
        used[threading.get_ident()] = torch.get_num_threads()
        time.sleep(0.01 * (count - item))  # later ones end sooner
        return item

    results = map_on_workers(compute, iter(range(count)), count=count, exclusive=lambda _: False, size=nothing)
    assert list(results) == list(range(count))
    assert sorted(used.values(), reverse=True) == threads_each


@pytest.mark.parametrize(("count", "large"), [(1, ()), (9, range(9)), (9, (3, 4, 8))])
def test_a_single_or_a_large_one_has_all_threads_and_nothing_beside_it(count: int, large: Sequence[int]) -> None:
    torch.set_num_threads(4)
    at_work: list[int] = []

    def compute(item: int) -> tuple[int, int, bool, int]:
        at_work.append(item)
        time.sleep(0.01)
        beside = len(at_work) - 1
        at_work.remove(item)
        return item, torch.get_num_threads(), threading.current_thread() is threading.main_thread(), beside

    results = map_on_workers(compute, range(count), count=count, exclusive=lambda item: item in large, size=nothing)
    for number, (item, threads, here, beside) in enumerate(results):
        assert item == number
        if item in large or count == 1:
            assert (threads, here, beside) == (4, True, 0)
        else:
            assert (threads, here) == (1, False)


def test_whoever_comes_later_has_all_threads_again() -> None:
    torch.set_num_threads(4)
    assert list(map_on_workers(lambda item: item, range(3), count=3, exclusive=lambda _: False, size=nothing)) == [
        0,
        1,
        2,
    ]
    counts: list[int] = []
    later = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert counts == [4] == [torch.get_num_threads()]


def test_an_error_is_raised_at_its_turn_and_nothing_goes_on_after_it() -> None:
    torch.set_num_threads(2)
    begun: list[int] = []

    def compute(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise ArithmeticError("of item 1")
        time.sleep(0.02)
        return item

    results = map_on_workers(compute, range(1000), count=1000, exclusive=lambda _: False, size=nothing)
    assert next(results) == 0
    with pytest.raises(ArithmeticError, match="of item 1"):
        list(results)
    assert len(begun) < 12
    time.sleep(0.1)
    assert len(begun) < 12


def test_a_picture_is_the_same_in_a_folder_and_by_itself(large_photos: Path, tmp_path: Path) -> None:
    torch.set_num_threads(2)
    model = load_model("upscale-x2", device="cpu", precision="fp32", threads=2)
    assert {one.status for one in translate_folder(model, large_photos, tmp_path / "out")} == {"ok"}
    for number in range(4):
        assert [one.status for one in translate_folder(model, large_photos / f"{number}.png", tmp_path)] == ["ok"]
        assert (tmp_path / "out" / f"{number}.png").read_bytes() == (tmp_path / f"{number}.png").read_bytes()
