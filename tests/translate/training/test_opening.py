"""What is decided before the first step, and what is refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from datasets.errors import DataError, UserError
from translate.experiment import Experiment, load_experiment
from translate.inference.model_file import ModelError
from translate.run_folder import ResumeError
from translate.training import opening
from translate.training.opening import _describe_followed
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
            return threads if samples.without_degradation() is not None else device

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
    with pytest.raises(ResumeError, match=r"training\.degrade_on=threads, and now it is device; set"):
        Training(tiny("training.degrade_on=device"), photos, tmp_path / "run", device="cpu")


def test_another_run_in_the_same_place_is_refused_with_both_values(
    tiny, photos, tmp_path, trained, train_to_end
) -> None:
    run = tmp_path / "run"
    train_to_end(tiny("training.steps=1"), photos, run)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    with pytest.raises(ResumeError, match=r"model\.l1_weight=100\.0, and now it is 3\.0; set") as caught:
        Training(tiny("model.l1_weight=3"), photos, run, device="cpu")
    assert caught.value.exit_code == 2
    with pytest.raises(ResumeError, match=r"was begun from another model than `init_from` now names"):
        Training(tiny(), photos, run, device="cpu", init_from=str(trained))
    (photos / "a.png").unlink()
    changed = "was trained on other pictures: some were changed, added or removed since"
    with pytest.raises(DataError, match=changed) as refused:
        Training(tiny(), photos, run, device="cpu")
    assert refused.value.exit_code == 5
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_trained_model_without_its_state_is_not_overwritten(tiny, photos, tmp_path, train_to_end) -> None:
    run = tmp_path / "run"
    train_to_end(tiny("training.steps=1"), photos, run)
    before = (run / "last.safetensors").read_bytes()
    (run / "state.pt").unlink()
    with pytest.raises(ResumeError, match=r"no state\.pt to resume from; .* `init_from` .*last\.safetensors"):
        Training(tiny(), photos, run, device="cpu")
    assert (run / "last.safetensors").read_bytes() == before


def test_a_run_does_not_lie_among_its_training_data(tiny, photos) -> None:
    for run in (photos, photos / "run", photos / "more" / "run"):
        with pytest.raises(UserError, match=r"lies in the folder of training data|is not empty and holds no run"):
            Training(tiny(), photos, run, device="cpu")
    assert not (photos / "run").exists()


def test_a_training_can_start_from_a_model(tiny, photos, tmp_path, trained, train_to_end, run_of) -> None:
    run = tmp_path / "run"
    first = train_to_end(tiny("training.steps=1"), photos, run, init_from=str(trained))[0]
    assert first.notes[-1] == "100% of the weights start from last.safetensors"
    assert first.metrics == run_of(trained).recorded("metrics")[2]
    again = train_to_end(tiny("training.steps=2"), photos, run, init_from=str(trained))
    assert again[0].notes == ("resumed at step 1",)
    with pytest.raises(ModelError, match="there is no such model file"):
        Training(tiny(), photos, tmp_path / "other", device="cpu", init_from="missing")
    assert not (tmp_path / "other").exists()


def test_broken_pictures_that_are_left_out_are_reported(tiny, photos, tmp_path) -> None:
    (photos / "a.png").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"a\.png"):
        Training(tiny(), photos, tmp_path / "run", device="cpu")
    setup = Training(tiny("data.skip_bad=true"), photos, tmp_path / "run", device="cpu").setup
    note, few = setup.notes
    assert few == "3 samples to learn from are too few: models need hundreds"
    assert note.startswith("1 picture left out: ")
    assert "a.png" in note
    assert not (tmp_path / "run").exists()  # opening writes nothing


def test_few_and_flat_pictures_are_said_before_a_training_and_not_again(tiny, tmp_path, train_to_end) -> None:
    for index in range(4):
        path = tmp_path / "flat" / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (20, 20), (60 * index, 90, 90)).save(path)
    overrides = ("data.pairs.degradation=blur",)
    first = train_to_end(tiny(*overrides, "training.steps=1"), tmp_path / "flat", tmp_path / "run")[0]
    assert first.notes == (
        "3 samples to learn from are too few: models need hundreds",
        "each picture is of a single colour, from which nothing is learned: are they the right ones?",
    )
    again = train_to_end(tiny(*overrides, "training.steps=2"), tmp_path / "flat", tmp_path / "run")[0]
    assert again.notes == ("resumed at step 1",)


def test_copies_are_noted(tiny, photos, tmp_path) -> None:
    shutil.copy(photos / "a.png", photos / "again.png")
    notes = Training(tiny(), photos, tmp_path / "run", device="cpu").setup.notes
    assert [note for note in notes if "copy" in note] == [
        "1 file of these data is a copy of another, such as a.png and again.png: where one is held out and the other "
        "learned from, metrics are too good"
    ]


def test_what_followed_from_another_size_is_said(tiny, photos, tmp_path, smaller) -> None:
    experiment = load_experiment("pix2pix", ["data.crop.size=64"])
    assert _describe_followed(experiment) == ("to fit data.crop.size=64: data.crop.load=72, model.generator.depth=6",)
    assert _describe_followed(tiny()) == ()


def test_what_makes_it_another_run_is_said_in_words(tiny, photos, tmp_path, trained, train_to_end) -> None:
    run = tmp_path / "run"
    train_to_end(tiny("training.steps=1"), photos, run)
    with pytest.raises(ResumeError, match="was begun from another model than `init_from` now names, or from none"):
        Training(tiny("training.steps=2"), photos, run, device="cpu", init_from=str(trained))
    with pytest.raises(ResumeError, match=r"ema_decay=null, and now it is 0\.5; set training"):
        Training(tiny("training.ema_decay=0.5"), photos, run, device="cpu")


BATCH_NORM = "model.discriminator.norm=batch"


@pytest.mark.parametrize(
    ("recipe", "penalty", "settings"),
    [
        ("gan", "r1_weight", ("model.r1_weight=10",)),
        (
            "restore",
            "gradient_penalty_weight",
            ("model.gradient_penalty_weight=10", "model.adversarial_weight=1", BATCH_NORM),
        ),
    ],
)
def test_a_penalty_on_a_critic_with_batch_norm_is_refused_before_the_first_step(
    recipe, penalty, settings, smaller, tiny, photos, tmp_path
):
    experiment = load_experiment(recipe, [*smaller(recipe), *settings])  # readable, as old model files must be
    expected = rf"^model\.{penalty}: .* set model\.discriminator\.norm to instance or none, or model\.{penalty} to 0$"
    with pytest.raises(UserError, match=expected):
        Training(experiment, photos, tmp_path / "run", device="cpu")
    for remedy in ("model.discriminator.norm=instance", f"model.{penalty}=0"):
        mended = load_experiment(recipe, [*smaller(recipe), *settings, remedy])
        Training(mended, photos, tmp_path / "run", device="cpu")


def test_a_run_with_such_a_penalty_that_was_begun_goes_on(tiny, photos, tmp_path, monkeypatch, train_to_end):
    settings = ("model.gradient_penalty_weight=10", BATCH_NORM)
    with monkeypatch.context() as before:
        before.setattr("models.pix2pix.Pix2PixConfig.training_problem", lambda config: None)
        train_to_end(tiny(*settings, "training.steps=1"), photos, tmp_path / "run")
    assert train_to_end(tiny(*settings, "training.steps=2"), photos, tmp_path / "run")[-1].step == 2


@pytest.mark.parametrize("begun", [False, True])
def test_a_picture_with_a_damaged_body_says_how_to_leave_out_all_of_them(tiny, photos, tmp_path, begun, train_to_end):
    if begun:
        training = Training(tiny(), photos, tmp_path / "run", device="cpu")
    for name in ("a.png", "b.png"):
        whole = (photos / name).read_bytes()
        (photos / name).write_bytes(whole[: len(whole) // 2])  # the header is good
    with pytest.raises(DataError, match=r"damaged or cut-off PNG picture .*data\.skip_bad=true, which looks for all"):
        list(training.run() if begun else Training(tiny(), photos, tmp_path / "run", device="cpu").run())
    kept = train_to_end(tiny("data.skip_bad=true"), photos, tmp_path / "other")
    assert "2 pictures left out" in kept[0].notes[0]
