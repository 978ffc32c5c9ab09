"""BEGAN: the discriminator is an autoencoder, and the two are kept in balance.

Berthelot, Schumm, Metz 2017, arXiv:1703.10717. A picture's loss is how badly the autoencoder reproduces it; the
discriminator lowers it for real pictures and raises it, by a share k, for made ones.

Differs from the paper:
- Bodies are those of the other GANs here, DCGAN's by default, where the paper has exponential linear units and
  nearest-neighbour doubling.
- Both players see the same fakes, so a step has one generator forward.
- The learning rate falls with the training's schedule and not when the measure of convergence stalls.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import Pictures
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Update
from models.core.gan import GAN, GANConfig, sample_metrics, show_samples
from models.networks.bodies import BodyConfig, DCGANBody
from models.optimizers import Adam


class BEGANConfig(ModelConfig):
    """BEGAN with the paper's numbers."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    name: Literal["began"] = "began"
    channels: int = Field(3, ge=1)
    size: int = Field(64, ge=1)  # pixels on a side; it makes no other
    latent: int = Field(64, ge=1)  # numbers a picture is made from, and of the autoencoder's code
    prior: Literal["normal", "uniform"] = "uniform"
    output: Literal["tanh", "linear"] = "tanh"  # linear: for points, which know no range
    generator: BodyConfig = DCGANBody()
    discriminator: BodyConfig = DCGANBody()  # of the autoencoder's two halves
    diversity: float = Field(0.5, gt=0, le=1)  # γ: the loss of made pictures beside that of real ones, in balance
    balance_rate: float = Field(0.001, gt=0)  # λ: how fast k moves
    generator_adam: Adam = Adam(lr=1e-4)
    discriminator_adam: Adam = Adam(lr=1e-4)

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the pictures."""
        return {"channels": self.channels}

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        return self.sampler().size_problem(size)

    def sampler(self) -> GANConfig:
        """The GAN whose generator this one has."""
        return GANConfig(
            channels=self.channels,
            size=self.size,
            latent=self.latent,
            prior=self.prior,
            output=self.output,
            generator=self.generator,
            discriminator=self.discriminator,
        )

    def translator(self) -> GAN:
        """The generator alone."""
        return GAN(self.sampler())

    def recipe(self) -> "BEGANRecipe":
        """The generator, the autoencoder that judges it, and the balance."""
        return BEGANRecipe(self)


class Autoencoder(nn.Module):
    """(B, channels, size, size) to the same, by way of `code` numbers."""

    def __init__(self, body: BodyConfig, channels: int, size: int, code: int, *, bounded: bool) -> None:
        super().__init__()
        self.encoder = body.encoder(channels, size, code)
        self.decoder = body.generator(code, channels, size)
        self.bounded = bounded

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Reproduce pictures; the label does not count."""
        pictures: Tensor = self.decoder(self.encoder(image, label), label)
        return torch.tanh(pictures) if self.bounded else pictures


class BEGANRecipe(Recipe[Pictures, GAN]):
    """How BEGAN learns."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "diversity lost": "raise model.diversity, or lower model.generator_adam.lr",
    }
    best_metric = "energy"
    higher_is_better = False
    validation_batch = 100

    def __init__(self, config: BEGANConfig) -> None:
        super().__init__()
        self.config = config
        self.model = config.translator()
        self.discriminator = Autoencoder(
            config.discriminator, config.channels, config.size, config.latent, bounded=config.output == "tanh"
        )
        self.register_buffer("balance", torch.zeros(()))  # k, saved and resumed with the weights
        self.balance: Tensor

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for each of the two."""
        return {
            "discriminator": self.config.discriminator_adam.of(self.discriminator),
            "generator": self.config.generator_adam.of(self.model),
        }

    def error(self, batch: Pictures, image: Tensor) -> Tensor:
        """How badly pictures are reproduced, a scalar: their mean absolute error (section 3.1, η = 1)."""
        reproduced: Tensor = self.discriminator(image, batch.label)
        return (reproduced.float() - image.float()).abs().mean()

    def updates(self, batch: Pictures, step: int) -> Iterator[Update]:
        """Section 3.3, its equations for L_D, L_G and k, and section 3.4's measure of convergence."""
        fake = self.model.generate(self.model.draw(len(batch.image)), batch.label)
        real_error = self.error(batch, batch.image)
        yield Update("discriminator", {"real": real_error, "fake": -self.balance * self.error(batch, fake.detach())})

        fake_error = self.error(batch, fake)
        equilibrium = (self.config.diversity * real_error - fake_error).detach()
        convergence = real_error.detach() + equilibrium.abs()
        yield Update("generator", {"fake": fake_error}, {"balance": self.balance, "convergence": convergence})

        self.balance.add_(self.config.balance_rate * equilibrium).clamp_(0, 1)

    def preview(self, model: GAN, batch: Pictures) -> list[Preview]:
        """Samples; of points, a scatter plot."""
        return show_samples(model, batch)

    def validate(self, model: GAN, batch: Pictures) -> dict[str, Tensor]:
        """How far as many pictures are from these as a whole."""
        return sample_metrics(model, batch)
