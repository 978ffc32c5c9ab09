"""A theme of several modules: a resumed training is the same training bit for bit, however it was stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from translate.experiment import Experiment
from translate.training.session import Training

ENDLESS = ("training.steps=1000000", "training.log_every=1", "training.sample_every=1")


def assert_same(one: Any, other: Any, path: str = "state") -> None:
    """Equal to the last bit, at every level."""
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_same(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list):
        assert_same(dict(enumerate(one)), dict(enumerate(other)), path)
    else:
        assert torch.equal(one, other) if isinstance(one, Tensor) else one == other, path


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_four_steps_and_four_more_are_eight_steps_bit_for_bit(
    busy: Callable[..., Experiment],
    photos: Path,
    tmp_path: Path,
    train_to_end: Callable[..., Any],
    run_of: Callable[[Path], Any],
    precision: str,
) -> None:
    experiment = busy("training.log_every=1", "training.sample_every=1", f"training.precision={precision}")
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    train_to_end(experiment, photos, straight)
    assert train_to_end(experiment, photos, resumed, stop_after=4)[-1].stopped == "interrupted"
    first = train_to_end(experiment, photos, resumed)[0]
    assert (first.step, first.notes) == (4, ("resumed at step 4",))
    one, other = run_of(straight), run_of(resumed)
    assert_same(one.state, other.state)
    for name in ("last.safetensors", "best.safetensors"):
        assert (straight / name).read_bytes() == (resumed / name).read_bytes()
    assert one.recorded("losses") == other.recorded("losses")
    assert len(one.recorded("losses")) == 8
    for sample in (straight / "samples").iterdir():
        assert sample.read_bytes() == (resumed / "samples" / sample.name).read_bytes()


def test_pools_of_past_fakes_are_resumed_too(
    tiny: Callable[..., Experiment],
    pairs: Path,
    tmp_path: Path,
    train_to_end: Callable[..., Any],
    run_of: Callable[[Path], Any],
) -> None:
    """Pools of 3 and steps of 4 images, so that they are full and exchange images before and after the stop."""
    experiment = tiny("training.steps=6", "model.pool_size=3", "training.accumulate=2", recipe="cyclegan")
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    train_to_end(experiment, pairs, straight)
    train_to_end(experiment, pairs, resumed, stop_after=3)
    (own,) = run_of(resumed).state["own"]
    assert [len(pool) for pool in own.values()] == [3, 3]
    train_to_end(experiment, pairs, resumed)
    assert_same(run_of(straight).state, run_of(resumed).state)


@pytest.mark.parametrize(("name", "number"), [("SIGINT", signal.SIGINT), ("SIGTERM", signal.SIGTERM)])
@pytest.mark.posix("sends signals")
def test_a_signal_ends_a_training_saved_with_exit_code_130(
    command: Callable[..., Any],
    photos: Path,
    shrunk: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_of: Callable[[Path], Any],
    name: str,
    number: int,
) -> None:
    report = Training._report

    def interrupt(training: Training, *arguments: Any) -> Any:
        if training.trainer.step == 3:
            os.kill(os.getpid(), number)
        return report(training, *arguments)

    monkeypatch.setattr(Training, "_report", interrupt)
    settings = [word for setting in (*shrunk, *ENDLESS) for word in ("--set", setting)]
    ended = command("train", "restore", *settings, "--data", photos, "--out", tmp_path / "run", "--device", "cpu")
    assert ended.code == 130
    assert run_of(tmp_path / "run").state["step"] == max(run_of(tmp_path / "run").recorded("losses")) == 3
    assert "step 3/1000000: stopped, interrupted; the same command goes on from here" in ended.err
    assert ended.err.splitlines()[-1].startswith(f"saved at step 3 of 1000000 → {tmp_path / 'run'}")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, shrunk: tuple[str, ...], trained: Path) -> Path:
    """The run folder of a training in a process of its own that was killed (SIGKILL) after three steps or more."""
    run = tmp_path_factory.mktemp("killed") / "run"
    settings = [word for setting in (*shrunk, *ENDLESS) for word in ("--set", setting)]
    command = [sys.executable, "-m", "translate", "train", "restore", *settings, "--device", "cpu"]
    places = ["--data", str(trained.parent / "photos"), "--out", str(run)]
    deadline = time.monotonic() + 90
    with subprocess.Popen([*command, *places], stderr=subprocess.DEVNULL) as process:
        try:
            while not _has_step_3(run):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL
    return run


def _has_step_3(run: Path) -> bool:
    return (run / "metrics.jsonl").is_file() and '{"step": 3, ' in (run / "metrics.jsonl").read_text()


@pytest.mark.posix("sends signals")
def test_after_a_kill_what_lies_beyond_the_saved_step_is_deleted_and_done_again(
    killed: Path, tiny: Callable[..., Experiment], trained: Path, run_of: Callable[[Path], Any]
) -> None:
    run = run_of(killed)
    saved, before = run.state["step"], run.recorded("losses")
    assert max(before) > saved
    assert len(list((killed / "samples").iterdir())) > saved + 1
    training = Training(tiny(*ENDLESS), trained.parent / "photos", killed, device="cpu")
    steps = training.run(lambda: training.trainer.step == saved + 3)
    assert next(steps).step == saved
    assert max([0, *run.recorded("losses")]) == saved
    assert len(list((killed / "samples").iterdir())) == saved + 1
    list(steps)
    assert run.recorded("losses") == {step: before[step] for step in range(1, saved + 4)}
    assert len(list((killed / "samples").iterdir())) == saved + 4
