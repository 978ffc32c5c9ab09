"""Inpainting: filling the hole that a mask says, so that nobody sees where it was.

Yu, Lin, Yang, Shen, Lu, Huang 2018, arXiv:1806.03589 (DeepFill v2): gated convolutions, L1 over everything and a
discriminator of patches, SN-PatchGAN, that is given the mask. With the U-Net of partial convolutions and losses on
VGG's features it is Liu, Reda, Shih, Wang, Tao, Catanzaro 2018, arXiv:1804.07723; with the context encoder, squared
differences and that one's discriminator, Pathak, Krähenbühl, Donahue, Darrell, Efros 2016, arXiv:1604.07379.

Differs from the papers:
- Every picture of a batch has a hole of its own. Every discriminator is given the mask and the completed picture.
- Partial convolutions: VGG-19 instead of VGG-16. The encoder's batch norm is not frozen for a second stage; learning
  rates fall in its place, by `training.decay_from`.
- Context encoder: what is known in a band around the hole is not weighed ten times.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer

from datasets.contract import Masked
from models.apply import translate_batch
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Translator, Update
from models.losses.adversarial import ADVERSARIAL, AdversarialName, fraction_right
from models.losses.perceptual import POOLED, FeatureLosses
from models.metrics import hole_metrics
from models.networks.discriminators import InpaintingDiscriminatorConfig, SNPatchConfig
from models.networks.inpainters import ContextConfig, DeepFillConfig, InpainterConfig
from models.optimizers import Adam
from models.published import load_vgg19


class InpaintingConfig(ModelConfig):
    """Inpainting with DeepFill v2's defaults."""

    batch_type: ClassVar[type[Masked]] = Masked
    name: Literal["inpainting"] = "inpainting"
    generator: InpainterConfig = DeepFillConfig()
    pixel_loss: Literal["l1", "mse"] = "l1"
    even: bool = False  # every picture counts the same, however much of it is weighed
    hole_weight: float = Field(1.0, ge=0)  # of the pixels in the hole
    valid_weight: float = Field(1.0, ge=0)  # of those around it, which the generator makes too
    perceptual_weight: float = Field(0.0, ge=0)  # of VGG's features; 0.05 in Liu et al. 2018
    style_weight: float = Field(0.0, ge=0)  # of how they go together; 120 there
    variation_weight: float = Field(0.0, ge=0)  # of neighbours' differences in and at the hole; 0.1 there
    adversarial: AdversarialName = "hinge"
    adversarial_weight: float = Field(1.0, ge=0)  # 0: no discriminator's opinion, plain regression
    discriminator: InpaintingDiscriminatorConfig = SNPatchConfig()
    generator_adam: Adam = Adam(lr=1e-4)
    discriminator_adam: Adam = Adam(lr=1e-4)

    @property
    def expects(self) -> dict[str, int]:
        """Nothing to choose: a picture and its mask, and the picture filled."""
        return {"channels_in": 4, "channels_out": 3}

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        judged = self.discriminator.size_problem(size) if self.adversarial_weight else None
        return self.generator.size_problem(size) or judged

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
        self.only_size = config.generator.size if isinstance(config.generator, ContextConfig) else None

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

    hints: ClassVar[dict[FailureMode, str]] = {
        "discriminator won": "lower model.discriminator_adam.lr, or model.adversarial_weight",
        "generator copies its input": "raise model.hole_weight, or training.steps",
        "colours inverted": "raise model.hole_weight, or lower model.generator_adam.lr",
        "diversity lost": "raise model.hole_weight, or lower model.adversarial_weight",
    }
    best_metric = "psnr_hole"
    higher_is_better = True

    def __init__(self, config: InpaintingConfig) -> None:
        super().__init__()
        self.config = config
        self.adversarial = ADVERSARIAL[config.adversarial]
        self.model = Inpainting(config)
        self.features = build_feature_losses() if config.perceptual_weight or config.style_weight else None
        self.discriminator = config.discriminator.build(4) if config.adversarial_weight else None

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for the generator, and one for its opponent, where there is one."""
        own = {"generator": self.config.generator_adam.of(self.model)}
        if self.discriminator is None:
            return own
        return {"discriminator": self.config.discriminator_adam.of(self.discriminator), **own}

    def score(self, picture: Tensor, mask: Tensor) -> Tensor:
        """Scores of patches: does a picture with a hole there look as if it had none?"""
        assert self.discriminator is not None
        scores: Tensor = self.discriminator(torch.cat([picture, mask], dim=1))
        return scores

    def updates(self, batch: Masked, step: int) -> Iterator[Update]:
        """DeepFill's section 3.3; both of the discriminator's terms are halved, as in the authors' code."""
        image, mask = batch
        stages = self.model.stages(image, mask)
        filled = completed(stages[-1], image, mask)

        if self.discriminator is not None:
            real_scores, fake_scores = self.score(image, mask), self.score(filled.detach(), mask)
            loss = 0.5 * self.adversarial.discriminator(real_scores, fake_scores)
            yield Update("discriminator", {"adversarial": loss}, {"right": fraction_right(real_scores, fake_scores)})

        losses = {"pixel": torch.stack([self.pixel(made, image, mask) for made in stages]).sum()}
        losses |= self.likeness(stages[-1], filled, image)
        if self.config.variation_weight:
            losses["variation"] = self.config.variation_weight * variation(filled, mask)
        if self.discriminator is not None:
            fooled = self.adversarial.generator(self.score(filled, mask))
            losses["adversarial"] = self.config.adversarial_weight * fooled
        yield Update("generator", losses)

    def pixel(self, made: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """The difference of two pictures, a mean over all pixels that are weighed by what they are of.

        Evenly, it is each picture's weighted mean: a scratch in one counts as much as a large hole in another.
        """
        weights = self.config.valid_weight + (self.config.hole_weight - self.config.valid_weight) * mask
        difference = (made - truth).float()
        by_pixel = difference.abs() if self.config.pixel_loss == "l1" else difference.square()
        weighed = (weights * by_pixel).mean(dim=(1, 2, 3))
        if self.config.even:
            weighed = weighed / weights.mean(dim=(1, 2, 3)).clamp(min=1e-6)
        return weighed.mean()

    def likeness(self, made: Tensor, filled: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """Liu et al. 2018, equations 3 to 5: features and style of what was made, and of the completed picture."""
        if self.features is None:
            return {}
        perceptual, style = (
            torch.stack(both).sum()
            for both in zip(self.features(made, truth), self.features(filled, truth), strict=True)
        )
        return {
            "perceptual": self.config.perceptual_weight * perceptual,
            "style": self.config.style_weight * style,
        }

    def preview(self, model: Inpainting, batch: Masked) -> list[Preview]:
        """Pictures with white holes, filled ones, and the truth."""
        image, mask = batch
        filled = translate_batch(model, torch.cat([image, mask], dim=1))
        return [Preview(completed(torch.ones_like(image), image, mask), filled, image)]

    def validate(self, model: Inpainting, batch: Masked) -> dict[str, Tensor]:
        """How close what fills the holes is to what was there."""
        return hole_metrics(translate_batch(model, torch.cat(batch, dim=1)), batch.image, batch.mask)


def build_feature_losses() -> FeatureLosses:
    """Build the losses on VGG-19's features, with its published weights.

    Raises:
        UserError: The weights are not there and cannot be downloaded.
    """
    alternative = "model.perceptual_weight=0 and model.style_weight=0"
    return FeatureLosses(load_vgg19(POOLED[-1], needed_by="the perceptual loss", alternative=alternative))


def completed(made: Tensor, picture: Tensor, mask: Tensor) -> Tensor:
    """What was made in the hole, and the picture, untouched, around it: (B, 3, H, W)."""
    return torch.where(mask > 0, made.to(picture.dtype), picture)


def variation(picture: Tensor, mask: Tensor) -> Tensor:
    """Differences of neighbours both within the hole, widened by a pixel, as a mean over the picture, a scalar.

    Liu et al. 2018, equation 6.
    """
    near = F.max_pool2d(mask, 3, stride=1, padding=1)
    across = (picture[..., 1:] - picture[..., :-1]).abs() * near[..., 1:] * near[..., :-1]
    down = (picture[..., 1:, :] - picture[..., :-1, :]).abs() * near[..., 1:, :] * near[..., :-1, :]
    return (across.sum() + down.sum()) / picture.numel()
