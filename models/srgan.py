"""SRGAN: super-resolution in two stages, first by a pixel loss, then by a content loss and a discriminator.

Ledig et al. 2017, arXiv:1609.04802 (SRResNet, SRGAN). With the RRDB generator, content before activation, a
relativistic discriminator and a pixel loss beside it, it is ESRGAN: Wang et al. 2018, arXiv:1809.00219. With the pixel
loss alone it trains SRResNet, RRDB, compact and SPAN upscalers, without VGG and without a discriminator. At scale 1 it
trains restorers from pairs of one size.

Differs from the papers:
- Both stages are one training with one schedule of learning rates; Adam's averages are kept when the stage changes.
- The sum over a batch in SRGAN's adversarial loss is a mean.
- ESRGAN interpolates between the two stages' weights from two files; here one file holds both.
- ESRGAN's discriminator ends in 100 units and halves by convolutions of kernel 4; here it is SRGAN's.
"""

import copy
from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor
from torch.optim import Optimizer

from datasets.contract import Paired
from datasets.errors import UserError
from models.apply import translate_batch
from models.backbones.upscalers import SRDiscriminator
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Translator, Update
from models.losses.adversarial import ADVERSARIAL, AdversarialName, fraction_right, relativistic
from models.losses.fourier import fourier_loss
from models.losses.perceptual import CONTENTS, ContentLoss, ContentName
from models.metrics import upscaling_metrics
from models.networks.discriminators import SRDiscriminatorConfig
from models.networks.upscalers import SRResNetConfig, UpscalerConfig
from models.optimizers import Adam
from models.published import load_vgg19


class SRGANConfig(ModelConfig):
    """SRGAN with the paper's defaults."""

    batch_type: ClassVar[type[Paired]] = Paired
    name: Literal["srgan"] = "srgan"
    scale: Literal[1, 2, 3, 4] = Field(
        default=4, description="how many times larger the results are, as data.scale; 1: restored, from paired data"
    )
    generator: UpscalerConfig = SRResNetConfig()
    pixel_loss: Literal["l1", "mse"] = Field(
        default="mse", description="l1: mean absolute difference, mse: mean squared difference"
    )
    fourier_weight: float = Field(
        default=0.0, ge=0, description="weight of the spectra's difference beside the pixel loss"
    )
    pixel_steps: int | None = Field(
        default=1_000_000,
        ge=1,
        description="steps of the first stage, of the pixel loss alone; null: there is no second stage",
    )
    content: ContentName = Field(
        default="vgg54", description="in the second stage: the layer of VGG-19 whose features are compared"
    )
    content_weight: float = Field(
        default=1.0, ge=0, description="in the second stage: weight of the features' difference"
    )
    pixel_weight: float = Field(
        default=0.0, ge=0, description="in the second stage: weight of the pixel loss; 0.01 in ESRGAN"
    )
    adversarial: AdversarialName = Field(
        default="non-saturating",
        description="in the second stage: form of the loss between generator and discriminator",
    )
    adversarial_weight: float = Field(
        default=1e-3, gt=0, description="in the second stage: weight of the adversarial loss"
    )
    relativistic: bool = Field(
        default=False, description="score each picture against the mean score of the other kind, as in ESRGAN"
    )
    discriminator: SRDiscriminatorConfig = SRDiscriminatorConfig()
    discriminator_size: int | None = Field(
        default=None, ge=16, description="pixels on a side of the discriminator's input; null: the data's squares"
    )
    generator_adam: Adam = Adam(lr=1e-4, beta1=0.9)
    discriminator_adam: Adam = Adam(lr=1e-4, beta1=0.9)

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        problem = self.generator.scale_problem(self.scale)
        if problem is not None:
            raise ValueError(f"scale is {self.scale}, and {problem}: change scale, or generator.name")
        if self.relativistic and self.adversarial == "wasserstein":
            raise ValueError("relativistic and adversarial wasserstein do not go together: averages cancel in it")
        return self

    @property
    def expects(self) -> dict[str, int]:
        """Channels of small and large images, which are RGB."""
        return {"channels_in": 3, "channels_out": 3}

    @property
    def output_scale(self) -> int:
        """The factor by which images are enlarged."""
        return self.scale

    def for_size(self, size: int) -> Self:
        """Return the configuration for large squares of `size` pixels, which the discriminator takes whole."""
        return self if self.pixel_steps is None else self.model_copy(update={"discriminator_size": size})

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from large squares of `size` pixels; None if it can."""
        return None if self.pixel_steps is None else self.discriminator.size_problem(size)

    def translator(self) -> "SRGAN":
        """Build the generator alone."""
        return SRGAN(self)

    def recipe(self) -> "SRGANRecipe":
        """Build the generator and, if there is a second stage, its discriminator and content loss.

        Raises:
            UserError: VGG-19's weights are needed, and are not there and cannot be downloaded.
        """
        return SRGANRecipe(self)


class SRGAN(Translator):
    """The generator, as a translator; it also holds the weights of the end of the first stage."""

    def __init__(self, config: SRGANConfig) -> None:
        super().__init__()
        self.generator = config.generator.build(config.scale)
        # A place for the weights of the first stage's end; it is never trained or run.
        self.first_stage = None if config.pixel_steps is None else copy.deepcopy(self.generator).requires_grad_(False)
        self.scale, self.margin = config.scale, self.generator.margin
        self.multiple, self.minimum = self.generator.multiple, self.generator.minimum

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Enlarge (B, 3, H, W) in [-1, 1] to (B, 3, scale * H, scale * W) of unbounded values."""
        larger: Tensor = self.generator((image + 1) / 2)  # the networks work in [0, 1]
        return 2 * larger - 1

    def save_first_stage(self) -> None:
        """Store the generator's current weights as those of the first stage."""
        if self.first_stage is not None:
            self.first_stage.load_state_dict(self.generator.state_dict())

    @torch.no_grad()
    def blend_stages(self, fraction: float) -> None:
        """Set the generator's weights to (1 - fraction) of the first stage's and `fraction` of its own.

        With 0 the result is closest to the target's pixels, with 1 nothing changes, and ESRGAN's authors advise 0.8.
        The generator's own weights are overwritten, so call it once.

        Raises:
            UserError: It was trained in one stage.
        """
        if self.first_stage is None:
            raise UserError("this model was trained in one stage, so there is nothing to blend")
        first = self.first_stage.state_dict()
        for name, own in self.generator.state_dict().items():
            if own.is_floating_point():
                own.copy_(torch.lerp(first[name], own, fraction))


class SRGANRecipe(Recipe[Paired, SRGAN]):
    """The training of SRGAN."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "discriminator won": "lower model.discriminator_adam.lr, or raise model.pixel_steps",
        "generator copies its input": "raise training.steps",
        "colours inverted": "lower model.generator_adam.lr",
        "diversity lost": "lower model.generator_adam.lr, or model.adversarial_weight",
    }
    best_metric = "psnr_y"
    higher_is_better = True

    def __init__(self, config: SRGANConfig) -> None:
        super().__init__()
        self.config = config
        self.adversarial = ADVERSARIAL[config.adversarial]
        self.pixel = F.l1_loss if config.pixel_loss == "l1" else F.mse_loss
        self.model = SRGAN(config)
        self.content: ContentLoss | None = None
        self.discriminator: SRDiscriminator | None = None
        if config.pixel_steps is not None:
            self.content = build_content_loss(config.content) if config.content_weight else None
            self.discriminator = config.discriminator.build(config.discriminator_size or 96)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam for the generator, and one for the discriminator if there is a second stage."""
        own = {"generator": self.config.generator_adam.of(self.model)}
        if self.discriminator is None:
            return own
        return {"discriminator": self.config.discriminator_adam.of(self.discriminator), **own}

    def stage(self, step: int) -> int:
        """Return 0 before `pixel_steps`, and 1 from then on."""
        return 0 if self.config.pixel_steps is None else int(step >= self.config.pixel_steps)

    def updates(self, batch: Paired, step: int) -> Iterator[Update]:
        """Yield the pixel loss of the paper's equation 1 in the first stage, and equations 2 and 3 in the second."""
        output = self.model(batch.source)
        if self.discriminator is None or not self.stage(step):
            yield Update("generator", self.pixel_losses(output, batch.target))
            self.model.save_first_stage()
            return

        real_scores, fake_scores = self.discriminator(batch.target), self.discriminator(output.detach())
        right = {"accuracy": fraction_right(real_scores, fake_scores)}
        if self.config.relativistic:
            real_scores, fake_scores = relativistic(real_scores, fake_scores)
        yield Update("discriminator", {"adversarial": self.adversarial.discriminator(real_scores, fake_scores)}, right)

        losses = {"adversarial": self.config.adversarial_weight * self.generator_loss(output, batch.target)}
        if self.content is not None:
            losses["content"] = self.config.content_weight * self.content(output, batch.target)
        if self.config.pixel_weight:
            losses["pixel"] = self.config.pixel_weight * self.pixel(output, batch.target)
        yield Update("generator", losses)

    def pixel_losses(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the losses of the first stage: of the pixels and, if it has a weight, of the spectra."""
        losses = {"pixel": self.pixel(output, target)}
        if self.config.fourier_weight:
            losses["fourier"] = self.config.fourier_weight * fourier_loss(output, target)
        return losses

    def generator_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the generator's adversarial loss; if relativistic, it also lowers the scores of real images."""
        assert self.discriminator is not None
        scores = self.discriminator(output)
        if not self.config.relativistic:
            return self.adversarial.generator(scores)
        with torch.no_grad():
            real_scores = self.discriminator(target)
        real_scores, scores = relativistic(real_scores, scores)
        return 0.5 * self.adversarial.discriminator(scores, real_scores)

    def preview(self, model: SRGAN, batch: Paired) -> list[Preview]:
        """Return small images, enlarged ones and their targets."""
        return [Preview(batch.source, translate_batch(model, batch.source), batch.target)]

    def validate(self, model: SRGAN, batch: Paired) -> dict[str, Tensor]:
        """Return how close enlarged images are to their targets."""
        return upscaling_metrics(translate_batch(model, batch.source), batch.target, self.config.scale)


def build_content_loss(name: ContentName) -> ContentLoss:
    """Build the content loss of this name, on VGG-19's features with its published weights.

    Raises:
        UserError: The weights are not there and cannot be downloaded.
    """
    content = CONTENTS[name]
    trunk = load_vgg19(content.layers, needed_by="the content loss", alternative="model.pixel_steps=null")
    return ContentLoss(content, trunk)
