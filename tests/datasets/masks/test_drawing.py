"""Random masks: their shapes, their sizes, and that equal seeds give equal masks."""

import cv2
import numpy as np
import pytest

from datasets.masks.drawing import MASKS, THICK, THIN, MaskName, draw_brush_mask, draw_free_form, draw_mask

SEEDS = range(200)


def fractions(name: MaskName, side: int = 256) -> np.ndarray:
    return np.array([draw_mask(name, side, side, seed).mean() for seed in SEEDS])


@pytest.mark.parametrize("name", MASKS)
def test_one_seed_draws_one_mask_of_the_size_asked_for(name):
    mask = draw_mask(name, 48, 70, 5)
    assert (mask.shape, mask.dtype) == ((48, 70), np.dtype(np.bool_))
    assert np.array_equal(mask, draw_mask(name, 48, 70, 5))
    assert len({draw_mask(name, 48, 70, seed).tobytes() for seed in range(20)}) > 15


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("size", [(8, 8), (256, 256), (64, 200)])
def test_a_hole_is_neither_empty_nor_more_than_half(name: MaskName, size: tuple[int, int]) -> None:
    for seed in range(60):
        fraction = draw_mask(name, *size, seed).mean()
        assert 0 < fraction <= 0.5


@pytest.mark.parametrize(
    ("name", "mean"), [("free_form", 0.17), ("box", 0.22), ("thin", 0.29), ("medium", 0.23), ("thick", 0.24)]
)
def test_holes_take_the_same_share_of_small_and_large_pictures(name, mean):
    large, small = fractions(name), fractions(name, 128)
    assert large.mean() == pytest.approx(mean, abs=0.04)
    assert small.mean() == pytest.approx(large.mean(), abs=0.02)


def depth(mask: np.ndarray) -> float:
    """How far the pixel of the hole that is farthest from what is known is from it."""
    return float(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).max())


def test_thick_holes_are_wider_than_medium_ones_and_those_than_thin_ones():
    depths = {name: np.mean([depth(draw_mask(name, 256, 256, seed)) for seed in SEEDS]) for name in MASKS}
    assert 1.5 * depths["thin"] < depths["medium"]
    assert 1.2 * depths["medium"] < depths["thick"]


def test_a_box_is_one_rectangle_of_about_half_the_sides_anywhere():
    corners = []
    for seed in SEEDS:
        rows, columns = (np.flatnonzero(draw_mask("box", 256, 256, seed).any(axis)) for axis in (1, 0))
        for side in (rows, columns):
            assert 112 <= len(side) <= 128
            assert len(side) == side[-1] - side[0] + 1
        assert draw_mask("box", 256, 256, seed).sum() == len(rows) * len(columns)
        corners.append((rows[0], columns[0]))
    assert np.ptp(corners, axis=0).min() > 110


def test_strokes_reach_everywhere_and_no_side_more_than_the_opposite_one():
    seen = np.mean([draw_free_form(256, 256, np.random.default_rng(seed)) for seed in range(600)], axis=0)
    assert seen.min() > 0.03
    assert seen[:128].mean() == pytest.approx(seen[128:].mean(), rel=0.15)
    assert seen[:, :128].mean() == pytest.approx(seen[:, 128:].mean(), rel=0.15)


def test_strokes_are_no_wider_than_the_brush():
    one = THIN._replace(strokes=(1, 1), width=(9, 9), length=(40, 40))
    for seed in range(20):
        mask = draw_brush_mask(one, 256, 256, np.random.default_rng(seed))
        # A line of 9 pixels with round ends, up to 5 times 40 long.
        assert 0 < mask.sum() <= 5 * 40 * 10 + 9 * 9


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_boxes_take_the_place_of_strokes_by_their_probability(probability):
    brush = THICK._replace(box_probability=probability, boxes=(1, 1))
    rectangles = 0
    for seed in range(30):
        mask = draw_brush_mask(brush, 256, 256, np.random.default_rng(seed))
        rectangles += mask.sum() == mask.any(0).sum() * mask.any(1).sum()
    assert rectangles == 30 if probability else rectangles < 3
