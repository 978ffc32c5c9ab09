"""Configurations of generators that fill holes; each builds its network."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from datasets.contract import Settings, discriminate_by
from models.backbones.context import ContextEncoder
from models.backbones.deepfill import DeepFill, Variant
from models.backbones.gated import GatedUNet
from models.backbones.lama import LaMa
from models.backbones.partial import PartialUNet


class GatedConfig(Settings):
    """A small U-Net of gated convolutions, for machines without a GPU, which adds to a smooth filling."""

    name: Literal["gated"] = "gated"
    width: int = Field(default=32, ge=1, description="channels of the first layer; later layers have multiples of it")
    halvings: int = Field(default=2, ge=1, description="of the picture, down to the smallest layer")
    widest: int = Field(default=72, ge=1, description="upper limit of a layer's channels")
    smooth_levels: int = Field(
        default=6, ge=1, description="halvings of the pyramid by which the hole is first filled smoothly"
    )

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot learn from squares of `size` pixels; None if it can."""
        multiple = 2 ** max(self.halvings + 1, self.smooth_levels)
        return f"this generator needs multiples of {multiple}" if size % multiple else None

    def build(self) -> GatedUNet:
        """Build the network with random weights."""
        return GatedUNet(width=self.width, halvings=self.halvings, widest=self.widest, smooth_levels=self.smooth_levels)


class DeepFillConfig(Settings):
    """The two stages of DeepFill v2."""

    name: Literal["deepfill"] = "deepfill"
    width: int = Field(default=24, ge=2, description="channels of the first layer; later layers have multiples of it")
    variant: Variant = Field(
        default="pytorch",
        description="which of the published networks: they pad and sample differently; tensorflow is the authors' own",
    )

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot learn from squares of `size` pixels; None if it can."""
        return "DeepFill needs multiples of 8" if size % 8 else None

    def build(self) -> DeepFill:
        """Build the network with random weights."""
        return DeepFill(self.width, self.variant)


class PartialConfig(Settings):
    """The U-Net of partial convolutions; the paper's has depth 8, for 512 pixels."""

    name: Literal["partial"] = "partial"
    depth: int = Field(default=7, ge=1, description="number of halvings; sides are padded to multiples of 2 ** depth")
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot learn from squares of `size` pixels; None if it can."""
        multiple = 2**self.depth
        return f"a U-Net of depth {self.depth} needs multiples of {multiple}" if size % multiple else None

    def build(self) -> PartialUNet:
        """Build the network with random weights."""
        return PartialUNet(depth=self.depth, width=self.width)


class ContextConfig(Settings):
    """The context encoder, which works on squares of one size only."""

    name: Literal["context"] = "context"
    size: Literal[16, 32, 64, 128, 256] = Field(
        default=128, description="pixels on a side of its pictures, the only size it works on"
    )
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")
    bottleneck: int = Field(default=4000, ge=1, description="numbers between encoder and decoder")

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot learn from squares of `size` pixels; None if it can."""
        return f"this context encoder works on squares of {self.size}" if size != self.size else None

    def build(self) -> ContextEncoder:
        """Build the network with random weights."""
        return ContextEncoder(self.size, width=self.width, bottleneck=self.bottleneck)


class LaMaConfig(Settings):
    """LaMa's generator, which sees the whole picture at once; the authors' big model has 18 blocks, the small one 9."""

    name: Literal["lama"] = "lama"
    blocks: int = Field(default=18, ge=0, description="residual blocks; 18 in LaMa big, 9 in LaMa Fourier")
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot learn from squares of `size` pixels; None if it can."""
        return f"LaMa needs at least {LaMa.minimum}" if size < LaMa.minimum else None

    def build(self) -> LaMa:
        """Build the network with random weights."""
        return LaMa(blocks=self.blocks, width=self.width)


InpainterConfig = Annotated[
    Annotated[DeepFillConfig, Tag("deepfill")]
    | Annotated[GatedConfig, Tag("gated")]
    | Annotated[PartialConfig, Tag("partial")]
    | Annotated[ContextConfig, Tag("context")]
    | Annotated[LaMaConfig, Tag("lama")],
    discriminate_by("name", "deepfill"),
]
