"""Upscalers of residual blocks without norms: MSRResNet and EDSR, as BasicSR publishes their weights.

| network   | paper                                                                                     |
|-----------|-------------------------------------------------------------------------------------------|
| MSRResNet | Wang et al. 2018, arXiv:1809.00219 (ESRGAN), after Ledig et al. 2017, arXiv:1609.04802     |
| EDSR      | Lim, Son, Kim, Nah, Lee 2017, arXiv:1707.02921                                            |

They take images (B, 3, H, W) in [0, 1] and return (B, 3, scale * H, scale * W) with unbounded values; they pad with
zeros.

Differs from the papers:
- Convolutions before a pixel shuffle are initialized by ICNR, so that an untrained network shows no checkerboard.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.upscalers import initialize_as_nearest

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)  # of RGB in [0, 1], as in the authors' code
VALUES = 255.0  # EDSR works on differences from the mean in these units


class PlainResidualBlock(nn.Module):
    """Two convolutions with a ReLU between them, beside the identity: (B, width, H, W)."""

    def __init__(self, width: int, weight: float = 1.0) -> None:
        """`weight` is what the output of the convolutions is multiplied by before it is added."""
        super().__init__()
        self.weight = weight
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Add the output of the layers to `features`."""
        residual: Tensor = self.layers(features)
        return features + self.weight * residual


class MSRResNet(nn.Module):
    """SRResNet without norms, whose output is added to the image enlarged by bilinear interpolation.

    Args:
        scale: 2, 3 or 4.
        blocks: Number of residual blocks.
        width: Channels.

    Attributes:
        scale: The factor by which the output is larger on each side.
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        margin: How many input pixels away, on each side, an output pixel can see.
    """

    def __init__(self, scale: int = 4, *, blocks: int = 16, width: int = 64) -> None:
        super().__init__()
        self.scale, self.multiple, self.minimum = scale, 1, 1
        factors = _factors(scale)
        self.margin = 1 + 2 * blocks + _reach(factors, at_full_size=2)
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(*(PlainResidualBlock(width) for _ in range(blocks)))
        self.growth = nn.Sequential(
            *(layer for factor in factors for layer in (*_build_growth(width, factor), nn.LeakyReLU(0.1, inplace=True)))
        )
        self.detail = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        _shrink_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge (B, 3, H, W) in [0, 1] to (B, 3, scale * H, scale * W)."""
        features = self.blocks(F.leaky_relu(self.first(image), 0.1))
        details = self.tail(F.leaky_relu(self.detail(self.growth(features)), 0.1))
        base = F.interpolate(image, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        output: Tensor = details + base
        return output


class EDSR(nn.Module):
    """Residual blocks with a long shortcut on differences from the mean colour, followed by pixel shuffles.

    Args:
        scale: 2, 3 or 4.
        blocks: Number of residual blocks.
        width: Channels.
        residual_weight: What the output of a block's convolutions is multiplied by.

    Attributes:
        scale: The factor by which the output is larger on each side.
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        margin: How many input pixels away, on each side, an output pixel can see.
    """

    def __init__(self, scale: int = 4, *, blocks: int = 16, width: int = 64, residual_weight: float = 1.0) -> None:
        super().__init__()
        self.scale, self.multiple, self.minimum = scale, 1, 1
        factors = _factors(scale)
        self.margin = 2 + 2 * blocks + _reach(factors, at_full_size=1)
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(*(PlainResidualBlock(width, residual_weight) for _ in range(blocks)))
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.growth = nn.Sequential(*(layer for factor in factors for layer in _build_growth(width, factor)))
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        _shrink_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge (B, 3, H, W) in [0, 1] to (B, 3, scale * H, scale * W)."""
        features = self.first((image - self.mean) * VALUES)
        output: Tensor = self.tail(self.growth(features + self.last(self.blocks(features))))
        return output / VALUES + self.mean


def _factors(scale: int) -> list[int]:
    """Return the factors of the pixel shuffles that enlarge by `scale`."""
    return [3] if scale == 3 else [2] * int(math.log2(scale))


def _build_growth(width: int, factor: int) -> list[nn.Module]:
    """Build the layers from (B, width, H, W) to (B, width, factor * H, factor * W)."""
    return [nn.Conv2d(width, width * factor**2, 3, padding=1), nn.PixelShuffle(factor)]


def _reach(factors: list[int], *, at_full_size: int) -> int:
    """Return how many input pixels away the layers from the first pixel shuffle on see.

    Of the 3x3 convolutions there, one comes before each shuffle, and `at_full_size` after the last.
    """
    reach = at_full_size
    for factor in reversed(factors):  # what lies beyond the edge of a pixel lies in that many pixels before the shuffle
        reach = math.ceil(reach / factor) + 1
    return reach


def _shrink_weights(network: nn.Module) -> None:
    """Draw the blocks' weights at a tenth of He's, as BasicSR does, and those before pixel shuffles by ICNR."""
    for module in network.modules():
        if isinstance(module, PlainResidualBlock):
            for layer in module.layers:
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight)
                    layer.weight.data.mul_(0.1)
                    nn.init.zeros_(layer.bias) if layer.bias is not None else None
        if isinstance(module, nn.Sequential):
            for layer, shuffle in pairwise(module):
                if isinstance(layer, nn.Conv2d) and isinstance(shuffle, nn.PixelShuffle):
                    initialize_as_nearest(layer, shuffle.upscale_factor)
