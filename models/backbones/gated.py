"""Gated convolutions, and generators of them that fill holes.

Yu, Lin, Yang, Shen, Lu, Huang 2018, arXiv:1806.03589 (DeepFill v2). `GatedGenerator` is its coarse stage, alone; with
a width of 24, 2 halvings and no `smooth_levels`, that of the authors' code.

Differs from the paper:
- Weights begin as N(0, gain² / fan-in), 2 for features and 1 for gates. From the usual starts each layer would halve
  the signal and more, and of what the first of twenty saw nothing would reach the last.
- The numbers of channels and of halvings are free; a third halving sees twice as far and costs half as much.
- With `smooth_levels`, the hole is first filled smoothly from around it, by the pyramid of Gortler, Grzeszczuk,
  Szeliski and Cohen 1996, doi:10.1145/237170.237200 (pull-push), and the network makes what is to be added to that: it
  begins as good as diffusion is.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DILATIONS = (2, 4, 8, 16)
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


class GatedGenerator(nn.Module):
    """Fills holes: pictures (B, 3, H, W) in [-1, 1] and masks (B, 1, H, W), 1 in the hole, to one tuple of pictures.

    Args:
        width: Channels of the first convolution; each halving doubles them.
        halvings: How often the picture is halved on the way down.
        widest: Channels that no layer exceeds; None: no limit.
        smooth_levels: Halvings by which the hole is first filled smoothly, and then added to; 0: it is not. Six of them
            bridge holes of up to 128 pixels.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
        margin: How many input pixels away an output pixel can still see.
    """

    def __init__(
        self, *, width: int = 24, halvings: int = 2, widest: int | None = None, smooth_levels: int = 0
    ) -> None:
        super().__init__()
        widths = [min(width * 2**level, widest or width * 2**level) for level in range(halvings + 1)]
        layers: list[nn.Module] = [GatedConvolution(5, width, kernel=5)]
        for narrow, wide in itertools.pairwise(widths):
            layers += [GatedConvolution(narrow, wide, stride=2), GatedConvolution(wide, wide)]
        last = widths[-1]
        layers += [GatedConvolution(last, last), *dilated(last)]
        layers += [GatedConvolution(last, last), GatedConvolution(last, last)]
        self.layers = nn.Sequential(*layers, *decoder(widths))
        self.smooth_levels = smooth_levels
        if smooth_levels:
            for parameter in self.layers[-1].parameters():
                nn.init.zeros_(parameter)  # nothing is added at first
        self.multiple = 1 << max(halvings, smooth_levels)
        self.margin = _reach(halvings) + (2 << smooth_levels if smooth_levels else 0)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor]:
        """Fill the hole; what the picture holds in it does not count. Beyond the hole the result means nothing."""
        known = image * (1 - mask)
        if not self.smooth_levels:
            return (torch.tanh(self.layers(_with_mask(known, mask))),)
        filled = smooth_fill(known, mask, self.smooth_levels)
        return (filled + self.layers(_with_mask(filled, mask)),)


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
        margin: How many input pixels away an output pixel can still see.
    """

    def __init__(self, *, width: int = 32, halvings: int = 2, widest: int = 72, smooth_levels: int = 6) -> None:
        super().__init__()
        widths = [min(width * 2**level, widest) for level in range(halvings + 1)]
        self.first = GatedConvolution(4 * 5, width)
        self.down = nn.ModuleList(
            nn.Sequential(GatedConvolution(narrow, wide, stride=2), GatedConvolution(wide, wide))
            for narrow, wide in itertools.pairwise(widths)
        )
        last = widths[-1]
        self.middle = nn.ModuleList(GatedConvolution(last, last, dilation=dilation) for dilation in (1, *DILATIONS, 1))
        self.up = nn.ModuleList(
            GatedConvolution(wide + narrow, narrow) for narrow, wide in reversed(list(itertools.pairwise(widths)))
        )
        self.last = nn.Conv2d(width, 4 * 3, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)  # nothing is added at first
        self.smooth_levels = smooth_levels
        self.multiple = 1 << max(halvings + 1, smooth_levels)
        self.margin = _reach(halvings) + (2 << smooth_levels)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor]:
        """Fill the hole; what the picture holds in it does not count. Beyond the hole the result means nothing."""
        filled = smooth_fill(image, mask, self.smooth_levels)
        features = self.first(F.pixel_unshuffle(_with_mask(filled, mask), 2))
        seen = []
        for layers in self.down:
            seen.append(features)
            features = layers(features)
        for layer in self.middle:
            features = features + layer(features)
        for layer in self.up:
            features = layer(torch.cat([F.interpolate(features, scale_factor=2, mode="nearest"), seen.pop()], dim=1))
        return (filled + F.pixel_shuffle(self.last(features), 2),)


def smooth_fill(image: Tensor, mask: Tensor, levels: int) -> Tensor:
    """Fill holes by what is around: (B, C, H, W) and masks (B, 1, H, W), 1 in the hole; H, W multiples of 2^levels.

    The picture is halved `levels` times, by the mean of what is known; on the way back, what is not known of a cell is
    taken from the next smaller picture, bilinearly. Where a cell of the smallest knows nothing, it is 0.
    """
    known = 1 - mask
    colours = image * known
    pyramid = []
    for _ in range(levels):
        pyramid.append((colours, known))
        colours, known = F.avg_pool2d(colours, 2), F.avg_pool2d(known, 2)
    filled = colours / known.clamp(min=1e-6)
    for colours, known in reversed(pyramid):
        filled = colours + (1 - known) * F.interpolate(filled, scale_factor=2, mode="bilinear")
    return filled


def _with_mask(image: Tensor, mask: Tensor) -> Tensor:
    """The picture, ones, which tell the border from what is padded around it, and the mask: (B, 5, H, W)."""
    return torch.cat([image, torch.ones_like(mask), mask], dim=1)


def _reach(halvings: int) -> int:
    """Pixels from an output pixel to the farthest that `GatedGenerator` computes it from."""
    farthest = 0
    for place in range(1 << halvings):  # not all are alike: it depends on the cells that a pixel lies in
        first, last = place - 1, place + 1  # from the last convolution back to the first
        for _ in range(halvings):
            first, last = (first - 2) // 2, (last + 2) // 2
        first, last = first - 3 - sum(DILATIONS), last + 3 + sum(DILATIONS)
        for _ in range(halvings):
            first, last = 2 * (first - 1) - 1, 2 * (last + 1) + 1
        farthest = max(farthest, place - first + 2, last + 2 - place)
    return farthest
