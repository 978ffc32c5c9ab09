"""Configurations of the backbones that several translators share; each builds its network."""

from typing import Annotated, Literal, Self

from pydantic import Field, Tag

from datasets.contract import Settings, discriminate_by
from models.backbones.blocks import Norm, Upsampling
from models.backbones.context import ContextDiscriminator, ContextEncoder
from models.backbones.deepfill import DeepFill
from models.backbones.gated import GatedUNet
from models.backbones.partial import PartialUNet
from models.backbones.patch import PatchDiscriminator, SNPatchDiscriminator
from models.backbones.resnet import ResNetGenerator
from models.backbones.unet import UNet
from models.backbones.upscalers import CompactChain, RRDBNet, SRDiscriminator, SRResNet


class UNetConfig(Settings):
    """The U-Net of Pix2Pix; depth 7 is known as `unet_128`, depth 8 as `unet_256`."""

    name: Literal["unet"] = "unet"
    depth: int = Field(8, ge=2)  # times the picture is halved; sides are padded to multiples of 2 ** depth
    width: int = Field(64, ge=1)
    norm: Norm = "instance"
    dropout: float = Field(0.5, ge=0, lt=1)
    upsampling: Upsampling = "transposed"

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        multiple = 2**self.depth
        return f"a U-Net of depth {self.depth} needs multiples of {multiple}" if size % multiple else None

    def for_size(self, size: int) -> Self:
        """Itself: its depth is chosen, since it decides about which sizes are possible."""
        return self

    def build(self, channels_in: int, channels_out: int) -> UNet:
        """The network, freshly drawn."""
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
    """The residual generator of Johnson et al. and CycleGAN."""

    name: Literal["resnet"] = "resnet"
    blocks: int | None = Field(None, ge=0)  # null: 6 for squares of up to 128 pixels, 9 above
    width: int = Field(64, ge=1)
    norm: Norm = "instance"
    dropout: float = Field(0.0, ge=0, lt=1)
    upsampling: Upsampling = "transposed"

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        return "a ResNet needs multiples of 4 from 8 on, in" if size % 4 or size < 8 else None

    def for_size(self, size: int) -> Self:
        """The configuration for squares of `size` pixels."""
        return self if self.blocks is not None else self.model_copy(update={"blocks": 6 if size <= 128 else 9})

    def build(self, channels_in: int, channels_out: int) -> ResNetGenerator:
        """The network, freshly drawn."""
        return ResNetGenerator(
            channels_in,
            channels_out,
            blocks=9 if self.blocks is None else self.blocks,
            width=self.width,
            norm=self.norm,
            dropout=self.dropout,
            upsampling=self.upsampling,
        )


GeneratorConfig = Annotated[
    Annotated[UNetConfig, Tag("unet")] | Annotated[ResNetConfig, Tag("resnet")], discriminate_by("name", "unet")
]
# The same choice, for models in which a section without a name means the ResNet.
ResidualGeneratorConfig = Annotated[
    Annotated[UNetConfig, Tag("unet")] | Annotated[ResNetConfig, Tag("resnet")], discriminate_by("name", "resnet")
]


class PatchConfig(Settings):
    """The patch discriminator: 3 layers see 70 pixels, 0 layers judge every pixel by itself."""

    layers: int = Field(3, ge=0)
    width: int = Field(64, ge=1)
    norm: Norm = "instance"
    spectral: bool = False

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be judged, if they cannot."""
        least = 3 * 2**self.layers if self.layers else 2
        return f"a discriminator of {self.layers} layers needs {least} or more" if size < least else None

    def build(self, channels: int) -> PatchDiscriminator:
        """The network, freshly drawn."""
        return PatchDiscriminator(
            channels, layers=self.layers, width=self.width, norm=self.norm, spectral=self.spectral
        )


class SRResNetConfig(Settings):
    """The generator of SRResNet and SRGAN."""

    name: Literal["srresnet"] = "srresnet"
    blocks: int = Field(16, ge=0)
    width: int = Field(64, ge=1)

    def scale_problem(self, scale: int) -> str | None:
        """Why it cannot enlarge by `scale`, if it cannot."""
        return None

    def build(self, scale: int) -> SRResNet:
        """The network, freshly drawn."""
        return SRResNet(scale, blocks=self.blocks, width=self.width)


class RRDBConfig(Settings):
    """The generator of ESRGAN; the published ones have 23 blocks, or 6 for drawings."""

    name: Literal["rrdb"] = "rrdb"
    blocks: int = Field(23, ge=0)
    width: int = Field(64, ge=1)
    growth: int = Field(32, ge=1)

    def scale_problem(self, scale: int) -> str | None:
        """Why it cannot enlarge by `scale`, if it cannot."""
        return "rrdb enlarges by 2 and 4 alone" if scale == 3 else None

    def build(self, scale: int) -> RRDBNet:
        """The network, freshly drawn."""
        return RRDBNet(scale, blocks=self.blocks, width=self.width, growth=self.growth)


class CompactConfig(Settings):
    """A plain chain of convolutions, for machines without a GPU."""

    name: Literal["compact"] = "compact"
    depth: int = Field(16, ge=0)
    width: int = Field(64, ge=1)

    def scale_problem(self, scale: int) -> str | None:
        """Why it cannot enlarge by `scale`, if it cannot."""
        return None

    def build(self, scale: int) -> CompactChain:
        """The network, freshly drawn."""
        return CompactChain(scale, depth=self.depth, width=self.width)


UpscalerConfig = Annotated[
    Annotated[SRResNetConfig, Tag("srresnet")]
    | Annotated[RRDBConfig, Tag("rrdb")]
    | Annotated[CompactConfig, Tag("compact")],
    discriminate_by("name", "srresnet"),
]


class SRDiscriminatorConfig(Settings):
    """The discriminator of SRGAN; it judges whole squares of one size."""

    width: int = Field(64, ge=1)
    dense: int = Field(1024, ge=1)  # units between its last two layers

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be judged, if they cannot."""
        return "SRGAN's discriminator needs multiples of 16" if size % 16 else None

    def build(self, size: int) -> SRDiscriminator:
        """The network, freshly drawn."""
        return SRDiscriminator(size, width=self.width, dense=self.dense)


class GatedConfig(Settings):
    """A small U-Net of gated convolutions, for machines without a GPU, that adds to a smooth filling."""

    name: Literal["gated"] = "gated"
    width: int = Field(32, ge=1)
    halvings: int = Field(2, ge=1)
    widest: int = Field(72, ge=1)  # channels that no layer exceeds
    smooth_levels: int = Field(6, ge=1)  # halvings by which the hole is first filled smoothly

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        multiple = self.build().multiple
        return f"this generator needs multiples of {multiple}" if size % multiple else None

    def build(self) -> GatedUNet:
        """The network, freshly drawn."""
        return GatedUNet(width=self.width, halvings=self.halvings, widest=self.widest, smooth_levels=self.smooth_levels)


class DeepFillConfig(Settings):
    """DeepFill v2's two stages."""

    name: Literal["deepfill"] = "deepfill"
    width: int = Field(24, ge=2)

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        return "DeepFill needs multiples of 8" if size % 8 else None

    def build(self) -> DeepFill:
        """The network, freshly drawn."""
        return DeepFill(self.width)


class PartialConfig(Settings):
    """The U-Net of partial convolutions; the paper's has depth 8 for 512 pixels."""

    name: Literal["partial"] = "partial"
    depth: int = Field(7, ge=1)  # times the picture is halved; sides are padded to multiples of 2 ** depth
    width: int = Field(64, ge=1)

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        multiple = 2**self.depth
        return f"a U-Net of depth {self.depth} needs multiples of {multiple}" if size % multiple else None

    def build(self) -> PartialUNet:
        """The network, freshly drawn."""
        return PartialUNet(depth=self.depth, width=self.width)


class ContextConfig(Settings):
    """The context encoder, which works on squares of one size alone."""

    name: Literal["context"] = "context"
    size: Literal[16, 32, 64, 128, 256] = 128  # pixels on a side
    width: int = Field(64, ge=1)
    bottleneck: int = Field(4000, ge=1)

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        return f"this context encoder works on squares of {self.size}" if size != self.size else None

    def build(self) -> ContextEncoder:
        """The network, freshly drawn."""
        return ContextEncoder(self.size, width=self.width, bottleneck=self.bottleneck)


InpainterConfig = Annotated[
    Annotated[DeepFillConfig, Tag("deepfill")]
    | Annotated[GatedConfig, Tag("gated")]
    | Annotated[PartialConfig, Tag("partial")]
    | Annotated[ContextConfig, Tag("context")],
    discriminate_by("name", "deepfill"),
]


class SNPatchConfig(Settings):
    """The discriminator of DeepFill v2, which is shown the mask too."""

    name: Literal["sn-patch"] = "sn-patch"
    layers: int = Field(6, ge=1)
    width: int = Field(64, ge=1)

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be judged, if they cannot."""
        return None

    def build(self, channels: int) -> SNPatchDiscriminator:
        """The network, freshly drawn."""
        return SNPatchDiscriminator(channels, layers=self.layers, width=self.width)


class ContextDiscriminatorConfig(Settings):
    """The discriminator of the context encoder, which judges whole squares of one size."""

    name: Literal["context"] = "context"
    size: Literal[16, 32, 64, 128, 256] = 128  # pixels on a side
    width: int = Field(64, ge=1)

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be judged, if they cannot."""
        return f"this discriminator judges squares of {self.size}" if size != self.size else None

    def build(self, channels: int) -> ContextDiscriminator:
        """The network, freshly drawn."""
        return ContextDiscriminator(channels, self.size, width=self.width)


InpaintingDiscriminatorConfig = Annotated[
    Annotated[SNPatchConfig, Tag("sn-patch")] | Annotated[ContextDiscriminatorConfig, Tag("context")],
    discriminate_by("name", "sn-patch"),
]
