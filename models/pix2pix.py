"""Pix2Pix: paired translation with a U-Net and a PatchGAN that sees source and target.

Isola, Zhu, Zhou, Efros 2017, arXiv:1611.07004.

Differs from the paper:
- Instance norm by default instead of batch norm with test-batch statistics; at the paper's batch size of 1 the two are
  the same computation, and instance norm does not change with the batch.
- Dropout, the paper's only noise, is off at inference unless `dropout_at_inference` is set.
- The generator's loss is computed with the discriminator that has just moved, as in the authors' PyTorch code; their
  Torch code takes both gradients from the same scores.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import Paired
from datasets.errors import UserError
from models.apply import translate_batch
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Translator, Trunk, Update
from models.losses.adversarial import ADVERSARIAL, AdversarialName, fraction_right
from models.losses.penalties import BATCH_NORM_PROBLEM, gradient_penalty
from models.metrics import reconstruction_metrics
from models.networks.discriminators import PatchConfig
from models.networks.generators import GeneratorConfig, UNetConfig
from models.optimizers import Adam


class Pix2PixConfig(ModelConfig):
    """Pix2Pix with the paper's defaults."""

    batch_type: ClassVar[type[Paired]] = Paired
    name: Literal["pix2pix"] = "pix2pix"
    channels_in: int = Field(
        default=3, ge=1, description="of the pictures to translate: 1 gray, 3 colour, 4 colour and alpha"
    )
    channels_out: int = Field(default=3, ge=1, description="of the results: 1 gray, 3 colour, 4 colour and alpha")
    generator: GeneratorConfig = UNetConfig()
    discriminator: PatchConfig = PatchConfig()
    adversarial: AdversarialName = Field(
        default="non-saturating", description="form of the loss between generator and discriminator"
    )
    adversarial_weight: float = Field(
        default=1.0, ge=0, description="weight of the adversarial loss; 0: no discriminator, plain regression"
    )
    l1_weight: float = Field(default=100.0, ge=0, description="weight of the mean absolute difference from the target")
    gradient_penalty_weight: float = Field(
        default=0.0, ge=0, description="weight of WGAN-GP's gradient penalty; 10 in Gulrajani et al. 2017, 0: none"
    )
    residual: bool = Field(
        default=False, description="the generator computes what is added to its input; for restoration"
    )
    dropout_at_inference: bool = Field(default=False, description="as in the paper: two runs over a picture differ")
    generator_adam: Adam = Adam()
    discriminator_adam: Adam = Adam()

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if self.adversarial == "wasserstein" and not self.gradient_penalty_weight:
            raise ValueError("adversarial wasserstein needs a gradient_penalty_weight above 0, such as 10")
        if self.residual and self.channels_in != self.channels_out:
            raise ValueError("residual needs as many channels_out as channels_in")
        return self

    @property
    def expects(self) -> dict[str, int]:
        """Channels of source and target."""
        return {"channels_in": self.channels_in, "channels_out": self.channels_out}

    def for_size(self, size: int) -> Self:
        """Return the configuration for squares of `size` pixels, with the generator chosen."""
        return self.model_copy(update={"generator": self.generator.for_size(size)})

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        problem = self.generator.size_problem(size)
        if problem is None and self.adversarial_weight:
            problem = self.discriminator.size_problem(size)
        return problem

    def training_problem(self) -> str | None:
        """Return why no training should begin: a gradient penalty on a discriminator with batch norm."""
        penalized = self.adversarial_weight and self.gradient_penalty_weight and self.discriminator.norm == "batch"
        return BATCH_NORM_PROBLEM.format(penalty="gradient_penalty_weight") if penalized else None

    def translator(self) -> "Pix2Pix":
        """Build the generator alone."""
        return Pix2Pix(self)

    def recipe(self) -> "Pix2PixRecipe":
        """Build the generator with its discriminator and their losses."""
        return Pix2PixRecipe(self)


class Pix2Pix(Translator):
    """The generator, as a translator."""

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.generator = config.generator.build(config.channels_in, config.channels_out)
        self.residual = config.residual
        if config.residual:
            # Start by changing nothing, which is half right already, instead of adding random values.
            convolutions = [m for m in self.generator.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
            nn.init.zeros_(convolutions[-1].weight)
        self.noise = [m for m in self.generator.modules() if isinstance(m, nn.Dropout) and m.p > 0]
        if config.dropout_at_inference and not self.noise:
            raise UserError("model.dropout_at_inference: this generator has no dropout; set model.generator.dropout")
        self.channels_in, self.channels_out = config.channels_in, config.channels_out
        self.multiple, self.minimum = self.generator.multiple, self.generator.minimum
        self.margin = self.generator.margin
        self.global_norm = self.generator.global_norm
        self.draws = config.dropout_at_inference

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode, in which dropout stays on if the configuration says so."""
        super().train(mode)
        for dropout in self.noise if self.draws else []:
            dropout.train()
        return self

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Translate (B, channels_in, H, W) in [-1, 1] to (B, channels_out, H, W) in [-1, 1]."""
        output: Tensor = self.generator(image)
        return image + output if self.residual else output


class Pix2PixRecipe(Recipe[Paired, Pix2Pix]):
    """The training of Pix2Pix."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "discriminator won": "lower model.discriminator_adam.lr, or model.adversarial_weight",
        "generator copies its input": "lower model.l1_weight, or check that data.pairs does not swap source and target",
        "colours inverted": "raise model.l1_weight, or lower model.generator_adam.lr",
        "diversity lost": "raise model.l1_weight, or lower model.discriminator_adam.lr",
    }
    best_metric = "l1"
    higher_is_better = False

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.config = config
        self.adversarial = ADVERSARIAL[config.adversarial]
        self.model = Pix2Pix(config)
        self.discriminator = config.discriminator.build(config.channels_in + config.channels_out)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam for each of the two networks."""
        return {
            "discriminator": self.config.discriminator_adam.of(self.discriminator),
            "generator": self.config.generator_adam.of(self.model),
        }

    def trunks(self) -> dict[Trunk, nn.Module]:
        """Return the generator's encoder, and the discriminator except its last layer."""
        return {"encoder": self.model.generator.encoder, "discriminator": self.discriminator.layers[:-1]}

    def score(self, source: Tensor, target: Tensor) -> Tensor:
        """Score the patches of pairs of source and target: (B, 1, h, w), high where they look real."""
        scores: Tensor = self.discriminator(torch.cat([source, target], dim=1))
        return scores

    def updates(self, batch: Paired, step: int) -> Iterator[Update]:
        """Yield the updates of equation 4 of the paper; the discriminator's loss is halved, as in its section 3.3."""
        fake = self.model(batch.source)

        if self.config.adversarial_weight:
            real_scores = self.score(batch.source, batch.target)
            fake_scores = self.score(batch.source, fake.detach())
            losses = {"adversarial": 0.5 * self.adversarial.discriminator(real_scores, fake_scores)}
            if self.config.gradient_penalty_weight:
                losses["penalty"] = self.config.gradient_penalty_weight * self.penalty(batch, fake.detach())
            yield Update("discriminator", losses, {"accuracy": fraction_right(real_scores, fake_scores)})

        losses = {"l1": self.config.l1_weight * F.l1_loss(fake, batch.target)}
        if self.config.adversarial_weight:
            adversarial = self.adversarial.generator(self.score(batch.source, fake))
            losses["adversarial"] = self.config.adversarial_weight * adversarial
        yield Update("generator", losses)

    def penalty(self, batch: Paired, fake: Tensor) -> Tensor:
        """Return the gradient penalty between real and fake pairs, a scalar."""
        real_pair, fake_pair = torch.cat([batch.source, batch.target], 1), torch.cat([batch.source, fake], 1)
        return gradient_penalty(self.discriminator, real_pair, fake_pair)

    def preview(self, model: Pix2Pix, batch: Paired) -> list[Preview]:
        """Return sources, their translations and their targets."""
        return [Preview(batch.source, translate_batch(model, batch.source), batch.target)]

    def validate(self, model: Pix2Pix, batch: Paired) -> dict[str, Tensor]:
        """Return how close translations are to their targets."""
        return reconstruction_metrics(translate_batch(model, batch.source), batch.target)
