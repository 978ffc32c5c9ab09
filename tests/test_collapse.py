"""The measures of mode collapse against closed forms, and that the bench goes on where it was stopped."""

import dataclasses
import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.mixtures import MIXTURES

FILE = Path(__file__).parent / "benchmarks" / "collapse.py"


@pytest.fixture(scope="module")
def collapse() -> Any:
    specification = importlib.util.spec_from_file_location("collapse", FILE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["collapse"] = module  # where dataclasses look for it
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("data", MIXTURES)
def test_points_of_a_mixture_cover_it(collapse: Any, data: str) -> None:
    mixture = MIXTURES[data]
    measured = collapse.measures(mixture.draw(20_000, 1), mixture)
    assert measured["modes"] == len(mixture.modes)
    assert measured["good"] == pytest.approx(1 - math.exp(-4.5), abs=3e-3)  # within 3 deviations, in two dimensions
    assert measured["divergence"] == pytest.approx((len(mixture.modes) - 1) / 40_000, abs=1e-3)


def test_lost_modes_are_counted(collapse: Any) -> None:
    ring = MIXTURES["ring"]
    one = np.repeat(ring.modes[:1], 100, axis=0).astype(np.float32)
    assert collapse.measures(one, ring) == {"modes": 1, "good": 1.0, "divergence": pytest.approx(math.log(8))}
    half = np.concatenate([one, np.repeat(ring.modes[3:4] * 0.9, 100, axis=0)]).astype(np.float32)
    # Points far from their nearest mode count for the distribution of modes, but not as good.
    assert collapse.measures(half, ring) == {"modes": 1, "good": 0.5, "divergence": pytest.approx(math.log(4))}


def test_networks_have_the_stated_sizes(collapse: Any) -> None:
    recipe = collapse.FULL.config().recipe()
    counts = [sum(p.numel() for p in part.parameters()) for part in (recipe.model, recipe.discriminator)]
    assert counts == [484_802, 405_201]
    assert {len(row.generator.hidden) for row in collapse.ROWS.values()} == {2}


def test_every_row_trains_and_is_not_trained_again(
    collapse: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {name: dataclasses.replace(row, steps=5, points=500) for name, row in collapse.ROWS.items()}
    collapse.run(tmp_path, dict(list(rows.items())[:2]), 1)
    before = collapse.lines(tmp_path)
    collapse.run(tmp_path, rows, 1)
    runs = collapse.lines(tmp_path)
    assert runs[:4] == before
    assert [(run["name"], run["data"]) for run in runs[4:]] == [
        (name, data) for data in MIXTURES for name in list(rows)[2:]
    ]
    capsys.readouterr()
    collapse.show(tmp_path)
    table = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in table[2 : 2 + len(rows)]] == [f"| {name}" for name in rows]
    assert (tmp_path / "ring.png").is_file()
