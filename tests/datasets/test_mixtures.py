"""Mixtures against the moments that their definition gives them."""

import numpy as np
import pytest

from datasets.mixtures import MIXTURES


def test_the_ring_has_eight_modes_on_the_unit_circle_and_the_grid_twenty_five():
    ring, grid = MIXTURES["ring"], MIXTURES["grid"]
    assert ring.modes.shape == (8, 2)
    assert np.allclose(np.hypot(*ring.modes.T), 1)
    assert np.allclose(ring.modes[1], np.sqrt(0.5))
    distances = np.linalg.norm(ring.modes[:, None] - ring.modes, axis=2)
    assert np.isclose(np.sort(distances, axis=1)[:, 1], 2 * np.sin(np.pi / 8)).all()  # neighbours, all equally far
    assert {tuple(mode) for mode in grid.modes} == {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}
    assert (ring.deviation, grid.deviation) == (0.01, 0.05)


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_points_are_spread_evenly_over_the_modes_and_normally_around_them(name):
    mixture, count = MIXTURES[name], 40_000
    points = mixture.draw(count, seed=3)
    assert (points.shape, points.dtype) == ((count, 2), np.dtype(np.float32))
    away = points[:, None] - mixture.modes
    nearest = np.linalg.norm(away, axis=2).argmin(1)
    offsets = away[np.arange(count), nearest] / mixture.deviation
    counts = np.bincount(nearest, minlength=len(mixture.modes))
    expected = count / len(mixture.modes)
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()
    assert np.abs(offsets.mean(0)).max() < 5 / np.sqrt(count)
    assert np.allclose(np.cov(offsets.T), np.eye(2), atol=0.04)
    fraction = (np.linalg.norm(offsets, axis=1) < 3).mean()
    assert fraction == pytest.approx(1 - np.exp(-4.5), abs=0.002)  # Rayleigh: within three deviations


def test_a_seed_draws_the_same_and_another_draws_others():
    ring = MIXTURES["ring"]
    assert np.array_equal(ring.draw(9, 1), ring.draw(9, 1))
    assert not np.array_equal(ring.draw(9, 1), ring.draw(9, 2))
