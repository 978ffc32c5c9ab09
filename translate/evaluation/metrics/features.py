"""Features of pictures, by which sets of them are compared, and the networks that compute them.

The networks are torch-fidelity's: Inception v3 with the weights and quirks of FID's authors (Heusel et al. 2017,
arXiv:1706.08500), and VGG-16 for precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991). Both scale pictures
themselves, as TensorFlow 1 did: bilinear, without antialiasing, corners at whole pixels.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.devices import move
from translate.evaluation.metrics.extras import import_extra
from translate.evaluation.metrics.report import Protocol
from translate.evaluation.metrics.weights import Weights
from translate.hardware import keep_random_state

PIXELS = 32  # on a side, where pixels are the features; as CIFAR-10's, for which such distances are usual
BATCH = 16  # pictures at once; chosen by hand: at 299 pixels they take 100 MB in the first layers
RESIZER = "bilinear of TensorFlow 1, no antialiasing, by torch-fidelity"


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """A network that computes features of pictures.

    Attributes:
        extract: From pictures (B, 3, H, W) uint8 to "features" (B, n) and, of some, "scores" (B, classes), float32.
        protocol: What it adds to a protocol.
        published: Whether its weights are those that everybody uses.
    """

    extract: Callable[[Tensor], dict[str, Tensor]]
    protocol: Protocol
    published: bool = True


def load_inception(weights: Weights, device: torch.device) -> FeatureNetwork:
    """Return Inception v3 as FID uses it, with "features" (B, 2048) and "scores" (B, 1008) without their bias."""
    module = import_extra("torch_fidelity.feature_extractor_inceptionv3")
    names = {"2048": "features", "logits_unbiased": "scores"}
    return _load(module.FeatureExtractorInceptionV3, "inception-v3-compat", names, weights, device)


def load_vgg16(weights: Weights, device: torch.device) -> FeatureNetwork:
    """Return VGG-16 up to its second fully connected layer, with "features" (B, 4096)."""
    module = import_extra("torch_fidelity.feature_extractor_vgg16")
    return _load(module.FeatureExtractorVGG16, "vgg16", {"fc2_relu": "features"}, weights, device)


def _load(kind: Any, name: str, names: dict[str, str], weights: Weights, device: torch.device) -> FeatureNetwork:
    # torch-fidelity reads its file with pickle's full powers; this one is made of tensors that were read without them.
    file = io.BytesIO()
    torch.save(weights.tensors, file)
    file.seek(0)
    with keep_random_state(torch.device("cpu")):
        network = kind(name, list(names), feature_extractor_weights_path=file).to(device)

    def extract(pictures: Tensor) -> dict[str, Tensor]:
        with torch.inference_mode():
            computed = network(move(pictures, device))
        return {names[key]: values.float().cpu() for key, values in zip(names, computed, strict=True)}

    facts: Protocol = {"resizer": RESIZER, "library": f"torch-fidelity {version('torch-fidelity')}, {name}"}
    return FeatureNetwork(extract, {**weights.protocol, **facts}, weights.are_published)


def pixels_network() -> FeatureNetwork:
    """Return what needs no weights: the pixels of pictures that are scaled to 32 x 32, (B, 3072) in [0, 1]."""

    def extract(pictures: Tensor) -> dict[str, Tensor]:
        size = (PIXELS, PIXELS)
        scaled = F.interpolate(pictures.float() / 255, size, mode="bilinear", align_corners=False, antialias=True)
        return {"features": scaled.flatten(1)}

    facts: Protocol = {"weights": "none, pixels", "resizer": f"bilinear with antialiasing to {PIXELS}x{PIXELS}, torch"}
    return FeatureNetwork(extract, facts)


def extract_features(network: FeatureNetwork, pictures: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Return what the network computes of all pictures (3, H, W) uint8, (N, n) each."""
    parts: dict[str, list[Tensor]] = {}
    for batch in _batch(pictures):
        for key, values in network.extract(torch.stack([picture for _, picture in batch])).items():
            parts.setdefault(key, []).append(values)
    return {key: torch.cat(values) for key, values in parts.items()}


def _batch(pictures: Iterable[tuple[str, Tensor]]) -> Iterator[list[tuple[str, Tensor]]]:
    """Yield neighbouring pictures of one size together."""
    batch: list[tuple[str, Tensor]] = []
    for item in pictures:
        if batch and (len(batch) == BATCH or item[1].shape != batch[0][1].shape):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
