"""What older versions wrote loads, runs and resumes; what newer ones wrote is refused in a sentence."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from datasets.errors import UserError
from translate.inference.model import load_model
from translate.inference.model_file import read_card
from translate.inference.shipped import builtin_models
from translate.migrations import (
    FORMAT,
    NewerFormatError,
    migrate_card,
    migrate_config,
    migrate_record,
    migrate_state,
)
from translate.run_folder import ResumeError, RunFolder

FORMAT_1 = Path(__file__).parents[1] / "fixtures" / "format_1"
# Of the run in format 1, as they are called today.
SETTINGS = {
    "model.adversarial_weight": 1,
    "model.generator.name": "unet",
    "model.generator.depth": 3,
    "model.generator.width": 4,
    "model.generator.dropout": 0.5,
    "model.discriminator.layers": 1,
    "model.discriminator.width": 4,
    "data.crop.load": "null",
    "data.crop.size": 16,
    "data.validation_fraction": 0.3,
    "training.batch_size": 2,
    "training.precision": "fp32",
    "training.threads": 1,
    "training.ema_decay": 0.9,
    "training.sample_every": 2,
    "training.validate_every": 2,
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the run folder in format 1, which stopped at step 4 of 6."""
    return Path(shutil.copytree(FORMAT_1 / "run", tmp_path / "run"))


def test_a_run_of_format_1_is_resumed_by_the_same_command(run, command):
    settings = [f"--set={key}={value}" for key, value in {**SETTINGS, "training.steps": 6}.items()]
    ended = command("train", "restore", "--data", FORMAT_1 / "photos", "--out", run, "--device", "cpu", *settings)
    assert ended.code == 0, ended.err
    assert "resumed at step 4" in ended.err
    reached, expected = load_file(run / "last.safetensors"), load_file(FORMAT_1 / "step_6.safetensors")
    assert reached.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(reached[name], tensor, rtol=0, atol=1e-5)
    assert read_card(run / "last.safetensors").metrics == pytest.approx(
        read_card(FORMAT_1 / "step_6.safetensors").metrics, abs=1e-4
    )
    # All that is written is of today's format; the report shows the metrics of both.
    assert yaml.safe_load((run / "config.yaml").read_text())["format"] == FORMAT
    assert torch.load(run / "state.pt", weights_only=True)["format"] == FORMAT
    records = [migrate_record(json.loads(line)) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if "metrics" in record] == [0, 2, 4, 6]
    assert "psnr, steps 0 to 6" in (run / "report.html").read_text()


def test_a_run_of_format_1_remembers_its_best_step(run):
    state = RunFolder(run).read_state(torch.device("cpu"))
    assert state["best"] == {"metric": 0.076964, "step": 4, "stage": 0}
    assert set(state["metrics"]) == {"l1", "psnr", "ssim"}


def test_models_of_format_1_run(run):
    picture = Image.open(FORMAT_1 / "photos" / "0.png")
    translated = load_model(run, device="cpu", precision="fp32")(picture)
    assert translated.size == picture.size
    assert np.asarray(translated).std() > 10


def test_a_renamed_setting_within_a_setting_is_found():
    card = read_card(FORMAT_1 / "denoising-autoencoder.safetensors")
    assert card.format == FORMAT
    assert card.experiment.model.model_dump()["corruption"] == {"kind": "masking", "fraction": 0.4}
    assert set(card.metrics) == {"error", "l1", "psnr", "ssim"}


@pytest.mark.parametrize("name", sorted(builtin_models()))
def test_models_that_ship_are_read(name):
    card = read_card(builtin_models()[name])
    assert card.format == FORMAT
    assert card.metrics


def test_a_run_of_format_1_goes_on_degrading_on_the_threads(run):
    experiment, _ = RunFolder(run).read_config()
    assert experiment.training.degrade_on == "threads"


def card_of_format_1() -> dict:
    return {
        "format": 1,
        "step": 3,
        "figures": {"psnr": 20.0},
        "experiment": {
            "model": {"name": "srgan", "judged_size": 48},
            "data": {"kind": "super-resolution", "validation_share": 0.2},
        },
    }


def test_every_renamed_key_is_known():
    tree = card_of_format_1()
    before = copy.deepcopy(tree)
    assert migrate_card(tree) == {
        "format": FORMAT,
        "step": 3,
        "metrics": {"psnr": 20.0},
        "experiment": {
            "model": {"name": "srgan", "discriminator_size": 48},
            "data": {"kind": "super-resolution", "validation_fraction": 0.2},
        },
    }
    assert tree == before


def test_tensors_and_losses_of_format_1_are_found_by_their_names():
    recipe = {"judge_a.layers.0.weight": 1, "judge_b.layers.0.bias": 2, "model.to_a.judge_a.weight": 3}
    state = migrate_state({"figures": {}, "best": {"figure": 0.5, "step": 1}, "recipe": recipe})
    names = ["discriminator_a.layers.0.weight", "discriminator_b.layers.0.bias", "model.to_a.judge_a.weight"]
    assert list(state["recipe"]) == names
    assert state["best"] == {"metric": 0.5, "step": 1}
    line = migrate_record({"step": 2, "losses": {"generator/l1": 1.0, "discriminator/right": 0.5}})
    assert line == {"step": 2, "losses": {"generator/l1": 1.0, "discriminator/accuracy": 0.5}}


def test_todays_format_is_left_as_it_is():
    tree = migrate_card(card_of_format_1())
    assert migrate_card(tree) == tree
    # Nothing old is looked for in it: a setting may be given a name that another once had.
    assert migrate_config({"format": FORMAT, "data": {"validation_share": 1}, "model": {}}) == {
        "data": {"validation_share": 1},
        "model": {},
    }


@pytest.mark.parametrize("migrate", [migrate_card, migrate_config, migrate_state])
def test_a_newer_format_is_refused(migrate):
    with pytest.raises(NewerFormatError, match="update translate"):
        migrate({"format": FORMAT + 1})


@pytest.mark.parametrize("name", ["config.yaml", "state.pt"])
def test_a_run_folder_of_a_newer_format_is_a_sentence(run, name):
    path = run / name
    if name == "config.yaml":
        path.write_text(f"format: {FORMAT + 1}\n{path.read_text()}")
    else:
        torch.save({**torch.load(path, weights_only=True), "format": FORMAT + 1}, path)
    folder = RunFolder(run)
    with pytest.raises(ResumeError, match=rf"{name}: was written by a newer version of translate") as caught:
        folder.read_config() if name == "config.yaml" else folder.read_state(torch.device("cpu"))
    assert isinstance(caught.value, UserError)
