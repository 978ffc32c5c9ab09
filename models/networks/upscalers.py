"""Configurations of networks that enlarge images; each builds its network."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from datasets.contract import Settings, discriminate_by
from models.backbones.residual_upscalers import EDSR, MSRResNet
from models.backbones.span import SPAN
from models.backbones.upconv import UpConv7
from models.backbones.upscalers import CompactChain, RRDBNet, SRResNet


class SRResNetConfig(Settings):
    """The generator of SRResNet and SRGAN."""

    name: Literal["srresnet"] = "srresnet"
    blocks: int = Field(default=16, ge=0, description="residual blocks")
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")

    def scale_problem(self, scale: int) -> str | None:
        """Return why the network cannot enlarge by `scale`; None if it can."""
        return None

    def build(self, scale: int) -> SRResNet:
        """Build the network with random weights."""
        return SRResNet(scale, blocks=self.blocks, width=self.width)


class RRDBConfig(Settings):
    """The generator of ESRGAN; published ones have 23 blocks, or 6 for drawings."""

    name: Literal["rrdb"] = "rrdb"
    blocks: int = Field(
        default=23, ge=0, description="residual-in-residual dense blocks; 23 in published models, or 6 for drawings"
    )
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")
    growth: int = Field(default=32, ge=1, description="channels that each layer of a dense block adds")
    fold: Literal[1, 2, 4] | None = Field(
        default=None,
        description="squares of so many pixels on a side become channels first; null: 4 / scale, as in Real-ESRGAN",
    )

    def scale_problem(self, scale: int) -> str | None:
        """Return why the network cannot enlarge by `scale`; None if it can."""
        return "rrdb enlarges only by 2 and 4" if scale == 3 else None

    def build(self, scale: int) -> RRDBNet:
        """Build the network with random weights."""
        return RRDBNet(scale, fold=self.fold, blocks=self.blocks, width=self.width, growth=self.growth)


class CompactConfig(Settings):
    """A plain chain of convolutions, for machines without a GPU."""

    name: Literal["compact"] = "compact"
    depth: int = Field(default=16, ge=0, description="convolutions between the first and the last")
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")
    shuffle: Literal[1, 2, 3, 4] | None = Field(
        default=None,
        description="how many times larger the network makes pictures before it shrinks them to the scale, as some "
        "published ones do; null: it enlarges by the scale",
    )

    def scale_problem(self, scale: int) -> str | None:
        """Return why the network cannot enlarge by `scale`; None if it can."""
        if self.shuffle is not None and self.shuffle < scale:
            return f"generator.shuffle {self.shuffle} is less"
        return None

    def build(self, scale: int) -> CompactChain:
        """Build the network with random weights."""
        return CompactChain(scale, depth=self.depth, width=self.width, shuffle=self.shuffle)


class SPANConfig(Settings):
    """Plain convolutions with attention that has no parameters, for machines without a GPU."""

    name: Literal["span"] = "span"
    blocks: int = Field(default=9, ge=0, description="attention blocks")
    width: int = Field(default=32, ge=1, description="channels of the first layer; later layers have multiples of it")
    expansion: int = Field(
        default=0,
        ge=0,
        description="width of the branches beside each convolution in training; 0: none, as in a network whose "
        "branches are folded",
    )

    def scale_problem(self, scale: int) -> str | None:
        """Return why the network cannot enlarge by `scale`; None if it can."""
        return None

    def build(self, scale: int) -> SPAN:
        """Build the network with random weights."""
        return SPAN(scale, blocks=self.blocks, width=self.width, expansion=self.expansion)


class UpConvConfig(Settings):
    """upconv_7 of waifu2x, which enlarges by 2."""

    name: Literal["upconv"] = "upconv"
    width: int = Field(default=16, ge=1, description="channels of the first layer; later layers have multiples of it")

    def scale_problem(self, scale: int) -> str | None:
        """Return why the network cannot enlarge by `scale`; None if it can."""
        return None if scale == 2 else "upconv enlarges only by 2"

    def build(self, scale: int) -> UpConv7:
        """Build the network with random weights."""
        return UpConv7(self.width)


class MSRResNetConfig(Settings):
    """SRResNet without norms, as BasicSR publishes it."""

    name: Literal["msrresnet"] = "msrresnet"
    blocks: int = Field(default=16, ge=0, description="residual blocks")
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")

    def scale_problem(self, scale: int) -> str | None:
        """Return why the network cannot enlarge by `scale`; None if it can."""
        return None

    def build(self, scale: int) -> MSRResNet:
        """Build the network with random weights."""
        return MSRResNet(scale, blocks=self.blocks, width=self.width)


class EDSRConfig(Settings):
    """Residual blocks with a long shortcut; published ones have 16 blocks of width 64, or 32 of width 256."""

    name: Literal["edsr"] = "edsr"
    blocks: int = Field(default=16, ge=0, description="residual blocks; 16, or 32 in the paper's large network")
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")
    residual_weight: float = Field(
        default=1.0, gt=0, description="factor of what a block adds; 0.1 in the paper's large network"
    )

    def scale_problem(self, scale: int) -> str | None:
        """Return why the network cannot enlarge by `scale`; None if it can."""
        return None

    def build(self, scale: int) -> EDSR:
        """Build the network with random weights."""
        return EDSR(scale, blocks=self.blocks, width=self.width, residual_weight=self.residual_weight)


UpscalerConfig = Annotated[
    Annotated[SRResNetConfig, Tag("srresnet")]
    | Annotated[MSRResNetConfig, Tag("msrresnet")]
    | Annotated[EDSRConfig, Tag("edsr")]
    | Annotated[RRDBConfig, Tag("rrdb")]
    | Annotated[CompactConfig, Tag("compact")]
    | Annotated[SPANConfig, Tag("span")]
    | Annotated[UpConvConfig, Tag("upconv")],
    discriminate_by("name", "srresnet"),
]
