"""Generative adversarial networks, unconditional and conditional, with any adversarial loss on any body.

Goodfellow et al. 2014, arXiv:1406.2661; conditional: Mirza, Osindero 2014, arXiv:1411.1784. Bodies: DCGAN (Radford et
al. 2015, arXiv:1511.06434), the projection discriminator (Miyato, Koyama 2018, arXiv:1802.05637), perceptrons.

| known as       | adversarial    | other settings                                                        |
|----------------|----------------|-----------------------------------------------------------------------|
| minimax GAN    | minimax        |                                                                       |
| non-saturating | non-saturating |                                                                       |
| LSGAN          | least-squares  |                                                                       |
| WGAN           | wasserstein    | clip_weights 0.01, discriminator_steps 5                              |
| WGAN-GP        | wasserstein    | gradient_penalty_weight 10, discriminator_steps 5, no batch norm in D |
| DRAGAN         | non-saturating | dragan_weight 10, no batch norm in D                                  |
| GAN with R1    | non-saturating | r1_weight 10, no batch norm in D                                      |
| SNGAN          | hinge          | spectral norm                                                         |
| RaGAN          | any            | relativistic                                                          |

D is the discriminator. BEGAN, whose discriminator is an autoencoder, has a recipe of its own in `models.core.began`.

Differs from the paper:
- Adam throughout, where WGAN uses RMSProp; with beta1 0 the two differ by Adam's bias correction in the first steps.
  WGAN's 100 discriminator steps at the start and at every 500th step are left out.
- Both players use the same fakes, so a step has one forward pass of the generator; the algorithm draws new ones for
  each player.
- A conditional generator makes fakes of the labels of the real batch.
"""

from collections.abc import Callable, Iterator
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import Pictures
from models.apply import generate_batch
from models.backbones.blocks import apply_spectral_norm, clamp_spectral_norm
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Sampler, Trunk, Update, due
from models.core.classes import choose_classes
from models.core.points import is_points, plot_points
from models.losses.adversarial import ADVERSARIAL, AdversarialName, fraction_right, relativistic
from models.losses.penalties import BATCH_NORM_PROBLEM, dragan, gradient_penalty, r1
from models.metrics import energy_distance
from models.networks.bodies import BodyConfig, DCGANBody
from models.optimizers import Adam


class GANConfig(ModelConfig):
    """A GAN; the defaults are DCGAN's."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    name: Literal["gan"] = "gan"
    channels: int = Field(default=3, ge=1, description="of the pictures: 1 gray, 3 colour, 4 colour and alpha")
    size: int = Field(default=64, ge=1, description="pixels on a side of all its pictures")
    latent: int = Field(default=100, ge=1, description="numbers in a latent")
    prior: Literal["normal", "uniform"] = Field(
        default="normal", description="distribution of each number of the noise"
    )
    output: Literal["tanh", "linear"] = Field(
        default="tanh", description="what ends the generator; linear: for points, whose range is unbounded"
    )
    conditional: bool = Field(default=False, description="both networks take the class of a picture")
    domains: tuple[str, ...] = Field(default=(), description="names of the classes; empty: the data's")
    generator: BodyConfig = DCGANBody()
    discriminator: BodyConfig = DCGANBody()
    adversarial: AdversarialName = Field(
        default="non-saturating", description="form of the loss between generator and discriminator"
    )
    relativistic: bool = Field(
        default=False, description="scores are taken relative to the mean score of the other kind"
    )
    clip_weights: float | None = Field(
        default=None,
        gt=0,
        description="limit the discriminator's weights to ± this value; 0.01 in Arjovsky et al. 2017, null: no limit",
    )
    gradient_penalty_weight: float = Field(
        default=0.0, ge=0, description="weight of WGAN-GP's gradient penalty; 10 in Gulrajani et al. 2017, 0: none"
    )
    dragan_weight: float = Field(
        default=0.0, ge=0, description="weight of DRAGAN's penalty; 10 in Kodali et al. 2017, 0: none"
    )
    r1_weight: float = Field(
        default=0.0, ge=0, description="γ, weight of the R1 penalty; 10 in Mescheder et al. 2018, 0: none"
    )
    feature_matching_weight: float = Field(
        default=0.0, ge=0, description="weight of the features' difference (Salimans et al. 2016), 0: none"
    )
    spectral: Literal["none", "norm", "clamp"] = Field(
        default="none", description="limit on the singular values of the discriminator's weights"
    )
    spectral_cap: float = Field(default=1.0, gt=0, description="upper limit of the singular values, for clamp")
    discriminator_steps: int = Field(default=1, ge=1, description="of the discriminator for each of the generator")
    generator_adam: Adam = Adam()
    discriminator_adam: Adam = Adam()

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if self.domains and not self.conditional:
            raise ValueError("domains: only a conditional GAN has any; set conditional")
        is_bounded = self.clip_weights or self.gradient_penalty_weight or self.spectral != "none"
        if self.adversarial == "wasserstein" and not is_bounded:
            raise ValueError(
                "adversarial wasserstein needs a bound: clip_weights 0.01, gradient_penalty_weight 10 or spectral norm"
            )
        if self.discriminator.batch_norm and (self.gradient_penalty_weight or self.dragan_weight):
            raise ValueError(
                "discriminator.norm: a gradient penalty is per example; choose instance or none, not batch"
            )
        return self

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the images."""
        return {"channels": self.channels}

    def with_domains(self, domains: tuple[str, ...]) -> Self:
        """Return the configuration for data with these classes.

        Raises:
            DataError: The model is conditional, and the data have no classes.
            UserError: The classes are not those in `domains`.
        """
        return self.model_copy(update={"domains": choose_classes(self.conditional, self.domains, domains)})

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        if size != self.size:
            return f"model.size is {self.size}"
        return self.generator.size_problem(size) or self.discriminator.size_problem(size)

    def training_problem(self) -> str | None:
        """Return why no training should begin: R1 on a discriminator with batch norm."""
        return (
            BATCH_NORM_PROBLEM.format(penalty="r1_weight") if self.r1_weight and self.discriminator.batch_norm else None
        )

    def translator(self) -> "GAN":
        """Build the generator alone."""
        return GAN(self)

    def recipe(self) -> "GANRecipe":
        """Build the generator with its discriminator and their losses."""
        return GANRecipe(self)


class GAN(Sampler):
    """The generator, as a sampler."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.latent, self.prior = config.latent, config.prior
        self.channels, self.size, self.domains = config.channels, config.size, config.domains
        self.has_tanh = config.output == "tanh"
        self.generator = config.generator.generator(config.latent, config.channels, config.size, len(config.domains))

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        """Make images (B, channels, size, size) from (B, latent) and labels (B,), in [-1, 1] unless linear."""
        images: Tensor = self.generator(latent, label)
        return torch.tanh(images) if self.has_tanh else images


class GANRecipe(Recipe[Pictures, GAN]):
    """The training of a GAN."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "discriminator won": "lower model.discriminator_adam.lr, or set model.spectral=norm, or model.r1_weight with "
        "model.discriminator.norm=instance",
        "diversity lost": "raise training.batch_size, set model.relativistic, or model.r1_weight with "
        "model.discriminator.norm=instance, or try another model.adversarial",
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
            apply_spectral_norm(self.discriminator)
        elif config.spectral == "clamp":
            clamp_spectral_norm(self.discriminator, config.spectral_cap)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam for each of the two networks."""
        return {
            "discriminator": self.config.discriminator_adam.of(self.discriminator),
            "generator": self.config.generator_adam.of(self.model),
        }

    def updates(self, batch: Pictures, step: int) -> Iterator[Update]:
        """Yield the updates of Goodfellow et al., algorithm 1, with the losses and penalties of the configuration."""
        generator_moves = due(step + 1, self.config.discriminator_steps)
        latent = self.model.draw(len(batch.image))
        with torch.set_grad_enabled(generator_moves):
            fake = self.model.generate(latent, batch.label)

        real_scores, fake_scores = self.score(batch.image, batch.label), self.score(fake.detach(), batch.label)
        losses = {"adversarial": self.adversarial.discriminator(*self.relate_scores(real_scores, fake_scores))}
        losses |= self.penalties(batch, fake.detach())
        yield Update("discriminator", losses, {"accuracy": fraction_right(real_scores, fake_scores)})
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
        """Return the discriminator except its last layer."""
        return {"discriminator": self.discriminator.trunk}

    def score(self, image: Tensor, label: Tensor) -> Tensor:
        """Score images (B, C, H, W) with labels (B,): (B, 1), high where they look real and fit their label."""
        scores: Tensor = self.discriminator(image, label)
        return scores

    def relate_scores(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores that enter the loss: relative to each other if the configuration says so."""
        return relativistic(real, fake) if self.config.relativistic else (real, fake)

    def penalties(self, batch: Pictures, fake: Tensor) -> dict[str, Tensor]:
        """Return the weighted terms, scalars, that bound the discriminator's gradient."""
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
        """Clip the discriminator's weights, as in Arjovsky et al., algorithm 1."""
        if self.config.clip_weights is not None:
            for parameter in self.discriminator.parameters():
                parameter.clamp_(-self.config.clip_weights, self.config.clip_weights)

    def feature_distance(self, batch: Pictures, fake: Tensor) -> Tensor:
        """Return ‖E φ(x) - E φ(G)‖² of the discriminator's last features φ, a scalar.

        Salimans et al. 2016, arXiv:1606.03498, section 3.1.
        """
        with torch.no_grad():
            real = self.discriminator.features(batch.image, batch.label).float().mean(0)
        generated: Tensor = self.discriminator.features(fake, batch.label).float().mean(0)
        return (real - generated).square().sum()

    def realism_loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the generator's adversarial loss of single images, which is never relativistic."""
        return lambda image, label: torch.stack([self.adversarial.generator(one) for one in self.score(image, label)])

    def preview(self, model: GAN, batch: Pictures) -> list[Preview]:
        """Return images of the batch's labels; for points, a plot of a thousand."""
        return preview_samples(model, batch)

    def validate(self, model: GAN, batch: Pictures) -> dict[str, Tensor]:
        """Return how far as many images of the same labels are from the batch, as a whole."""
        return sample_metrics(model, batch)


def preview_samples(model: Sampler, batch: Pictures) -> list[Preview]:
    """Make as many images as a batch has, of its labels; for points, a plot of a thousand."""
    if is_points(batch.image):
        return [Preview(None, plot_points(generate_batch(model, model.draw(1000), batch.label.new_zeros(1000))))]
    return [Preview(None, generate_batch(model, model.draw(len(batch.image)), batch.label), real=batch.image)]


def sample_metrics(model: Sampler, batch: Pictures) -> dict[str, Tensor]:
    """Return how far as many images as a batch has, of its labels, are from it as a whole, (B,) by name."""
    return {"energy": energy_distance(generate_batch(model, model.draw(len(batch.image)), batch.label), batch.image)}
