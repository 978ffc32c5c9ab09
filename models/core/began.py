"""BEGAN: a GAN whose discriminator is an autoencoder and is kept in balance with the generator.

Berthelot, Schumm, Metz 2017, arXiv:1703.10717. The loss of an image is its reconstruction error by the autoencoder; the
discriminator lowers it for real images and raises it, with weight k, for fakes.

Differs from the paper:
- Bodies are those of the other GANs here, DCGAN's by default, where the paper has exponential linear units and
  nearest-neighbour doubling.
- Both players use the same fakes, so a step has one forward pass of the generator.
- The learning rate falls by the training's schedule, not when the measure of convergence stalls.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import Pictures
from models.contract import FailureMode, ModelConfig, Preview, Recipe, Update
from models.core.gan import GAN, GANConfig, preview_samples, sample_metrics
from models.networks.bodies import BodyConfig, DCGANBody
from models.optimizers import Adam


class BEGANConfig(ModelConfig):
    """BEGAN with the paper's defaults."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    name: Literal["began"] = "began"
    channels: int = Field(default=3, ge=1, description="of the pictures: 1 gray, 3 colour, 4 colour and alpha")
    size: int = Field(default=64, ge=1, description="pixels on a side of all its pictures")
    latent: int = Field(default=64, ge=1, description="numbers in a latent, and in the autoencoder's code")
    prior: Literal["normal", "uniform"] = Field(
        default="uniform", description="distribution of each number of the noise"
    )
    output: Literal["tanh", "linear"] = Field(
        default="tanh", description="what ends the generator; linear: for points, whose range is unbounded"
    )
    generator: BodyConfig = DCGANBody()
    discriminator: BodyConfig = DCGANBody()  # of the autoencoder's two halves
    diversity: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="γ: ratio of the loss of made pictures to that of real ones, in balance; lower is cleaner and"
        " more alike",
    )
    balance_rate: float = Field(default=0.001, gt=0, description="λ: step size of the balance")
    generator_adam: Adam = Adam(lr=1e-4)
    discriminator_adam: Adam = Adam(lr=1e-4)

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the images."""
        return {"channels": self.channels}

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        return self.gan().size_problem(size)

    def gan(self) -> GANConfig:
        """Return the configuration of a GAN with the same generator."""
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
        """Build the generator alone."""
        return GAN(self.gan())

    def recipe(self) -> "BEGANRecipe":
        """Build the generator with its autoencoder and the balance between them."""
        return BEGANRecipe(self)


class Autoencoder(nn.Module):
    """Reconstructs (B, channels, size, size) from a code of `code` numbers."""

    def __init__(self, body: BodyConfig, channels: int, size: int, code: int, *, has_tanh: bool) -> None:
        super().__init__()
        self.encoder = body.encoder(channels, size, code)
        self.decoder = body.generator(code, channels, size)
        self.has_tanh = has_tanh

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Reconstruct images; labels are ignored."""
        images: Tensor = self.decoder(self.encoder(image, label), label)
        return torch.tanh(images) if self.has_tanh else images


class BEGANRecipe(Recipe[Pictures, GAN]):
    """The training of BEGAN."""

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
            config.discriminator, config.channels, config.size, config.latent, has_tanh=config.output == "tanh"
        )
        self.register_buffer("balance", torch.zeros(()))  # k; a buffer, so that it is saved and resumed
        self.balance: Tensor

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam for each of the two networks."""
        return {
            "discriminator": self.config.discriminator_adam.of(self.discriminator),
            "generator": self.config.generator_adam.of(self.model),
        }

    def reconstruction_error(self, batch: Pictures, image: Tensor) -> Tensor:
        """Return the mean absolute error of the autoencoder, a scalar (section 3.1 with η = 1)."""
        reconstruction: Tensor = self.discriminator(image, batch.label)
        return (reconstruction.float() - image.float()).abs().mean()

    def updates(self, batch: Pictures, step: int) -> Iterator[Update]:
        """Yield the updates of section 3.3, its L_D, L_G and k, and log section 3.4's measure of convergence."""
        fake = self.model.generate(self.model.draw(len(batch.image)), batch.label)
        real_error = self.reconstruction_error(batch, batch.image)
        fake_error = self.reconstruction_error(batch, fake.detach())
        yield Update("discriminator", {"real": real_error, "fake": -self.balance * fake_error})

        fake_error = self.reconstruction_error(batch, fake)
        equilibrium = (self.config.diversity * real_error - fake_error).detach()
        convergence = real_error.detach() + equilibrium.abs()
        yield Update("generator", {"fake": fake_error}, {"balance": self.balance, "convergence": convergence})

        self.balance.add_(self.config.balance_rate * equilibrium).clamp_(0, 1)

    def preview(self, model: GAN, batch: Pictures) -> list[Preview]:
        """Return samples; for points, a plot of a thousand."""
        return preview_samples(model, batch)

    def validate(self, model: GAN, batch: Pictures) -> dict[str, Tensor]:
        """Return how far as many images are from the batch, as a whole."""
        return sample_metrics(model, batch)
