"""The contracts between models, the training loop and the application.

A model is a configuration (`ModelConfig`) that builds two things: the network that is shipped (a `Translator` or a
`Sampler`) and the recipe that trains it (`Recipe`, which yields an `Update` for each optimizer step).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import B, LabelSet, Settings, find_name
from datasets.errors import UserError, suggest
from models.preview import Preview as Preview

# An index into the domains of a translator, or several indices for a translator that can combine them.
Domain = int | tuple[int, ...]


class DomainError(UserError):
    """A model has no domain of the given name, or it has several and none was named."""


class Translator(nn.Module, ABC):
    """An image-to-image network, ready to use: what a model file holds and what inference calls.

    It takes (B, channels_in, H, W) float images in [-1, 1], RGB if there are three channels, and returns
    (B, channels_out, scale * H, scale * W) in the same range.

    Attributes:
        channels_in: Channels of the input; 4 means RGB and alpha or, with 3 `channels_out`, RGB and a mask that is 1 in
            holes to fill and 0 elsewhere.
        channels_out: Channels of the output; 4 means RGB and alpha.
        scale: The factor by which the output is larger than the input, on each side.
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        only_size: H and W must be exactly this many pixels; None if any size will do.
        margin: How many input pixels away, on each side, an output pixel can see, normalization layers aside; None if
            there is no such bound.
        global_norm: Whether its normalization layers take their statistics over the whole image.
        domains: Names of the domains to choose from; empty if there is no choice.
        draws: Whether inference draws random numbers, so that the output depends on the seed.
        precisions: That it computes in, of fp32, bf16 and fp16.
        layouts: Of its input in memory that it computes in, of contiguous and channels_last.
        steps: Evaluations of the network for a picture, which a user may choose; None: there is no choice.
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
    precisions: tuple[str, ...] = ("fp32", "bf16", "fp16")
    layouts: tuple[str, ...] = ("contiguous", "channels_last")
    steps: int | None = None

    @abstractmethod
    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Translate (B, channels_in, H, W) images to `domains[domain]`."""

    @property
    def fills_holes(self) -> bool:
        """Whether it is an inpainter, which needs a mask as its fourth channel."""
        return (self.channels_in, self.channels_out) == (4, 3)

    def resolve_domain(self, name: str | None) -> Domain:
        """Return what `forward` takes as `domain` for a domain's name; None stands for the only one.

        Raises:
            DomainError: There is no domain of that name, or there are several and `name` is None.
        """
        known = ", ".join(self.domains)
        if name is None:
            if len(self.domains) > 1:
                raise DomainError(f"this model has the domains {known}: choose one")
            return 0
        index = find_name(name, self.domains)
        if index is None:
            hint = suggest(name, self.domains)
            hint = f"; {hint}" if hint.endswith("?") else ""
            raise DomainError(f"{name}: this model has {f'the domains {known}' if known else 'no domains'}{hint}")
        return index

    def blend_stages(self, fraction: float) -> None:
        """Set the weights to (1 - fraction) of an earlier training stage's and `fraction` of the last stage's.

        Raises:
            UserError: It was not trained in two stages.
        """
        raise UserError("this model was not trained in two stages, so there is nothing to blend")

    def set_steps(self, steps: int) -> None:
        """Set how often the network is evaluated for a picture.

        Raises:
            UserError: It has no steps.
        """
        raise UserError("this model makes each picture in one go, so there are no `steps` to choose")


class Sampler(nn.Module, ABC):
    """A network that makes images from noise, ready to use.

    Attributes:
        latent: Numbers in a latent, from which one image is made.
        prior: The distribution of each number of a latent: standard normal, or uniform in [-1, 1).
        channels: Channels of the images.
        size: Height and width of the images, in pixels.
        domains: Names of the classes to choose from; empty if there is no choice.
        steps: Evaluations of the network for a picture, which a user may choose; None: there is no choice.
    """

    latent: int
    prior: Literal["normal", "uniform"] = "normal"
    channels: int = 3
    size: int
    domains: tuple[str, ...] = ()
    steps: int | None = None

    @abstractmethod
    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        """Make images (B, channels, size, size) in [-1, 1].

        Args:
            latent: (B, latent) numbers.
            label: (B,) int64 indices into `domains`; without domains, they are ignored.
        """

    def set_steps(self, steps: int) -> None:
        """Set how often the network is evaluated for a picture.

        Raises:
            UserError: It has no steps.
        """
        raise UserError("this model makes each picture in one go, so there are no `steps` to choose")

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw (count, latent) numbers of the prior, on the generator's device or, without one, the model's."""
        device = next(self.parameters()).device if generator is None else generator.device
        if self.prior == "normal":
            return torch.randn(count, self.latent, generator=generator, device=device)
        return 2 * torch.rand(count, self.latent, generator=generator, device=device) - 1

    def prior_energy(self, latent: Tensor) -> Tensor:
        """Return -log p(z) of (B, latent) numbers within the prior's range, up to a constant: (B,)."""
        return 0.5 * latent.square().sum(1) if self.prior == "normal" else latent.new_zeros(len(latent))


class Encoder(nn.Module, ABC):
    """A network that computes the code of an image; in a sampler, the latent that reproduces the image.

    Attributes:
        latent: Numbers in a code.
    """

    latent: int

    @abstractmethod
    def encode(self, image: Tensor) -> Tensor:
        """Encode (B, C, H, W) images in [-1, 1] to (B, latent)."""


@dataclass(frozen=True)
class Update:
    """One optimizer step: `player` moves to lower the sum of `losses`.

    Attributes:
        player: Key into `Recipe.optimizers()`.
        losses: Scalar terms, already weighted.
        metrics: Scalars that are logged and not optimized.
    """

    player: str
    losses: dict[str, Tensor]
    metrics: dict[str, Tensor] = field(default_factory=dict)


Trunk = Literal["encoder", "discriminator"]

FailureMode = Literal["discriminator won", "generator copies its input", "colours inverted", "diversity lost"]

M = TypeVar("M", bound=Translator | Sampler)


class Recipe(nn.Module, ABC, Generic[B, M]):
    """How one model is trained: its discriminators, its losses and the order of its updates.

    `model` is what a model file holds; everything else exists during training only.

    Attributes:
        hints: What to change in the configuration when a training fails in a known way, naming its keys.
        best_metric: The validation metric by which the best model is chosen.
        higher_is_better: Whether a higher value of `best_metric` is better.
        signed_input: Whether its trunks take images in [-1, 1]; False: in [0, 1].
        validation_batch: Samples in a validation batch; many if a metric compares whole sets.
    """

    model: M
    hints: ClassVar[dict[FailureMode, str]]
    best_metric: ClassVar[str]
    higher_is_better: ClassVar[bool]
    signed_input: ClassVar[bool] = True
    validation_batch: ClassVar[int] = 1

    @abstractmethod
    def optimizers(self) -> dict[str, Optimizer]:
        """Return one optimizer per player; every trained parameter belongs to exactly one."""

    @abstractmethod
    def updates(self, batch: B, step: int) -> Iterator[Update]:
        """Yield the updates of one step, in order.

        The caller applies each update before it asks for the next, so code after a `yield` sees the moved player:
        build a loss after the moves that it depends on. Never yield inside a `with` block, which would leak to the
        caller.
        """

    @abstractmethod
    def preview(self, model: M, batch: B) -> list[Preview]:
        """Return what `model` makes of a batch, computed as inference does; one entry per direction of translation."""

    @abstractmethod
    def validate(self, model: M, batch: B) -> dict[str, Tensor]:
        """Return named metrics of each example, (B,) each, of `model` as inference uses it."""

    def stage(self, step: int) -> int:
        """Return the training stage that `step` belongs to; the best model is chosen within one stage."""
        return 0

    def trunks(self) -> dict[Trunk, nn.Module]:
        """Return the feature extractors, by role, whose weights can start from a trunk of another kind of model."""
        return {}

    def realism_loss(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """Return a sampler's loss on realism, from images (B, C, H, W) and labels (B,) to (B,); None without one."""
        return None


class ModelConfig(Settings, ABC):
    """A model's settings, which build the model.

    Subclasses add a `name` with the model's name as its only value, and are members of the union in
    `translate.experiment`. The methods that depend on data are called once the data is open.
    """

    batch_type: ClassVar[type[tuple[Tensor, ...]]]

    @property
    @abstractmethod
    def expects(self) -> dict[str, int]:
        """Channels of the images in a batch, in the batch's order, by the name of the setting that gives them."""

    @property
    def output_scale(self) -> int:
        """The factor by which outputs are larger than inputs, on each side."""
        return 1

    def with_domains(self, domains: tuple[str, ...]) -> Self:
        """Return the configuration for data with these domains.

        Raises:
            UserError: The model cannot learn from them.
        """
        return self

    def with_label_sets(self, label_sets: tuple[LabelSet, ...]) -> Self:
        """Return the configuration for data with these sets of labels, whose names are the domains."""
        return self

    def for_size(self, size: int) -> Self:
        """Return the configuration for squares of `size` pixels."""
        return self

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can.

        The caller adds "pixels", so the sentence ends in a number, as "this U-Net needs multiples of 8" does.
        """
        return None

    def training_problem(self) -> str | None:
        """Return why no training should begin with these settings; None if one may.

        For what older versions let pass: as an error of the settings it would make their model files unreadable.
        """
        return None

    @abstractmethod
    def translator(self) -> Translator | Sampler:
        """Build the network alone, as a model file restores it."""

    @abstractmethod
    def recipe(self) -> Recipe[Any, Any]:
        """Build the network with everything that its training needs."""


def due(step: int, every: int) -> bool:
    """Return whether something that is done every `every` steps is done at `step`."""
    return step % every == 0
