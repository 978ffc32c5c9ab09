"""The memory layout of a training: the faster one, measured once, and the usual one where it cannot be measured."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from translate.experiment import Experiment, load_experiment
from translate.hardware import Numerics
from translate.training import layouts
from translate.training.processes import World
from translate.training.session import Training
from translate.training.trainer import Trainer

USUAL, OTHER = "contiguous", "channels_last"
LONG = ("training.layout=auto", "training.steps=1000")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is remembered, empty at first."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "translate"


@pytest.fixture
def on_a_gpu(monkeypatch):
    """Trainings decide, as the function does that is returned, as if on a GPU; the steps measured are the CPU's."""
    decide, measure = layouts.choose_layout, layouts._measure

    def decide_on_a_gpu(experiment: Experiment, samples: Any, numerics: Numerics, world: World) -> str:
        return decide(experiment, samples, numerics, World(device=torch.device("cuda")))

    def measure_on_a_cpu(experiment: Experiment, samples: Any, numerics: Numerics, device: torch.device) -> Any:
        return measure(experiment, samples, numerics, torch.device("cpu"))

    monkeypatch.setattr("translate.training.opening.choose_layout", decide_on_a_gpu)
    monkeypatch.setattr(layouts, "_measure", measure_on_a_cpu)
    monkeypatch.setattr("translate.remembered.describe_machine", lambda device: {"device": str(device)})
    return decide_on_a_gpu


@pytest.fixture
def pretend(monkeypatch, on_a_gpu):
    """`pretend(contiguous=0.1, channels_last=0.2)`: steps take so many seconds; returns the layouts of steps."""

    def of(**seconds: float) -> list[str]:
        measured: list[str] = []
        clock = [0.0]

        def time_step(trainer: Trainer[Any], batch: list[Any]) -> float:
            measured.append(trainer.numerics.layout)
            clock[0] += seconds[trainer.numerics.layout]
            return seconds[trainer.numerics.layout]

        monkeypatch.setattr(layouts, "_time_step", time_step)
        monkeypatch.setattr("time.perf_counter", lambda: clock[0])
        return measured

    return of


def layout_of(run: Path) -> str:
    return str(yaml.safe_load((run / "config.yaml").read_text())["training"]["layout"])


@pytest.mark.parametrize(
    ("contiguous", "channels_last", "chosen"),
    [(0.2, 0.1, OTHER), (0.105, 0.1, USUAL), (0.1, 0.2, USUAL), (0.7, 0.1, USUAL), (0.9, 0.1, USUAL)],
    ids=["faster", "hardly faster", "slower", "too few steps", "a slow step"],
)
def test_the_usual_layout_stays_unless_the_other_is_clearly_faster(
    tiny, photos, tmp_path, pretend, contiguous, channels_last, chosen
):
    measured = pretend(contiguous=contiguous, channels_last=channels_last)
    training = Training(tiny(*LONG), photos, tmp_path / "run", device="cpu")
    assert training.setup.numerics.layout == training.setup.experiment.training.layout == chosen
    assert sum({"contiguous": contiguous, "channels_last": channels_last}[layout] for layout in measured) < 2.5


def test_a_run_keeps_its_layout_and_the_same_training_gets_the_same(tiny, photos, tmp_path, pretend, cache):
    run = tmp_path / "run"
    pretend(contiguous=0.2, channels_last=0.1)
    training = Training(tiny(*LONG), photos, run, device="cpu").run()
    next(training)
    training.close()
    assert layout_of(run) == OTHER
    measured = pretend(contiguous=0.1, channels_last=0.2)  # the other one is faster now
    again = Training(tiny(*LONG), photos, tmp_path / "again", device="cpu")
    assert again.setup.numerics.layout == OTHER
    assert measured == []
    for path in cache.iterdir():
        path.write_text("torn")
    assert Training(tiny(*LONG), photos, run, device="cpu").setup.numerics.layout == OTHER
    assert Training(tiny(*LONG), photos, tmp_path / "third", device="cpu").setup.numerics.layout == USUAL
    assert measured


def test_what_cannot_be_measured_soon_is_not(tiny, photos, tmp_path, pretend, on_a_gpu):
    measured = pretend(contiguous=0.2, channels_last=0.1)
    numerics = Numerics("fp32", USUAL, 1)
    for setting in ("training.steps=999", "training.compile=true"):
        experiment = tiny(*LONG, setting)
        assert on_a_gpu(experiment, experiment.data.open(photos).training, numerics, World()) == USUAL
    asked = Training(tiny(*LONG, "training.layout=channels_last"), photos, tmp_path / "run", device="cpu")
    assert asked.setup.numerics.layout == OTHER
    assert measured == []


def test_on_a_cpu_nothing_is_measured(tiny, photos, tmp_path, monkeypatch):
    monkeypatch.delattr(layouts, "_measure")
    assert Training(tiny(*LONG), photos, tmp_path / "run", device="cpu").setup.numerics.layout == USUAL


def test_without_memory_for_the_copies_the_usual_layout_stays(tiny, photos, tmp_path, monkeypatch, on_a_gpu):
    def fail(trainer: Trainer[Any], batch: list[Any]) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(layouts, "_time_step", fail)
    assert Training(tiny(*LONG), photos, tmp_path / "run", device="cpu").setup.numerics.layout == USUAL


def test_a_network_without_convolutions_has_no_layout(tmp_path, pretend, write_idx):
    measured = pretend(contiguous=0.2, channels_last=0.1)
    for split in ("train", "t10k"):
        write_idx(tmp_path / "idx", split, 12, size=28)
    experiment = load_experiment("vae", ["training.batch_size=4", *LONG])
    Training(experiment, tmp_path / "idx", tmp_path / "run", device="cpu")
    assert measured == []


def test_measuring_changes_nothing_and_ends_soon(tiny, photos, tmp_path, on_a_gpu):
    """The real steps: afterwards the weights, the random numbers and the data are as if nothing had been measured."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    measured = Training(tiny(*LONG), photos, tmp_path / "run", device="cpu")
    assert torch.equal(torch.rand(3), expected)
    chosen = measured.setup.numerics.layout
    plain = Training(tiny(*LONG, f"training.layout={chosen}"), photos, tmp_path / "other", device="cpu")
    for name, tensor in plain.trainer.recipe.state_dict().items():
        assert torch.equal(tensor, measured.trainer.recipe.state_dict()[name])
    numerics, world = Numerics("fp32", USUAL, 1), World()
    opened = tiny(*LONG).data.open(photos)
    seconds = layouts._measure(tiny(*LONG).adapt_to(opened), opened.training, numerics, world.device)
    assert set(seconds) <= {USUAL, OTHER}
    assert all(value > 0 for value in seconds.values())
