"""Weights of published feature networks, from files or, where a metric that needs them is asked for, by download.

A file is recognised by the names and shapes of its tensors, whatever it is called. Only tensors are read from it, never
code: pickled objects are refused.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal, NamedTuple, get_args
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from datasets.errors import UserError
from translate.evaluation.metrics.report import Protocol

VARIABLE = "TRANSLATE_FEATURES"  # of the environment: files, separated as in PATH

NetworkName = Literal["inception", "alexnet", "vgg16"]


class Published(NamedTuple):
    """Where weights are published, the first digits of their SHA-256, and what tells their network from others."""

    url: str
    digest: str
    shapes: dict[str, tuple[int, ...]]
    title: str


PUBLISHED: dict[NetworkName, Published] = {
    "inception": Published(
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "6726825d",
        {"Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3), "fc.weight": (1008, 2048)},
        "Inception v3 of FID",
    ),
    "alexnet": Published(
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "7be5be79",
        {"features.0.weight": (64, 3, 11, 11), "features.10.weight": (256, 256, 3, 3)},
        "AlexNet",
    ),
    "vgg16": Published(
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "397923af",
        {"features.28.weight": (512, 512, 3, 3), "classifier.3.weight": (4096, 4096)},
        "VGG-16",
    ),
}


@dataclass(frozen=True, eq=False)
class Weights:
    """The tensors of one network.

    Attributes:
        network: Which network they belong to.
        tensors: By their published names.
        digest: The first 8 digits of the file's SHA-256.
    """

    network: NetworkName
    tensors: dict[str, Tensor]
    digest: str

    @property
    def are_published(self) -> bool:
        """Whether they are the ones that everybody uses, so that figures are comparable with the literature."""
        return self.digest == PUBLISHED[self.network].digest

    @property
    def protocol(self) -> Protocol:
        """What they add to a protocol."""
        title = PUBLISHED[self.network].title
        origin = "as published" if self.are_published else "not the published ones"
        return {"weights": f"{title}, {origin}", "weights_sha256": self.digest}


def find_weights(files: Sequence[Path], wanted: Iterable[NetworkName]) -> dict[NetworkName, Weights]:
    """Return the weights that are at hand; those of `wanted` networks are downloaded if need be.

    They are looked for in `files`, in those that `TRANSLATE_FEATURES` names, and in torch's own folder.

    Raises:
        UserError: A file holds no known network, or what is wanted is nowhere and cannot be downloaded.
    """
    listed = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    found: dict[NetworkName, Weights] = {}
    for path in [*files, *listed]:
        weights = read_weights(path)
        found.setdefault(weights.network, weights)
    for name in get_args(NetworkName):
        cached = _cache_of(name)
        if name not in found and cached.is_file():
            found[name] = read_weights(cached)
    for name in wanted:
        if name not in found:
            _download(name)
            found[name] = read_weights(_cache_of(name))
    return found


def read_weights(path: Path) -> Weights:
    """Return the weights in a file, .safetensors or what `torch.save` wrote.

    Raises:
        UserError: It cannot be read, or holds none of the known networks.
    """
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:8]
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror or error}; `features` names files of weights"
        ) from None
    except (RuntimeError, SafetensorError, UnpicklingError, EOFError, ValueError, KeyError):
        raise UserError(f"{path}: is damaged, or no file of weights; {_describe_known()}") from None
    for name, published in PUBLISHED.items():
        if isinstance(tensors, dict) and all(
            isinstance(tensors.get(key), Tensor) and tuple(tensors[key].shape) == shape
            for key, shape in published.shapes.items()
        ):
            return Weights(name, tensors, digest)
    raise UserError(f"{path}: holds the weights of another network; {_describe_known()}")


def _describe_known() -> str:
    files = [f"{one.title} ({one.url.rpartition('/')[2]})" for one in PUBLISHED.values()]
    return f"expected those of {', '.join(files[:-1])} or {files[-1]}"


def _cache_of(name: NetworkName) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED[name].url.rpartition("/")[2]


def _download(name: NetworkName) -> None:
    published, path = PUBLISHED[name], _cache_of(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(published.url, str(path), published.digest, progress=False)
    except (URLError, OSError, RuntimeError):
        raise UserError(
            f"the weights of {published.title} are not at {path} and cannot be downloaded: give a copy of "
            f"{published.url} with `features`, or leave out the metrics that need it"
        ) from None
