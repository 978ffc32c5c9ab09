"""A normalizing flow: an invertible network from images to normally distributed numbers, with the exact likelihood.

Glow: Kingma, Dhariwal 2018, arXiv:1807.03039, with the scales of RealNVP: Dinh, Sohl-Dickstein, Bengio 2017,
arXiv:1605.08803. By the change of variables,
    log p(x) = log N(z; 0, 1) + log |det dz / dx|,   z = f(x)
At each scale, squares of 2x2 pixels are folded into channels, a number of steps follow, and half of the channels leave
the network as numbers of the latent. Images have 256 levels, and uniform noise of one level makes them continuous
(Theis, van den Oord, Bethge 2016, arXiv:1511.01844), so that bits per number bound those of the levels themselves.

Differs from the papers:
- All numbers have the same prior, where Glow learns one for those that leave early, from those that stay.
- Without levels there is no folding, for points of the plane.
"""

import math
from collections.abc import Iterator
from typing import ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle
from torch.optim import Optimizer

from datasets.contract import Pictures
from models.apply import evaluating
from models.backbones.invertible import FlowLevel
from models.contract import Encoder, FailureMode, ModelConfig, Preview, Recipe, Sampler, Update
from models.core.gan import preview_samples
from models.core.paths import LEVELS
from models.optimizers import Adam


class FlowConfig(ModelConfig):
    """A flow for small images; Glow has 3 scales of 32 steps, 512 wide, for CIFAR-10."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    name: Literal["flow"] = "flow"
    channels: int = Field(default=1, ge=1, description="of the pictures: 1 gray, 3 colour, 4 colour and alpha")
    size: int = Field(default=28, ge=1, description="pixels on a side of all its pictures")
    levels: int = Field(default=2, ge=0, description="number of halvings; 0: for points")
    steps_per_level: int = Field(default=8, ge=1, description="norms, mixes of channels and couplings at each size")
    width: int = Field(default=64, ge=1, description="channels within the couplings")
    quantized: bool = Field(default=True, description="pictures have 256 levels; false: points, which have none")
    adam: Adam = Adam(lr=1e-3, beta1=0.9)

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the images."""
        return {"channels": self.channels}

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        if size != self.size:
            return f"model.size is {self.size}"
        multiple = 2**self.levels
        return f"a flow of {self.levels} levels needs multiples of {multiple}" if size % multiple else None

    def translator(self) -> "Flow":
        """Build the network."""
        return Flow(self)

    def recipe(self) -> "FlowRecipe":
        """Build the network with its loss."""
        return FlowRecipe(self)


class Flow(Sampler, Encoder):
    """The network, which makes images from latents and finds the only latent of an image."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.channels, self.size, self.quantized = config.channels, config.size, config.quantized
        self.latent = config.channels * config.size**2
        self.folds = config.levels > 0
        channels = config.channels
        self.levels = nn.ModuleList()
        for level in range(max(config.levels, 1)):
            if self.folds:
                channels = 4 * channels if level == 0 else 2 * channels  # half of them have left, and 4 become one
            self.levels.append(FlowLevel(channels, config.width, config.steps_per_level))

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        """Make images (B, channels, size, size) from (B, latent); labels are ignored."""
        shapes = self._shapes()
        split = torch.split(latent.float(), [math.prod(shape) for shape in shapes], dim=1)
        parts = [part.view(-1, *shape) for part, shape in zip(split, shapes, strict=True)]
        maps = parts.pop()
        with torch.autocast(latent.device.type, enabled=False):  # an inverse needs all digits
            for level, steps in reversed([*enumerate(self.levels)]):
                if level + 1 < len(self.levels):
                    maps = torch.cat([maps, parts.pop()], dim=1)
                maps = cast(FlowLevel, steps).inverse(maps)
                maps = pixel_shuffle(maps, 2) if self.folds else maps
        return maps.clamp(-1, 1) if self.quantized else maps

    def encode(self, image: Tensor) -> Tensor:
        """Return the latents (B, latent) of images (B, channels, size, size)."""
        latent, _ = self.normalize(image)
        return latent

    def normalize(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latents (B, latent) of images, and log |det dz / dx|, (B,), float32."""
        maps, parts = image.float(), []
        total = maps.new_zeros(len(maps))
        with torch.autocast(image.device.type, enabled=False):
            for level, steps in enumerate(self.levels):
                maps = pixel_unshuffle(maps, 2) if self.folds else maps
                maps, determinant = steps(maps)
                total = total + determinant
                if level + 1 < len(self.levels):
                    maps, leaving = maps.chunk(2, dim=1)
                    parts.append(leaving.flatten(1))
        return torch.cat([*parts, maps.flatten(1)], dim=1), total

    def estimate_bits(self, image: Tensor) -> Tensor:
        """Return -log₂ p(image) per number, (B,); of levels, if there are any, an upper bound of it."""
        if self.quantized:
            image = image + (torch.rand_like(image) - 0.5) * (2 / (LEVELS - 1))
        latent, determinant = self.normalize(image)
        prior = -0.5 * (latent.square() + math.log(2 * math.pi)).sum(1)
        bits = -(prior + determinant) / (self.latent * math.log(2))
        return bits + math.log2((LEVELS - 1) / 2) if self.quantized else bits

    def _shapes(self) -> list[tuple[int, int, int]]:
        """Return the shapes of the parts of a latent, in the order in which they leave the network."""
        if not self.folds:
            return [(self.channels, self.size, self.size)]
        shapes, channels, side = [], self.channels, self.size
        for _ in self.levels:
            channels, side = 2 * channels, side // 2
            shapes.append((channels, side, side))
        return [*shapes[:-1], (2 * channels, side, side)]


class FlowRecipe(Recipe[Pictures, Flow]):
    """The training of a flow."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "colours inverted": "lower model.adam.lr",
        "diversity lost": "lower model.adam.lr",
    }
    best_metric = "bits"
    higher_is_better = False
    validation_batch = 100

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Flow(config)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam."""
        return {"flow": self.config.adam.of(self.model)}

    def updates(self, batch: Pictures, step: int) -> Iterator[Update]:
        """Yield the mean of -log₂ p(x), in bits per number."""
        yield Update("flow", {"bits": self.model.estimate_bits(batch.image).mean()})

    def preview(self, model: Flow, batch: Pictures) -> list[Preview]:
        """Return images made from the prior; for points, a plot of a thousand."""
        return preview_samples(model, batch)

    def validate(self, model: Flow, batch: Pictures) -> dict[str, Tensor]:
        """Return -log₂ p(x) in bits per number, (B,)."""
        with evaluating(model):
            return {"bits": model.estimate_bits(batch.image)}
