"""Model files: one `.safetensors` file with the weights and, as metadata, all that is needed to rebuild the network.

The metadata holds one key, `translate`, with the card as sorted JSON. Older formats are read through
`translate.migrations`; nothing in a file is ever executed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from datasets.contract import Settings
from datasets.errors import UserError, suggest, suggest_path
from models.contract import ModelConfig, Sampler, Translator
from translate.experiment import Experiment
from translate.files import replace_file
from translate.hardware import keep_random_state
from translate.inference.foreign_file import describe_folder, explain_safetensors
from translate.inference.shipped import builtin_models
from translate.migrations import FORMAT, NewerFormatError, migrate_card

METADATA_KEY = "translate"
LAST, BEST = "last.safetensors", "best.safetensors"  # of a run folder


class ModelError(UserError):
    """A model file is missing, damaged, or not of the kind that was asked for."""

    exit_code: ClassVar[int] = 6


class Origin(Settings):
    """Where weights come from that were not trained by this program.

    Attributes:
        file: Name of the checkpoint that was imported.
        sha256: Of the checkpoint, in hexadecimal digits.
        architecture: What it was recognized as, in a few words.
        source: Where the checkpoint comes from, such as a URL; empty if not stated.
    """

    file: str
    sha256: str
    architecture: str
    source: str = ""


class Probe(Settings):
    """What a network made of a fixed input, for `translate.exchange.verification` to compare with.

    Attributes:
        size: Height and width of the input, or of a sampler's output, in pixels.
        outputs: Of each of the first domains, the values of output pixels in [-1, 1], channel by channel.
    """

    size: int
    outputs: tuple[tuple[float, ...], ...]


class Card(Settings):
    """The description inside a model file. It holds no path, user or host name.

    Attributes:
        format: Of the description; see `translate.migrations`.
        experiment: The configuration that the network is rebuilt from.
        step: Training steps behind the weights.
        domains: Names of the targets, or classes, that a user may choose from.
        trained_size: Side, in pixels, of the squares it learned from.
        metrics: Validation metrics at that step.
        data_fingerprint: Of the names and sizes of the training data.
        data_samples: Number of training samples.
        composed_on: The colour that its transparent training pictures were laid on; None: they were opaque.
        licence: SPDX identifier of the weights' licence; empty if not stated.
        written_by: Program and version.
        origin: Of weights that were imported; their data and training are not known, and those in `experiment` are the
            defaults. None: trained by this program.
        tensor_hashes: Of each weight's bytes, the first 16 digits of the SHA-256; `save_model` fills them in.
        probe: What the network made of a fixed input when the file was finished; None: it was not measured.
    """

    format: int = FORMAT
    experiment: Experiment
    step: int
    domains: tuple[str, ...] = ()
    trained_size: int
    metrics: dict[str, float] = Field(default={})
    data_fingerprint: str = ""
    data_samples: int = 0
    composed_on: str | None = None
    licence: str = ""
    written_by: str = ""
    origin: Origin | None = None
    tensor_hashes: dict[str, str] = Field(default={})
    probe: Probe | None = None

    @property
    def scaled_to(self) -> int | None:
        """The shorter side, in pixels, that pictures were scaled to in training; None: they were not, or unknown."""
        if self.origin is not None:
            return None
        return self.experiment.data.scaled_to


def save_model(path: Path, model: nn.Module, card: Card) -> None:
    """Write a model file, replacing an existing one in a single step.

    Raises:
        UserError: The file cannot be written.
    """
    # safetensors refuses tensors that share storage, so each name gets a copy of its own.
    save_tensors(path, {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}, card)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], card: Card) -> None:
    """Write a model file with these weights, of which none shares its memory with another.

    Raises:
        UserError: The file cannot be written.
    """
    card = card.model_copy(update={"tensor_hashes": hash_tensors(tensors)})
    text = json.dumps(card.model_dump(mode="json"), sort_keys=True)
    with replace_file(path) as partial:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata={METADATA_KEY: text}
        )


def hash_tensors(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the first 16 hexadecimal digits of the SHA-256 of each tensor's bytes, on the CPU, by name."""
    hashes = {}
    for name, tensor in tensors.items():
        data = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
        hashes[name] = hashlib.sha256(data.data).hexdigest()[:16]
    return hashes


def model_path(model: str | Path, more: Sequence[str] = ()) -> Path:
    """Return the file that `model` names: a file, a run folder (its last model), or a model that ships.

    `more` are other names that the caller knows, which a mistyped one may have been meant for.

    Raises:
        ModelError: There is no such file, folder or name.
    """
    path = Path(model)
    if str(model).startswith("hf://"):
        raise ModelError(f"{model}: is on the Hub; `pull_model` fetches it, and returns its file")
    if path.is_dir():
        path = path / LAST
        if not path.is_file():
            raise ModelError(
                f"{model}: expected a run folder with {LAST} in it, found {describe_folder(path.parent, LAST)}"
            )
    if not path.is_file():
        shipped = builtin_models()
        if str(model) in shipped:
            return shipped[str(model)]
        near = suggest(str(model), [*shipped, *more], "the models that ship are")
        known = near if near.endswith("?") else suggest_path(path).removeprefix("; ") or near
        raise ModelError(f"{model}: there is no such model file; {known}")
    return path


def best_model(model: str | Path) -> Path:
    """Return the file of the best model of a run folder.

    Raises:
        ModelError: It is no run folder, or has no best model, since no samples were held out.
    """
    path = Path(model) / BEST
    if not Path(model).is_dir():
        raise ModelError(f"`best` {model}: expected a run folder, which has a best model besides its last one")
    if not path.is_file():
        raise ModelError(f"`best` {model}: has no {BEST}; a training writes one where samples are held out")
    return path


def read_card(path: Path) -> Card:
    """Read the description of a model file, without its weights.

    Raises:
        ModelError: The file is damaged, or was not written by this program.
    """
    card, _ = _read(path, weights=False)
    return card


def load_network(path: Path) -> tuple[Translator | Sampler, Card]:
    """Return the network of a model file, on the CPU and in evaluation mode, with the file's description.

    Raises:
        ModelError: The file is damaged, or was not written by this program.
    """
    card, tensors = read_weights(path)
    return fill_network(card, tensors, path), card


def read_weights(path: Path) -> tuple[Card, dict[str, Tensor]]:
    """Return the description and the weights of a model file.

    Raises:
        ModelError: The file is damaged, or was not written by this program.
    """
    return _read(path)


def fill_network(card: Card, tensors: dict[str, Tensor], path: Path) -> Translator | Sampler:
    """Return the network of a card with the weights of its file, on the CPU and in evaluation mode.

    Raises:
        ModelError: They do not fit each other; the message begins with `path`.
    """
    network = build_uninitialized(card)
    _load_weights(network, tensors, path)
    return network.eval().requires_grad_(False)


def build_uninitialized(described: Card | ModelConfig) -> Translator | Sampler:
    """Return the network that is described, with arbitrary weights: enough to ask for its sizes and channels.

    Nothing is drawn, and since nothing is written to the weights, they take no memory yet.
    """
    config = described.experiment.model if isinstance(described, Card) else described
    with keep_random_state(torch.device("cpu")), _NoInitialization():
        return config.translator()


class _NoInitialization(TorchFunctionMode):
    """Leave out the initialization of weights."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        initializes = getattr(function, "__module__", None) == "torch.nn.init"
        if initializes or function is torch.Tensor.uniform_:
            return args[0] if args else kwargs["tensor"]
        if function is torch.Tensor.normal_:  # of a truncated one, which is drawn again until it is within its bounds
            return args[0].zero_()
        return function(*args, **(kwargs or {}))


def _read(path: Path, *, weights: bool = True) -> tuple[Card, dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            names = file.keys() if weights else []
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        with suppress(OSError):
            known = explain_safetensors(path)
            if known is not None:
                raise ModelError(f"{path}: {known}") from None
        raise ModelError(f"{path}: cannot be read as a model file: {error}") from None
    if METADATA_KEY not in metadata:
        raise ModelError(f"{path}: holds weights but no description of the network; it was not written by translate")
    return _parse_card(metadata[METADATA_KEY], path), tensors


def _parse_card(text: str, path: Path) -> Card:
    try:
        return Card.model_validate(migrate_card(json.loads(text)))
    except NewerFormatError as error:
        raise ModelError(f"{path}: {error}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        reason = ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]]))
    except KeyError as error:
        reason = f"it has no {error.args[0]}"
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
    raise ModelError(f"{path}: its description cannot be understood: {reason}")


def _load_weights(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if expected != found:
        name = next(name for name in {**expected, **found} if expected.get(name) != found.get(name))
        raise ModelError(
            f"{path}: its weights do not fit its description: {name} is {_shape(found.get(name))}, "
            f"expected {_shape(expected.get(name))}"
        )
    network.load_state_dict(tensors)


def _shape(shape: torch.Size | None) -> str:
    return "missing" if shape is None else "x".join(map(str, shape)) or "a number"
