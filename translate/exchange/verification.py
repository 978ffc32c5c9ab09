"""Whether a model file is intact, and whether its network still computes what it did when the file was finished.

A file that is finished (shipped, imported, published) holds figures of a probe: what the network made of a fixed
picture, or of a fixed latent. Files of a running training hold none, since a forward pass at each checkpoint would cost
time; the hashes of the weights are in every file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from datasets.errors import count_of
from models.apply import generate_batch, translate_batch
from models.contract import Sampler, Translator
from translate.inference.model_file import Card, ModelError, Probe, fill_network, hash_tensors, read_weights
from translate.inference.precision import build_probes

# Of values in [-1, 1]. Models that ship differ by 1e-5, the rounding, between SSE4.1 with one thread and AVX-512 with
# two; bfloat16 changes them by 3e-3 to 7e-3, but only float32 is compared.
TOLERANCE = 1e-3
SIDE = 32  # pixels on a side of the probe, of a network that takes so few: a pass of RRDBNet takes half a second
DOMAINS = 4  # the first, of a network that has more
PLACES = 6  # on each side of the grid of output pixels that are compared


@dataclass(frozen=True)
class Verification:
    """What was found out about an intact file.

    Attributes:
        tensors: Of weights and buffers.
        hashes: Whether the file holds their hashes, and so whether these were compared.
        difference: The largest between the network's outputs and those in the file, in [0, 2]; None: it holds none.
        without: Why there was nothing to compare; empty where all was compared.
    """

    tensors: int
    hashes: bool
    difference: float | None
    without: str


def verify_model(path: Path) -> Verification:
    """Check that a model file is whole, its weights are those that were saved, and its network computes what it did.

    It is computed in float32 on the CPU, whatever machine is at hand.

    Raises:
        ModelError: The file is damaged; the message names the tensor.
    """
    card, tensors = read_weights(path)
    hashes = card.tensor_hashes
    damaged = [name for name, digest in hash_tensors(tensors).items() if hashes.get(name, digest) != digest]
    if damaged:
        raise ModelError(f"{path}: is damaged: {_name_first(damaged)} {_is(damaged)} not what was saved; get it again")
    network = fill_network(card, tensors, path)
    broken = [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise ModelError(
            f"{path}: {_name_first(broken)} {_is(broken)} infinite or not a number in places, as it was saved: its "
            "training diverged; use another checkpoint"
        )
    found, stored = measure_probe(network), card.probe
    difference, without = None, "" if hashes else "it holds no hashes of its weights"
    if found is None:
        without = without or "it draws random numbers, so no output can be compared"
    elif not all(map(_is_finite, found.outputs)):
        raise ModelError(f"{path}: its weights are finite, but its output is not")
    elif stored is None:
        without = without or "it holds no figures of a probe"
    else:
        difference = _compare(found, stored)
        if difference > TOLERANCE:
            raise ModelError(
                f"{path}: its weights are {'those that were saved' if hashes else 'finite'}, but its network makes "
                f"something else of them: outputs differ by {difference:.2g}, at most {TOLERANCE:g} is usual; was its "
                "description changed, or does this machine compute wrongly?"
            )
    return Verification(len(tensors), bool(hashes), difference, without)


def add_probe(card: Card, network: Translator | Sampler) -> Card:
    """Return a card with the figures that `verify_model` compares with, of a network on the CPU in float32."""
    probe = measure_probe(network)
    sound = probe is not None and all(map(_is_finite, probe.outputs))
    return card.model_copy(update={"probe": probe if sound else None})


@torch.inference_mode()
def measure_probe(network: Translator | Sampler) -> Probe | None:
    """Return what a network, on the CPU in float32, makes of the probe; None if it draws random numbers."""
    if isinstance(network, Sampler):
        count = max(1, min(DOMAINS, len(network.domains)))
        latent = torch.sin(torch.arange(1.0, network.latent + 1))[None]  # within the range of either prior
        outputs = (generate_batch(network, latent, torch.tensor([label])) for label in range(count))
        return Probe(size=network.size, outputs=tuple(map(_pick, outputs)))
    if network.draws:
        return None
    size = network.only_size or max(SIDE, network.minimum)
    size = -(-size // network.multiple) * network.multiple
    picture = build_probes(network.channels_in, size)["photograph"]
    if network.fills_holes:
        picture[:, 3] = 0
        picture[:, 3, size // 3 : 2 * size // 3, size // 3 : 2 * size // 3] = 1
    count = max(1, min(DOMAINS, len(network.domains)))
    return Probe(size=size, outputs=tuple(_pick(translate_batch(network, picture, index)) for index in range(count)))


def _pick(output: Tensor) -> tuple[float, ...]:
    """Return the values of (1, C, H, W) at the places of a grid, rounded far below the tolerance."""
    rows, columns = ([int((place + 0.5) * side / PLACES) for place in range(PLACES)] for side in output.shape[-2:])
    values = output[0][:, rows][:, :, columns].flatten().tolist()
    return tuple(round(value, 5) for value in values)


def _compare(found: Probe, stored: Probe) -> float:
    if [len(values) for values in found.outputs] != [len(values) for values in stored.outputs]:
        return 2.0  # another number of channels or domains
    pairs = zip(found.outputs, stored.outputs, strict=True)
    return max(abs(one - other) for first, second in pairs for one, other in zip(first, second, strict=True))


def _is_finite(values: Iterable[float]) -> bool:
    return bool(torch.tensor(tuple(values)).isfinite().all())


def _name_first(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {count_of(len(names) - 1, 'other tensor')}"


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
