"""The batch size and crop that fit into memory: which are tried, which is chosen, and one real trial."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from datasets.errors import UserError
from translate.experiment import Experiment, load_experiment
from translate.training import batch_size
from translate.training.batch_size import Trial, choose_trial, try_batch_sizes

ROOM = 700  # bytes that may be taken of the 1000 that are free

Tried = Callable[..., list[Trial]]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch, tiny: Callable[..., Experiment], tmp_path: Path) -> Tried:
    """`tried(peak, speed, crop=64)`: the trials on a machine where these functions of batch and crop are measured."""

    def run(peak: Callable[[int, int], int | None], speed: Callable[[int], float], crop: int = 64) -> list[Trial]:
        def measure(experiment: Experiment, data: Path, batch: int, crop: int, device: str) -> Trial:
            return Trial(batch, crop, peak(batch, crop), speed(batch))

        monkeypatch.setattr(batch_size, "free_memory", lambda device: 1000)
        monkeypatch.setattr(batch_size, "_try", measure)
        return list(try_batch_sizes(tiny(f"data.crop.size={crop}"), tmp_path, "cpu"))

    return run


def test_batches_double_until_memory_ends(tried: Tried) -> None:
    trials = tried(lambda batch, crop: 100 * batch, lambda batch: float(batch))
    assert [(trial.batch_size, trial.crop) for trial in trials] == [(1, 64), (2, 64), (4, 64), (8, 64)]
    assert choose_trial(trials, "cpu") == Trial(4, 64, 400, 4.0)
    trials = tried(lambda batch, crop: 100 if batch < 4 else None, lambda batch: float(batch))
    assert [trial.peak for trial in trials] == [100, 100, None]
    assert choose_trial(trials, "cpu").batch_size == 2


def test_batches_double_while_that_pays_and_up_to_a_bound(tried: Tried) -> None:
    speeds = {1: 10.0, 2: 11.0, 4: 11.5, 8: 99.0}
    trials = tried(lambda batch, crop: 1, speeds.__getitem__)
    assert [trial.batch_size for trial in trials] == [1, 2, 4]  # 11.5 is less than 5 % more
    assert choose_trial(trials, "cpu").batch_size == 4
    assert tried(lambda batch, crop: 1, lambda batch: float(batch))[-1].batch_size == batch_size.LARGEST_BATCH


def test_a_crop_that_does_not_fit_is_halved_and_too_small_a_one_refused(tried: Tried) -> None:
    with pytest.raises(UserError, match="narrower model"):
        tried(lambda batch, crop: batch * crop**2, lambda batch: 1.0, crop=128)  # 32² is still more than 700
    trials = tried(lambda batch, crop: batch * crop * 10, lambda batch: 1.0, crop=128)
    assert [(trial.batch_size, trial.crop) for trial in trials] == [(1, 128), (1, 64), (2, 64)]


def test_a_real_trial_measures_memory_and_speed_in_a_process_of_its_own(
    tiny: Callable[..., Experiment], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_size, "LARGEST_BATCH", 1)
    (trial,) = try_batch_sizes(tiny(), photos, "cpu")
    assert (trial.batch_size, trial.crop) == (1, 16)
    assert trial.peak is not None
    assert trial.peak > 100 * 2**20  # torch alone takes more
    assert trial.images_per_second > 0
    assert choose_trial([trial], "cpu") == trial


def test_overrides_name_the_setting_of_the_size() -> None:
    trial = Trial(4, 16, 1)
    assert trial.overrides(load_experiment("restore")) == ["training.batch_size=4", "data.crop.size=16"]
    gray = load_experiment("gan", ["data.kind=idx", "data.size=16", "model.channels=1", "model.size=16"])
    assert trial.overrides(gray) == ["training.batch_size=4", "data.size=16"]
    perceptrons = ("model.generator.name=mlp", "model.discriminator.name=mlp")
    points = load_experiment("gan", ["data.kind=points", "model.channels=2", "model.size=1", *perceptrons])
    assert trial.overrides(points) == ["training.batch_size=4"]


def test_on_windows_the_system_counts_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)  # so that importing it fails, as there
    monkeypatch.setattr(psutil.Process, "memory_info", lambda process: SimpleNamespace(peak_wset=12345))
    assert batch_size._peak_memory(torch.device("cpu")) == 12345
