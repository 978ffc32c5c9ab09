"""Configurations of discriminators; each builds its network."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from datasets.contract import Settings, discriminate_by
from models.backbones.blocks import Norm
from models.backbones.context import ContextDiscriminator
from models.backbones.patch import PatchDiscriminator, SNPatchDiscriminator
from models.backbones.stargan_networks import StarDiscriminator
from models.backbones.upscalers import SRDiscriminator


class PatchConfig(Settings):
    """The patch discriminator: with 3 layers a score sees 70x70 pixels, with 0 layers a single pixel."""

    layers: int = Field(
        default=3, ge=0, description="strided layers: with 3 a score sees 70x70 pixels, with 0 a single pixel"
    )
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")
    norm: Norm = Field(default="instance", description="how each layer's values are normalised")
    spectral: bool = Field(default=False, description="normalise the spectrum of the weights")

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot take squares of `size` pixels; None if it can."""
        least = 3 * 2**self.layers if self.layers else 2
        return f"a discriminator of {self.layers} layers needs {least} or more" if size < least else None

    def build(self, channels: int) -> PatchDiscriminator:
        """Build the network with random weights."""
        return PatchDiscriminator(
            channels, layers=self.layers, width=self.width, norm=self.norm, spectral=self.spectral
        )


class SRDiscriminatorConfig(Settings):
    """The discriminator of SRGAN, which takes whole squares of one size."""

    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")
    dense: int = Field(default=1024, ge=1, description="units between its last two layers")

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot take squares of `size` pixels; None if it can."""
        return "SRGAN's discriminator needs multiples of 16" if size % 16 else None

    def build(self, size: int) -> SRDiscriminator:
        """Build the network with random weights."""
        return SRDiscriminator(size, width=self.width, dense=self.dense)


class SNPatchConfig(Settings):
    """The discriminator of DeepFill v2, which also takes the mask."""

    name: Literal["sn-patch"] = "sn-patch"
    layers: int = Field(default=6, ge=1, description="strided layers")
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot take squares of `size` pixels; None if it can."""
        return None

    def build(self, channels: int) -> SNPatchDiscriminator:
        """Build the network with random weights."""
        return SNPatchDiscriminator(channels, layers=self.layers, width=self.width)


class ContextDiscriminatorConfig(Settings):
    """The discriminator of the context encoder, which takes whole squares of one size."""

    name: Literal["context"] = "context"
    size: Literal[16, 32, 64, 128, 256] = Field(default=128, description="pixels on a side of its pictures")
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot take squares of `size` pixels; None if it can."""
        return f"this discriminator takes squares of {self.size}" if size != self.size else None

    def build(self, channels: int) -> ContextDiscriminator:
        """Build the network with random weights."""
        return ContextDiscriminator(channels, self.size, width=self.width)


InpaintingDiscriminatorConfig = Annotated[
    Annotated[SNPatchConfig, Tag("sn-patch")] | Annotated[ContextDiscriminatorConfig, Tag("context")],
    discriminate_by("name", "sn-patch"),
]


class StarDiscriminatorConfig(Settings):
    """The critic of StarGAN, which also classifies and takes squares of one size."""

    layers: int = Field(default=6, ge=1, description="number of halvings: 6 reduce 128 pixels to 2")
    width: int = Field(default=64, ge=1, description="channels of the first layer; later layers have multiples of it")

    def size_problem(self, size: int) -> str | None:
        """Return why the network cannot take squares of `size` pixels; None if it can."""
        multiple = max(4, 2**self.layers)  # the generator needs multiples of 4
        return f"{self.layers} layers of model.discriminator need multiples of {multiple}" if size % multiple else None

    def build(self, channels: int, label: int, size: int) -> StarDiscriminator:
        """Build the network, which gives `label` logits beside its scores, with random weights."""
        return StarDiscriminator(channels, label, size=size, layers=self.layers, width=self.width)
