"""Networks that spandrel builds: asked last, for what this program does not build itself."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from datasets.errors import UserError
from models.apply import translate_batch
from models.zoo import Precision, ZooConfig, ZooNetwork, find_architecture, load_descriptor
from translate.exchange.architectures.contract import ArchitectureError, ImportOptions, Recognized, Tensors
from translate.exchange.receptive_field import measure_tiling
from translate.hardware import keep_random_state

CHANNELS = ((1, 1), (1, 3), (3, 1), (3, 3), (4, 4))  # of inputs and outputs that folders of pictures have
# Numbers in a tensor, at most, that may hold settings; the largest known are tables of positions, 63 x 15 x 2.
SETTINGS_SIZE = 4096
TINY = 8
PROBE_SIZE = 48  # pixels on a side of the picture that two networks are compared on
TOLERANCE = 1e-5  # between the two, in values from -1 to 1


def recognize_zoo(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize whatever spandrel does; without spandrel, nothing.

    How far the network sees, and that it is the same when it is built again from its model file, is measured.

    Raises:
        ArchitectureError: spandrel knows the architecture, but the network does not fit into this program.
    """
    del options
    try:
        architecture = find_architecture(tensors)
    except UserError:
        return None
    if architecture is None:
        return None
    network, config = _load(architecture, tensors)
    square = network.descriptor.size_requirements.square  # so it takes no strips, and its output depends on the size
    reach = None if config.draws or square else measure_tiling(network)
    multiple, margin = reach or (config.multiple, None)
    config = config.model_copy(update={"multiple": multiple, "margin": margin, "precisions": _find_precisions(network)})
    weights = _unshare(network.state_dict())
    _check_rebuilt(network, config, weights)
    tags = f", {' '.join(network.descriptor.tags)}" if network.descriptor.tags else ""
    return Recognized(config, weights, f"{architecture} x{network.scale}{tags}, built by spandrel")


def _load(architecture: str, tensors: Tensors) -> tuple[ZooNetwork, ZooConfig]:
    """Return the network with its weights, and a configuration without what is to be measured."""
    readings = _Readings(tensors)
    try:
        with readings:
            descriptor = load_descriptor(architecture, tensors)
    except (RuntimeError, KeyError, ValueError, TypeError, IndexError, AssertionError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ArchitectureError(f"looks like {architecture}, but spandrel cannot build it: {reason}") from None
    channels = descriptor.input_channels, descriptor.output_channels
    if descriptor.purpose == "FaceSR":
        raise ArchitectureError(f"is {architecture}, which restores single faces that were cut out and straightened")
    if descriptor.purpose == "Inpainting":
        raise ArchitectureError(f"is {architecture} for inpainting, of a kind that cannot be imported")
    if channels not in CHANNELS:
        raise ArchitectureError(
            f"is {architecture} from {channels[0]} to {channels[1]} channels, and pictures have 1, 3 or 4"
        )
    sizes = descriptor.size_requirements
    config = ZooConfig(
        architecture=architecture,
        channels_in=channels[0],
        channels_out=channels[1],
        shapes={name: tuple(tensor.shape) for name, tensor in tensors.items()},
        values=_read_values(tensors, readings.names),
        # What must be square is made square by spandrel itself.
        multiple=1 if sizes.square else sizes.multiple_of,
        minimum=1 if sizes.square else max(1, sizes.minimum),
    )
    network = ZooNetwork(config, descriptor)
    network.draws = not torch.equal(_translate_probe(network, seed=0), _translate_probe(network, seed=1))
    return network, config.model_copy(update={"draws": network.draws})


class _Readings(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch does not type it
    """Finds out which of some tensors are computed with, and not only copied.

    Attributes:
        names: Of these tensors, with those that lie in the same memory.
    """

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()
        self._by_address: dict[int, list[str]] = defaultdict(list)
        for name, tensor in tensors.items():
            self._by_address[tensor.untyped_storage().data_ptr()].append(name)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function not in (torch.ops.aten.copy_.default, torch.ops.aten.detach.default):
            for value in tree_leaves((args, kwargs)):
                if isinstance(value, Tensor):
                    self.names.update(self._by_address.get(value.untyped_storage().data_ptr(), ()))
        return function(*args, **(kwargs or {}))


def _read_values(tensors: Tensors, names: Iterable[str]) -> dict[str, tuple[int | float, ...]]:
    """Return the values of tensors that may hold settings and not weights: the tiny ones, and the small ones of these.

    Python's lists and numbers are made of the tiny ones, unnoticed by `_Readings`.
    """
    limits = dict.fromkeys(tensors, TINY) | dict.fromkeys(names, SETTINGS_SIZE)
    return {
        name: tuple(tensor.flatten().tolist())
        for name, tensor in tensors.items()
        if 0 < tensor.numel() <= limits[name] and tensor.isfinite().all()
    }


def _find_precisions(network: ZooNetwork) -> tuple[Precision, ...]:
    """Return the precisions that spandrel states and that the network computes in."""
    found: list[Precision] = ["fp32"]
    stated: tuple[tuple[Precision, torch.dtype, bool], ...] = (
        ("bf16", torch.bfloat16, network.descriptor.supports_bfloat16),
        ("fp16", torch.float16, network.descriptor.supports_half),
    )
    for name, dtype, supported in stated:
        try:
            with torch.autocast("cpu", dtype):
                if supported and _translate_probe(network).isfinite().all():
                    found.append(name)
        except RuntimeError:
            continue  # some networks mix precisions in ways that autocast does not allow
    return tuple(found)


def _translate_probe(network: ZooNetwork, seed: int = 0) -> Tensor:
    """Translate a picture of noise, the same each time; what the network itself draws depends on the seed."""
    size = max(PROBE_SIZE, network.minimum)
    generator = torch.Generator().manual_seed(0)
    picture = 2 * torch.rand(1, network.channels_in, size, size, generator=generator) - 1
    with keep_random_state(torch.device("cpu")):
        torch.manual_seed(seed)
        return translate_batch(network, picture).float()


def _unshare(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors, copied where several lie in the same memory, which a model file does not allow.

    Those that a network replaced while it computed, as SPAN does, are copied as well: they cannot be weights again.
    """
    seen: set[int] = set()
    unshared = {}
    for name, tensor in tensors.items():
        address = tensor.untyped_storage().data_ptr()
        unshared[name] = tensor.clone() if address in seen or tensor.is_inference() else tensor
        seen.add(address)
    return unshared


def _check_rebuilt(network: ZooNetwork, config: ZooConfig, weights: dict[str, Tensor]) -> None:
    """Check that the network that a model file would give computes the same.

    Raises:
        ArchitectureError: It does not.
    """
    try:
        rebuilt = config.translator()
        rebuilt.load_state_dict(weights)
        rebuilt.eval()
        same = torch.allclose(_translate_probe(rebuilt), _translate_probe(network), rtol=0, atol=TOLERANCE)
    except (RuntimeError, KeyError, ValueError, TypeError, IndexError, AssertionError, AttributeError):
        same = False
    if not same:
        raise ArchitectureError(
            f"is {config.architecture}, whose settings lie in its weights: a model file of it would compute otherwise"
        )
