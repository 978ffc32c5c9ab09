"""Ready models and the command line, for the tests of the application."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.contract import Translator
from translate.experiment import Experiment
from translate.hardware import Numerics
from translate.inference.model import Model, load_model
from translate.inference.model_file import Card, save_model


class Unchanged(Translator):
    """Gives back what it gets, as gray or colour and larger where asked: every pixel to expect is known."""

    def __init__(self, channels_in: int, channels_out: int, scale: int, domains: tuple[str, ...]) -> None:
        super().__init__()
        self.channels_in, self.channels_out, self.scale, self.domains = channels_in, channels_out, scale, domains

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        image = image.mean(1, keepdim=True) if self.channels_out == 1 else image.expand(-1, self.channels_out, -1, -1)
        return (-image if domain else image).repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


@pytest.fixture(scope="session")
def no_file_beyond() -> Callable[[int], contextlib.AbstractContextManager[None]]:
    """`with no_file_beyond(300):` no file may become larger: as on a full disk, the rest of a write fails.

    To be left before a test ends, since the limit holds for the log of the tests too, where that is a file.
    """

    @contextlib.contextmanager
    def limited(size: int) -> Iterator[None]:
        resource = pytest.importorskip("resource", reason="this system cannot limit the size of files")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture(scope="session")
def unchanged(tiny: Callable[..., Experiment]) -> Callable[..., Model]:
    """`unchanged(channels_in=3, channels_out=3, scale=1, domains=())`: a model that changes no pixel.

    Of two domains the second gives the negative.
    """

    def build(channels_in: int = 3, channels_out: int = 3, scale: int = 1, domains: tuple[str, ...] = ()) -> Model:
        network = Unchanged(channels_in, channels_out, scale, domains).eval()
        card = Card(experiment=tiny(recipe="pix2pix"), step=0, trained_size=16)
        return Model(network, card, "unchanged", torch.device("cpu"), Numerics("fp32", "contiguous", 1))

    return build


@pytest.fixture(scope="session")
def make_model(tiny: Callable[..., Experiment]) -> Callable[..., Path]:
    """`make_model(path, "model.generator.depth=2", seed=0)`: a small untrained network as a model file."""

    def make(path: Path, *overrides: str, seed: int = 0) -> Path:
        experiment = tiny(*overrides, recipe="pix2pix")
        torch.manual_seed(seed)
        network = experiment.model.translator()
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.3)  # wide enough for outputs with structure
        save_model(path, network, Card(experiment=experiment, step=0, trained_size=16))
        return path

    return make


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory, make_model: Callable[..., Path]) -> Path:
    """A small U-Net of colours; to be read only."""
    return make_model(tmp_path_factory.mktemp("model") / "small.safetensors")


@pytest.fixture
def loaded(model_file: Path) -> Model:
    """The small U-Net, ready to use."""
    return load_model(model_file, device="cpu", precision="fp32")
