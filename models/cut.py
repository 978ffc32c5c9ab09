"""CUT and FastCUT: unpaired translation in one direction, with half the networks of CycleGAN.

Park, Efros, Zhang, Zhu 2020, arXiv:2007.15651. FastCUT is CUT with `identity: false`, `nce_weight: 10` and
`flip_equivariance: true`.

Differs from the paper:
- The generator is CycleGAN's, which halves the size by strides; the authors' code convolves first and halves the size
  by a blur. Features are taken from the same layers, so two of them are half as large.
- The generator's features of the source are kept from the forward pass that translated it, not computed again.
- All networks are initialized as CycleGAN's; the authors' code scales weights by fan-in and fan-out.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import Unpaired
from models.apply import translate_batch
from models.backbones.patch_heads import PatchHeads
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Translator, Trunk, Update
from models.losses.adversarial import ADVERSARIAL, fraction_right
from models.losses.contrastive import draw_places, patch_nce
from models.metrics import l1
from models.networks.discriminators import PatchConfig
from models.networks.generators import ResNetConfig
from models.optimizers import Adam
from models.two_domains import add_error, check_two_domains, make_preview


class CUTConfig(ModelConfig):
    """CUT with the defaults of the authors' code; from the data's first folder to its second."""

    batch_type: ClassVar[type[Unpaired]] = Unpaired
    name: Literal["cut"] = "cut"
    channels: int = Field(default=3, ge=1, description="of the pictures: 1 gray, 3 colour, 4 colour and alpha")
    domains: tuple[str, ...] = Field(default=(), description="names of the two domains; empty: the data's folders")
    generator: ResNetConfig = ResNetConfig()
    discriminator: PatchConfig = PatchConfig()
    adversarial: Literal["least-squares", "non-saturating", "hinge"] = Field(
        default="least-squares", description="form of the loss between generator and discriminator"
    )
    adversarial_weight: float = Field(
        default=2.0, gt=0, description="weight of the adversarial loss; 1 in the paper, whose least squares have no ½"
    )
    nce_weight: float = Field(
        default=1.0,
        gt=0,
        description="weight of the contrastive loss, which keeps the content; raise it if colours drift",
    )
    identity: bool = Field(
        default=True, description="also contrast pictures of the target's domain with their own translations"
    )
    flip_equivariance: bool = Field(
        default=False, description="half the time, translate the mirrored source and mirror its features back"
    )
    patches: int = Field(default=256, ge=2, description="places of a layer that are contrasted")
    temperature: float = Field(default=0.07, gt=0, description="of the contrastive loss")
    head_width: int = Field(default=256, ge=1, description="units of the layers through which patches are compared")
    generator_adam: Adam = Adam()
    discriminator_adam: Adam = Adam()

    @model_validator(mode="after")
    def _check_blocks(self) -> Self:
        if self.generator.blocks == 0:
            raise ValueError("generator.blocks is 0, and CUT compares features of residual blocks; give it 1 or more")
        return self

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the images of both domains."""
        return {"channels": self.channels}

    def with_domains(self, domains: tuple[str, ...]) -> Self:
        """Return the configuration for the data's two folders.

        Raises:
            UserError: There are not two, or not those in `domains`.
        """
        return self.model_copy(update={"domains": check_two_domains(self.domains, domains)})

    def for_size(self, size: int) -> Self:
        """Return the configuration for squares of `size` pixels, with the generator chosen."""
        return self.model_copy(update={"generator": self.generator.for_size(size)})

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        return self.generator.size_problem(size) or self.discriminator.size_problem(size)

    def translator(self) -> "CUT":
        """Build the generator alone."""
        return CUT(self)

    def recipe(self) -> "CUTRecipe":
        """Build the generator with its discriminator, projection heads and losses."""
        return CUTRecipe(self)


class CUT(Translator):
    """The generator, as a translator to the second domain."""

    def __init__(self, config: CUTConfig) -> None:
        super().__init__()
        self.generator = config.generator.build(config.channels, config.channels)
        self.domains = config.domains[1:] or ("B",)
        self.channels_in = self.channels_out = config.channels
        self.multiple, self.minimum = self.generator.multiple, self.generator.minimum
        self.margin = self.generator.margin
        self.global_norm = self.generator.global_norm

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Translate (B, C, H, W) in [-1, 1] to the same shape and range."""
        output: Tensor = self.generator(image)
        return output


class CUTRecipe(Recipe[Unpaired, CUT]):
    """The training of CUT."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "discriminator won": "lower model.discriminator_adam.lr, or model.adversarial_weight",
        "generator copies its input": "lower model.nce_weight, or raise model.adversarial_weight",
        "colours inverted": "set model.identity to true, or raise model.nce_weight",
        "diversity lost": "raise model.nce_weight, or lower model.discriminator_adam.lr",
    }
    best_metric = "error"
    higher_is_better = False

    def __init__(self, config: CUTConfig) -> None:
        super().__init__()
        self.config = config
        self.adversarial = ADVERSARIAL[config.adversarial]
        self.model = CUT(config)
        self.discriminator = config.discriminator.build(config.channels)
        self.heads = PatchHeads(self.model.generator.feature_channels, config.head_width)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam for the generator and the heads, and one for the discriminator."""
        return {
            "discriminator": self.config.discriminator_adam.of(self.discriminator),
            "generator": self.config.generator_adam.of(self.model, self.heads),
        }

    def trunks(self) -> dict[Trunk, nn.Module]:
        """Return the generator's encoder, and the discriminator except its last layer."""
        return {"encoder": self.model.generator.encoder, "discriminator": self.discriminator.layers[:-1]}

    def updates(self, batch: Unpaired, step: int) -> Iterator[Update]:
        """Yield the updates of equation 5 of the paper; its two contrasts are averaged, as in the authors' code."""
        config, generator = self.config, self.model.generator
        flip = config.flip_equivariance and bool(torch.rand(()) < 0.5)
        features = generator.encode(batch.a.flip(3) if flip else batch.a)
        fake = generator.decode(features[-1])

        real_scores, fake_scores = self.discriminator(batch.b), self.discriminator(fake.detach())
        losses = {"adversarial": self.adversarial.discriminator(real_scores, fake_scores)}
        yield Update("discriminator", losses, {"accuracy": fraction_right(real_scores, fake_scores)})

        adversarial = self.adversarial.generator(self.discriminator(fake))
        fake_features = generator.encode(fake)
        if flip:
            with torch.no_grad():
                features = generator.encode(batch.a)
            fake_features = [layer.flip(3) for layer in fake_features]
        nce = self.contrast(fake_features, features)
        if config.identity:
            features = generator.encode(batch.b)
            nce = (nce + self.contrast(generator.encode(generator.decode(features[-1])), features)) / 2
        losses = {"adversarial": config.adversarial_weight * adversarial, "nce": config.nce_weight * nce.mean()}
        yield Update("generator", losses)

    def contrast(self, fake_features: list[Tensor], source_features: list[Tensor]) -> Tensor:
        """Return the contrastive loss of features (B, C, H, W) of translations against those of their sources: (B,)."""
        places = draw_places(source_features, self.config.patches)
        # First: older versions of torch reuse weights that autocast has cast without gradients.
        queries = self.heads(fake_features, places)
        with torch.no_grad():
            keys = self.heads(source_features, places)
        return patch_nce(queries, keys, self.config.temperature)

    def preview(self, model: CUT, batch: Unpaired) -> list[Preview]:
        """Return images of the first domain translated to the second."""
        return [make_preview(model, batch.a, batch.b, batch.truth, 0)]

    @torch.inference_mode()
    def validate(self, model: CUT, batch: Unpaired) -> dict[str, Tensor]:
        """Return the contrastive loss, the error of identity translations, and distances to true counterparts."""
        fake = translate_batch(model, batch.a)
        nce = self.contrast(model.generator.encode(fake), model.generator.encode(batch.a))
        metrics = {"nce": nce, "identity": l1(translate_batch(model, batch.b), batch.b)}
        return add_error(metrics, nce, batch, [(fake, batch.b)])
