"""Configurations of the bodies that models of the base layer share; each builds encoders and generators.

An encoder with one output is a discriminator. All are called with labels (B,) int64, which networks that were built
without classes ignore.
"""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field, Tag, model_validator
from torch import Tensor

from datasets.contract import Settings, discriminate_by
from datasets.errors import UserError
from models.backbones.blocks import Norm
from models.backbones.dcgan import LARGEST, SMALLEST, ConvEncoder, ConvGenerator, count_halvings
from models.backbones.mlp import MLP, Activation, MLPEncoder, MLPGenerator, VectorNorm
from models.backbones.projection_discriminator import ResidualEncoder, ResidualGenerator


class MLPBody(Settings):
    """Fully connected layers, for small images and for points."""

    name: Literal["mlp"] = "mlp"
    hidden: tuple[int, ...] = Field(
        default=(400,), description="units of each layer, in order; empty: a linear network"
    )
    label_width: int = Field(default=64, ge=1, description="units of the label's own layer, if there are classes")
    activation: Activation = Field(default="relu", description="after each layer")
    pieces: tuple[int, ...] = Field(default=(), description="linear units of maxout, for each layer")
    norm: VectorNorm = Field(default="none", description="how each layer's values are normalised")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="probability with which a value is set to 0 in training"
    )
    gain: float | None = Field(
        default=None, gt=0, description="deviation of the first weights, which are normal; null: torch's uniform ones"
    )

    @model_validator(mode="after")
    def _check_pieces(self) -> Self:
        if self.activation == "maxout" and len(self.pieces) != len(self.hidden):
            raise ValueError(f"pieces: maxout needs one number for each of the {len(self.hidden)} layers")
        if self.activation != "maxout" and self.pieces:
            raise ValueError("pieces: only activation maxout has pieces")
        return self

    @property
    def batch_norm(self) -> bool:
        """Whether the encoder's output for one example depends on the rest of the batch."""
        return self.norm == "batch"

    def size_problem(self, size: int) -> str | None:
        """Return None: every size will do."""
        return None

    def encoder(self, channels: int, size: int, outputs: int, classes: int = 0) -> MLPEncoder:
        """Build a network from (B, channels, size, size) to (B, outputs)."""
        return MLPEncoder(self._trunk(channels * size * size, classes), outputs, gain=self.gain)

    def generator(self, latent: int, channels: int, size: int, classes: int = 0) -> MLPGenerator:
        """Build a network from (B, latent) to (B, channels, size, size), without an activation at its end."""
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
    """Strided convolutions, as in DCGAN."""

    name: Literal["dcgan"] = "dcgan"
    width: int = Field(default=64, ge=1, description="channels at half the size of the pictures")
    depth: int | None = Field(default=None, ge=1, description="number of halvings; null: until 4 to 7 pixels are left")
    norm: Norm = Field(default="batch", description="how each layer's values are normalised")

    @property
    def batch_norm(self) -> bool:
        """Whether the encoder's output for one example depends on the rest of the batch."""
        return self.norm == "batch"

    def size_problem(self, size: int) -> str | None:
        """Return why the networks cannot have squares of `size` pixels; None if they can."""
        return _describe_halving_problem(size, self.depth)

    def encoder(self, channels: int, size: int, outputs: int, classes: int = 0) -> ConvEncoder:
        """Build a network from (B, channels, size, size) to (B, outputs)."""
        return ConvEncoder(channels, size, outputs, classes=classes, width=self.width, depth=self.depth, norm=self.norm)

    def generator(self, latent: int, channels: int, size: int, classes: int = 0) -> ConvGenerator:
        """Build a network from (B, latent) to (B, channels, size, size), without an activation at its end."""
        return ConvGenerator(
            latent, channels, size, classes=classes, width=self.width, depth=self.depth, norm=self.norm
        )


class ResNetBody(Settings):
    """Residual blocks, with conditional batch norm in the generator; with classes, the projection discriminator."""

    name: Literal["resnet"] = "resnet"
    width: int = Field(default=64, ge=1, description="channels at full size")

    @property
    def batch_norm(self) -> bool:
        """Whether the encoder's output for one example depends on the rest of the batch; it has no norms."""
        return False

    def size_problem(self, size: int) -> str | None:
        """Return why the networks cannot have squares of `size` pixels; None if they can."""
        return _describe_halving_problem(size, None)

    def encoder(self, channels: int, size: int, outputs: int, classes: int = 0) -> ResidualEncoder:
        """Build a network from (B, channels, size, size) to (B, outputs)."""
        return ResidualEncoder(channels, size, outputs, classes=classes, width=self.width)

    def generator(self, latent: int, channels: int, size: int, classes: int = 0) -> ResidualGenerator:
        """Build a network from (B, latent) to (B, channels, size, size), without an activation at its end."""
        return ResidualGenerator(latent, channels, size, classes=classes, width=self.width)


BodyConfig = Annotated[
    Annotated[MLPBody, Tag("mlp")] | Annotated[DCGANBody, Tag("dcgan")] | Annotated[ResNetBody, Tag("resnet")],
    discriminate_by("name", "dcgan"),
]


def zero_labels(batch: Tensor) -> Tensor:
    """Return labels of 0 for a batch (B, ...), for networks that were built without classes: (B,) int64."""
    return torch.zeros(len(batch), dtype=torch.int64, device=batch.device)


def _describe_halving_problem(size: int, depth: int | None) -> str | None:
    """Return why `size` cannot be halved as often as needed; None if it can."""
    try:
        count_halvings(size, depth)
    except ValueError:
        if depth is not None:
            return f"a body of depth {depth} needs multiples of {2**depth}, up to {LARGEST} times as many"
        return f"this body needs {SMALLEST} to {LARGEST} times a power of 2, such as 28, 32, 48, 64 or 96,"
    return None
