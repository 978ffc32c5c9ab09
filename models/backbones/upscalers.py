"""Networks that enlarge images, and the discriminator of SRGAN.

| network                 | paper                                                     |
|-------------------------|-----------------------------------------------------------|
| SRResNet, discriminator | Ledig et al. 2017, arXiv:1609.04802                       |
| RRDBNet                 | Wang et al. 2018, arXiv:1809.00219 (ESRGAN)               |
| CompactChain            | Wang, Xie, Dong, Shan 2021, arXiv:2107.10833, their code  |
| pixel shuffle           | Shi et al. 2016, arXiv:1609.05158                         |
| ICNR                    | Aitken et al. 2017, arXiv:1707.02937                      |

All upscalers take images (B, 3, H, W) in [0, 1], as their published weights do, and return (B, 3, scale * H, scale * W)
with unbounded values; they pad with zeros.

Differs from the papers:
- Convolutions before a pixel shuffle are initialized by ICNR, so that an untrained network shows no checkerboard.
- The compact chain starts close to the identity on differences of its input (`initialize_near_identity`).
- SRResNet ×3 shuffles once by 3; the paper has no such network.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.resampling import BicubicShrink

NEARLY_LINEAR = (
    0.8  # first slope of the compact chain's PReLUs below 0; chosen by trial, see `initialize_near_identity`
)
PIXELS_PER_STRIP = 2**16  # of RRDBNet before it enlarges them; each takes 14 kB, as 64 channels of float32
STRIP_MARGIN = 2  # rows of features on each side that a strip sees: half a row, and three quarters of one


class SRResNet(nn.Module):
    """Residual blocks at the size of the input, followed by pixel shuffles.

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
        self.margin = 2 * blocks + 8  # 4 for the head, 2 per block, 1 after them, 3 for the rest at every scale
        self.head = nn.Sequential(nn.Conv2d(3, width, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(
            *(SRResidualBlock(width) for _ in range(blocks)),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )
        factors = [3] if scale == 3 else [2] * int(math.log2(scale))
        self.growth = nn.Sequential(*(layer for factor in factors for layer in _build_growth(width, factor)))
        self.tail = nn.Conv2d(width, 3, 9, padding=4)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge (B, 3, H, W) in [0, 1] to (B, 3, scale * H, scale * W)."""
        features = self.head(image)
        output: Tensor = self.tail(self.growth(features + self.blocks(features)))
        return output


class SRResidualBlock(nn.Module):
    """Two convolutions with batch norms and a PReLU between them, beside the identity: (B, width, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.PReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Add the output of the layers to `features`."""
        residual: Tensor = self.layers(features)
        return features + residual


def _build_growth(width: int, factor: int) -> list[nn.Module]:
    """Build the layers from (B, width, H, W) to (B, width, factor * H, factor * W)."""
    convolution = nn.Conv2d(width, width * factor**2, 3, padding=1)
    initialize_as_nearest(convolution, factor)
    return [convolution, nn.PixelShuffle(factor), nn.PReLU()]


class RRDBNet(nn.Module):
    """Residual-in-residual dense blocks; scales below 4 fold pixels into channels first, and then enlarge by 4 too.

    Args:
        scale: 1, 2 or 4.
        fold: Pixels on a side of the squares that are folded into channels; None: 4 / scale, as Real-ESRGAN does.
        blocks: Number of residual-in-residual blocks, of three dense blocks each.
        width: Channels between the dense blocks.
        growth: Channels that each convolution inside a dense block adds.

    Attributes:
        scale: The factor by which the output is larger on each side.
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        margin: How many input pixels away, on each side, an output pixel can see.
    """

    def __init__(
        self, scale: int = 4, *, fold: int | None = None, blocks: int = 23, width: int = 64, growth: int = 32
    ) -> None:
        super().__init__()
        self.scale, self.fold = scale, 4 // scale if fold is None else fold
        self.multiple = self.minimum = self.fold
        doublings = int(math.log2(self.scale * self.fold))
        # In folded pixels: 1 each for the first and the last convolution of the body, 15 per block, 2 for the rest.
        self.margin = self.fold * (15 * blocks + 4)
        self.first = nn.Conv2d(3 * self.fold**2, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualInResidual(width, growth) for _ in range(blocks)))
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.up = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(doublings))
        self.detail = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        for layer in self.blocks.modules():
            if isinstance(layer, nn.Conv2d):  # a tenth, as in the authors' code: residuals of many blocks add up
                nn.init.kaiming_normal_(layer.weight)
                layer.weight.data.mul_(0.1)
                nn.init.zeros_(layer.bias) if layer.bias is not None else None

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge (B, 3, H, W) in [0, 1] to (B, 3, scale * H, scale * W)."""
        features = self.first(F.pixel_unshuffle(image, self.fold) if self.fold > 1 else image)
        features = features + self.last(self.blocks(features))
        height, width = features.shape[-2:]
        if torch.is_grad_enabled() or not isinstance(height, int):  # it is none while an export traces any size
            return self._enlarge(features)
        # The enlarged features are 16 times as large as the others, so without gradients they are made in strips.
        step, strips = max(PIXELS_PER_STRIP // width, 1), []
        for top in range(0, height, step):
            bottom, before = min(top + step, height), min(top, STRIP_MARGIN)
            strip = self._enlarge(features[..., top - before : bottom + STRIP_MARGIN, :])
            strips.append(strip[..., 4 * before : 4 * (before + bottom - top), :])
        return torch.cat(strips, dim=-2)

    def _enlarge(self, features: Tensor) -> Tensor:
        """Turn features (B, width, H, W) into the image (B, 3, 4 * H, 4 * W)."""
        for convolution in self.up:
            features = F.leaky_relu(convolution(F.interpolate(features, scale_factor=2.0)), 0.2, inplace=True)
        output: Tensor = self.tail(F.leaky_relu(self.detail(features), 0.2, inplace=True))
        return output


class ResidualInResidual(nn.Module):
    """Three dense blocks beside the identity, a fifth of whose output is added to it: (B, width, H, W)."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(width, growth) for _ in range(3)))

    def forward(self, features: Tensor) -> Tensor:
        """Add a fifth of the output of the blocks to `features`."""
        residual: Tensor = self.blocks(features)
        return features + 0.2 * residual


class DenseBlock(nn.Module):
    """Five convolutions, each of which takes all earlier outputs; a fifth of the last is added to the input."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(width + index * growth, growth if index < 4 else width, 3, padding=1) for index in range(5)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Compute (B, width, H, W) from (B, width, H, W)."""
        collected = features
        for layer in list(self.layers)[:-1]:
            collected = torch.cat([collected, F.leaky_relu(layer(collected), 0.2, inplace=True)], dim=1)
        residual: Tensor = self.layers[-1](collected)
        return features + 0.2 * residual


class CompactChain(nn.Module):
    """A plain chain of convolutions at the size of the input, and one pixel shuffle, added to the enlarged input.

    Args:
        scale: 2, 3 or 4.
        depth: Number of convolutions between the first and the last.
        width: Channels.
        shuffle: The factor of its pixel shuffle; if it is larger than `scale`, the result is shrunk bicubically. None:
            `scale`.

    Attributes:
        scale: The factor by which the output is larger on each side.
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        margin: How many input pixels away, on each side, an output pixel can see.
    """

    def __init__(self, scale: int = 4, *, depth: int = 16, width: int = 64, shuffle: int | None = None) -> None:
        super().__init__()
        self.scale, self.multiple, self.minimum = scale, 1, 1
        self.shuffle = shuffle or scale
        self.shrink = BicubicShrink(self.shuffle, scale) if self.shuffle > scale else None
        # 1 for each convolution; bicubic interpolation takes 2 of the enlarged pixels on each side.
        self.margin = depth + 2 + (self.shuffle > scale)
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width, init=NEARLY_LINEAR)]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width, init=NEARLY_LINEAR)]
        first, *others = (layer for layer in layers if isinstance(layer, nn.Conv2d))
        initialize_as_differences(first)
        for layer in others:
            initialize_near_identity(layer)
        last = nn.Conv2d(width, 3 * self.shuffle**2, 3, padding=1)
        initialize_as_nearest(last, self.shuffle, gain=0.1)  # small: the enlarged input alone is nearly right
        self.layers = nn.Sequential(*layers, last)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge (B, 3, H, W) in [0, 1] to (B, 3, scale * H, scale * W)."""
        residual = F.pixel_shuffle(self.layers(image), self.shuffle)
        larger: Tensor = residual + F.interpolate(image, scale_factor=float(self.shuffle))
        return larger if self.shrink is None else self.shrink(larger)


def initialize_as_differences(layer: nn.Conv2d) -> None:
    """Draw filters without a mean: what is added to an image should depend on its edges, not on its brightness."""
    with torch.no_grad():
        layer.weight.normal_(0, 0.5)  # chosen by trial
        layer.weight.sub_(layer.weight.mean(dim=(1, 2, 3), keepdim=True))
        if layer.bias is not None:
            layer.bias.zero_()


def initialize_near_identity(layer: nn.Conv2d) -> None:
    """Set a convolution to the identity plus a tenth of He's filters, so that a chain without shortcuts can learn.

    With He's or torch's initialization, thousands of steps changed next to nothing; with this one, a hundred steps beat
    bicubic interpolation.
    """
    random = torch.empty_like(layer.weight)
    nn.init.kaiming_normal_(random, a=0.25)
    nn.init.dirac_(layer.weight)
    with torch.no_grad():
        layer.weight.add_(random, alpha=0.1)
        if layer.bias is not None:
            layer.bias.zero_()


class SRDiscriminator(nn.Module):
    """Eight convolutions, then two linear layers, so it takes images of one size.

    Args:
        size: Height and width in pixels; a multiple of 16.
        width: Channels of the first convolution.
        dense: Units between the two linear layers.
    """

    def __init__(self, size: int = 96, *, width: int = 64, dense: int = 1024) -> None:
        super().__init__()
        channels = [3, *(width * 2 ** (index // 2) for index in range(8))]
        layers: list[nn.Module] = []
        for index in range(8):
            stride = 1 + index % 2
            layers.append(nn.Conv2d(channels[index], channels[index + 1], 3, stride=stride, padding=1))
            layers += [nn.BatchNorm2d(channels[index + 1])] if index else []
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers = nn.Sequential(*layers)
        self.verdict = nn.Sequential(
            nn.Flatten(), nn.Linear(channels[-1] * (size // 16) ** 2, dense), nn.LeakyReLU(0.2), nn.Linear(dense, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Score images (B, 3, size, size) in [-1, 1]: logits (B, 1)."""
        scores: Tensor = self.verdict(self.layers(image))
        return scores


@torch.no_grad()
def initialize_as_nearest(convolution: nn.Conv2d, factor: int, gain: float = 1.0) -> None:
    """Draw weights (ICNR) with which a pixel shuffle after `convolution` enlarges by repeating pixels.

    All `factor`² channels that become neighbouring pixels start equal, N(0, gain² / fan-in); the bias starts at 0.
    """
    weight = convolution.weight
    drawn = torch.empty(weight.shape[0] // factor**2, *weight.shape[1:]).normal_(
        std=gain / math.sqrt(weight[0].numel())
    )
    weight.copy_(drawn.repeat_interleave(factor**2, dim=0))
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
