"""Pix2Pix: paired translation with a U-Net and a PatchGAN that sees both pictures.

Isola, Zhu, Zhou, Efros 2017, arXiv:1611.07004.

Differs from the paper:
- Instance norm by default instead of batch norm with test-batch statistics; at the paper's batch
  size of 1 the two are the same computation, and this one does not change with the batch.
- Dropout, the paper's only noise, is off at inference unless `dropout_at_inference` is set.
- The generator's loss is computed against the discriminator that has just moved, as the authors'
  PyTorch code does; their Torch code takes both gradients from the same scores.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor
from torch.optim import Optimizer

from datasets.contract import Paired, Settings
from models.contract import Adam, Recipe, Translator, Update, side_by_side
from models.core.adversarial import ADVERSARIAL, AdversarialName
from models.core.figures import reconstruction
from models.core.penalties import gradient_penalty
from models.inference import translate_batch
from models.networks import GeneratorConfig, PatchConfig, UNetConfig


class Pix2PixConfig(Settings):
    """Pix2Pix with the paper's defaults."""

    batch_type: ClassVar[type[Paired]] = Paired
    name: Literal["pix2pix"] = "pix2pix"
    channels_in: int = Field(3, ge=1)
    channels_out: int = Field(3, ge=1)
    generator: GeneratorConfig = UNetConfig()
    discriminator: PatchConfig = PatchConfig()
    adversarial: AdversarialName = "non-saturating"
    adversarial_weight: float = Field(1.0, ge=0)  # 0: no discriminator's opinion, plain regression
    l1_weight: float = Field(100.0, ge=0)
    gradient_penalty_weight: float = Field(0.0, ge=0)  # 10 in Gulrajani et al. 2017
    dropout_at_inference: bool = False  # the paper's way: two runs over a picture differ
    generator_adam: Adam = Adam()
    discriminator_adam: Adam = Adam()

    @model_validator(mode="after")
    def _wasserstein_is_bounded(self) -> Self:
        if self.adversarial == "wasserstein" and not self.gradient_penalty_weight:
            raise ValueError("adversarial wasserstein needs a gradient_penalty_weight above 0, such as 10")
        return self

    def translator(self) -> "Pix2Pix":
        """The generator alone."""
        return Pix2Pix(self)

    def recipe(self) -> "Pix2PixRecipe":
        """The generator, its discriminator and their losses."""
        return Pix2PixRecipe(self)


class Pix2Pix(Translator):
    """The generator, as a translator."""

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.generator = config.generator.build(config.channels_in, config.channels_out)
        self.generator.noisy = config.dropout_at_inference
        self.channels_in, self.channels_out = config.channels_in, config.channels_out
        self.multiple, self.minimum = self.generator.multiple, self.generator.minimum
        self.margin = self.generator.margin
        self.global_norm = config.generator.norm == "instance"
        self.draws = config.dropout_at_inference and config.generator.dropout > 0

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """(B, channels_in, H, W) in [-1, 1] to (B, channels_out, H, W) in [-1, 1]."""
        output: Tensor = self.generator(image)
        return output


class Pix2PixRecipe(Recipe[Paired, Pix2Pix]):
    """How Pix2Pix learns."""

    figure = "l1"
    figure_rises = False

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.config = config
        self.adversarial = ADVERSARIAL[config.adversarial]
        self.model = Pix2Pix(config)
        self.discriminator = config.discriminator.build(config.channels_in + config.channels_out)

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for each of the two."""
        return {
            "discriminator": self.config.discriminator_adam.of(self.discriminator),
            "generator": self.config.generator_adam.of(self.model),
        }

    def judge(self, source: Tensor, target: Tensor) -> Tensor:
        """Scores of patches, (B, 1, h, w): do the two pictures belong together?"""
        scores: Tensor = self.discriminator(torch.cat([source, target], dim=1))
        return scores

    def updates(self, batch: Paired, step: int) -> Iterator[Update]:
        """Equation 4 of the paper; the discriminator's objective is halved, as in its section 3.3."""
        fake = self.model(batch.source)

        if self.config.adversarial_weight:
            real_scores = self.judge(batch.source, batch.target)
            fake_scores = self.judge(batch.source, fake.detach())
            losses = {"adversarial": 0.5 * self.adversarial.discriminator(real_scores, fake_scores)}
            if self.config.gradient_penalty_weight:
                losses["penalty"] = self.config.gradient_penalty_weight * self.penalty(batch, fake.detach())
            scores = {"real_score": real_scores.mean(), "fake_score": fake_scores.mean()}
            yield Update("discriminator", losses, scores)

        losses = {"l1": self.config.l1_weight * F.l1_loss(fake, batch.target)}
        if self.config.adversarial_weight:
            fooled = self.adversarial.generator(self.judge(batch.source, fake))
            losses["adversarial"] = self.config.adversarial_weight * fooled
        yield Update("generator", losses)

    def penalty(self, batch: Paired, fake: Tensor) -> Tensor:
        """The gradient penalty on pairs between the real and the fake ones."""
        real_pair, fake_pair = torch.cat([batch.source, batch.target], 1), torch.cat([batch.source, fake], 1)
        return gradient_penalty(self.discriminator, real_pair, fake_pair)

    def preview(self, model: Pix2Pix, batch: Paired) -> Tensor:
        """Source, translation and target next to each other."""
        return side_by_side(batch.source, translate_batch(model, batch.source), batch.target)

    def validate(self, model: Pix2Pix, batch: Paired) -> dict[str, Tensor]:
        """How close the translations are to the targets."""
        return reconstruction(translate_batch(model, batch.source), batch.target)
