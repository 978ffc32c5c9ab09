"""Two real processes train as one: same gradients, same weights, same decisions, and none hangs.

One pair of processes, see two_processes.py, answers all of these tests, since starting torch in it takes seconds.
"""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from translate.experiment import Experiment
from translate.hardware import DeviceWarning
from translate.inference.model import load_model
from translate.training.processes import World, join_world
from translate.training.validation import validate

SCRIPT = Path(__file__).parent / "two_processes.py"
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
ENDLESS = ("training.steps=1000000", "training.log_every=1")


@pytest.fixture(scope="module")
def experiment(busy) -> Experiment:
    return busy("training.validation_limit=1")  # one process has no sample to validate


@dataclass
class Together:
    """What two processes reported, and how they ended after one of them got a signal."""

    reports: list[dict[str, Any]]
    folder: Path
    stderr: str


@pytest.fixture(scope="module")
def together(tmp_path_factory, experiment, trained, shrunk) -> Together:
    if os.name != "posix":
        pytest.skip("sends a signal to one of two processes")
    folder, data = tmp_path_factory.mktemp("together"), str(trained.parent / "photos")
    config, metrics = folder / "experiment.yaml", folder / "endless" / "metrics.jsonl"
    config.write_text(yaml.safe_dump(experiment.model_dump(mode="json")))
    settings = [word for setting in (*shrunk, *ENDLESS) for word in ("--set", setting)]
    endless = ("train", "restore", *settings, "--data", data, "--out", str(metrics.parent), "--device", "cpu")
    command = (*TORCHRUN, str(SCRIPT), str(config), data, str(folder), *endless)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as torchrun:
        try:
            deadline = time.monotonic() + 90
            while not (metrics.is_file() and '{"step": 3, ' in metrics.read_text()):
                assert torchrun.poll() is None, torchrun.communicate()[1]
                assert time.monotonic() < deadline
                time.sleep(0.05)
            reports = [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]
            os.kill(reports[1]["process"], signal.SIGTERM)
            stderr = torchrun.communicate(timeout=20)[1]
        finally:
            torchrun.terminate()  # and with it all that it started
    return Together(reports, folder, stderr)


@pytest.fixture
def reports(together) -> list[dict[str, Any]]:
    return together.reports


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_averages_sums_and_votes_are_the_same_for_all(reports):
    assert [report["agreed"] for report in reports] == [[True, False, [0.5, 0.5], 2.0]] * 2


def test_averaged_gradients_are_those_of_one_process_on_the_whole_batch(reports):
    alone = runpy.run_path(str(SCRIPT))["gradients"](World())
    for report in reports:
        assert report["gradients"].keys() == alone.keys()
        for name, gradient in report["gradients"].items():
            assert torch.allclose(gradient, alone[name], rtol=0, atol=1e-6 * max(1.0, alone[name].abs().max().item()))


def test_after_eight_steps_with_draws_all_have_the_same_weights_and_buffers(reports, together):
    one, other = (report["state"] for report in reports)
    assert reports[0]["steps"] == reports[1]["steps"] == list(range(9))
    assert_equal(one["recipe"], other["recipe"])
    assert_equal(one["average"], other["average"])
    assert any("parametrizations" in name for name in one["recipe"])
    saved = torch.load(together.folder / "run" / "state.pt", weights_only=True)
    assert_equal(saved["recipe"], one["recipe"])


def test_metrics_are_those_of_one_process(reports, together, experiment, trained):
    model = load_model(together.folder / "run", device="cpu").translator
    validation = experiment.data.open(trained.parent / "photos").validation
    alone = validate(experiment.model.recipe(), model, validation, 1, World())
    for report in reports:
        assert report["metrics"] == pytest.approx(alone, abs=2e-6)


def test_only_the_main_process_writes(together):
    lines = (together.folder / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines if "metrics" in line] == [0, 8]


def test_nan_in_one_process_makes_all_skip_the_update_and_go_on(reports):
    for report in reports:
        assert report["spoiled"]["skipped"] == [0, 2, 2]  # both players' updates
        assert report["spoiled"]["moved"] == [True, False, True]
    assert_equal(*(report["spoiled"]["state"] for report in reports))


def test_each_process_keeps_its_own_pool_of_fakes_when_all_are_resumed(reports):
    for report in reports:
        straight, resumed = report["resumed"]["straight"], report["resumed"]["resumed"]
        assert_equal(straight["recipe"], resumed["recipe"])
        for one, other in zip(straight["own"], resumed["own"], strict=True):
            assert one.keys() == other.keys() == {"pool_a._extra_state", "pool_b._extra_state"}
            for pool in one:
                assert torch.equal(torch.stack(one[pool]), torch.stack(other[pool]))
    mine, others = reports[0]["resumed"]["straight"]["own"]
    assert not any(torch.equal(one, other) for name in mine for one in mine[name] for other in others[name])


def test_batch_norm_is_refused_in_one_sentence(reports):
    sentence = "norm batch needs GPUs when several processes train together; choose norm instance"
    assert [report["refusal"] for report in reports] == [sentence] * 2


def test_a_signal_to_one_process_ends_all_saved_within_seconds(together):
    run = together.folder / "endless"
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    saved = torch.load(run / "state.pt", weights_only=True)["step"]
    assert saved == max(steps) >= 3
    assert together.stderr.count(f"step {saved}/1000000: stopped, interrupted") == 1
    assert len(re.findall(r"exitcode\s*: 130", together.stderr)) >= 1
    for report in together.reports:
        with pytest.raises(ProcessLookupError):
            os.kill(report["process"], 0)


@pytest.mark.parametrize(
    ("device", "nccl", "reason"),
    [("mps", True, "cannot average between mps devices"), ("cuda", False, "has no NCCL")],
)
def test_where_gpus_cannot_exchange_gradients_all_processes_compute_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, device: str, nccl: bool, reason: str
) -> None:
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    started: list[str] = []
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: nccl)
    monkeypatch.setattr(torch.distributed, "init_process_group", started.append)
    with pytest.warns(DeviceWarning, match=f"all 2 processes compute on the CPU, since this torch {reason}"):
        world = join_world(torch.device(device))
    assert (world.rank, world.size, world.device.type, started) == (1, 2, "cpu", ["gloo"])
