"""Configurations of networks that see an image at a time between noise and picture; each builds its network."""

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from datasets.contract import Settings, discriminate_by
from models.backbones.diffusion_unet import DiffusionUNet
from models.backbones.timed_networks import TimedMLP, TimedUNet
from models.networks.generators import Depth, Dropout, NormName, UpsamplingName, Width, describe_halving_problem


class DiffusionUNetConfig(Settings):
    """The U-Net of DDPM, with attention; the defaults are its paper's for CIFAR-10."""

    name: Literal["diffusion"] = "diffusion"
    width: int = Field(default=128, ge=2, multiple_of=2, description="channels at full size")
    multipliers: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(1, 2, 2, 2), min_length=1, description="of width, one for each size; each size but the last is halved"
    )
    blocks: int = Field(default=2, ge=1, description="residual blocks at each size")
    attention: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(1,), description="numbers of halvings after which places attend to one another; besides the middle"
    )
    heads: int = Field(default=1, ge=1, description="of the attention")
    dropout: Dropout = 0.0

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        odd = [self.width * multiplier for multiplier in self.multipliers if self.width * multiplier % self.heads]
        if odd:
            raise ValueError(f"heads: {self.heads} heads do not divide {odd[0]} channels; choose a divisor of width")
        return self

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot learn from squares of `size` pixels; None if it can."""
        multiple = 2 ** (len(self.multipliers) - 1)
        return f"this U-Net needs multiples of {multiple}" if size % multiple else None

    def build(self, channels_in: int, channels_out: int, size: int = 0, classes: int = 0) -> DiffusionUNet:
        """Build the network, for images of any size, with random weights."""
        return DiffusionUNet(
            channels_in,
            channels_out,
            width=self.width,
            multipliers=self.multipliers,
            blocks=self.blocks,
            attention=self.attention,
            heads=self.heads,
            dropout=self.dropout,
            classes=classes,
        )


class TimedUNetConfig(Settings):
    """The U-Net of Pix2Pix, told the time."""

    name: Literal["unet"] = "unet"
    depth: Depth = 4
    width: Width = 32
    norm: NormName = "none"
    dropout: Dropout = 0.0
    upsampling: UpsamplingName = "transposed"

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot learn from squares of `size` pixels; None if it can."""
        return describe_halving_problem(size, self.depth)

    def build(self, channels_in: int, channels_out: int, size: int = 0, classes: int = 0) -> TimedUNet:
        """Build the network, for images of any size, with random weights."""
        return TimedUNet(
            channels_in,
            channels_out,
            depth=self.depth,
            width=self.width,
            norm=self.norm,
            dropout=self.dropout,
            upsampling=self.upsampling,
            classes=classes,
        )


class TimedMLPConfig(Settings):
    """Fully connected layers, for points and small images of one size."""

    name: Literal["mlp"] = "mlp"
    hidden: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        default=(128, 128, 128), min_length=1, description="units of each layer, in order"
    )

    def size_problem(self, size: int) -> str | None:
        """Return None: every size will do."""
        return None

    def build(self, channels_in: int, channels_out: int, size: int, classes: int = 0) -> TimedMLP:
        """Build the network with random weights."""
        return TimedMLP(channels_in, channels_out, size=size, hidden=self.hidden, classes=classes)


# Networks for images of any size, and those for images or points of one size.
BridgeNetworkConfig = Annotated[
    Annotated[TimedUNetConfig, Tag("unet")] | Annotated[DiffusionUNetConfig, Tag("diffusion")],
    discriminate_by("name", "unet"),
]
DenoiserConfig = Annotated[
    Annotated[DiffusionUNetConfig, Tag("diffusion")]
    | Annotated[TimedUNetConfig, Tag("unet")]
    | Annotated[TimedMLPConfig, Tag("mlp")],
    discriminate_by("name", "diffusion"),
]
