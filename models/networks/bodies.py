"""Configurations of the bodies that models of the base layer share; each builds encoders, generators, discriminators.

All three are called with a label, (B,) int64, which does not count in a network that was built without classes.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from datasets.contract import Settings, discriminate_by
from datasets.errors import UserError
from models.backbones.blocks import Norm
from models.backbones.dcgan import LARGEST, SMALLEST, ConvEncoder, ConvGenerator, halvings
from models.backbones.mlp import MLP, Activation, MLPEncoder, MLPGenerator, VectorNorm
from models.backbones.projection_discriminator import ResidualEncoder, ResidualGenerator


class MLPBody(Settings):
    """Fully connected layers, for small pictures and for points; a generator and an encoder alike."""

    name: Literal["mlp"] = "mlp"
    hidden: tuple[int, ...] = (400,)  # units of each layer, from the input on; none: linear
    label_width: int = Field(64, ge=1)  # units of the label's own layer, where there are labels
    activation: Activation = "relu"
    pieces: tuple[int, ...] = ()  # of maxout, for each layer
    norm: VectorNorm = "none"
    dropout: float = Field(0.0, ge=0, lt=1)
    gain: float | None = Field(None, gt=0)  # first weights from N(0, gain²); null: torch's U(±1/√fan-in)

    @model_validator(mode="after")
    def _pieces_fit(self) -> Self:
        if self.activation == "maxout" and len(self.pieces) != len(self.hidden):
            raise ValueError(f"pieces: maxout needs one number for each of the {len(self.hidden)} layers")
        if self.activation != "maxout" and self.pieces:
            raise ValueError("pieces: only activation maxout has any")
        return self

    @property
    def batch_norm(self) -> bool:
        """Whether what its encoder makes of one example depends on the others of a batch."""
        return self.norm == "batch"

    def size_problem(self, size: int) -> str | None:
        """It takes every size."""
        return None

    def encoder(self, channels: int, size: int, outputs: int, classes: int = 0) -> MLPEncoder:
        """(B, channels, size, size) to (B, outputs)."""
        return MLPEncoder(self._trunk(channels * size * size, classes), outputs, gain=self.gain)

    def generator(self, latent: int, channels: int, size: int, classes: int = 0) -> MLPGenerator:
        """(B, latent) to (B, channels, size, size), without an activation."""
        return MLPGenerator(self._trunk(latent, classes), channels, size, gain=self.gain)

    def _trunk(self, inputs: int, classes: int) -> MLP:
        if classes and not self.hidden:
            raise UserError("hidden: labels enter beside the first layer, and there is none; give one, such as [400]")
        return MLP(
            inputs,
            self.hidden,
            classes=classes,
            label_width=self.label_width,
            activation=self.activation,
            pieces=self.pieces,
            norm=self.norm,
            dropout=self.dropout,
        )


class DCGANBody(Settings):
    """Strided convolutions by DCGAN's guidelines."""

    name: Literal["dcgan"] = "dcgan"
    width: int = Field(64, ge=1)  # channels at half the picture's size
    depth: int | None = Field(None, ge=1)  # how often the size is halved; null: until 4 to 7 pixels are left
    norm: Norm = "batch"

    @property
    def batch_norm(self) -> bool:
        """Whether what its encoder makes of one example depends on the others of a batch."""
        return self.norm == "batch"

    def size_problem(self, size: int) -> str | None:
        """Why it cannot make squares of `size` pixels, if it cannot."""
        return _halving_problem(size, self.depth)

    def encoder(self, channels: int, size: int, outputs: int, classes: int = 0) -> ConvEncoder:
        """(B, channels, size, size) to (B, outputs)."""
        return ConvEncoder(channels, size, outputs, classes=classes, width=self.width, depth=self.depth, norm=self.norm)

    def generator(self, latent: int, channels: int, size: int, classes: int = 0) -> ConvGenerator:
        """(B, latent) to (B, channels, size, size), without an activation."""
        return ConvGenerator(
            latent, channels, size, classes=classes, width=self.width, depth=self.depth, norm=self.norm
        )


class ResNetBody(Settings):
    """Residual blocks with conditional batch norm; with classes, its discriminator is the projection discriminator."""

    name: Literal["resnet"] = "resnet"
    width: int = Field(64, ge=1)  # channels at full size

    @property
    def batch_norm(self) -> bool:
        """Whether its encoder judges a batch as one: it does not; only the generator has norms."""
        return False

    def size_problem(self, size: int) -> str | None:
        """Why it cannot make squares of `size` pixels, if it cannot."""
        return _halving_problem(size, None)

    def encoder(self, channels: int, size: int, outputs: int, classes: int = 0) -> ResidualEncoder:
        """(B, channels, size, size) to (B, outputs)."""
        return ResidualEncoder(channels, size, outputs, classes=classes, width=self.width)

    def generator(self, latent: int, channels: int, size: int, classes: int = 0) -> ResidualGenerator:
        """(B, latent) to (B, channels, size, size), without an activation."""
        return ResidualGenerator(latent, channels, size, classes=classes, width=self.width)


BodyConfig = Annotated[
    Annotated[MLPBody, Tag("mlp")] | Annotated[DCGANBody, Tag("dcgan")] | Annotated[ResNetBody, Tag("resnet")],
    discriminate_by("name", "dcgan"),
]


def _halving_problem(size: int, depth: int | None) -> str | None:
    try:
        halvings(size, depth)
    except ValueError:
        if depth is not None:
            return f"a body of depth {depth} needs multiples of {2**depth}, up to {LARGEST} times as many"
        return f"this body needs {SMALLEST} to {LARGEST} times a power of 2, such as 28, 32, 48, 64 or 96,"
    return None
