"""CUT and FastCUT: unpaired translation one way, with half the networks of CycleGAN.

Park, Efros, Zhang, Zhu 2020, arXiv:2007.15651. FastCUT is CUT with `identity: false`, `nce_weight: 10` and
`flip_equivariance: true`.

Differs from the paper:
- The generator is CycleGAN's, which halves the size by strides; the authors' code convolves first and halves the size
  by a blur. Features are taken at the same layers, of which two are therefore half as large.
- What the generator sees of its source is kept from the forward pass that translated it, and not computed again.
- All networks are drawn as CycleGAN's are; the authors' code scales by fan-in and fan-out.
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
from models.two_domains import add_error, make_preview, two_domains


class CUTConfig(ModelConfig):
    """CUT with the defaults of the authors' code; from the data's first folder to its second."""

    batch_type: ClassVar[type[Unpaired]] = Unpaired
    name: Literal["cut"] = "cut"
    channels: int = Field(3, ge=1)  # of both domains' pictures
    domains: tuple[str, ...] = ()  # the data's folders
    generator: ResNetConfig = ResNetConfig()
    discriminator: PatchConfig = PatchConfig()
    adversarial: Literal["least-squares", "non-saturating", "hinge"] = "least-squares"
    adversarial_weight: float = Field(2.0, gt=0)  # 1 in the paper, whose least squares are without a ½
    nce_weight: float = Field(1.0, gt=0)
    identity: bool = True  # pictures that are already as they should be are contrasted with what becomes of them too
    flip_equivariance: bool = False  # half the time translate the mirrored source, and contrast what is mirrored back
    patches: int = Field(256, ge=2)  # places of a layer that are told apart
    temperature: float = Field(0.07, gt=0)
    head_width: int = Field(256, ge=1)
    generator_adam: Adam = Adam()
    discriminator_adam: Adam = Adam()

    @model_validator(mode="after")
    def _has_blocks(self) -> Self:
        if self.generator.blocks == 0:
            raise ValueError("generator.blocks is 0, and CUT compares what residual blocks see; give it 1 or more")
        return self

    @property
    def expects(self) -> dict[str, int]:
        """Channels of both domains' pictures."""
        return {"channels": self.channels}

    def with_domains(self, domains: tuple[str, ...]) -> Self:
        """The configuration for two folders.

        Raises:
            UserError: There are not two, or others than `domains` says.
        """
        return self.model_copy(update={"domains": two_domains(self.domains, domains)})

    def for_size(self, size: int) -> Self:
        """The configuration for squares of `size` pixels."""
        return self.model_copy(update={"generator": self.generator.for_size(size)})

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        return self.generator.size_problem(size) or self.discriminator.size_problem(size)

    def translator(self) -> "CUT":
        """The generator alone."""
        return CUT(self)

    def recipe(self) -> "CUTRecipe":
        """The generator, its discriminator, the heads that compare patches, and their losses."""
        return CUTRecipe(self)


class CUT(Translator):
    """The generator, as a translator into the second domain."""

    def __init__(self, config: CUTConfig) -> None:
        super().__init__()
        self.generator = config.generator.build(config.channels, config.channels)
        self.domains = config.domains[1:] or ("B",)
        self.channels_in = self.channels_out = config.channels
        self.multiple, self.minimum = self.generator.multiple, self.generator.minimum
        self.margin = self.generator.margin
        self.global_norm = self.generator.global_norm

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Translate (B, C, H, W)."""
        output: Tensor = self.generator(image)
        return output


class CUTRecipe(Recipe[Unpaired, CUT]):
    """How CUT learns."""

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
        self.heads = PatchHeads(self.model.generator.looks, config.head_width)

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for the generator and the heads, one for the discriminator."""
        return {
            "discriminator": self.config.discriminator_adam.of(self.discriminator),
            "generator": self.config.generator_adam.of(self.model, self.heads),
        }

    def trunks(self) -> dict[Trunk, nn.Module]:
        """The generator's way down, and the discriminator but for its last layer."""
        return {"encoder": self.model.generator.encoder, "discriminator": self.discriminator.layers[:-1]}

    def updates(self, batch: Unpaired, step: int) -> Iterator[Update]:
        """Equation 5 of the paper; the mean of its two contrasts is taken, as in the authors' code."""
        config, generator = self.config, self.model.generator
        mirrored = config.flip_equivariance and bool(torch.rand(()) < 0.5)
        looks = generator.encode(batch.a.flip(3) if mirrored else batch.a)
        fake = generator.decode(looks[-1])

        real_scores, fake_scores = self.discriminator(batch.b), self.discriminator(fake.detach())
        losses = {"adversarial": self.adversarial.discriminator(real_scores, fake_scores)}
        yield Update("discriminator", losses, {"right": fraction_right(real_scores, fake_scores)})

        fooled = self.adversarial.generator(self.discriminator(fake))
        looks_again = generator.encode(fake)
        if mirrored:
            with torch.no_grad():
                looks = generator.encode(batch.a)
            looks_again = [look.flip(3) for look in looks_again]
        nce = self.contrast(looks_again, looks)
        if config.identity:
            looks = generator.encode(batch.b)
            nce = (nce + self.contrast(generator.encode(generator.decode(looks[-1])), looks)) / 2
        losses = {"adversarial": config.adversarial_weight * fooled, "nce": config.nce_weight * nce.mean()}
        yield Update("generator", losses)

    def contrast(self, looks_again: list[Tensor], looks: list[Tensor]) -> Tensor:
        """How hard places of translations are to recognise by what the generator saw of their sources: (B,)."""
        places = draw_places(looks, self.config.patches)
        with torch.no_grad():
            keys = self.heads(looks, places)
        return patch_nce(self.heads(looks_again, places), keys, self.config.temperature)

    def preview(self, model: CUT, batch: Unpaired) -> list[Preview]:
        """Pictures of the first domain as the second's."""
        return [make_preview(model, batch.a, batch.b, batch.truth, 0)]

    @torch.inference_mode()
    def validate(self, model: CUT, batch: Unpaired) -> dict[str, Tensor]:
        """How recognisable places stay, what a needless translation changes, and how close a needed one comes."""
        fake = translate_batch(model, batch.a)
        nce = self.contrast(model.generator.encode(fake), model.generator.encode(batch.a))
        kept = {"nce": nce, "identity": l1(translate_batch(model, batch.b), batch.b)}
        return add_error(kept, nce, batch, [(fake, batch.b)])
