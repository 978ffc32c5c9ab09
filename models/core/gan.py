"""Generative adversarial networks, unconditional and conditional, with any objective on any body.

Goodfellow et al. 2014, arXiv:1406.2661; conditional: Mirza, Osindero 2014, arXiv:1411.1784. Bodies: DCGAN (Radford et
al. 2015, arXiv:1511.06434), the projection discriminator (Miyato, Koyama 2018, arXiv:1802.05637), perceptrons.

| known as        | adversarial    | and                                                                           |
|-----------------|----------------|-------------------------------------------------------------------------------|
| minimax GAN     | minimax        |                                                                               |
| non-saturating  | non-saturating |                                                                               |
| LSGAN           | least-squares  |                                                                               |
| WGAN            | wasserstein    | clip_weights 0.01, discriminator_steps 5                                      |
| WGAN-GP         | wasserstein    | gradient_penalty_weight 10, discriminator_steps 5, no batch norm that judges  |
| DRAGAN          | non-saturating | dragan_weight 10, no batch norm that judges                                   |
| GAN with R1     | non-saturating | r1_weight 10                                                                  |
| SNGAN           | hinge          | spectral norm                                                                 |
| RaGAN           | any            | relativistic                                                                  |
BEGAN, whose discriminator is an autoencoder, is a recipe of its own beside this one.

Differs from the paper:
- Adam throughout, where WGAN takes RMSProp; with beta1 0 the two differ by Adam's correction of its first steps.
  WGAN's 100 discriminator steps at the start and at every 500th step are not made.
- Both players see the same fakes, so a step has one generator forward; the algorithm draws them anew for each.
- A conditional generator is asked for the labels of the real batch beside which it is judged.
"""

from collections.abc import Callable, Iterator
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import Pictures
from datasets.errors import DataError, UserError
from models.apply import generate_batch
from models.backbones.blocks import clamp_spectrally, normalise_spectrally
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Sampler, Trunk, Update, due
from models.core.points import is_points, scatter
from models.losses.adversarial import ADVERSARIAL, AdversarialName, fraction_right, relativistic
from models.losses.penalties import dragan, gradient_penalty, r1
from models.metrics import energy
from models.networks.bodies import BodyConfig, DCGANBody
from models.optimizers import Adam


class GANConfig(ModelConfig):
    """A GAN; the defaults are DCGAN's."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    name: Literal["gan"] = "gan"
    channels: int = Field(3, ge=1)
    size: int = Field(64, ge=1)  # pixels on a side; it makes no other
    latent: int = Field(100, ge=1)  # numbers a picture is made from
    prior: Literal["normal", "uniform"] = "normal"
    output: Literal["tanh", "linear"] = "tanh"  # linear: for points, which know no range
    conditional: bool = False  # it is told what to make
    domains: tuple[str, ...] = ()  # names of what it can be told; empty: the data's
    generator: BodyConfig = DCGANBody()
    discriminator: BodyConfig = DCGANBody()
    adversarial: AdversarialName = "non-saturating"
    relativistic: bool = False  # scores are compared with the mean of the others'
    clip_weights: float | None = Field(None, gt=0)  # the discriminator's, to ± this; 0.01 in Arjovsky et al. 2017
    gradient_penalty_weight: float = Field(0.0, ge=0)  # 10 in Gulrajani et al. 2017
    dragan_weight: float = Field(0.0, ge=0)  # 10 in Kodali et al. 2017
    r1_weight: float = Field(0.0, ge=0)  # γ, 10 in Mescheder et al. 2018
    feature_matching_weight: float = Field(0.0, ge=0)  # Salimans et al. 2016
    spectral: Literal["none", "norm", "clamp"] = "none"  # of the discriminator's weights
    spectral_cap: float = Field(1.0, gt=0)  # largest singular value that clamp leaves
    discriminator_steps: int = Field(1, ge=1)  # for each of the generator's
    generator_adam: Adam = Adam()
    discriminator_adam: Adam = Adam()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.domains and not self.conditional:
            raise ValueError("domains: only a conditional GAN has any; set conditional")
        bounded = self.clip_weights or self.gradient_penalty_weight or self.spectral != "none"
        if self.adversarial == "wasserstein" and not bounded:
            raise ValueError(
                "adversarial wasserstein needs a bound: clip_weights 0.01, gradient_penalty_weight 10 or spectral norm"
            )
        if self.discriminator.batch_norm and (self.gradient_penalty_weight or self.dragan_weight):
            raise ValueError("discriminator.norm: a gradient penalty is one example's own; choose instance or none")
        return self

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the pictures."""
        return {"channels": self.channels}

    def with_domains(self, domains: tuple[str, ...]) -> Self:
        """The configuration for data of these classes.

        Raises:
            DataError: It is conditional, and the data has no classes.
        """
        if not self.conditional:
            return self
        if not domains:
            raise DataError("model.conditional: the data has no labels; set data.labels, or another data.kind")
        if self.domains and self.domains != domains:
            raise UserError(f"model.domains: are {', '.join(self.domains)}, and the data has {', '.join(domains)}")
        return self.model_copy(update={"domains": domains})

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        if size != self.size:
            return f"model.size is {self.size}"
        return self.generator.size_problem(size) or self.discriminator.size_problem(size)

    def translator(self) -> "GAN":
        """The generator alone."""
        return GAN(self)

    def recipe(self) -> "GANRecipe":
        """The generator, its discriminator and their losses."""
        return GANRecipe(self)


class GAN(Sampler):
    """The generator, as a sampler."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.latent, self.prior = config.latent, config.prior
        self.channels, self.size, self.domains = config.channels, config.size, config.domains
        self.bounded = config.output == "tanh"
        self.generator = config.generator.generator(config.latent, config.channels, config.size, len(config.domains))

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        """(B, latent) and (B,) to (B, channels, size, size), in [-1, 1] unless its output is linear."""
        pictures: Tensor = self.generator(latent, label)
        return torch.tanh(pictures) if self.bounded else pictures


class GANRecipe(Recipe[Pictures, GAN]):
    """How a GAN learns."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "discriminator won": "lower model.discriminator_adam.lr, or set model.spectral=norm or model.r1_weight",
        "diversity lost": "raise training.batch_size, set model.relativistic or model.r1_weight, or try another "
        "model.adversarial",
    }
    best_metric = "energy"
    higher_is_better = False
    validation_batch = 100

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.config = config
        self.adversarial = ADVERSARIAL[config.adversarial]
        self.model = GAN(config)
        self.discriminator = config.discriminator.encoder(config.channels, config.size, 1, len(config.domains))
        if config.spectral == "norm":
            normalise_spectrally(self.discriminator)
        elif config.spectral == "clamp":
            clamp_spectrally(self.discriminator, config.spectral_cap)

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for each of the two."""
        return {
            "discriminator": self.config.discriminator_adam.of(self.discriminator),
            "generator": self.config.generator_adam.of(self.model),
        }

    def updates(self, batch: Pictures, step: int) -> Iterator[Update]:
        """Algorithm 1 of Goodfellow et al., with whatever objective and penalties were chosen."""
        generator_moves = due(step + 1, self.config.discriminator_steps)
        latent = self.model.draw(len(batch.image))
        with torch.set_grad_enabled(generator_moves):
            fake = self.model.generate(latent, batch.label)

        real_scores, fake_scores = self.score(batch.image, batch.label), self.score(fake.detach(), batch.label)
        losses = {"adversarial": self.adversarial.discriminator(*self.compared(real_scores, fake_scores))}
        losses |= self.penalties(batch, fake.detach())
        yield Update("discriminator", losses, {"right": fraction_right(real_scores, fake_scores)})
        self.clip()

        if generator_moves:
            fake_scores = self.score(fake, batch.label)
            if self.config.relativistic:
                real_scores = self.score(batch.image, batch.label)
                real_scores, fake_scores = relativistic(real_scores, fake_scores)
                losses = {"adversarial": self.adversarial.discriminator(fake_scores, real_scores)}
            else:
                losses = {"adversarial": self.adversarial.generator(fake_scores)}
            if self.config.feature_matching_weight:
                losses["features"] = self.config.feature_matching_weight * self.feature_distance(batch, fake)
            yield Update("generator", losses)

    def trunks(self) -> dict[Trunk, nn.Module]:
        """The discriminator but for its last layer."""
        return {"discriminator": self.discriminator.trunk}

    def score(self, image: Tensor, label: Tensor) -> Tensor:
        """Scores, (B, 1): is the picture real, and of its label?"""
        scores: Tensor = self.discriminator(image, label)
        return scores

    def compared(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The scores that enter the objective."""
        return relativistic(real, fake) if self.config.relativistic else (real, fake)

    def penalties(self, batch: Pictures, fake: Tensor) -> dict[str, Tensor]:
        """The weighted terms that keep the discriminator's gradient in bounds."""
        config = self.config
        terms: dict[str, Tensor] = {}

        def critic(image: Tensor) -> Tensor:
            return self.score(image, batch.label)

        if config.gradient_penalty_weight:
            terms["penalty"] = config.gradient_penalty_weight * gradient_penalty(critic, batch.image, fake)
        if config.dragan_weight:
            terms["dragan"] = config.dragan_weight * dragan(critic, batch.image)
        if config.r1_weight:
            terms["r1"] = config.r1_weight * r1(critic, batch.image)
        return terms

    @torch.no_grad()
    def clip(self) -> None:
        """Arjovsky et al., algorithm 1: the discriminator's weights back into their box."""
        if self.config.clip_weights is not None:
            for parameter in self.discriminator.parameters():
                parameter.clamp_(-self.config.clip_weights, self.config.clip_weights)

    def feature_distance(self, batch: Pictures, fake: Tensor) -> Tensor:
        """‖E φ(x) - E φ(G)‖² of the discriminator's last features: Salimans et al. 2016, arXiv:1606.03498, 3.1."""
        with torch.no_grad():
            real = self.discriminator.features(batch.image, batch.label).float().mean(0)
        made: Tensor = self.discriminator.features(fake, batch.label).float().mean(0)
        return (real - made).square().sum()

    def realism_loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the generator's objective, without comparison with real images, of each image: (B,)."""
        return lambda image, label: torch.stack([self.adversarial.generator(one) for one in self.score(image, label)])

    def preview(self, model: GAN, batch: Pictures) -> list[Preview]:
        """Pictures of the batch's labels; of points, a scatter plot of a thousand."""
        return show_samples(model, batch)

    def validate(self, model: GAN, batch: Pictures) -> dict[str, Tensor]:
        """How far as many pictures, of the same labels, are from these as a whole."""
        return sample_metrics(model, batch)


def show_samples(model: Sampler, batch: Pictures) -> list[Preview]:
    """As many pictures as a batch has, of its labels; of points, a scatter plot of a thousand."""
    if is_points(batch.image):
        return [Preview(None, scatter(generate_batch(model, model.draw(1000), batch.label.new_zeros(1000))))]
    return [Preview(None, generate_batch(model, model.draw(len(batch.image)), batch.label), real=batch.image)]


def sample_metrics(model: Sampler, batch: Pictures) -> dict[str, Tensor]:
    """How far as many pictures as a batch has, of its labels, are from it as a whole."""
    return {"energy": energy(generate_batch(model, model.draw(len(batch.image)), batch.label), batch.image)}
