"""Inpainting: filling the hole that a mask marks.

Yu, Lin, Yang, Shen, Lu, Huang 2018, arXiv:1806.03589 (DeepFill v2): gated convolutions, L1 over the full image and a
discriminator of patches, SN-PatchGAN, which also takes the mask. With the U-Net of partial convolutions and losses on
VGG's features it is Liu, Reda, Shih, Wang, Tao, Catanzaro 2018, arXiv:1804.07723; with the context encoder, squared
differences and the context discriminator, Pathak, Krähenbühl, Donahue, Darrell, Efros 2016, arXiv:1604.07379. LaMa's
generator (Suvorov et al. 2022, arXiv:2109.07161) can take the place of either.

Differs from the papers:
- Every image of a batch has its own hole. Every discriminator takes the mask and the filled image.
- Partial convolutions: VGG-19 instead of VGG-16. The encoder's batch norm is not frozen for a second stage; instead,
  learning rates fall, by `training.decay_from`.
- LaMa: trained with the losses of the others, which are not its paper's.
- Context encoder: known pixels in a band around the hole are not weighted ten times.
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
from models.networks.inpainters import DeepFillConfig, InpainterConfig
from models.optimizers import Adam
from models.published import load_vgg19


class InpaintingConfig(ModelConfig):
    """Inpainting with DeepFill v2's defaults."""

    batch_type: ClassVar[type[Masked]] = Masked
    name: Literal["inpainting"] = "inpainting"
    generator: InpainterConfig = DeepFillConfig()
    pixel_loss: Literal["l1", "mse"] = Field(
        default="l1", description="l1: mean absolute difference, mse: mean squared difference"
    )
    even: bool = Field(
        default=False, description="every picture counts the same, whatever the sum of its pixels' weights"
    )
    hole_weight: float = Field(default=1.0, ge=0, description="weight of pixels in the hole; 6 in Liu et al. 2018")
    valid_weight: float = Field(default=1.0, ge=0, description="weight of known pixels, which the generator makes too")
    perceptual_weight: float = Field(
        default=0.0, ge=0, description="weight of the difference of VGG's features; 0.05 in Liu et al. 2018"
    )
    style_weight: float = Field(
        default=0.0, ge=0, description="weight of the difference of their Gram matrices; 120 in Liu et al. 2018"
    )
    variation_weight: float = Field(
        default=0.0, ge=0, description="weight of neighbours' differences in and at the hole; 0.1 in Liu et al. 2018"
    )
    adversarial: AdversarialName = Field(
        default="hinge", description="form of the loss between generator and discriminator"
    )
    adversarial_weight: float = Field(
        default=1.0, ge=0, description="weight of the adversarial loss; 0: no discriminator, plain regression"
    )
    discriminator: InpaintingDiscriminatorConfig = SNPatchConfig()
    generator_adam: Adam = Adam(lr=1e-4)
    discriminator_adam: Adam = Adam(lr=1e-4)

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the input, an RGB image and its mask, and of the output."""
        return {"channels_in": 4, "channels_out": 3}

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        problem = self.generator.size_problem(size)
        if problem is None and self.adversarial_weight:
            problem = self.discriminator.size_problem(size)
        return problem

    def translator(self) -> "Inpainting":
        """Build the generator alone."""
        return Inpainting(self)

    def recipe(self) -> "InpaintingRecipe":
        """Build the generator with its discriminator and losses.

        Raises:
            UserError: VGG-19's weights are needed, and are not there and cannot be downloaded.
        """
        return InpaintingRecipe(self)


class Inpainting(Translator):
    """The generator, as a translator of images whose fourth channel is the mask, exactly 1 in the hole and 0 elsewhere.

    What the image contains in the hole is ignored, and known pixels are returned unchanged.
    """

    def __init__(self, config: InpaintingConfig) -> None:
        super().__init__()
        self.generator = config.generator.build()
        self.channels_in, self.channels_out = 4, 3
        self.multiple, self.margin = self.generator.multiple, self.generator.margin
        self.minimum, self.only_size = self.generator.minimum, self.generator.only_size

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Fill the hole of (B, 4, H, W), RGB in [-1, 1] and the mask: (B, 3, H, W)."""
        known, mask = image[:, :3], image[:, 3:]
        return fill_hole(self.run_stages(known, mask)[-1], known, mask)

    def run_stages(self, image: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return the full image (B, 3, H, W) from each stage of the generator, the final one last."""
        stages: tuple[Tensor, ...] = self.generator(image, mask)
        return stages


class InpaintingRecipe(Recipe[Masked, Inpainting]):
    """The training of inpainting."""

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
        """Return one Adam for the generator, and one for the discriminator if there is one."""
        own = {"generator": self.config.generator_adam.of(self.model)}
        if self.discriminator is None:
            return own
        return {"discriminator": self.config.discriminator_adam.of(self.discriminator), **own}

    def score(self, image: Tensor, mask: Tensor) -> Tensor:
        """Score the patches of images (B, 3, H, W) with holes at `mask`, high where they look real."""
        assert self.discriminator is not None
        scores: Tensor = self.discriminator(torch.cat([image, mask], dim=1))
        return scores

    def updates(self, batch: Masked, step: int) -> Iterator[Update]:
        """Yield the updates of DeepFill v2; the discriminator's loss is halved, as in the authors' code."""
        image, mask = batch
        stages = self.model.run_stages(image, mask)
        filled = fill_hole(stages[-1], image, mask)

        if self.discriminator is not None:
            real_scores, fake_scores = self.score(image, mask), self.score(filled.detach(), mask)
            loss = 0.5 * self.adversarial.discriminator(real_scores, fake_scores)
            yield Update("discriminator", {"adversarial": loss}, {"accuracy": fraction_right(real_scores, fake_scores)})

        losses = {"pixel": torch.stack([self.pixel_loss(output, image, mask) for output in stages]).sum()}
        losses |= self.feature_losses(stages[-1], filled, image)
        if self.config.variation_weight:
            losses["variation"] = self.config.variation_weight * variation(filled, mask)
        if self.discriminator is not None:
            adversarial = self.adversarial.generator(self.score(filled, mask))
            losses["adversarial"] = self.config.adversarial_weight * adversarial
        yield Update("generator", losses)

    def pixel_loss(self, output: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return the mean difference of images, weighted by whether pixels are in the hole, a scalar.

        With `even`, it is the mean of each image's weighted mean: a scratch in one counts as much as a large hole in
        another.
        """
        weights = self.config.valid_weight + (self.config.hole_weight - self.config.valid_weight) * mask
        difference = (output - target).float()
        by_pixel = difference.abs() if self.config.pixel_loss == "l1" else difference.square()
        by_image = (weights * by_pixel).mean(dim=(1, 2, 3))
        if self.config.even:
            by_image = by_image / weights.mean(dim=(1, 2, 3)).clamp(min=1e-6)
        return by_image.mean()

    def feature_losses(self, output: Tensor, filled: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return weighted losses on features and style of the output and of the filled image, scalars.

        Liu et al. 2018, equations 3 to 5.
        """
        if self.features is None:
            return {}
        perceptual, style = (
            torch.stack(both).sum()
            for both in zip(self.features(output, target), self.features(filled, target), strict=True)
        )
        return {
            "perceptual": self.config.perceptual_weight * perceptual,
            "style": self.config.style_weight * style,
        }

    def preview(self, model: Inpainting, batch: Masked) -> list[Preview]:
        """Return images with white holes, filled ones, and the originals."""
        image, mask = batch
        filled = translate_batch(model, torch.cat([image, mask], dim=1))
        return [Preview(fill_hole(torch.ones_like(image), image, mask), filled, image)]

    def validate(self, model: Inpainting, batch: Masked) -> dict[str, Tensor]:
        """Return how close fillings are to the original content of the holes."""
        return hole_metrics(translate_batch(model, torch.cat(batch, dim=1)), batch.image, batch.mask)


def build_feature_losses() -> FeatureLosses:
    """Build the losses on VGG-19's features, with its published weights.

    Raises:
        UserError: The weights are not there and cannot be downloaded.
    """
    alternative = "model.perceptual_weight=0 and model.style_weight=0"
    return FeatureLosses(load_vgg19(POOLED[-1], needed_by="the perceptual loss", alternative=alternative))


def fill_hole(output: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Return `output` in the hole and `image`, unchanged, elsewhere: (B, 3, H, W)."""
    return torch.where(mask > 0, output.to(image.dtype), image)


def variation(image: Tensor, mask: Tensor) -> Tensor:
    """Return the total variation within the hole, widened by a pixel, divided by the number of values, a scalar.

    Liu et al. 2018, equation 6: absolute differences of neighbours that are both in that region.
    """
    near = F.max_pool2d(mask, 3, stride=1, padding=1)
    across = (image[..., 1:] - image[..., :-1]).abs() * near[..., 1:] * near[..., :-1]
    down = (image[..., 1:, :] - image[..., :-1, :]).abs() * near[..., 1:, :] * near[..., :-1, :]
    return (across.sum() + down.sum()) / image.numel()
