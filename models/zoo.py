"""Networks that this program does not build itself but spandrel does, as translators: SwinIR, HAT, DAT and many more.

spandrel (https://github.com/chaiNNer-org/spandrel, MIT) finds out the architecture of a checkpoint from the names and
shapes of its tensors. These are what a model file keeps, so the network is built again as it was when it was imported,
and no pickle is needed. What spandrel does not state is measured at import (`translate.exchange.receptive_field`).

These networks cannot be trained here. spandrel is imported only where it is needed.
"""

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from datasets.contract import Paired
from datasets.errors import UserError
from models.contract import ModelConfig, Recipe, Translator

Shape = tuple[int, ...]
Precision = Literal["fp32", "bf16", "fp16"]


class ZooConfig(ModelConfig):
    """What a network of spandrel is built from."""

    batch_type: ClassVar[type[Paired]] = Paired
    name: Literal["zoo"] = "zoo"
    architecture: str = Field(description="spandrel's name of the architecture")
    channels_in: Literal[1, 3, 4] = Field(description="of the input: 1 gray, 3 colour, 4 colour and alpha")
    channels_out: Literal[1, 3, 4] = Field(description="of the output: 1 gray, 3 colour, 4 colour and alpha")
    shapes: dict[str, Shape] = Field(description="of the tensors of the checkpoint, by name")
    values: dict[str, tuple[int | float, ...]] = Field(
        default={}, description="of those of these tensors that settings of the network are read from"
    )
    multiple: int = Field(default=1, ge=1, description="sides must be multiples of this many pixels")
    minimum: int = Field(default=1, ge=1, description="sides must be at least this many pixels")
    margin: int | None = Field(
        default=None, ge=0, description="how many pixels away an output pixel can see; null: no bound is known"
    )
    precisions: tuple[Precision, ...] = Field(default=("fp32",), description="that it computes in")
    draws: bool = Field(default=False, description="whether it draws random numbers")

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the input and the output."""
        return {"channels_in": self.channels_in, "channels_out": self.channels_out}

    def translator(self) -> "ZooNetwork":
        """Build the network, with arbitrary weights.

        Raises:
            UserError: spandrel is not installed, or this version of it does not know the architecture.
        """
        return ZooNetwork(self, load_descriptor(self.architecture, self.empty_tensors()))

    def recipe(self) -> Recipe[Any, Any]:
        """Refuse: these networks are not trained here.

        Raises:
            UserError: Always.
        """
        raise UserError(f"model zoo cannot be trained: {self.architecture} is one of the networks that are only run")

    def empty_tensors(self) -> dict[str, Tensor]:
        """Return zeros in the checkpoint's shapes, which take no memory, and the values that settings are read from."""
        tensors = {name: torch.zeros(()).expand(shape) for name, shape in self.shapes.items()}
        return tensors | {name: torch.tensor(values).reshape(self.shapes[name]) for name, values in self.values.items()}


class ZooNetwork(Translator):
    """A network of spandrel's behind the contract of translators."""

    layouts = ("contiguous",)  # many of these networks reshape features in ways that another layout does not allow

    def __init__(self, config: ZooConfig, descriptor: Any) -> None:
        super().__init__()
        self.network = descriptor.model
        self.descriptor = descriptor
        self.channels_in, self.channels_out = config.channels_in, config.channels_out
        self.scale = int(descriptor.scale)
        self.multiple, self.minimum, self.margin = config.multiple, config.minimum, config.margin
        self.precisions, self.draws = config.precisions, config.draws

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Translate (B, channels_in, H, W) in [-1, 1]; the network works in [0, 1], and on one image at a time."""
        inputs = (image + 1) / 2
        outputs = [self.descriptor(one[None].contiguous()) for one in inputs]
        return 2 * torch.cat(outputs) - 1


def load_descriptor(architecture: str, tensors: Mapping[str, Tensor]) -> Any:
    """Return spandrel's description of a network, which holds the network with these weights, for one image at a time.

    Raises:
        UserError: spandrel is not installed, or this version of it does not know the architecture.
    """
    known = import_spandrel().MAIN_REGISTRY.get(architecture)
    if known is None:
        raise UserError(f"this version of spandrel does not know the architecture {architecture}; install a newer one")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about how these networks are written
        descriptor = known.architecture.load(dict(tensors))
    descriptor.model.eval()
    return descriptor


def find_architecture(tensors: Mapping[str, Tensor]) -> str | None:
    """Return spandrel's name of the architecture that a checkpoint is of; None if it knows none.

    Raises:
        UserError: spandrel is not installed.
    """
    for support in import_spandrel().MAIN_REGISTRY.architectures("detection"):
        if support.detect(dict(tensors)):
            return str(support.architecture.id)
    return None


def import_spandrel() -> Any:
    """Return the module spandrel.

    Raises:
        UserError: It is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import spandrel
    except ImportError:
        raise UserError(
            "this network is built by spandrel, which is missing: pip install 'translate-images[zoo]'"
        ) from None
    return spandrel
