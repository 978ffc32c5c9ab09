"""A training from its first step to its last: what it reports, when it ends, what it leaves behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from datasets.errors import UserError
from translate.experiment import Experiment
from translate.training.session import Training, train

Tiny = Callable[..., Experiment]
TrainToEnd = Callable[..., Any]


def test_train_reports_every_step_and_resumes(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    experiment = tiny("training.steps=3", "training.log_every=2")
    asked: list[int] = []

    def stop() -> bool:
        asked.append(len(asked) + 1)
        return len(asked) == 2

    first = list(train(experiment, photos, tmp_path / "run", device="cpu", stop=stop))
    assert [progress.step for progress in first] == [0, 1, 2]
    assert [progress.stopped for progress in first] == [None, None, "interrupted"]
    assert [progress.losses is not None for progress in first] == [False, False, True]
    assert [progress.metrics is not None for progress in first] == [True, False, False]
    assert [progress.images for progress in first] == [0, 2, 2]
    second = list(train(experiment, photos, tmp_path / "run", device="cpu"))
    assert [progress.step for progress in second] == [2, 3]
    assert second[-1].metrics is not None  # the last step is always validated
    assert second[-1].stopped is None


def test_train_opens_everything_before_the_first_step_is_asked_for(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing"):
        train(tiny(), tmp_path / "missing", tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_more_steps_may_be_asked_for_and_the_time_limit_changed(
    tiny: Tiny, photos: Path, tmp_path: Path, train_to_end: TrainToEnd
) -> None:
    run = tmp_path / "run"
    train_to_end(tiny("training.steps=1"), photos, run)
    assert train_to_end(tiny("training.steps=2", "training.max_minutes=5"), photos, run)[-1].step == 2
    assert [progress.step for progress in train_to_end(tiny("training.steps=2"), photos, run)] == [2]


def test_the_time_limit_ends_a_training_saved(
    tiny: Tiny, photos: Path, tmp_path: Path, train_to_end: TrainToEnd, run_of: Callable[[Path], Any]
) -> None:
    endless = tiny("training.steps=1000000", "training.max_minutes=0.005")
    last = train_to_end(endless, photos, tmp_path / "run")[-1]
    assert last.stopped == "the 0.005 minutes are over"
    assert run_of(tmp_path / "run").state["step"] == last.step > 0


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_anew(
    tiny: Tiny, photos: Path, tmp_path: Path, train_to_end: TrainToEnd, run_of: Callable[[Path], Any]
) -> None:
    run = tmp_path / "run"
    begun = Training(tiny(), photos, run, device="cpu").run()
    next(begun)
    begun.close()
    (run / "state.pt").unlink()
    train_to_end(tiny(), photos, run)
    assert [*run_of(run).recorded("metrics")] == [0, 2]
    assert [*run_of(run).recorded("losses")] == [2]


def test_two_trainings_do_not_share_a_folder(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    first = Training(tiny(), photos, tmp_path / "run", device="cpu").run()
    next(first)
    with pytest.raises(UserError, match="run: another training is at work in it"):
        next(Training(tiny(), photos, tmp_path / "run", device="cpu").run())
    first.close()
    steps = [progress.step for progress in Training(tiny(), photos, tmp_path / "run", device="cpu").run()]
    assert steps == [0, 1, 2]


def test_when_data_vanish_what_was_learned_is_saved(
    tiny: Tiny, photos: Path, tmp_path: Path, run_of: Callable[[Path], Any]
) -> None:
    experiment = tiny("training.steps=1000", "data.cache_gib=0")
    steps = Training(experiment, photos, tmp_path / "run", device="cpu").run()
    while next(steps).step < 5:
        pass
    for path in photos.iterdir():
        path.unlink()
    with pytest.raises(UserError, match=str(photos)):
        list(steps)
    assert run_of(tmp_path / "run").state["step"] >= 5


def test_a_training_without_validation_samples_shows_training_samples(
    tiny: Tiny, photos: Path, tmp_path: Path, train_to_end: TrainToEnd, run_of: Callable[[Path], Any]
) -> None:
    progress = train_to_end(tiny("data.validation_fraction=0", "training.steps=1"), photos, tmp_path / "run")
    assert all(one.metrics is None for one in progress)
    assert run_of(tmp_path / "run").recorded("metrics") == {}
    assert not (tmp_path / "run" / "best.safetensors").exists()
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 2
    assert torch.isfinite(torch.tensor(progress[-1].losses["generator/l1"]))
