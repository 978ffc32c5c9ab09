"""Samplers whose every pixel is known, and what they make."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from models.contract import Encoder, Sampler
from models.core.gan import GANConfig
from models.networks.bodies import MLPBody
from translate.experiment import Experiment
from translate.folders.manifest import Outcome
from translate.hardware import Numerics
from translate.inference.model_file import Card
from translate.sampling.outputs import SampleOptions, SamplePlan
from translate.sampling.sampled_folder import run_samples
from translate.sampling.sampler import LoadedSampler
from translate.sampling.samples import plan_samples


class Flat(Sampler):
    """Makes flat pictures whose level of red, green and blue is an eighth of the latent's: every pixel is known.

    A label makes them darker by a tenth; `seen` counts what it was given at once.
    """

    def __init__(self, latent: int, prior: Any, domains: tuple[str, ...], channels: int) -> None:
        super().__init__()
        self.latent, self.prior, self.domains = latent, prior, domains
        self.channels, self.size = channels, 4
        self.shift = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[Tensor] = []

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        self.seen.append(latent.detach().clone())
        level = latent[:, : self.channels] / 8 - label[:, None] / 10 + self.shift
        return level[:, :, None, None].expand(-1, -1, self.size, self.size)


class FlatBothWays(Flat, Encoder):
    """Flat, with an encoder."""

    def encode(self, image: Tensor) -> Tensor:
        return 8 * image.mean((2, 3))


@pytest.fixture
def flat(tiny: Callable[..., Experiment]) -> Callable[..., LoadedSampler]:
    """`flat(latent=3, prior="normal", domains=(), encodes=False, channels=3)`."""

    def build(
        latent: int = 3, prior: str = "normal", domains: tuple[str, ...] = (), encodes: bool = False, channels: int = 3
    ) -> LoadedSampler:
        return ready((FlatBothWays if encodes else Flat)(latent, prior, domains, channels), tiny)

    return build


@pytest.fixture
def gan(tiny: Callable[..., Experiment]) -> Callable[..., LoadedSampler]:
    """`gan(latent=8, size=16, …)`: the generator of a GAN, drawn wide enough for structure."""

    def build(**settings: Any) -> LoadedSampler:
        torch.manual_seed(0)
        chosen = {"latent": 8, "size": 16, "generator": MLPBody(hidden=(32,)), **settings}
        network = GANConfig(**chosen).translator()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        return ready(network, tiny)

    return build


def ready(network: Sampler, tiny: Callable[..., Experiment]) -> LoadedSampler:
    card = Card(experiment=tiny(recipe="pix2pix"), step=0, trained_size=network.size)
    network = network.eval().requires_grad_(False)
    return LoadedSampler(network, card, "some model", torch.device("cpu"), Numerics("fp32", "contiguous", 1))


@pytest.fixture(scope="session")
def make() -> Callable[..., dict[str, Outcome]]:
    """`make(loaded, plan)`: the outcomes by name."""

    def run(loaded: LoadedSampler, plan: SamplePlan) -> dict[str, Outcome]:
        return {outcome.name.as_posix(): outcome for outcome in run_samples(loaded, plan)}

    return run


@pytest.fixture(scope="session")
def sample(make: Any) -> Callable[..., dict[str, Outcome]]:
    """`sample(loaded, out, count=3, seed=0, grid=False, batch=4)`: the outcomes by name."""

    def run(
        loaded: LoadedSampler, out: Path, count: int = 3, seed: int = 0, grid: bool = False, **settings: Any
    ) -> Any:
        return make(loaded, plan_samples(loaded, out, count, seed, grid, SampleOptions(**settings)))

    return run


@pytest.fixture(scope="session")
def files() -> Callable[[Path], dict[str, bytes]]:
    """`files(folder)`: what is in the files, the manifest aside."""

    def read(folder: Path) -> dict[str, bytes]:
        found = (path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.jsonl")
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}

    return read


@pytest.fixture(scope="session")
def pixels() -> Callable[[Path], Any]:
    """`pixels(path)`: of a picture's file."""

    def read(path: Path) -> Any:
        with Image.open(path) as image:
            return np.asarray(image)

    return read
