"""Pictures that are computed side by side."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from translate.folder import translate_folder
from translate.lanes import MOST, side_by_side
from translate.model import load_model


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("threads", "pictures", "alone", "lanes", "each"),
    [(2, 9, False, 2, 1), (6, 9, False, MOST, 1), (8, 9, False, MOST, 2), (4, 1, False, 1, 4), (4, 9, True, 1, 4)],
)
def test_lanes_share_the_threads_that_there_are(threads, pictures, alone, lanes, each) -> None:
    torch.set_num_threads(threads)
    gate = threading.Barrier(lanes)  # passed only when as many are at work as there shall be

    def compute(item: int) -> tuple[int, int, int]:
        if item < lanes:
            gate.wait(timeout=60)
        time.sleep(0.01 * (pictures - item))  # later ones end sooner
        return item, torch.get_num_threads(), threading.get_ident()

    results = list(side_by_side(compute, iter(range(pictures)), pictures=pictures, alone=alone, size=lambda _: 0))
    assert [item for item, _, _ in results] == list(range(pictures))
    assert {count for _, count, _ in results} == {each}
    assert len({thread for _, _, thread in results}) == lanes


def test_whoever_comes_later_has_all_threads_again() -> None:
    torch.set_num_threads(4)
    assert list(side_by_side(lambda item: item, range(3), pictures=3, alone=False, size=lambda _: 0)) == [0, 1, 2]
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

    results = side_by_side(compute, range(1000), pictures=1000, alone=False, size=lambda _: 0)
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
