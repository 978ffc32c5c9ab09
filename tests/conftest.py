"""What tests share: small folders of pictures, an experiment of milliseconds a step, a finished training."""

import gzip
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.published import build_vgg19
from translate.cli import main
from translate.experiment import Experiment, load_experiment
from translate.inference.model_file import Card, save_model
from translate.training.session import Training

# Odd, even, portrait, landscape, smaller than the crop.
PHOTOS = {
    "a.png": (40, 30),
    "b.png": (31, 53),
    "c.jpg": (48, 48),
    "d.png": (24, 37),
    "e.jpg": (33, 20),
    "f.png": (9, 14),
}
PAIRS = {"1": (40, 30), "2": (31, 53), "10": (24, 37), "more/3": (48, 48)}
SHRUNK = (
    "model.adversarial_weight=1",
    "model.generator.name=unet",
    "model.generator.depth=3",
    "model.generator.width=4",
    "model.discriminator.layers=1",
    "model.discriminator.width=4",
    "data.crop.load=null",
    "data.crop.size=16",
    "data.validation_fraction=0.3",
    "training.steps=2",
    "training.batch_size=2",
    "training.precision=fp32",
    "training.threads=1",
)

BUSY = (
    "model.generator.name=resnet",
    "model.generator.blocks=1",
    "model.generator.width=4",
    "model.generator.dropout=0.5",
    "model.discriminator.spectral=true",
    "data.crop.jitter=0.3",
    "training.steps=8",
    "training.batch_size=1",
    "training.accumulate=2",
    "training.ema_decay=0.9",
    "training.decay_from=0.5",
    "training.clip_norm=5",
)


SMALL = {
    **{"width": 4, "depth": 3, "blocks": 1, "layers": 1, "size": 32, "side": 32, "load": 36, "discriminator_steps": 2},
    **{
        "growth": 2,
        "steps": 2,
        "steps_per_level": 1,
        "bound_evaluations": 1,
        "dense": 4,
        "validation_size": 32,
        "pixel_steps": 1,
        "content": "vgg22",
        "smooth_levels": 2,
        "widest": 8,
        "bottleneck": 6,
    },
}
SHORT = ("training.steps=2", "training.batch_size=2", "training.accumulate=1", "training.precision=fp32")


@pytest.fixture(scope="session", autouse=True)
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder where torch keeps what it downloaded, with a file of random weights for the first layers of VGG-19."""
    folder = tmp_path_factory.mktemp("torch")
    place = folder / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
    place.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save({f"features.{name}": tensor for name, tensor in build_vgg19(19).state_dict().items()}, place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is measured of models out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that need what Windows does not have."""
    for mark in item.iter_markers("posix"):
        if os.name != "posix":
            pytest.skip(f"Windows: this test {mark.args[0]}")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # bits depend on it, and tiny networks are faster so


@pytest.fixture
def photo() -> Callable[..., Image.Image]:
    """`photo(width, height, seed)`: a smooth picture of random colours; mode RGB or L."""
    return smooth


def smooth(width: int, height: int, seed: int, mode: str = "RGB") -> Image.Image:
    colours = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(colours).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of six small PNG and JPEG files of different sizes."""
    return fill(tmp_path / "photos", PHOTOS)


@pytest.fixture
def large_photos(tmp_path: Path) -> Path:
    """A folder of four small files, none of them smaller than 36 pixels on a side."""
    return fill(tmp_path / "large", {f"{number}.png": (40 + number, 36) for number in range(4)})


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A folder with A and B; the four pictures in each have partners of their sizes in the other."""
    for number, side in enumerate("AB"):
        fill(tmp_path / "pairs" / side, {f"{name}.png": size for name, size in PAIRS.items()}, 100 * number)
    return tmp_path / "pairs"


@pytest.fixture(scope="session")
def write_idx() -> Callable[..., np.ndarray]:
    """`write_idx(folder, split, count, seed=0)`: pictures and labels 0 to 2 as MNIST's files; gives the pictures."""
    return _write_idx


def _write_idx(folder: Path, split: str, count: int, seed: int = 0, zipped: bool = True, size: int = 5) -> np.ndarray:
    folder.mkdir(exist_ok=True)
    images, labels = np.random.default_rng(seed).integers(0, 256, (count, size, size)), np.arange(count) % 3
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
        path = folder / f"{split}-{name}-ubyte{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(content) if zipped else content)
    return images


def fill(folder: Path, sizes: dict[str, tuple[int, int]], first_seed: int = 0) -> Path:
    for seed, (name, size) in enumerate(sizes.items(), first_seed):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth(*size, seed).save(path)
    return folder


@pytest.fixture(scope="session")
def shrunk() -> tuple[str, ...]:
    """What `--set` needs to hear for a training of milliseconds a step, whatever the recipe."""
    return SHRUNK


@pytest.fixture(scope="session")
def smaller() -> Callable[[str], list[str]]:
    """`smaller(recipe)`: overrides by which a recipe keeps its kind and costs milliseconds a step."""

    def overrides(section: str, tree: dict[str, Any]) -> list[str]:
        found = []
        for key, value in tree.items():
            if isinstance(value, dict):
                found += overrides(f"{section}.{key}", value)
            elif key in SMALL and value:
                found.append(f"{section}.{key}={SMALL[key]}")
        return found

    def of(recipe: str) -> list[str]:
        tree = load_experiment(recipe).model_dump(mode="json")
        return [*overrides("model", tree["model"]), *overrides("data", tree["data"]), *SHORT]

    return of


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Experiment]:
    """`tiny("training.steps=4", recipe="pix2pix")`: a recipe shrunk.

    `restore` learns from `photos`, `pix2pix` from `pairs`.
    """

    def build(*overrides: str, recipe: str = "restore") -> Experiment:
        return load_experiment(recipe, [*SHRUNK, *overrides])

    return build


@pytest.fixture(scope="session")
def busy(tiny: Callable[..., Experiment]) -> Callable[..., Experiment]:
    """As `tiny`, with all that draws or has a state: dropout, noise, colours, an average, buffers, decaying rates."""
    return lambda *overrides: tiny(*BUSY, *overrides)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Callable[..., Experiment]) -> Path:
    """The run folder of two steps of `restore` on photographs; to be read only."""
    folder = tmp_path_factory.mktemp("trained")
    training = Training(tiny(), fill(folder / "photos", PHOTOS), folder / "run", device="cpu")
    assert [progress.step for progress in training.run()] == [0, 1, 2]
    return folder / "run"


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """`command("run", model, "in", "out")`: `translate` as a user starts it, within this process."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["translate", *map(str, arguments)])
        capfd.readouterr()
        handler = signal.getsignal(signal.SIGINT)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGINT, handler)
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0 if code is None else 1, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def sampler_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file of an untrained generator of pictures of 32 pixels; to be read only."""
    sizes = ("model.generator.width=4", "model.discriminator.width=4", "model.size=32", "data.crop.size=32")
    experiment = load_experiment("gan", sizes)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("sampler") / "sampler.safetensors"
    save_model(path, experiment.model.translator(), Card(experiment=experiment, step=0, trained_size=32))
    return path
