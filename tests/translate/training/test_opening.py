"""What is decided before the first step, once: where pictures are degraded."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from datasets.errors import UserError
from translate.experiment import Experiment
from translate.run_folder import ResumeError
from translate.training import opening
from translate.training.processes import World
from translate.training.session import Training


def degrade_on(run: Path) -> str:
    """Where the pictures of a run are degraded, as its `config.yaml` has it."""
    return str(yaml.safe_load((run / "config.yaml").read_text())["training"]["degrade_on"])


@pytest.fixture
def on_a_gpu(monkeypatch):
    """`on_a_gpu(threads=3.0, device=1.0)`: trainings decide as if they ran on a GPU and had measured these seconds."""
    decide = opening._resolve_degradation

    def pretend(threads: float, device: float) -> None:
        def measure(samples: Any, *_: Any) -> float:
            return threads if samples.undegraded() is not None else device

        def decide_on_a_gpu(experiment: Experiment, samples: Any, world: World) -> Experiment:
            return decide(experiment, samples, World(device=torch.device("cuda")))

        monkeypatch.setattr(opening, "seconds_per_step", measure)
        monkeypatch.setattr(opening, "_resolve_degradation", decide_on_a_gpu)

    return pretend


def test_on_a_cpu_pictures_are_degraded_by_the_threads_and_nothing_is_measured(tiny, photos, tmp_path, monkeypatch):
    monkeypatch.delattr(opening, "seconds_per_step")
    list(Training(tiny(), photos, tmp_path / "run", device="cpu").run())
    assert degrade_on(tmp_path / "run") == "threads"


@pytest.mark.parametrize(("threads", "device", "faster"), [(3.0, 1.0, "device"), (1.0, 3.0, "threads")])
def test_on_a_gpu_the_faster_way_is_taken_and_kept(tiny, photos, tmp_path, on_a_gpu, threads, device, faster):
    run = tmp_path / "run"
    on_a_gpu(threads, device)
    list(Training(tiny("training.steps=1"), photos, run, device="cpu").run())
    assert degrade_on(run) == faster
    on_a_gpu(threads=device, device=threads)  # the other one is faster now
    list(Training(tiny("training.steps=2"), photos, run, device="cpu").run())
    assert degrade_on(run) == faster


def test_what_batches_cannot_do_is_not_measured(tiny, photos, tmp_path, on_a_gpu, monkeypatch):
    on_a_gpu(threads=3.0, device=1.0)
    monkeypatch.delattr(opening, "seconds_per_step")
    edges = tiny("data.pairs.degradation=edges", "data.source_channels=3", "training.steps=1")
    list(Training(edges, photos, tmp_path / "run", device="cpu").run())
    assert degrade_on(tmp_path / "run") == "threads"


def test_the_device_is_refused_where_only_threads_can_do_it(tiny, pairs, tmp_path):
    with pytest.raises(UserError, match=r"training\.degrade_on is device, but only threads can .* set it to threads"):
        Training(tiny("training.degrade_on=device", recipe="pix2pix"), pairs, tmp_path / "run", device="cpu")


def test_a_run_does_not_change_where_its_pictures_are_degraded(tiny, photos, tmp_path):
    list(Training(tiny("training.steps=1"), photos, tmp_path / "run", device="cpu").run())
    with pytest.raises(ResumeError, match=r"training\.degrade_on=threads, and device was asked for"):
        Training(tiny("training.degrade_on=device"), photos, tmp_path / "run", device="cpu")
