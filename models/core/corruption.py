"""How the input of a denoising autoencoder is corrupted.

Vincent, Larochelle, Bengio, Manzagol 2008, doi:10.1145/1390156.1390294.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field, Tag
from torch import Tensor

from datasets.contract import Settings, discriminate_by


class NoCorruption(Settings):
    """The input stays clean."""

    kind: Literal["none"] = "none"

    def apply(self, image: Tensor) -> Tensor:
        """Return (B, C, H, W) unchanged."""
        return image


class Masking(Settings):
    """Random pixels become black."""

    kind: Literal["masking"] = "masking"
    fraction: float = Field(
        default=0.25, ge=0, le=1, description="of the pixels that become black; 0.1 to 0.5 in the paper"
    )

    def apply(self, image: Tensor) -> Tensor:
        """Mask images (B, C, H, W) in [-1, 1]."""
        return torch.where(_draw_uniform(image) < self.fraction, -1.0, image)


class SaltAndPepper(Settings):
    """Random pixels become white or black, with equal probability."""

    kind: Literal["salt-and-pepper"] = "salt-and-pepper"
    fraction: float = Field(default=0.1, ge=0, le=1, description="of the pixels that become white or black")

    def apply(self, image: Tensor) -> Tensor:
        """Add white and black pixels to images (B, C, H, W) in [-1, 1]."""
        draws = _draw_uniform(image)
        return torch.where(draws < self.fraction, torch.where(draws < self.fraction / 2, -1.0, 1.0), image)


class GaussianNoise(Settings):
    """Normal noise on every value; values that leave the range are kept."""

    kind: Literal["gaussian"] = "gaussian"
    deviation: float = Field(default=0.3, ge=0, description="of the noise, where 0 is black and 1 is white")

    def apply(self, image: Tensor) -> Tensor:
        """Add noise to images (B, C, H, W) in [-1, 1]."""
        return image + 2 * self.deviation * torch.randn_like(image)


Corruption = Annotated[
    Annotated[NoCorruption, Tag("none")]
    | Annotated[Masking, Tag("masking")]
    | Annotated[SaltAndPepper, Tag("salt-and-pepper")]
    | Annotated[GaussianNoise, Tag("gaussian")],
    discriminate_by("kind", "none"),
]


def _draw_uniform(image: Tensor) -> Tensor:
    """Draw a number in [0, 1) for each pixel of each image: (B, 1, H, W)."""
    return torch.rand(len(image), 1, *image.shape[-2:], device=image.device)
