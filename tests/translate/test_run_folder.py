"""A run folder: what it holds, what resuming deletes, what it refuses."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from datasets.errors import UserError
from translate.experiment import RESUMABLE_CHANGES
from translate.run_folder import ResumeError, RunFolder, resume_experiment


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.acquire()
    return run


def test_a_training_leaves_all_its_files(trained):
    names = {path.name for path in trained.iterdir()}
    assert {"config.yaml", "last.safetensors", "best.safetensors", "state.pt", "metrics.jsonl"} <= names
    assert [path.name for path in sorted((trained / "samples").iterdir())] == ["step_0000000.png", "step_0000002.png"]
    assert list((trained / "tensorboard").iterdir())
    assert not [name for name in names if name.endswith(".partial")]


def test_metrics_are_lines_of_json_with_finite_numbers(trained):
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "metrics" in line] == [0, 2]
    (losses,) = [line["losses"] for line in lines if "losses" in line]
    assert {name.split("/")[0] for name in losses} == {"generator", "discriminator"}
    assert all(math.isfinite(value) for value in losses.values())


def test_the_recorded_configuration_has_nothing_left_to_auto(trained):
    experiment, facts = RunFolder(trained).read_config()
    decided = experiment.training
    assert (decided.precision, decided.layout, decided.threads) == ("fp32", "contiguous", 1)
    assert facts["training_samples"] + facts["validation_samples"] == 6


def test_a_configuration_is_read_as_it_was_written(folder, tiny):
    folder.write_config(tiny(), {"processes": 1})
    assert folder.read_config() == (tiny(), {"processes": 1})


def test_there_is_a_run_from_its_first_checkpoint_on(folder, tiny):
    folder.write_config(tiny(), {})
    assert not folder.holds_run
    folder.write_state({"step": 0})
    assert folder.holds_run
    assert folder.read_state(torch.device("cpu")) == {"step": 0}


def test_what_a_killed_process_wrote_after_its_last_checkpoint_is_deleted(folder):
    for step in range(5):
        folder.append_metrics({"step": step})
        folder.write_sample(step, torch.zeros(2, 3, 4, 8))
    with folder.metrics.open("a") as file:
        file.write('{"step": 2, "los')
    (folder.path / ".state.pt.123.partial").write_text("half")
    (folder.samples / ".step_0000005.png.partial").write_text("half")
    (folder.path / "notes.txt").write_text("mine")
    (folder.samples / "step_0000004 (copy).png").write_text("mine")
    (folder.samples / "step_4\u00b2.png").write_text("mine")
    assert [step for step, _ in folder.find_samples()] == [0, 1, 2, 3, 4]
    folder.discard_after(2)
    for name in ("step_0000004 (copy).png", "step_4\u00b2.png"):
        (folder.samples / name).unlink()
    assert [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()] == [0, 1, 2]
    assert sorted(path.name for path in folder.samples.iterdir()) == [f"step_000000{step}.png" for step in range(3)]
    assert {path.name for path in folder.path.iterdir()} == {".lock", "metrics.jsonl", "samples", "notes.txt"}


def test_samples_stand_one_below_the_other(folder):
    folder.write_sample(7, torch.stack([torch.full((3, 4, 8), -1.0), torch.ones(3, 4, 8)]))
    pixels = np.asarray(Image.open(folder.samples / "step_0000007.png"))
    assert pixels.shape == (8, 8, 3)
    assert (pixels[:4] == 0).all()
    assert (pixels[4:] == 255).all()


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UserError, match="is not empty and holds no run; choose another `out`"):
        RunFolder(tmp_path).check_free()
    with pytest.raises(UserError, match=r"holiday\.jpg: expected a run folder, found a file"):
        RunFolder(tmp_path / "holiday.jpg").check_free()
    with pytest.raises(UserError, match=r"run: cannot be created: Not a directory"):
        RunFolder(tmp_path / "holiday.jpg" / "run").acquire()


@pytest.mark.parametrize("content", [b"", b"- a", b"model: {}", b"\xff", b"a: ["])
def test_a_damaged_configuration_is_one_sentence(folder, content):
    folder.config.write_bytes(content)
    with pytest.raises(ResumeError, match=r"config\.yaml: cannot be read: ") as caught:
        folder.read_config()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no state", b"PK\x03\x04 torn", None])
def test_a_damaged_state_is_one_sentence(folder, trained, content):
    whole = (trained / "state.pt").read_bytes()
    folder.state.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ResumeError, match=r"state\.pt: is damaged .*`init_from` .*last\.safe") as caught:
        folder.read_state(torch.device("cpu"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    ["model.l1_weight=10", "data.crop.size=32", "training.batch_size=3", "training.seed=1", "training.precision=bf16"],
)
def test_another_run_is_refused_with_both_values(tiny, tmp_path, change):
    key, value = change.split("=")
    with pytest.raises(ResumeError) as caught:
        resume_experiment(tiny(change), tiny(), tmp_path)
    old = tiny().model_dump()
    for part in key.split("."):
        old = old[part]
    asked = float(value) if isinstance(old, float) else value
    assert f"holds a run with {key}={old}, and now it is {asked}; set {key}={old} to resume it" in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [f"{key}=1" for key in RESUMABLE_CHANGES],
)
def test_how_long_and_how_often_may_change(tiny, tmp_path, change):
    key, value = change.split("=")
    continued = resume_experiment(tiny(f"training.{change}"), tiny(), tmp_path)
    assert getattr(continued.training, key) == float(value)
    assert resume_experiment(tiny(), continued, tmp_path) == tiny()


def test_auto_continues_with_what_was_decided(tiny, tmp_path):
    asked = tiny("training.precision=auto", "training.threads=auto", "training.layout=auto")
    recorded = tiny("training.precision=bf16", "training.threads=3", "training.layout=channels_last")
    assert resume_experiment(asked, recorded, tmp_path) == recorded
