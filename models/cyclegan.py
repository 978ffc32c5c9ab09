"""CycleGAN: translation in both directions between two sets of images without pairs.

Zhu, Park, Isola, Efros 2017, arXiv:1703.10593.

Differs from the paper:
- The identity loss, which the paper adds for paintings only, is on, as in the authors' code; `identity_weight: 0` saves
  two of the six forward passes of a step.
- Both generators move before both discriminators, as in the authors' code, so fakes are made once per step.
- Without true counterparts, the best model is chosen by the mean of cycle and identity errors. A generator that changes
  nothing has neither error: these metrics measure what is preserved, and only eyes can tell what is gained.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer

from datasets.contract import Unpaired
from models.apply import translate_batch
from models.backbones.image_pool import ImagePool
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Translator, Update
from models.losses.adversarial import ADVERSARIAL, fraction_right
from models.metrics import l1
from models.networks.discriminators import PatchConfig
from models.networks.generators import ResidualGeneratorConfig, ResNetConfig
from models.optimizers import Adam
from models.two_domains import add_error, average_metrics, check_two_domains, make_preview


class CycleGANConfig(ModelConfig):
    """CycleGAN with the defaults of the authors' code."""

    batch_type: ClassVar[type[Unpaired]] = Unpaired
    name: Literal["cyclegan"] = "cyclegan"
    channels: int = Field(default=3, ge=1, description="of the pictures: 1 gray, 3 colour, 4 colour and alpha")
    domains: tuple[str, ...] = Field(default=(), description="names of the two domains; empty: the data's folders")
    generator: ResidualGeneratorConfig = ResNetConfig()  # of each direction
    discriminator: PatchConfig = PatchConfig()  # of each domain
    adversarial: Literal["least-squares", "non-saturating", "hinge"] = Field(
        default="least-squares", description="form of the loss between generator and discriminator"
    )
    adversarial_weight: float = Field(
        default=2.0, gt=0, description="weight of the adversarial losses; 1 in the paper, whose least squares have no ½"
    )
    cycle_weight: float = Field(
        default=10.0, ge=0, description="weight of the difference after a translation there and back"
    )
    identity_weight: float = Field(
        default=5.0, ge=0, description="weight of what changes in pictures that are of the target's domain already"
    )
    pool_size: int = Field(
        default=50, ge=0, description="past translations of each domain that its discriminator also sees"
    )
    generator_adam: Adam = Adam()
    discriminator_adam: Adam = Adam()

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

    def translator(self) -> "CycleGAN":
        """Build both generators."""
        return CycleGAN(self)

    def recipe(self) -> "CycleGANRecipe":
        """Build both generators with their discriminators and losses."""
        return CycleGANRecipe(self)


class CycleGAN(Translator):
    """Both generators: the first makes images of the first domain, the second of the second domain."""

    def __init__(self, config: CycleGANConfig) -> None:
        super().__init__()
        channels = config.channels
        self.to_a, self.to_b = (config.generator.build(channels, channels) for _ in range(2))
        self.domains = config.domains or ("A", "B")
        self.channels_in = self.channels_out = channels
        self.multiple, self.minimum, self.margin = self.to_a.multiple, self.to_a.minimum, self.to_a.margin
        self.global_norm = self.to_a.global_norm

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Translate (B, C, H, W) images of the other domain to `domains[domain]`."""
        output: Tensor = (self.to_a, self.to_b)[domain](image)
        return output


class CycleGANRecipe(Recipe[Unpaired, CycleGAN]):
    """The training of CycleGAN."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "discriminator won": "lower model.discriminator_adam.lr, or raise model.pool_size",
        "generator copies its input": "lower model.identity_weight, then model.cycle_weight",
        "colours inverted": "raise model.identity_weight, or lower model.generator_adam.lr",
        "diversity lost": "raise model.cycle_weight, or lower model.discriminator_adam.lr",
    }
    best_metric = "error"
    higher_is_better = False

    def __init__(self, config: CycleGANConfig) -> None:
        super().__init__()
        self.config = config
        self.adversarial = ADVERSARIAL[config.adversarial]
        self.model = CycleGAN(config)
        # Discriminators; states of trainings store their weights under these names.
        self.discriminator_a, self.discriminator_b = (config.discriminator.build(config.channels) for _ in range(2))
        self.pool_a, self.pool_b = ImagePool(config.pool_size), ImagePool(config.pool_size)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam for both generators, and one for both discriminators."""
        return {
            "generators": self.config.generator_adam.of(self.model),
            "discriminators": self.config.discriminator_adam.of(self.discriminator_a, self.discriminator_b),
        }

    def updates(self, batch: Unpaired, step: int) -> Iterator[Update]:
        """Yield the updates of equation 3 of the paper, with the identity loss of its section 5.2 and pooled fakes."""
        config, to_a, to_b = self.config, self.model.to_a, self.model.to_b
        fake_a, fake_b = to_a(batch.b), to_b(batch.a)

        generator_loss = self.adversarial.generator
        adversarial = generator_loss(self.discriminator_a(fake_a)) + generator_loss(self.discriminator_b(fake_b))
        cycle = F.l1_loss(to_a(fake_b), batch.a) + F.l1_loss(to_b(fake_a), batch.b)
        losses = {"adversarial": config.adversarial_weight * adversarial, "cycle": config.cycle_weight * cycle}
        if config.identity_weight:
            identity = F.l1_loss(to_a(batch.a), batch.a) + F.l1_loss(to_b(batch.b), batch.b)
            losses["identity"] = config.identity_weight * identity
        yield Update("generators", losses)

        scores_a = self.discriminator_a(batch.a), self.discriminator_a(self.pool_a.exchange(fake_a))
        scores_b = self.discriminator_b(batch.b), self.discriminator_b(self.pool_b.exchange(fake_b))
        losses = {"a": self.adversarial.discriminator(*scores_a), "b": self.adversarial.discriminator(*scores_b)}
        # The larger of the two: training has failed as soon as one discriminator has won.
        right = torch.maximum(fraction_right(*scores_a), fraction_right(*scores_b))
        yield Update("discriminators", losses, {"accuracy": right})

    def preview(self, model: CycleGAN, batch: Unpaired) -> list[Preview]:
        """Return images of each domain translated to the other."""
        return [
            make_preview(model, batch.a, batch.b, batch.truth, 1),
            make_preview(model, batch.b, batch.a, batch.truth, 0),
        ]

    def validate(self, model: CycleGAN, batch: Unpaired) -> dict[str, Tensor]:
        """Return the errors of round trips and of identity translations, and distances to true counterparts."""
        pairs, directions = [], []
        for domain, (source, target) in enumerate([(batch.b, batch.a), (batch.a, batch.b)]):
            fake = translate_batch(model, source, domain)
            cycle = l1(translate_batch(model, fake, 1 - domain), source)
            directions.append({"cycle": cycle, "identity": l1(translate_batch(model, target, domain), target)})
            pairs.append((fake, target))
        metrics = average_metrics(directions)
        return add_error(metrics, (metrics["cycle"] + metrics["identity"]) / 2, batch, pairs)
