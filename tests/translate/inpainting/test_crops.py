"""Crops around holes: every hole pixel in exactly one, with enough around it, at full resolution where that can be."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from translate.inference.tiles import Area
from translate.inpainting.crops import Crop, find_crops, surround

SIZE = 64


def mask(height: int, width: int, *boxes: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    hole = np.zeros((height, width), bool)
    for top, left, bottom, right in boxes:
        hole[top:bottom, left:right] = True
    return hole


def counts(found: list[Crop], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """How many crops fill each pixel."""
    filled = np.zeros(shape, np.int64)
    for crop in found:
        filled[crop.area.top : crop.area.bottom, crop.area.left : crop.area.right] += crop.own
    return filled


@pytest.mark.parametrize("seed", range(8))
def test_every_pixel_of_a_hole_belongs_to_one_crop(seed: int) -> None:
    draws = np.random.default_rng(seed)
    hole = draws.random((300, 420)) < (0, 0.0005, 0.02, 0.3)[seed % 4]
    for _ in range(seed):
        top, left = draws.integers(0, 280), draws.integers(0, 400)
        hole[top : top + draws.integers(1, 200), left : left + draws.integers(1, 12 + 100 * (seed % 2))] = True
    found = list(find_crops(hole, SIZE))
    assert (counts(found, hole.shape) == hole).all()
    for area in (crop.area for crop in found):
        assert not hole[area.top : area.bottom, area.left : area.right].all()  # something is known


def test_a_small_hole_gets_a_crop_of_the_trained_size_with_itself_in_the_middle() -> None:
    (crop,) = find_crops(mask(500, 600, (200, 300, 210, 320)), SIZE)
    assert crop.area == Area(173, 278, 237, 342)
    assert crop.own.sum() == 200


def test_around_a_larger_hole_there_is_as_much_again_on_every_side() -> None:
    (crop,) = find_crops(mask(500, 600, (200, 300, 230, 340)), SIZE)
    assert crop.area == Area(160, 260, 270, 380)


@pytest.mark.parametrize("box", [(0, 0, 10, 10), (490, 590, 500, 600), (0, 290, 10, 300), (495, 0, 500, 5)])
def test_at_a_border_a_crop_is_moved_and_keeps_its_size(box: tuple[int, int, int, int]) -> None:
    (crop,) = find_crops(mask(500, 600, box), SIZE)
    area = crop.area
    assert (area.bottom - area.top, area.right - area.left) == (SIZE, SIZE)
    assert min(area.top, area.left) >= 0
    assert area.bottom <= 500
    assert area.right <= 600


def test_a_picture_smaller_than_a_crop_is_the_crop() -> None:
    assert surround((3, 3, 5, 5), SIZE, (20, 30)) == Area(0, 0, 20, 30)
    (crop,) = find_crops(mask(20, 30, (0, 0, 2, 30), (18, 0, 20, 30), (0, 0, 20, 2), (0, 28, 20, 30)), SIZE)
    assert crop.area == Area(0, 0, 20, 30)


def test_holes_near_each_other_share_a_crop_and_distant_ones_do_not() -> None:
    for left in (300, 320):  # the second pair's crops begin in two squares of the trained size
        near = list(find_crops(mask(500, 600, (200, left, 220, left + 20), (200, left + 40, 220, left + 60)), SIZE))
        assert len(near) == 1
        assert near[0].own.sum() == 800
    assert len(list(find_crops(mask(500, 600, (20, 20, 40, 40), (400, 500, 420, 520)), SIZE))) == 2


def test_many_holes_do_not_join_into_one_large_crop() -> None:
    boxes = [(y, x, y + 6, x + 6) for y in range(10, 980, 40) for x in range(10, 980, 40)]
    found = list(find_crops(mask(1000, 1000, *boxes), SIZE))
    assert max(crop.area.longer_side for crop in found) <= 2 * SIZE
    assert (counts(found, (1000, 1000)) == mask(1000, 1000, *boxes)).all()
    assert len(found) < len(boxes) / 2


def test_a_long_scratch_is_filled_in_pieces_and_a_thick_bar_at_once() -> None:
    scratch = mask(400, 1000, (200, 10, 206, 990))
    pieces = list(find_crops(scratch, SIZE))
    assert len(pieces) > 5
    assert max(crop.area.longer_side for crop in pieces) <= 2 * SIZE
    assert (counts(pieces, scratch.shape) == scratch).all()
    (bar,) = find_crops(mask(400, 1000, (150, 10, 250, 990)), SIZE)
    assert bar.area == Area(0, 0, 400, 1000)


def test_thousands_of_specks_take_no_longer_than_a_moment() -> None:
    hole = np.random.default_rng(0).random((2000, 3000)) < 0.002
    start = time.process_time()
    found = list(find_crops(hole, 256))
    assert time.process_time() - start < 5
    assert (counts(found, hole.shape) == hole).all()
    assert len(found) < 200


def test_without_a_hole_there_is_no_crop() -> None:
    assert list(find_crops(mask(50, 60), SIZE)) == []
