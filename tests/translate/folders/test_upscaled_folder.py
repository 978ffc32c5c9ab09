"""Enlarging a folder from Python: by the models that ship, or by one's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.codecs.images import read_header
from datasets.errors import UserError
from translate.folders.upscaled_folder import upscale_folder
from translate.inference.model import Model

Models = Callable[..., Model]
Noise = Callable[..., Path]


def test_a_folder_is_enlarged_by_the_model_that_ships(noise: Noise, tmp_path: Path) -> None:
    folder = noise(tmp_path / "in", "a.png", "b/c.jpg")
    outcomes = list(upscale_folder(folder, tmp_path / "out", scale=2))
    assert [(outcome.name.as_posix(), outcome.status) for outcome in outcomes] == [("a.png", "ok"), ("b/c.jpg", "ok")]
    header = read_header(tmp_path / "out" / "a.png")
    assert (header.width, header.height) == (20, 24)


def test_ones_own_model_decides_the_scale(unchanged: Models, noise: Noise, tmp_path: Path) -> None:
    folder = noise(tmp_path / "in", "a.png")
    assert [o.status for o in upscale_folder(folder, tmp_path / "out", model=unchanged(scale=3))] == ["ok"]
    assert read_header(tmp_path / "out" / "a.png").width == 30
    with pytest.raises(UserError, match="`scale` 4: this model enlarges 3 times; leave `scale` out"):
        upscale_folder(folder, tmp_path / "new", 4, unchanged(scale=3))
    with pytest.raises(UserError, match="this model: does not enlarge"):
        upscale_folder(folder, tmp_path / "new", model=unchanged())
