"""Configurations of image-to-image generators that keep the size; each builds its network."""

from typing import Annotated, Literal, Self

from pydantic import Field, Tag

from datasets.contract import Settings, discriminate_by
from models.backbones.blocks import Norm, Upsampling
from models.backbones.resnet import Downsampling, ResNetGenerator
from models.backbones.stargan_networks import StarGenerator, StarNorm
from models.backbones.unet import UNet

# Settings that several generators share; each has a default of its own.
Depth = Annotated[int, Field(ge=2, description="number of halvings; sides are padded to multiples of 2 ** depth")]
Width = Annotated[int, Field(ge=1, description="channels of the first layer; later layers have multiples of it")]
NormName = Annotated[Norm, Field(description="how each layer's values are normalised")]
Dropout = Annotated[float, Field(ge=0, lt=1, description="probability with which a value is set to 0 in training")]
UpsamplingName = Annotated[
    Upsampling,
    Field(
        description="how pictures grow: transposed convolutions as in the papers, or resizing, which leaves no "
        "checkerboard"
    ),
]


def describe_halving_problem(size: int, depth: int) -> str | None:
    """Return why a U-Net of this depth cannot learn from squares of `size` pixels; None if it can."""
    multiple = 2**depth
    return f"a U-Net of depth {depth} needs multiples of {multiple}" if size % multiple else None


class UNetConfig(Settings):
    """The U-Net of Pix2Pix; the authors' code calls depth 7 `unet_128` and depth 8 `unet_256`."""

    name: Literal["unet"] = "unet"
    depth: Depth = 8
    width: Width = 64
    norm: NormName = "instance"
    dropout: Dropout = 0.5
    upsampling: UpsamplingName = "transposed"

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot learn from squares of `size` pixels; None if it can."""
        return describe_halving_problem(size, self.depth)

    def for_size(self, size: int) -> Self:
        """Return this configuration: the depth limits which sizes are possible, so it is not chosen by the size."""
        return self

    def build(self, channels_in: int, channels_out: int) -> UNet:
        """Build the network with random weights."""
        return UNet(
            channels_in,
            channels_out,
            depth=self.depth,
            width=self.width,
            norm=self.norm,
            dropout=self.dropout,
            upsampling=self.upsampling,
        )


class ResNetConfig(Settings):
    """The residual generator of Johnson et al. 2016 and of CycleGAN."""

    name: Literal["resnet"] = "resnet"
    blocks: int | None = Field(
        default=None,
        ge=0,
        description="residual blocks; null: 6 for squares of up to 128 pixels, 9 above, as in CycleGAN's paper",
    )
    width: Width = 64
    norm: NormName = "instance"
    dropout: Dropout = 0.0
    downsampling: Downsampling = Field(
        default="strided",
        description="how pictures shrink: convolutions of stride 2, or a blur behind ones of stride 1, as in CUT",
    )
    upsampling: Upsampling | Literal["blurred"] = Field(
        default="transposed",
        description="how pictures grow: transposed convolutions as in the papers, or resizing or blurring (as in CUT), "
        "which leave no checkerboard",
    )

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot learn from squares of `size` pixels; None if it can."""
        return "a ResNet needs multiples of 4 from 8 on, in" if size % 4 or size < 8 else None

    def for_size(self, size: int) -> Self:
        """Return the configuration for squares of `size` pixels, with the number of blocks chosen."""
        return self if self.blocks is not None else self.model_copy(update={"blocks": 6 if size <= 128 else 9})

    def build(self, channels_in: int, channels_out: int) -> ResNetGenerator:
        """Build the network with random weights."""
        return ResNetGenerator(
            channels_in,
            channels_out,
            blocks=9 if self.blocks is None else self.blocks,
            width=self.width,
            norm=self.norm,
            dropout=self.dropout,
            downsampling=self.downsampling,
            upsampling=self.upsampling,
        )


GeneratorConfig = Annotated[
    Annotated[UNetConfig, Tag("unet")] | Annotated[ResNetConfig, Tag("resnet")], discriminate_by("name", "unet")
]
# The same union, for models in which a section without a name means the ResNet.
ResidualGeneratorConfig = Annotated[
    Annotated[UNetConfig, Tag("unet")] | Annotated[ResNetConfig, Tag("resnet")], discriminate_by("name", "resnet")
]


class StarGeneratorConfig(Settings):
    """The generator of StarGAN."""

    blocks: int = Field(default=6, ge=0, description="residual blocks")
    width: Width = 64
    norm: StarNorm = Field(default="instance-affine", description="how each layer's values are normalised")
    upsampling: UpsamplingName = "transposed"

    def build(self, channels: int, label: int) -> StarGenerator:
        """Build the network, which takes `label` numbers beside the image, with random weights."""
        return StarGenerator(
            channels, label, blocks=self.blocks, width=self.width, norm=self.norm, upsampling=self.upsampling
        )
