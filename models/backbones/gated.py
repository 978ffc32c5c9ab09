"""Gated convolutions, and two generators of them that fill holes: DeepFill v2's coarse stage, and a small U-Net.

Yu, Lin, Yang, Shen, Lu, Huang 2018, arXiv:1806.03589 (DeepFill v2). The U-Net begins from what solves
Laplace's equation in the hole, nearly, on the pyramid of Gortler, Grzeszczuk, Szeliski, Cohen 1996,
doi:10.1145/237170.237200.

Differs from the paper:
- Weights begin as N(0, gain² / fan-in), 2 for features and 1 for gates. From the usual starts each layer would halve
  the signal and more, and of what the first of twenty saw nothing would reach the last.
- The small U-Net is not in the paper. The chain of the coarse stage learns slowly; here features are led past what is
  below them, and layers that see far add to what they are given. Its activations bend little and its gates start open:
  most of what a hole held cannot be known, so that the first thing learned is to add nothing, and with ELU and gates
  half open features went to zero for good within a hundred steps.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DILATIONS = (2, 4, 8, 16)
SWEEPS = 4  # over the whole picture; twice as many over each smaller one, where they cost a quarter
SLIGHT_BEND = 0.5  # slope below 0
OPEN = 2.0  # of a gate before its sigmoid
GAIN = 2.0  # of features' first weights: with gates half open, a signal of ordinary size then keeps it, layer by layer


class GatedConvolution(nn.Module):
    """One convolution to features and gates: ELU(feature) · sigmoid(gate), (B, C, H, W) to (B, C', H / s, W / s).

    Args:
        channels_in: Channels it takes.
        channels_out: Channels it makes, once gated.
        kernel: Its side, in pixels; odd.
        stride: How many times smaller the output is on each side.
        dilation: Pixels from one tap of the kernel to the next.
        activation: Of the features; None: ELU.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.convolution = nn.Conv2d(channels_in, 2 * channels_out, kernel, stride, padding, dilation)
        self.activation = activation or nn.ELU()
        fan_in = kernel * kernel * channels_in
        nn.init.normal_(self.convolution.weight[:channels_out].data, std=GAIN * fan_in**-0.5)
        nn.init.normal_(self.convolution.weight[channels_out:].data, std=fan_in**-0.5)

    def forward(self, image: Tensor) -> Tensor:
        """Let through what the gates let through."""
        feature, gate = self.convolution(image).chunk(2, dim=1)
        gated: Tensor = self.activation(feature) * torch.sigmoid(gate)
        return gated


class GatedUpsampling(nn.Module):
    """Twice as large by nearest neighbour, then gated: (B, C, H, W) to (B, C', 2H, 2W)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.gated = GatedConvolution(channels_in, channels_out)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge and convolve."""
        larger: Tensor = self.gated(F.interpolate(image, scale_factor=2, mode="nearest"))
        return larger


def dilated(width: int) -> list[nn.Module]:
    """The four layers that see far: gated, dilated by 2, 4, 8 and 16."""
    return [GatedConvolution(width, width, dilation=dilation) for dilation in DILATIONS]


def decoder(widths: list[int]) -> list[nn.Module]:
    """From the smallest features back to a picture; `widths` are those of the way down, the largest picture's first."""
    layers: list[nn.Module] = []
    for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True):
        layers += [GatedUpsampling(wide, narrow), GatedConvolution(narrow, narrow)]
    layers[-1] = GatedConvolution(widths[0], widths[0] // 2)
    return [*layers, nn.Conv2d(widths[0] // 2, 3, 3, padding=1)]


class CoarseGenerator(nn.Module):
    """DeepFill's first stage: pictures (B, 3, H, W) in [-1, 1] and masks (B, 1, H, W), 1 in the hole, to (B, 3, H, W).

    H and W must be multiples of 4. `width` is the number of channels of the first convolution, once gated.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width]
        layers: list[nn.Module] = [GatedConvolution(5, width, kernel=5)]
        for narrow, wide in itertools.pairwise(widths):
            layers += [GatedConvolution(narrow, wide, stride=2), GatedConvolution(wide, wide)]
        layers += [GatedConvolution(4 * width, 4 * width), *dilated(4 * width)]
        layers += [GatedConvolution(4 * width, 4 * width), GatedConvolution(4 * width, 4 * width)]
        self.layers = nn.Sequential(*layers, *decoder(widths))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the hole; what the picture holds in it does not count."""
        return torch.tanh(self.layers(with_mask(image * (1 - mask), mask)))


class GatedUNet(nn.Module):
    """Fills holes on a processor: pictures (B, 3, H, W) in [-1, 1] and masks (B, 1, H, W), 1 in the hole, to one tuple.

    The hole is filled smoothly first, and what the network makes is added to that. It works at half the size: four
    pixels are four times the channels of one, so that no layer is as large as the picture.

    Args:
        width: Channels at half the size; each further halving doubles them.
        halvings: How often features are halved.
        widest: Channels that no layer exceeds.
        smooth_levels: Halvings by which the hole is filled smoothly; six of them bridge holes of up to 128 pixels.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
    """

    margin = None  # the smooth filling settles over the whole hole

    def __init__(self, *, width: int = 32, halvings: int = 2, widest: int = 72, smooth_levels: int = 6) -> None:
        super().__init__()
        widths = [min(width * 2**level, widest) for level in range(halvings + 1)]
        self.first = open_gated(4 * 5, width)
        self.down = nn.ModuleList(
            nn.Sequential(open_gated(narrow, wide, stride=2), open_gated(wide, wide))
            for narrow, wide in itertools.pairwise(widths)
        )
        last = widths[-1]
        self.middle = nn.ModuleList(open_gated(last, last, dilation=dilation) for dilation in (1, *DILATIONS, 1))
        self.up = nn.ModuleList(
            open_gated(wide + narrow, narrow) for narrow, wide in reversed(list(itertools.pairwise(widths)))
        )
        self.last = nn.Conv2d(width, 4 * 3, 3, padding=1)
        with torch.no_grad():
            seen = self.first.convolution.weight[:width, : 4 * 3]
            seen.sub_(seen.mean(dim=(1, 2, 3), keepdim=True)).mul_(3)  # differences, not brightness
            for parameter in self.last.parameters():
                parameter.zero_()  # nothing is added at first
        self.smooth_levels = smooth_levels
        self.multiple = 1 << max(halvings + 1, smooth_levels)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor]:
        """Fill the hole; what the picture holds in it does not count. Beyond the hole the result means nothing."""
        filled = smooth_fill(image, mask, self.smooth_levels)
        features = self.first(F.pixel_unshuffle(with_mask(filled, mask), 2))
        seen = []
        for layers in self.down:
            seen.append(features)
            features = layers(features)
        for layer in self.middle:
            features = features + layer(features)
        for layer in self.up:
            features = layer(torch.cat([F.interpolate(features, scale_factor=2, mode="nearest"), seen.pop()], dim=1))
        return (filled + F.pixel_shuffle(self.last(features), 2),)


def open_gated(channels_in: int, channels_out: int, *, stride: int = 1, dilation: int = 1) -> GatedConvolution:
    """A gated convolution that bends little, begins with its gates open, and keeps a signal's size."""
    layer = GatedConvolution(
        channels_in, channels_out, stride=stride, dilation=dilation, activation=nn.LeakyReLU(SLIGHT_BEND)
    )
    weight, bias = layer.convolution.weight, layer.convolution.bias
    assert bias is not None
    with torch.no_grad():
        weight[:channels_out].mul_(0.6)
        weight[channels_out:].mul_(0.3)
        bias.zero_()
        bias[channels_out:].fill_(OPEN)
    return layer


def smooth_fill(image: Tensor, mask: Tensor, levels: int) -> Tensor:
    """Fill holes by what is around: (B, C, H, W) and masks (B, 1, H, W), 1 in the hole; H, W multiples of 2^levels.

    The picture is halved `levels` times, by the mean of what is known; on the way back, what is not known of a cell is
    taken from the next smaller picture, bilinearly, and then from its four neighbours, again and again: towards the
    surface that solves Laplace's equation in the hole. Where a cell of the smallest knows nothing, it begins from 0.
    """
    known = 1 - mask
    colours = image * known
    pyramid = []
    for _ in range(levels):
        pyramid.append((colours, known))
        colours, known = F.avg_pool2d(colours, 2), F.avg_pool2d(known, 2)
    filled = colours / known.clamp(min=1e-6)
    for level in reversed(range(levels)):
        colours, known = pyramid[level]
        filled = colours + (1 - known) * F.interpolate(filled, scale_factor=2, mode="bilinear")
        for _ in range(SWEEPS << level):
            filled = colours + (1 - known) * _mean_of_neighbours(filled)
    return filled


def _mean_of_neighbours(image: Tensor) -> Tensor:
    """Of the four; beyond the border a pixel is its own neighbour."""
    wide = F.pad(image, (1, 1, 1, 1), mode="replicate")
    across, down = wide[..., 1:-1, 2:] + wide[..., 1:-1, :-2], wide[..., 2:, 1:-1] + wide[..., :-2, 1:-1]
    return (across + down) / 4


def with_mask(image: Tensor, mask: Tensor) -> Tensor:
    """The picture, ones, which tell the border from what is padded around it, and the mask: (B, 5, H, W)."""
    return torch.cat([image, torch.ones_like(mask), mask], dim=1)
