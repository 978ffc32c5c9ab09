"""Diffusion and flow matching: images from noise, by a network that sees them at every time between the two.

| known as          | path                                                                                     |
|-------------------|------------------------------------------------------------------------------------------|
| DDPM              | diffusion: Ho, Jain, Abbeel 2020, arXiv:2006.11239; sampled by DDIM, arXiv:2010.02502     |
| flow matching     | straight: Lipman et al. 2023, arXiv:2210.02747                                           |

`models.core.paths` has both paths. With classes, a network learns to answer with and without one, and `guidance` w
answers (1 + w) times the former less w times the latter: Ho, Salimans 2022, arXiv:2207.12598, equation 6.

A latent is the noise that an image begins as. Sampling draws nothing more, so equal latents give equal images, and what
lies between two latents gives what lies between two images.

Differs from the papers:
- The times of a batch are stratified, one in each part of the path, so that the loss varies less.
- The bound in bits is measured with the posterior's variances and at `bound_evaluations` stratified steps, not at all.
"""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, Tag, model_validator
from torch import Tensor
from torch.optim import Optimizer

from datasets.contract import Pictures, Settings, discriminate_by
from models.apply import evaluating
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Sampler, Update
from models.core.classes import choose_classes
from models.core.gan import preview_samples
from models.core.paths import DiffusionPath, Path, Predicts, Schedule, Solver, StraightPath
from models.networks.denoisers import DenoiserConfig, DiffusionUNetConfig
from models.optimizers import Adam


class DiffusionPathConfig(Settings):
    """The path of DDPM; the defaults are its paper's."""

    name: Literal["diffusion"] = "diffusion"
    steps: int = Field(default=1000, ge=2, description="of the diffusion, from image to noise")
    schedule: Schedule = Field(default="linear", description="how the image vanishes; cosine keeps small images longer")
    predicts: Predicts = Field(default="noise", description="what the network answers")

    def build(self) -> DiffusionPath:
        """Build the path."""
        return DiffusionPath(self.steps, self.schedule, self.predicts)


class StraightPathConfig(Settings):
    """The path of flow matching, straight from noise to image."""

    name: Literal["straight"] = "straight"
    solver: Solver = Field(default="heun", description="of the way back; heun evaluates the network twice a step")

    def build(self) -> StraightPath:
        """Build the path."""
        return StraightPath(self.solver)


PathConfig = Annotated[
    Annotated[DiffusionPathConfig, Tag("diffusion")] | Annotated[StraightPathConfig, Tag("straight")],
    discriminate_by("name", "diffusion"),
]


class DiffusionConfig(ModelConfig):
    """A diffusion model; the defaults are DDPM's for CIFAR-10, whose U-Net has 35.7 million parameters."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    name: Literal["diffusion"] = "diffusion"
    channels: int = Field(default=3, ge=1, description="of the pictures: 1 gray, 3 colour, 4 colour and alpha")
    size: int = Field(default=32, ge=1, description="pixels on a side of all its pictures")
    path: PathConfig = DiffusionPathConfig()
    generator: DenoiserConfig = DiffusionUNetConfig()
    bounded: bool = Field(default=True, description="pictures are limited to their range; false: for points")
    steps: int = Field(default=50, ge=1, description="evaluations of the network for each picture it makes")
    conditional: bool = Field(default=False, description="the network takes the class of a picture")
    domains: tuple[str, ...] = Field(default=(), description="names of the classes; empty: the data's")
    class_dropout: float = Field(
        default=0.1, ge=0, le=1, description="fraction of pictures whose class is withheld in training, for guidance"
    )
    guidance: float = Field(
        default=0.0, ge=0, description="how much further towards the class than the network says; 0: not at all"
    )
    bound_evaluations: int = Field(
        default=10, ge=1, description="of the network for each held-out picture, to measure its bound in bits"
    )
    adam: Adam = Adam(lr=2e-4, beta1=0.9)

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        if self.domains and not self.conditional:
            raise ValueError("domains: only a conditional model has any; set conditional")
        if self.guidance and not self.conditional:
            raise ValueError("guidance: there is nothing to guide to without classes; set conditional")
        return self

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the images."""
        return {"channels": self.channels}

    def with_domains(self, domains: tuple[str, ...]) -> Self:
        """Return the configuration for data with these classes.

        Raises:
            DataError: The model is conditional, and the data have no classes.
            UserError: The classes are not those in `domains`.
        """
        return self.model_copy(update={"domains": choose_classes(self.conditional, self.domains, domains)})

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        return f"model.size is {self.size}" if size != self.size else self.generator.size_problem(size)

    def translator(self) -> "Diffusion":
        """Build the network with its path."""
        return Diffusion(self)

    def recipe(self) -> "DiffusionRecipe":
        """Build the network with its loss."""
        return DiffusionRecipe(self)


class Diffusion(Sampler):
    """The network and its path, as a sampler."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.channels, self.size, self.domains = config.channels, config.size, config.domains
        self.latent = config.channels * config.size**2
        self.set_steps(config.steps)
        self.bounded, self.guidance = config.bounded, config.guidance
        self.path: Path = config.path.build()
        self.network = config.generator.build(config.channels, config.channels, config.size, len(config.domains))

    def set_steps(self, steps: int) -> None:
        """Set how often the network is evaluated for a picture."""
        self.steps: int = steps

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        """Make images (B, channels, size, size) from noise (B, latent) and labels (B,), in [-1, 1] if bounded."""
        noise = latent.float().view(-1, self.channels, self.size, self.size)
        return self.path.solve(partial(self.answer, label=label), noise, self.steps, bounded=self.bounded)

    def answer(self, noisy: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """Return what the network answers at times (B,) for labels (B,), with guidance if there is any."""
        if not self.guidance:
            output: Tensor = self.network(noisy, time, label)
            return output
        labels = torch.cat([label, torch.full_like(label, len(self.domains))])
        guided, free = self.network(noisy.repeat(2, 1, 1, 1), time.repeat(2), labels).float().chunk(2)
        mixed: Tensor = guided + self.guidance * (guided - free)
        return mixed


class DiffusionRecipe(Recipe[Pictures, Diffusion]):
    """The training of a diffusion model."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "colours inverted": "lower model.adam.lr",
        "diversity lost": "lower model.adam.lr, or model.guidance",
    }
    best_metric = "error"
    higher_is_better = False
    validation_batch = 50

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Diffusion(config)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam."""
        return {"generator": self.config.adam.of(self.model)}

    def updates(self, batch: Pictures, step: int) -> Iterator[Update]:
        """Yield the mean squared error of the network's answers: Ho et al., equation 14; Lipman et al., equation 23."""
        label = batch.label
        if self.config.conditional:
            withheld = torch.rand(len(label), device=label.device) < self.config.class_dropout
            label = torch.where(withheld, len(self.config.domains), label)
        yield Update("generator", {"error": self.errors(self.model, batch.image, label).mean()})

    def errors(self, model: Diffusion, image: Tensor, label: Tensor) -> Tensor:
        """Return the mean squared error of the network at a random time of each image, (B,)."""
        time = model.path.draw_times(len(image), image.device)
        noisy, target = model.path.mix(image, torch.randn_like(image), time)
        output = model.network(noisy, time, label).float()
        return F.mse_loss(output, target, reduction="none").flatten(1).mean(1)

    def preview(self, model: Diffusion, batch: Pictures) -> list[Preview]:
        """Return images of the batch's labels; for points, a plot of a thousand."""
        return preview_samples(model, batch)

    def validate(self, model: Diffusion, batch: Pictures) -> dict[str, Tensor]:
        """Return the loss and, on the path of DDPM, the bound on -log₂ p(x) in bits per number, (B,) each."""
        with evaluating(model):
            metrics = {"error": self.errors(model, batch.image, batch.label)}
            if isinstance(model.path, DiffusionPath):
                network = partial(model.network, label=batch.label)
                draws = self.config.bound_evaluations
                metrics["bits"] = model.path.estimate_bits(network, batch.image, draws, discrete=model.bounded)
            return metrics
