"""Inpainting: filling the hole that a mask says, so that nobody sees where it was.

Yu, Lin, Yang, Shen, Lu, Huang 2018, arXiv:1806.03589 (DeepFill v2): gated convolutions, L1 over everything and a
discriminator of patches, SN-PatchGAN, that is given the mask.

Differs from the paper:
- Every picture of a batch has a hole of its own.
- The learning rates and what pixels weigh are settings; a share of 0 for the discriminator leaves plain regression.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer

from datasets.contract import Masked, Settings
from models.contract import Adam, Ailment, Recipe, Shown, Translator, Update
from models.core.adversarial import ADVERSARIAL, AdversarialName, share_right
from models.core.figures import filling
from models.inference import translate_batch
from models.networks import DeepFillConfig, InpainterConfig, SNPatchConfig


class InpaintingConfig(Settings):
    """Inpainting with DeepFill v2's defaults."""

    batch_type: ClassVar[type[Masked]] = Masked
    name: Literal["inpainting"] = "inpainting"
    generator: InpainterConfig = DeepFillConfig()
    pixel_loss: Literal["l1", "mse"] = "l1"
    hole_weight: float = Field(1.0, ge=0)  # of the pixels in the hole
    valid_weight: float = Field(1.0, ge=0)  # of those around it, which the generator makes too
    adversarial: AdversarialName = "hinge"
    adversarial_weight: float = Field(1.0, ge=0)  # 0: no discriminator's opinion, plain regression
    discriminator: SNPatchConfig = SNPatchConfig()
    generator_adam: Adam = Adam(lr=1e-4)
    discriminator_adam: Adam = Adam(lr=1e-4)

    @property
    def expects(self) -> dict[str, int]:
        """Nothing to choose: a picture and its mask, and the picture filled."""
        return {"channels_in": 4, "channels_out": 3}

    def with_domains(self, domains: tuple[str, ...]) -> Self:
        """Itself: holes are filled one way."""
        return self

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        return self.generator.size_problem(size)

    def translator(self) -> "Inpainting":
        """The generator alone."""
        return Inpainting(self)

    def recipe(self) -> "InpaintingRecipe":
        """The generator with its discriminator."""
        return InpaintingRecipe(self)


class Inpainting(Translator):
    """The generator, as a translator of pictures whose fourth channel is the mask, exactly 1 in the hole, 0 elsewhere.

    What the picture holds in the hole does not count, and what is around it comes back as it was.
    """

    def __init__(self, config: InpaintingConfig) -> None:
        super().__init__()
        self.generator = config.generator.build()
        self.channels_in, self.channels_out = 4, 3
        self.multiple, self.margin = self.generator.multiple, self.generator.margin

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """(B, 4, H, W), RGB in [-1, 1] and the mask, to (B, 3, H, W) with the hole filled."""
        picture, mask = image[:, :3], image[:, 3:]
        return completed(self.stages(picture, mask)[-1], picture, mask)

    def stages(self, picture: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """What each stage of the generator makes of the whole picture, the last best."""
        made: tuple[Tensor, ...] = self.generator(picture, mask)
        return made


class InpaintingRecipe(Recipe[Masked, Inpainting]):
    """How filling holes is learned."""

    remedies: ClassVar[dict[Ailment, str]] = {
        "discriminator won": "lower model.discriminator_adam.lr, or model.adversarial_weight",
        "generator copies its input": "raise model.hole_weight, or training.steps",
        "colours inverted": "raise model.hole_weight, or lower model.generator_adam.lr",
        "diversity lost": "raise model.hole_weight, or lower model.adversarial_weight",
    }
    figure = "psnr_hole"
    figure_rises = True

    def __init__(self, config: InpaintingConfig) -> None:
        super().__init__()
        self.config = config
        self.adversarial = ADVERSARIAL[config.adversarial]
        self.model = Inpainting(config)
        self.discriminator = config.discriminator.build(4) if config.adversarial_weight else None

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for the generator, and one for its opponent, where there is one."""
        own = {"generator": self.config.generator_adam.of(self.model)}
        if self.discriminator is None:
            return own
        return {"discriminator": self.config.discriminator_adam.of(self.discriminator), **own}

    def judge(self, picture: Tensor, mask: Tensor) -> Tensor:
        """Scores of patches: does a picture with a hole there look as if it had none?"""
        assert self.discriminator is not None
        scores: Tensor = self.discriminator(torch.cat([picture, mask], dim=1))
        return scores

    def updates(self, batch: Masked, step: int) -> Iterator[Update]:
        """Section 3.3 of the paper; both of the discriminator's terms are halved, as in the authors' code."""
        image, mask = batch
        stages = self.model.stages(image, mask)
        filled = completed(stages[-1], image, mask)

        if self.discriminator is not None:
            real_scores, fake_scores = self.judge(image, mask), self.judge(filled.detach(), mask)
            loss = 0.5 * self.adversarial.discriminator(real_scores, fake_scores)
            yield Update("discriminator", {"adversarial": loss}, {"right": share_right(real_scores, fake_scores)})

        losses = {"pixel": torch.stack([self.pixel(made, image, mask) for made in stages]).sum()}
        if self.discriminator is not None:
            fooled = self.adversarial.generator(self.judge(filled, mask))
            losses["adversarial"] = self.config.adversarial_weight * fooled
        yield Update("generator", losses)

    def pixel(self, made: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """The difference of two pictures, a mean over all pixels that are weighed by what they are of."""
        weights = self.config.valid_weight + (self.config.hole_weight - self.config.valid_weight) * mask
        difference = (made - truth).float()
        by_pixel = difference.abs() if self.config.pixel_loss == "l1" else difference.square()
        return (weights * by_pixel).mean()

    def show(self, model: Inpainting, batch: Masked) -> list[Shown]:
        """Pictures with white holes, filled ones, and the truth."""
        image, mask = batch
        filled = translate_batch(model, torch.cat([image, mask], dim=1))
        return [Shown(completed(torch.ones_like(image), image, mask), filled, image)]

    def validate(self, model: Inpainting, batch: Masked) -> dict[str, Tensor]:
        """How close what fills the holes is to what was there."""
        return filling(translate_batch(model, torch.cat(batch, dim=1)), batch.image, batch.mask)


def completed(made: Tensor, picture: Tensor, mask: Tensor) -> Tensor:
    """What was made in the hole, and the picture, untouched, around it: (B, 3, H, W)."""
    return torch.where(mask > 0, made.to(picture.dtype), picture)
