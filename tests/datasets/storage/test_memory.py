"""Pictures in memory, and which rows are held out."""

import pytest
import torch

from datasets.contract import stack
from datasets.storage.memory import PicturesInMemory, split_rows


def test_bytes_are_scaled_and_floats_are_not() -> None:
    label = torch.tensor([3, 4])
    levels = torch.tensor([[0, 255], [51, 102]], dtype=torch.uint8).view(2, 1, 1, 2)
    image = PicturesInMemory(levels, label, ["a", "b"]).sample(0, 0).image
    assert (image.dtype, image.flatten().tolist()) == (torch.float32, [-1, 1])
    floats = torch.tensor([[5.0, -7.0], [0.0, 1.0]]).view(2, 1, 1, 2)
    assert torch.equal(PicturesInMemory(floats, label, ["a", "b"]).sample(1, 0).image, floats[1])


def test_gathering_is_stacking_samples() -> None:
    samples = PicturesInMemory(torch.arange(24, dtype=torch.uint8).view(6, 1, 2, 2), torch.arange(6), list("abcdef"))
    assert samples.in_memory
    assert (len(samples), samples.name(4)) == (6, "e")
    gathered, stacked = samples.gather([5, 0, 5]), stack([samples.sample(index, 1) for index in (5, 0, 5)])
    assert all(torch.equal(one, other) for one, other in zip(gathered, stacked, strict=True))
    assert gathered.label.tolist() == [5, 0, 5]


@pytest.mark.parametrize(("count", "fraction", "held_out"), [(100, 0.1, 10), (2, 0.01, 1), (1, 0.5, 0), (9, 0, 0)])
def test_every_row_is_on_one_side(count: int, fraction: float, held_out: int) -> None:
    training, validation = split_rows(count, fraction)
    assert len(validation) == held_out
    assert sorted([*training, *validation]) == list(range(count))
    assert (training, validation) == (sorted(training), sorted(validation))


def test_rows_added_below_rarely_move_others() -> None:
    before, after = (set(split_rows(count, 0.2)[1]) for count in (1000, 1010))
    assert len(before - after) <= 12
    assert before not in (set(range(200)), set(range(800, 1000)))  # an order that often has a meaning
