"""A bridge between source and target: paired translation in a few steps, without a discriminator.

Liu et al. 2023, arXiv:2302.05872 (I2SB). A picture at time t lies on the straight line from its source x_0 to its
target x_1, plus noise:
    x_t = (1 - t) x_0 + t x_1 + σ √(t (1 - t)) ε
A network sees x_t, t and the source, and predicts the target. Inference starts at the source and moves N times a part
of the way to the prediction; one step is plain regression, and each further one may correct the one before. With σ = 0,
the limit that the paper calls optimal transport, nothing is drawn, and one source has one translation.

Differs from the paper:
- Time runs from source to target, and the noise is that of a Brownian bridge of constant variance; the paper's varies
  along the way, symmetrically, too.
- The network predicts the target, under L1 by default; the paper's predicts the noise, under the squared error.
- It sees the source beside x_t at every time; in the paper this is an option.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor
from torch.optim import Optimizer

from datasets.contract import Paired
from models.apply import translate_batch
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Translator, Update
from models.core.paths import draw_stratified
from models.metrics import reconstruction_metrics
from models.networks.denoisers import BridgeNetworkConfig, TimedUNetConfig
from models.optimizers import Adam


class BridgeConfig(ModelConfig):
    """A bridge; by default it draws nothing."""

    batch_type: ClassVar[type[Paired]] = Paired
    name: Literal["bridge"] = "bridge"
    channels_in: int = Field(default=3, ge=1, description="of the pictures to translate: 1 gray, 3 colour")
    channels_out: int = Field(default=3, ge=1, description="of the results: 1 gray, 3 colour")
    generator: BridgeNetworkConfig = TimedUNetConfig()
    noise: float = Field(
        default=0.0, ge=0, description="σ, deviation of the noise on the way; 0: one source has one translation"
    )
    steps: int = Field(default=4, ge=1, description="evaluations of the network for each picture")
    pixel_loss: Literal["l1", "mse"] = Field(
        default="l1", description="l1: mean absolute difference, mse: mean squared difference"
    )
    residual: bool = Field(
        default=False, description="the network computes what is added to the source; for restoration"
    )
    generator_adam: Adam = Adam(lr=5e-4, beta1=0.9)

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        if self.channels_in not in (1, self.channels_out):
            raise ValueError(
                f"channels_in is {self.channels_in}: a bridge starts at its source, so it needs 1 or as many as "
                f"channels_out, which is {self.channels_out}"
            )
        return self

    @property
    def expects(self) -> dict[str, int]:
        """Channels of source and target."""
        return {"channels_in": self.channels_in, "channels_out": self.channels_out}

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        return self.generator.size_problem(size)

    def translator(self) -> "Bridge":
        """Build the network."""
        return Bridge(self)

    def recipe(self) -> "BridgeRecipe":
        """Build the network with its loss."""
        return BridgeRecipe(self)


class Bridge(Translator):
    """The network and its steps, as a translator."""

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.channels_in, self.channels_out = config.channels_in, config.channels_out
        self.noise, self.residual = config.noise, config.residual
        self.network = config.generator.build(config.channels_out + config.channels_in, config.channels_out)
        self.multiple, self.minimum = self.network.multiple, self.network.minimum
        self.draws = config.noise > 0
        self.set_steps(config.steps)

    def set_steps(self, steps: int) -> None:
        """Set how often the network is evaluated for a picture; each step sees as far as the one before and more."""
        self.steps: int = steps
        reach = self.network.margin
        self.margin = None if self.draws or reach is None else steps * reach  # tiles would draw noise of their own

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Translate (B, channels_in, H, W) in [-1, 1] to (B, channels_out, H, W) in about that range."""
        state = self.start(image)
        for index in range(self.steps):
            time = index / self.steps
            target = self.predict(state, image, image.new_full((len(image),), time))
            state = self.move(state, target, time, (index + 1) / self.steps)
        return state

    def start(self, source: Tensor) -> Tensor:
        """Return x_0, the source with the channels of the target: (B, channels_out, H, W)."""
        return source.expand(-1, self.channels_out, -1, -1)

    def mix(self, source: Tensor, target: Tensor, time: Tensor) -> Tensor:
        """Return x_t of pairs at times (B,)."""
        time = time.view(-1, 1, 1, 1)
        mixed = (1 - time) * self.start(source) + time * target
        return mixed + self.noise * (time * (1 - time)).sqrt() * torch.randn_like(mixed) if self.noise else mixed

    def predict(self, state: Tensor, source: Tensor, time: Tensor) -> Tensor:
        """Predict the target (B, channels_out, H, W) from x_t, the source and times (B,)."""
        output: Tensor = self.network(torch.cat([state, source], dim=1), time)
        return self.start(source) + output if self.residual else output

    def move(self, state: Tensor, target: Tensor, time: float, following: float) -> Tensor:
        """Return x at the later time `following`, from x at `time` and a target.

        It is drawn from the Brownian bridge between x at `time` and the target.
        """
        part = (following - time) / (1 - time)
        moved = state + part * (target - state)
        variance = self.noise**2 * part * (1 - following)
        return moved + variance**0.5 * torch.randn_like(moved) if variance else moved


class BridgeRecipe(Recipe[Paired, Bridge]):
    """The training of a bridge."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "generator copies its input": "check that data.pairs does not swap source and target, or raise "
        "model.generator_adam.lr",
        "colours inverted": "lower model.generator_adam.lr",
        "diversity lost": "lower model.generator_adam.lr",
    }
    best_metric = "l1"
    higher_is_better = False

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Bridge(config)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam."""
        return {"generator": self.config.generator_adam.of(self.model)}

    def updates(self, batch: Paired, step: int) -> Iterator[Update]:
        """Yield the difference of predictions from their targets, at a random time for each pair."""
        time = draw_stratified(len(batch.source), batch.source.device)
        state = self.model.mix(batch.source, batch.target, time)
        prediction = self.model.predict(state, batch.source, time)
        loss = F.l1_loss if self.config.pixel_loss == "l1" else F.mse_loss
        yield Update("generator", {self.config.pixel_loss: loss(prediction, batch.target)})

    def preview(self, model: Bridge, batch: Paired) -> list[Preview]:
        """Return sources, their translations and their targets."""
        return [Preview(batch.source, translate_batch(model, batch.source), batch.target)]

    def validate(self, model: Bridge, batch: Paired) -> dict[str, Tensor]:
        """Return how close translations, in as many steps as at inference, are to their targets."""
        return reconstruction_metrics(translate_batch(model, batch.source), batch.target)
