"""A resumed training is the same training, however it was stopped."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from datasets.errors import UserError
from translate.inference.model_file import ModelError
from translate.run_folder import ResumeError
from translate.training.progress import Progress
from translate.training.session import Training

ENDLESS = ("training.steps=1000000", "training.log_every=1", "training.sample_every=1")


def train(experiment: Any, data: Path, out: Path, stop_after: int | None = None, **options: Any) -> list[Progress]:
    training = Training(experiment, data, out, device="cpu", **options)
    return list(training.run(lambda: training.trainer.step == stop_after))


def assert_same(one: Any, other: Any, path: str = "state") -> None:
    """Equal to the last bit, however deep."""
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_same(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list):
        assert_same(dict(enumerate(one)), dict(enumerate(other)), path)
    else:
        assert torch.equal(one, other) if isinstance(one, Tensor) else one == other, path


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def losses(run: Path) -> dict[int, dict[str, float]]:
    return {line["step"]: line["losses"] for line in metrics(run) if "losses" in line}


def validations(run: Path) -> list[tuple[int, dict[str, float]]]:
    return [(line["step"], line["metrics"]) for line in metrics(run) if "metrics" in line]


def saved_step(run: Path) -> int:
    return int(torch.load(run / "state.pt", weights_only=True)["step"])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_four_steps_and_four_more_are_eight_steps_bit_for_bit(busy, photos, tmp_path, precision):
    experiment = busy("training.log_every=1", "training.sample_every=1", f"training.precision={precision}")
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    train(experiment, photos, straight)
    assert train(experiment, photos, resumed, stop_after=4)[-1].stopped == "interrupted"
    assert saved_step(resumed) == 4
    assert train(experiment, photos, resumed)[0].notes == ("resumed at step 4",)
    one, other = (torch.load(run / "state.pt", weights_only=True) for run in (straight, resumed))
    assert_same(one, other)
    for name in ("last.safetensors", "best.safetensors"):
        assert (straight / name).read_bytes() == (resumed / name).read_bytes()
    assert losses(straight) == losses(resumed)
    assert len(losses(straight)) == 8
    for sample in (straight / "samples").iterdir():
        assert sample.read_bytes() == (resumed / "samples" / sample.name).read_bytes()


@pytest.mark.parametrize("degradation", ["noise", "jpeg"])
def test_a_training_that_degrades_on_the_device_is_resumed_bit_for_bit(busy, photos, tmp_path, degradation):
    settings = ("training.degrade_on=device", f"data.pairs.degradation={degradation}", "training.log_every=1")
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    train(busy(*settings), photos, straight)
    train(busy(*settings), photos, resumed, stop_after=4)
    train(busy(*settings, "training.workers=5"), photos, resumed)
    assert_same(*(torch.load(run / "state.pt", weights_only=True) for run in (straight, resumed)))
    assert losses(straight) == losses(resumed)
    assert len(losses(straight)) == 8
    assert all(math.isfinite(loss) for step in losses(straight).values() for loss in step.values())


def test_pools_of_past_fakes_are_resumed_too(tiny, pairs, tmp_path):
    """Small ones, so that they are full and exchanged on both sides of the stop."""
    experiment = tiny("training.steps=12", "model.pool_size=3", "training.accumulate=2", recipe="cyclegan")
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    train(experiment, pairs, straight)
    train(experiment, pairs, resumed, stop_after=5)
    (own,) = torch.load(resumed / "state.pt", weights_only=True)["own"]
    assert [len(pool) for pool in own.values()] == [3, 3]
    train(experiment, pairs, resumed)
    assert_same(*(torch.load(run / "state.pt", weights_only=True) for run in (straight, resumed)))


def test_more_steps_may_be_asked_for_and_the_time_limit_changed(tiny, photos, tmp_path):
    run = tmp_path / "run"
    train(tiny(), photos, run)
    assert train(tiny("training.steps=3", "training.max_minutes=5"), photos, run)[-1].step == 3
    assert train(tiny("training.steps=3"), photos, run)[-1].step == 3


def test_the_time_limit_ends_a_training_saved(tiny, photos, tmp_path):
    last = train(tiny(*ENDLESS, "training.max_minutes=0.005"), photos, tmp_path / "run")[-1]
    assert last.stopped == "the 0.005 minutes are over"
    assert saved_step(tmp_path / "run") == last.step > 0


def test_another_run_in_the_same_place_is_refused_with_both_values(tiny, photos, pairs, tmp_path, trained):
    run = tmp_path / "run"
    train(tiny("training.steps=1"), photos, run)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    with pytest.raises(ResumeError, match=r"model\.l1_weight=100\.0, and 3\.0 was asked for") as caught:
        Training(tiny("model.l1_weight=3"), photos, run, device="cpu")
    assert caught.value.exit_code == 2
    with pytest.raises(ResumeError, match=r"init_from=None, and now it is \w{16};"):
        Training(tiny(), photos, run, device="cpu", init_from=str(trained))
    (photos / "a.png").unlink()
    with pytest.raises(
        UserError, match=r"data_fingerprint=\w{16}, and now it is \w{16} \(pictures were changed"
    ) as caught:
        Training(tiny(), photos, run, device="cpu")
    assert caught.value.exit_code == 5
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_run_that_ended_before_its_first_checkpoint_starts_anew(tiny, photos, tmp_path):
    run = tmp_path / "run"
    begun = Training(tiny(), photos, run, device="cpu").run()
    next(begun)
    begun.close()
    (run / "state.pt").unlink()
    train(tiny(), photos, run)
    assert [step for step, _ in validations(run)] == [0, 2]
    assert [line["step"] for line in metrics(run) if "losses" in line] == [2]


def test_a_trained_model_without_its_state_is_not_trained_over(tiny, photos, tmp_path):
    train(tiny(), photos, tmp_path / "run")
    before = (tmp_path / "run" / "last.safetensors").read_bytes()
    (tmp_path / "run" / "state.pt").unlink()
    with pytest.raises(UserError, match=r"no state\.pt to resume from; .*`init_from`"):
        train(tiny(), photos, tmp_path / "run")
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before


def test_a_run_does_not_lie_among_the_pictures_it_learns_from(tiny, photos):
    with pytest.raises(UserError, match="lies in the folder of training data"):
        train(tiny(), photos, photos / "run")


def test_a_training_can_start_from_a_model(tiny, photos, tmp_path, trained):
    first = train(tiny("training.steps=1"), photos, tmp_path / "run", init_from=str(trained))[0]
    assert first.notes == ("100% of the weights start from last.safetensors",)
    assert first.metrics == validations(trained)[-1][1]
    again = train(tiny("training.steps=2"), photos, tmp_path / "run", init_from=str(trained))
    assert again[0].notes == ("resumed at step 1",)
    with pytest.raises(ModelError, match="there is no such model file"):
        train(tiny(), photos, tmp_path / "other", init_from="missing")
    assert not (tmp_path / "other").exists()


def test_broken_pictures_left_out_are_told(tiny, photos, tmp_path):
    (photos / "a.png").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"a\.png"):
        train(tiny(), photos, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (note,) = train(tiny("data.skip_bad=true"), photos, tmp_path / "run")[0].notes
    assert note.startswith("1 pictures left out: ")
    assert "a.png" in note


SIGNALS = {"SIGKILL": -signal.SIGKILL, "SIGTERM": 130, "SIGINT": 130}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, shrunk: tuple[str, ...], trained: Path) -> dict[str, Any]:
    """Real trainings, each ended by a signal in the midst of its work: (process, run folder, what it said)."""
    folder = tmp_path_factory.mktemp("stopped")
    settings = [word for setting in (*shrunk, *ENDLESS) for word in ("--set", setting)]
    processes = {}
    for name in SIGNALS:
        command = [sys.executable, "-m", "translate", "train", "restore", *settings, "--device", "cpu"]
        places = ["--data", str(trained.parent / "photos"), "--out", str(folder / name)]
        processes[name] = subprocess.Popen([*command, *places], stderr=subprocess.PIPE, text=True)
    waiting = dict(processes)
    deadline = time.monotonic() + 90
    try:
        while waiting and time.monotonic() < deadline:
            for name in [name for name in waiting if at_work(folder / name)]:
                os.kill(waiting.pop(name).pid, getattr(signal, name))
            time.sleep(0.02)
        told = {name: process.communicate(timeout=30)[1] for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return {name: (process, folder / name, told[name]) for name, process in processes.items()}


def at_work(run: Path) -> bool:
    """Whether a training has written down that it took three steps."""
    return (run / "metrics.jsonl").is_file() and '{"step": 3, ' in (run / "metrics.jsonl").read_text()


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_ends_the_program_with_its_exit_code(stopped, name):
    process, _, told = stopped[name]
    assert process.returncode == SIGNALS[name]
    assert "Traceback" not in told


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_an_interrupted_training_is_saved_where_it_was(stopped, name):
    _, run, told = stopped[name]
    assert saved_step(run) == max(losses(run)) >= 3
    assert f"step {saved_step(run)}/1000000: stopped, interrupted" in told
    assert told.splitlines()[-1].startswith(f"saved at step {saved_step(run)} of 1000000 → ")


def test_after_a_kill_what_lies_beyond_the_saved_step_is_cut_and_done_again(stopped, tiny, trained):
    _, run, _ = stopped["SIGKILL"]
    saved, before = saved_step(run), losses(run)
    assert max(before) > saved
    assert len(list((run / "samples").iterdir())) > saved + 1
    training = Training(tiny(*ENDLESS), trained.parent / "photos", run, device="cpu")
    steps = training.run(lambda: training.trainer.step == saved + 3)
    assert next(steps).step == saved
    assert max([0, *losses(run)]) == saved
    assert len(list((run / "samples").iterdir())) == saved + 1
    list(steps)
    assert losses(run) == {step: before[step] for step in range(1, saved + 4)}
    assert len(list((run / "samples").iterdir())) == saved + 4


def test_two_trainings_do_not_share_a_folder(tiny, photos, tmp_path):
    first = Training(tiny(), photos, tmp_path / "run", device="cpu").run()
    next(first)
    with pytest.raises(UserError, match="run: another training is at work in it"):
        next(Training(tiny(), photos, tmp_path / "run", device="cpu").run())
    first.close()
    steps = [progress.step for progress in Training(tiny(), photos, tmp_path / "run", device="cpu").run()]
    assert steps == [0, 1, 2]


def test_when_data_vanish_what_was_learned_is_kept(tiny, photos, tmp_path):
    experiment = tiny("training.steps=1000", "data.cache_gib=0")
    steps = Training(experiment, photos, tmp_path / "run", device="cpu").run()
    while next(steps).step < 5:
        pass
    for path in photos.iterdir():
        path.unlink()
    with pytest.raises(UserError, match=str(photos)):
        list(steps)
    assert saved_step(tmp_path / "run") >= 5
