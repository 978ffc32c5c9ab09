"""`--fit` tries batches in processes of their own and advises the best that fits."""

from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.errors import UserError
from translate.experiment import Experiment, load_experiment
from translate.training import batch_size
from translate.training.batch_size import choose_trial, try_batch_sizes

PERCEPTRONS = ("model.generator.name=mlp", "model.discriminator.name=mlp")


def test_batches_double_until_it_does_not_pay_and_peaks_are_real(
    tiny: Callable[..., Experiment], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_size, "LARGEST_BATCH", 2)
    trials = list(try_batch_sizes(tiny(), photos, "cpu"))
    assert [trial.batch_size for trial in trials] == [1, 2]
    assert all(trial.crop == 16 and trial.peak is not None and trial.peak > 100 * 2**20 for trial in trials)
    best = choose_trial(trials, "cpu")
    assert best.images_per_second == max(trial.images_per_second for trial in trials)
    assert best.overrides(tiny()) == [f"training.batch_size={best.batch_size}", "data.crop.size=16"]


def test_what_does_not_fit_is_halved_and_then_refused(
    tiny: Callable[..., Experiment], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_size, "MEMORY_FRACTION", 1e-9)  # as if next to no memory were free
    trials = try_batch_sizes(tiny("data.crop.size=32"), photos, "cpu")
    assert next(trials).crop == 32
    with pytest.raises(UserError, match="narrower model"):
        next(trials)


def test_data_without_a_crop_are_tried_as_they_are(
    write_idx: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path, "train", 12, size=16)
    gray = load_experiment("gan", ["data.kind=idx", "data.size=16", "model.channels=1", "model.size=16"])
    monkeypatch.setattr(batch_size, "LARGEST_BATCH", 1)
    (trial,) = try_batch_sizes(gray, tmp_path, "cpu")
    assert trial.overrides(gray) == ["training.batch_size=1", "data.size=16"]
    points = load_experiment("gan", ["data.kind=points", "model.channels=2", "model.size=1", *PERCEPTRONS])
    assert trial.overrides(points) == ["training.batch_size=1"]
