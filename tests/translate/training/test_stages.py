"""A theme of several modules: trainings of two stages, whose best models are not compared and can be blended."""

import copy
import json
from pathlib import Path

import pytest
import torch

from models.apply import translate_batch
from models.srgan import SRGAN
from translate.experiment import parse_experiment
from translate.inference.model import load_model
from translate.inference.model_file import read_card
from translate.training.session import Training

TREE = {
    "model": {
        "name": "srgan",
        "generator": {"name": "compact", "depth": 0, "width": 2},
        "discriminator": {"width": 2, "dense": 2},
        "pixel_steps": 2,
        "content_weight": 0,
        "adversarial_weight": 1e6,
        "generator_adam": {"lr": 0.05},
    },
    "data": {"kind": "super-resolution", "crop": {"size": 32}, "validation_fraction": 0.3},
    "training": {"steps": 4, "batch_size": 2, "precision": "fp32", "threads": 1, "validate_every": 1},
}


def test_the_best_model_restarts_where_the_second_stage_begins(large_photos: Path, tmp_path: Path) -> None:
    training = Training(parse_experiment(TREE, "here"), large_photos, tmp_path / "run", device="cpu")
    list(training.run())
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    metrics = {line["step"]: line["metrics"]["psnr_y"] for line in lines if "metrics" in line}
    assert max(metrics[3], metrics[4]) < max(metrics.values())  # or else this shows nothing
    best = read_card(tmp_path / "run" / "best.safetensors")
    assert best.step in (3, 4)
    assert best.metrics["psnr_y"] == max(metrics[3], metrics[4])
    assert load_model(tmp_path / "run", device="cpu").translator.first_stage is not None


def test_a_run_goes_on_in_the_stage_where_it_stopped(large_photos: Path, tmp_path: Path) -> None:
    for steps in (3, 4):
        tree = {**TREE, "training": {**TREE["training"], "steps": steps}}
        training = Training(parse_experiment(tree, "here"), large_photos, tmp_path / "run", device="cpu")
        list(training.run())
    assert training.checkpoints.best["stage"] == 1
    straight = Training(parse_experiment(TREE, "here"), large_photos, tmp_path / "straight", device="cpu")
    list(straight.run())
    assert (tmp_path / "run/last.safetensors").read_bytes() == (tmp_path / "straight/last.safetensors").read_bytes()


@pytest.fixture
def two_stages(large_photos: Path, tmp_path: Path) -> Path:
    list(Training(parse_experiment(TREE, "here"), large_photos, tmp_path / "run", device="cpu").run())
    return tmp_path / "run"


def test_a_blend_is_made_at_use_of_the_two_stages_in_the_file(two_stages: Path) -> None:
    own, first, between = (
        load_model(two_stages, device="cpu", precision="fp32", blend=blend) for blend in (None, 0, 0.5)
    )
    image = torch.rand(1, 3, 9, 7) * 2 - 1
    twin = copy.deepcopy(own.translator)
    assert isinstance(twin, SRGAN)
    assert twin.first_stage is not None
    twin.generator.load_state_dict(twin.first_stage.state_dict())
    assert torch.equal(first.run(image), translate_batch(twin, image))
    assert not torch.equal(first.run(image), own.run(image))
    assert not torch.equal(between.run(image), own.run(image))
    assert len({model.digest for model in (own, first, between)}) == 3  # so that no file of another blend passes for it


def test_blending_from_the_command_line(command, two_stages: Path, large_photos: Path, trained: Path, tmp_path) -> None:
    ended = command("run", two_stages, large_photos, tmp_path / "out", "--blend", "0.8")
    assert ended.code == 0
    ended = command("run", trained, large_photos, tmp_path / "more", "--blend", "0.8")
    assert ended.code == 2
    assert "not trained in two stages" in ended.err
