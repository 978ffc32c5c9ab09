"""Grids, interpolations, manifolds and points."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from datasets.codecs.images import SaveOptions
from datasets.errors import UserError
from translate.sampling import latents
from translate.sampling.arithmetic import plan_arithmetic
from translate.sampling.outputs import SampleOptions
from translate.sampling.sampler import LoadedSampler
from translate.sampling.samples import plan_interpolation, plan_manifold


def test_a_grid_shows_the_first_pictures(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, pixels: Any
) -> None:
    sample(flat(), tmp_path / "plain", 7, grid=True)
    sheet = pixels(tmp_path / "plain" / "grid.png")
    assert sheet.shape == (3 * 64 + 2 * 2, 3 * 64 + 2 * 2, 3)  # each pixel of the small pictures 16 times as large
    for index in range(7):
        row, column = divmod(index, 3)
        cell = sheet[66 * row : 66 * row + 64, 66 * column : 66 * column + 64]
        assert (cell == pixels(tmp_path / "plain" / f"{index:06}.png")[0, 0]).all()
    assert (sheet[132:, 66:] == 255).all()
    sample(flat(domains=("plain", "dark")), tmp_path / "classes", 12, grid=True)
    sheet = pixels(tmp_path / "classes" / "grid.png")
    assert sheet.shape[0] == 2 * 64 + 2
    assert (sheet[0, -1] == pixels(tmp_path / "classes" / "plain" / "000009.png")[0, 0]).all()
    assert (sheet[-1, -1] == pixels(tmp_path / "classes" / "dark" / "000009.png")[0, 0]).all()
    assert (sheet[:64, :40] < 128).any()  # the names


def test_a_strip_leads_from_one_seed_to_the_next(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, make: Any, files: Any, pixels: Any
) -> None:
    loaded = flat(domains=("cat", "dog"))
    plan = plan_interpolation(loaded, tmp_path / "out", [3, 4, 9], 4, SampleOptions(classes=("dog",)))
    assert plan.notes == ()
    assert {o.status for o in make(loaded, plan).values()} == {"ok"}
    assert set(files(tmp_path / "out")) == {"dog/strip.png", *(f"dog/{index:06}.png" for index in range(7))}
    for index, seed in ((0, 3), (3, 4), (6, 9)):
        sample(loaded, tmp_path / str(seed), 1, seed=seed, classes=("dog",))
        assert files(tmp_path / str(seed))["dog/000000.png"] == files(tmp_path / "out")[f"dog/{index:06}.png"]
    strip = pixels(tmp_path / "out" / "dog" / "strip.png")
    assert strip.shape == (64, 7 * 64 + 6 * 2, 3)
    for index in range(7):
        assert (strip[:, 66 * index] == pixels(tmp_path / "out" / "dog" / f"{index:06}.png")[0, 0]).all()


def test_uniform_latents_go_straight_and_it_is_said(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    plan = plan_interpolation(flat(prior="uniform"), tmp_path / "out", [3, 4], None, SampleOptions())
    assert plan.notes == ("this model's latents are uniform: the interpolation is linear, not on a sphere",)
    assert len(plan.outputs) == 8 + 1


def test_a_manifold_is_one_sheet_of_two_numbers(
    flat: Callable[..., LoadedSampler], tmp_path: Path, make: Any, pixels: Any
) -> None:
    loaded = flat(latent=2, channels=1)
    assert list(make(loaded, plan_manifold(loaded, tmp_path / "two", None, 6, SampleOptions()))) == ["manifold.png"]
    sheet = pixels(tmp_path / "two" / "manifold.png")
    assert sheet.shape == (6 * 64, 6 * 64)
    columns = ((stats.norm.ppf((np.arange(6) + 0.5) / 6) / 8 + 1) * 127.5).round()
    assert (sheet == columns.repeat(64)[None]).all()  # the first number is the gray level, to the right
    loaded = flat(latent=3)
    with pytest.raises(UserError, match="latents have 3; choose two with `axes` 0,1"):
        plan_manifold(loaded, tmp_path / "three", None, 6, SampleOptions())
    make(loaded, plan_manifold(loaded, tmp_path / "three", (2, 0), 6, SampleOptions()))
    sheet = pixels(tmp_path / "three" / "manifold.png")
    assert (sheet[..., 2] == columns.repeat(64)[None]).all()
    assert (sheet[..., 0] == columns[::-1].repeat(64)[:, None]).all()
    for axes in ((0, 0), (0, 3)):
        with pytest.raises(UserError, match="expected two different numbers from 0 to 2"):
            plan_manifold(loaded, tmp_path / "new", axes, 6, SampleOptions())


@pytest.fixture
def points(gan: Callable[..., LoadedSampler]) -> Callable[..., LoadedSampler]:
    """A sampler of points; `points(conditional=True, domains=("inner", "outer"))`."""
    return lambda **settings: gan(channels=2, size=1, latent=2, output="linear", **settings)


def test_points_are_a_table_and_a_plot(
    points: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, pixels: Any
) -> None:
    loaded = points(conditional=True, domains=("inner", "outer"))
    outcomes = sample(loaded, tmp_path / "out", 40)
    assert [o.status for o in outcomes.values()] == ["ok", "ok"]
    with (tmp_path / "out" / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["inner"] * 40 + ["outer"] * 40
    latents_of_points = torch.stack(
        [latents.sample_latent(loaded.sampler, 0, label, index) for label in (0, 1) for index in range(40)]
    )
    expected = loaded.generate(latents_of_points, torch.tensor([0] * 40 + [1] * 40)).flatten(1).numpy()
    assert np.array_equal(np.array([[row["x"], row["y"]] for row in rows], np.float32), expected)
    assert (pixels(tmp_path / "out" / "points.png") < 255).sum() > 20
    sample(points(), tmp_path / "plain", 3)
    assert (tmp_path / "plain" / "points.csv").read_text().startswith("x,y\n")
    assert len((tmp_path / "plain" / "points.csv").read_text().splitlines()) == 4


def test_what_is_for_pictures_is_refused_for_points(
    points: Callable[..., LoadedSampler], tmp_path: Path, sample: Any
) -> None:
    loaded, out = points(), tmp_path / "out"
    sentence = "is for pictures, and this model makes points of the plane"
    with pytest.raises(UserError, match=f"`grid`: {sentence}"):
        sample(loaded, out, grid=True)
    with pytest.raises(UserError, match=f"`format` jpeg: {sentence}"):
        sample(loaded, out, save=SaveOptions(format="jpeg"))
    with pytest.raises(UserError, match=f"interpolation: {sentence}"):
        plan_interpolation(loaded, out, [0, 1], 3, SampleOptions())
    with pytest.raises(UserError, match=f"a manifold: {sentence}"):
        plan_manifold(loaded, out, None, 3, SampleOptions())
    with pytest.raises(UserError, match=f"arithmetic: {sentence}"):
        plan_arithmetic(loaded, out, "a", 0, SampleOptions())
    with pytest.raises(UserError, match="makes points and no pictures"):
        loaded(3)
