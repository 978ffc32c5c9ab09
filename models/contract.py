"""The contracts between models, the training loop and the application."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, Protocol, Self, TypeVar, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import B, LabelSet, Settings
from datasets.errors import UserError

# What a translator aims for: an index into its domains, or several where it can do several things at once.
Domain = int | tuple[int, ...]


class Translator(nn.Module, ABC):
    """An image-to-image network, ready to use; what a model file ships and what inference sees.

    Called with (B, channels_in, H, W) float pictures in [-1, 1], RGB where there are three channels,
    it returns (B, channels_out, scale * H, scale * W) in the same range.

    Attributes:
        channels_in: Channels of the pictures it takes; 4: RGB, and a fourth that is 1 in holes to fill and 0 elsewhere.
        channels_out: Channels of the pictures it makes.
        scale: How many times larger the output is on each side.
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        only_size: H and W must be exactly this many pixels; None where any size will do.
        margin: How many input pixels away, on each side, an output pixel can still see, norms aside;
            None where there is no such bound.
        global_norm: Its norms take their statistics over the whole picture.
        domains: Names a user may aim for; empty where there is nothing to choose.
        draws: It draws random numbers at inference, so one seed gives one picture.
    """

    channels_in: int = 3
    channels_out: int = 3
    scale: int = 1
    multiple: int = 1
    minimum: int = 1
    only_size: int | None = None
    margin: int | None = None
    global_norm: bool = False
    domains: tuple[str, ...] = ()
    draws: bool = False

    @abstractmethod
    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Translate (B, channels_in, H, W) pictures toward `domains[domain]`."""

    @property
    def fills_holes(self) -> bool:
        """Whether it is an inpainter, which must be told what to fill."""
        return self.channels_in == 4

    def resolve_domain(self, to: str | None) -> Domain:
        """What `forward` is to be told for what a person calls `to`; None where nothing was said.

        Raises:
            UserError: There is nothing of that name, or nothing was said where there is a choice.
        """
        known = ", ".join(self.domains)
        if to is None:
            if len(self.domains) > 1:
                raise UserError(f"this model aims for {known}: choose one with --to")
            return 0
        if to not in self.domains:
            raise UserError(
                f"--to {to}: this model " + (f"aims for {known}" if known else "has nothing to choose from")
            )
        return self.domains.index(to)


class Sampler(nn.Module, ABC):
    """A network that makes pictures from noise, ready to use.

    Attributes:
        latent: Numbers in a latent, from which a picture is made.
        prior: What latents are drawn from: standard normal, or uniform in [-1, 1), each number by itself.
        channels: Of the pictures it makes.
        size: Pixels on a side of the pictures it makes.
        domains: Names of what it can be asked to make; empty where there is nothing to choose.
    """

    latent: int
    prior: Literal["normal", "uniform"] = "normal"
    channels: int = 3
    size: int
    domains: tuple[str, ...] = ()

    @abstractmethod
    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        """(B, latent) numbers, and (B,) int64 indices into `domains`, to (B, channels, size, size) in [-1, 1].

        Without domains the labels do not count.
        """

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """(count, latent) numbers of the prior, on the device of the generator, or else the model's."""
        device = next(self.parameters()).device if generator is None else generator.device
        if self.prior == "normal":
            return torch.randn(count, self.latent, generator=generator, device=device)
        return 2 * torch.rand(count, self.latent, generator=generator, device=device) - 1


@runtime_checkable
class Encoder(Protocol):
    """A model that tells the code of a picture: of a sampler, the latent it would be made from.

    Attributes:
        latent: Numbers in a code.
    """

    latent: int

    def encode(self, image: Tensor) -> Tensor:
        """(B, C, H, W) pictures in [-1, 1] to (B, latent)."""
        ...


@dataclass(frozen=True)
class Update:
    """One optimizer step: `player` moves so as to lower the sum of `losses`.

    Attributes:
        player: Key into `Recipe.optimizers()`.
        losses: Scalar terms, already weighted.
        metrics: Scalars to log that nobody optimizes.
    """

    player: str
    losses: dict[str, Tensor]
    metrics: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Preview:
    """A batch before and after, for human eyes and for the check of a training's health.

    Attributes:
        source: What went in, (B, C, H, W); None where pictures come from noise.
        made: What came out, (B, C', H', W').
        truth: What should have come out, where that is known.
        real: Pictures of the wanted kind, (B', C', H', W'), where there is no truth for each: what was made should
            be as diverse.
    """

    source: Tensor | None
    made: Tensor
    truth: Tensor | None = None
    real: Tensor | None = None

    def strips(self) -> Tensor:
        """The pictures of each example next to each other, (B, 3, H', n * W')."""
        pictures = [picture for picture in (self.source, self.made, self.truth) if picture is not None]
        size = self.made.shape[-2:]
        return concatenate_across(*(F.interpolate(p, size) if p.shape[-2:] != size else p for p in pictures))


Trunk = Literal["encoder", "discriminator"]

FailureMode = Literal["discriminator won", "generator copies its input", "colours inverted", "diversity lost"]

M = TypeVar("M", bound=Translator | Sampler)


class Recipe(nn.Module, ABC, Generic[B, M]):
    """How one model learns: its opponents, its losses and the order of its updates.

    `model` is what a model file ships; everything else exists only during training.
    """

    model: M

    @abstractmethod
    def optimizers(self) -> dict[str, Optimizer]:
        """One optimizer a player; every parameter that learns belongs to exactly one."""

    @abstractmethod
    def updates(self, batch: B, step: int) -> Iterator[Update]:
        """Yield the updates of one step, in order.

        The caller applies each update before asking for the next, so code after a `yield` sees the
        moved player: build a loss after the moves it depends on. Never yield inside a `with` block:
        it would leak to the caller.
        """

    def stage(self, step: int) -> int:
        """Which stage of the training `step` belongs to; the best model of one is not compared with another's."""
        return 0

    @abstractmethod
    def preview(self, model: M, batch: B) -> list[Preview]:
        """What `model` makes of a batch as it would be shipped; one entry for each way it translates."""

    @abstractmethod
    def validate(self, model: M, batch: B) -> dict[str, Tensor]:
        """Named figures of each example, (B,) each, of `model` as it would be shipped."""

    def trunks(self) -> dict[Trunk, nn.Module]:
        """Parts that take pictures apart, by role: they can start from such a part of another kind of model."""
        return {}

    hints: ClassVar[dict[FailureMode, str]]  # what to change in the configuration, naming its keys
    best_metric: ClassVar[str]  # the validation figure by which the best model is kept
    higher_is_better: ClassVar[bool]  # whether more of it is better
    signed_input: ClassVar[bool] = True  # its trunks are given pictures in [-1, 1]; False: in [0, 1]
    validation_batch: ClassVar[int] = 1  # samples judged at once; many where a figure compares whole sets


class ModelConfig(Protocol):
    """A model's configuration; it builds what it describes.

    A module-level constant of the union in `translate.experiment` lists every one of them.
    """

    batch_type: ClassVar[type[tuple[Tensor, ...]]]

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the pictures in a batch, in their order, under the names of the settings that say so."""
        ...

    def with_domains(self, domains: tuple[str, ...]) -> Self:
        """The configuration for data of these domains; what was left to the data is settled.

        Raises:
            UserError: They do not suit it.
        """
        ...

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        ...

    def translator(self) -> Translator | Sampler:
        """The network alone, as a model file rebuilds it."""
        ...

    def recipe(self) -> Recipe[tuple[Tensor, ...], Translator | Sampler]:
        """The network with all that its training needs."""
        ...


@runtime_checkable
class SuitsSize(Protocol):
    """A model's configuration of which the data's size settles something that was left open."""

    def for_size(self, size: int) -> Self:
        """The configuration for squares of `size` pixels."""
        ...


@runtime_checkable
class SuitsLabels(Protocol):
    """A model's configuration that wants to know which labels a picture may have at once."""

    def with_label_sets(self, label_sets: tuple[LabelSet, ...]) -> Self:
        """The configuration for data with these sets of labels, whose names are the domains.

        Raises:
            UserError: They do not suit it.
        """
        ...


class Adam(Settings):
    """Adam (Kingma, Ba 2014, arXiv:1412.6980); the defaults are those of Isola et al. 2017."""

    lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999

    def of(self, *modules: nn.Module) -> Optimizer:
        """An optimizer of all parameters of `modules` that learn; fused, which saves a fifth of a step."""
        parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        return torch.optim.Adam(parameters, lr=self.lr, betas=(self.beta1, self.beta2), fused=True)


def concatenate_across(*images: Tensor) -> Tensor:
    """Pictures (B, 1 or 3, H, W) next to each other: (B, 3, H, n * W)."""
    return torch.cat([image.expand(-1, 3, -1, -1) for image in images], dim=3)


def due(step: int, every: int) -> bool:
    """Whether what happens every `every` steps happens at `step`."""
    return step % every == 0
