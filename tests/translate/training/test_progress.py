"""Means over an interval count each loss by the steps that had it; a record writes only in the main process."""

from pathlib import Path

import pytest
import torch

from translate.run_folder import RunFolder
from translate.training.processes import World
from translate.training.progress import Interval, Record


def test_a_loss_that_comes_every_other_step_is_averaged_over_those_steps() -> None:
    interval = Interval()
    for step in range(4):
        losses = {"critic/loss": torch.tensor(float(step))}
        interval.add(losses if step % 2 else {**losses, "generator/loss": torch.tensor(10.0 + step)}, waited=0.5)
    assert interval.means(World()) == {"critic/loss": 1.5, "generator/loss": 11.0}
    assert (interval.steps, interval.waited) == (4, 2.0)


def test_the_waiting_fraction_is_of_the_time_since_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    interval = Interval(began=100.0)
    interval.add({}, waited=2.0)
    monkeypatch.setattr("time.monotonic", lambda: 108.0)
    assert (interval.elapsed, interval.waiting_fraction) == (8.0, 0.25)


@pytest.mark.parametrize(("rank", "lines"), [(0, 1), (1, 0)])
def test_only_the_main_process_writes(tmp_path: Path, rank: int, lines: int) -> None:
    folder = RunFolder(tmp_path)
    record = Record(folder, World(rank=rank, size=2))
    record.open(None)
    record.write_losses(1, {"generator/loss": float("nan")}, {"waited": 0.5})
    record.close()
    written = folder.metrics.read_text().splitlines() if folder.metrics.exists() else []
    # JSON has no NaN.
    assert written == ['{"step": 1, "losses": {"generator/loss": null}, "waited": 0.5}'] * lines
    assert folder.curves.exists() == bool(lines)
