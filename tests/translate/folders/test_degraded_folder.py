"""Degraded folders: inputs to try a model on, made the same whenever they are made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.degradations.degrade import DEGRADATIONS, DegradationName
from datasets.errors import DataError
from translate.folders.degraded_folder import degrade_folder


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Colour and gray, 8 and 16 bit, with and without alpha, one pixel and more."""
    folder, draws = tmp_path / "many", np.random.default_rng(0)
    (folder / "sub").mkdir(parents=True)
    alpha = draws.integers(0, 256, (11, 13), np.uint8)
    write_picture(Picture(draws.integers(0, 256, (11, 13, 3), np.uint8), alpha), folder / "alpha.png")
    write_picture(Picture(draws.integers(0, 256, (11, 13, 1), np.uint8)), folder / "gray.png")
    write_picture(Picture(draws.integers(0, 65536, (11, 13, 3), np.uint16)), folder / "sub" / "deep.tif")
    write_picture(Picture(draws.integers(0, 65536, (11, 13, 1), np.uint16)), folder / "sub" / "deep gray.png")
    write_picture(Picture(draws.integers(0, 256, (1, 1, 3), np.uint8)), folder / "pixel.bmp")
    write_picture(Picture(draws.integers(0, 256, (40, 30, 3), np.uint8)), folder / "photo.jpg")
    return folder


def degraded(source: Path, destination: Path, name: DegradationName, **options: Any) -> dict[str, bytes]:
    """The files that come of it, which must be one for each of the source's."""
    assert {outcome.status for outcome in degrade_folder(source, destination, name, **options)} == {"ok"}
    results = {path.relative_to(destination).as_posix(): path for path in destination.rglob("*") if path.is_file()}
    assert results.pop("manifest.jsonl")
    assert set(results) == {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in results.items()}


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_size_depth_and_alpha_are_kept(many: Path, tmp_path: Path, name: DegradationName) -> None:
    degraded(many, tmp_path / "out", name)
    for path in many.rglob("*.*"):
        before, after = read_picture(path), read_picture(tmp_path / "out" / path.relative_to(many))
        assert (after.width, after.height, after.depth) == (before.width, before.height, before.depth)
        assert after.channels == (DEGRADATIONS[name].channels or before.channels)
        assert (after.alpha is None) == (before.alpha is None)
        if after.alpha is not None and before.alpha is not None:
            np.testing.assert_array_equal(after.alpha, before.alpha)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_every_degradation_degrades(photos: Path, tmp_path: Path, name: DegradationName) -> None:
    degraded(photos, tmp_path / "out", name)
    before, after = read_picture(photos / "a.png"), read_picture(tmp_path / "out" / "a.png")
    assert np.abs(before.pixels.astype(int) - after.pixels).max() > 2


def test_gray_files_are_gray_files(photos: Path, tmp_path: Path) -> None:
    names: tuple[DegradationName, ...] = ("gray", "edges")
    for name in names:
        degraded(photos, tmp_path / name, name)
        for path in photos.iterdir():
            with Image.open(tmp_path / name / path.name) as results:
                assert results.mode == "L"


def test_one_seed_gives_the_same_files_and_another_gives_others(photos: Path, tmp_path: Path) -> None:
    first = degraded(photos, tmp_path / "first", "noise", seed=1)
    assert degraded(photos, tmp_path / "again", "noise", seed=1) == first
    other = degraded(photos, tmp_path / "other", "noise", seed=2)
    assert all(other[name] != data for name, data in first.items())


def test_a_picture_draws_by_its_name_and_not_by_its_neighbours(photos: Path, tmp_path: Path) -> None:
    (photos / "twin of b.png").write_bytes((photos / "b.png").read_bytes())
    together = degraded(photos, tmp_path / "together", "noise")
    assert together["twin of b.png"] != together["b.png"]
    for path in photos.glob("[!b]*"):
        path.unlink()
    assert degraded(photos, tmp_path / "alone", "noise")["b.png"] == together["b.png"]


def test_a_stronger_degradation_changes_more(photos: Path, tmp_path: Path) -> None:
    changes = []
    for strength in (5.0, 20.0, 80.0):
        degraded(photos, tmp_path / str(strength), "noise", strength=strength)
        after = read_picture(tmp_path / str(strength) / "a.png").pixels.astype(float)
        changes.append(np.abs(after - read_picture(photos / "a.png").pixels).mean())
    assert changes[0] < changes[1] < changes[2]
    assert 3 < changes[0] < 5  # a Gaussian's mean deviation is 0.8 of its standard deviation


@pytest.mark.parametrize(
    ("name", "strength"), [("blur", 0.0), ("blur", 21.0), ("jpeg", 96.0), ("posterize", 1.0), ("noise", float("nan"))]
)
def test_a_strength_that_cannot_be_is_refused_before_anything_is_written(
    photos: Path, tmp_path: Path, name: DegradationName, strength: float
) -> None:
    kind = DEGRADATIONS[name]
    with pytest.raises(
        DataError, match=f"^{name}: strength is {kind.meaning}, from {kind.lowest:g} to {kind.highest:g}"
    ):
        degrade_folder(photos, tmp_path / "out", name, strength)
    assert not (tmp_path / "out").exists()


def test_a_bad_picture_fails_and_the_rest_is_done(photos: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    (photos / "bad.png").write_text("no picture")
    (photos / "layers.psd").write_bytes(b"whatever")
    ended = command("data", "degrade", "gray", photos, tmp_path / "out")
    assert (ended.code, ended.out) == (3, "")
    lines = ended.err.splitlines()
    assert lines[-1] == f"done 6 ok, 0 skipped, 1 failed, 1 left alone → {tmp_path / 'out'}"
    assert "bad.png" in lines[0]
    assert "layers.psd: Photoshop cannot be read" in lines[1]
    assert len(list((tmp_path / "out").glob("?.*"))) == 6


def test_existing_copies_are_refused_skipped_or_replaced(
    photos: Path, command: Callable[..., Any], tmp_path: Path
) -> None:
    arguments = ("data", "degrade", "jpeg", photos, tmp_path / "out", "--strength", 20)
    assert command(*arguments).code == 0
    assert command(*arguments).code == 2
    (tmp_path / "out" / "a.png").unlink()
    assert "done 1 ok, 5 skipped" in command(*arguments, "--on-exists", "skip").err
    assert "done 6 ok, 0 skipped" in command(*arguments, "--on-exists", "overwrite").err
    stronger = command(*arguments[:-1], 10, "--on-exists", "skip")
    assert (stronger.code, "exists and was not made from this input" in stronger.err) == (3, True)


def test_what_lies_under_full_transparency_does_not_bleed_into_the_visible(tmp_path: Path) -> None:
    alpha = np.zeros((16, 16), np.uint8)
    alpha[:, 8:] = 255
    results = []
    for hidden in (0, 255):
        pixels = np.full((16, 16, 3), 90, np.uint8)
        pixels[:, :8] = hidden
        folder = tmp_path / str(hidden)
        folder.mkdir()
        write_picture(Picture(pixels, alpha), folder / "a.png")
        results.append(degraded(folder, tmp_path / f"{hidden} blurred", "blur")["a.png"])
    assert results[0] == results[1]
