"""Gated convolutions, and two generators made of them: DeepFill v2's coarse stage, and a small U-Net.

Yu, Lin, Yang, Shen, Lu, Huang 2018, arXiv:1806.03589 (DeepFill v2). The U-Net starts from an approximate solution of
Laplace's equation in the hole, on the pyramid of Gortler, Grzeszczuk, Szeliski, Cohen 1996, doi:10.1145/237170.237200.

Differs from the paper:
- Weights start as N(0, gain² / fan-in), with gain 2 for features and 1 for gates. From the usual initializations each
  layer would at least halve the signal, and nothing of the first of twenty layers would reach the last.
- The small U-Net is not in the paper. The chain of the coarse stage learns slowly; the U-Net has skip connections, and
  its dilated layers are residual. Its activations are nearly linear and its gates start open: what was in a hole is
  mostly unknown, so the first thing learned is to add nothing, and with ELU and gates half open the features went to
  zero for good within a hundred steps.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DILATIONS = (2, 4, 8, 16)  # of the paper
SWEEPS = (
    4  # over the image of full size, chosen by trial; twice as many over each smaller one, where they cost a quarter
)
SLOPE = 0.5  # of the small U-Net's activations below 0; chosen by trial, see the module's docstring
OPEN_GATE = 2.0  # a gate's first value before its sigmoid, 0.88 after it; chosen likewise
GAIN = 2.0  # of the features' first weights: with gates half open, it keeps the size of the signal from layer to layer


class GatedConvolution(nn.Module):
    """One convolution to features and gates: ELU(feature) · sigmoid(gate), (B, C, H, W) to (B, C', H / s, W / s).

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output, after gating.
        kernel: Kernel size; odd.
        stride: The factor by which the output is smaller on each side.
        dilation: Pixels from one tap of the kernel to the next.
        activation: Of the features; None: ELU.
        pad_end: Pad the right and the bottom only, as TensorFlow does where it halves an even size with kernel 3.
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
        pad_end: bool = False,
    ) -> None:
        super().__init__()
        self.pad_end = pad_end
        padding = 0 if pad_end else dilation * (kernel // 2)
        self.convolution = nn.Conv2d(channels_in, 2 * channels_out, kernel, stride, padding, dilation)
        self.activation = activation or nn.ELU()
        fan_in = kernel * kernel * channels_in
        nn.init.normal_(self.convolution.weight[:channels_out].data, std=GAIN * fan_in**-0.5)
        nn.init.normal_(self.convolution.weight[channels_out:].data, std=fan_in**-0.5)

    def forward(self, image: Tensor) -> Tensor:
        """Multiply features by their gates."""
        padded = F.pad(image, (0, 1, 0, 1)) if self.pad_end else image
        feature, gate = self.convolution(padded).chunk(2, dim=1)
        gated: Tensor = self.activation(feature) * torch.sigmoid(gate)
        return gated


class GatedUpsampling(nn.Module):
    """Nearest-neighbour upsampling and a gated convolution: (B, C, H, W) to (B, C', 2H, 2W)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.gated = GatedConvolution(channels_in, channels_out)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge and convolve."""
        larger: Tensor = self.gated(F.interpolate(image, scale_factor=2, mode="nearest"))
        return larger


def build_dilated(width: int) -> list[nn.Module]:
    """Build the four gated layers with dilations 2, 4, 8 and 16."""
    return [GatedConvolution(width, width, dilation=dilation) for dilation in DILATIONS]


def build_decoder(widths: list[int]) -> list[nn.Module]:
    """Build the layers from the smallest features back to an image; `widths` are the encoder's, at full size first."""
    layers: list[nn.Module] = []
    for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True):
        layers += [GatedUpsampling(wide, narrow), GatedConvolution(narrow, narrow)]
    layers[-1] = GatedConvolution(widths[0], widths[0] // 2)
    return [*layers, nn.Conv2d(widths[0] // 2, 3, 3, padding=1)]


class CoarseGenerator(nn.Module):
    """DeepFill's first stage: images (B, 3, H, W) in [-1, 1] and masks (B, 1, H, W), 1 in the hole, to (B, 3, H, W).

    H and W must be multiples of 4. `width` is the number of channels of the first convolution, after gating, and
    `pad_end` says how strided convolutions pad: see `GatedConvolution`.
    """

    def __init__(self, width: int = 24, *, pad_end: bool = False) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width]
        layers: list[nn.Module] = [GatedConvolution(5, width, kernel=5)]
        for narrow, wide in itertools.pairwise(widths):
            layers += [GatedConvolution(narrow, wide, stride=2, pad_end=pad_end), GatedConvolution(wide, wide)]
        layers += [GatedConvolution(4 * width, 4 * width), *build_dilated(4 * width)]
        layers += [GatedConvolution(4 * width, 4 * width), GatedConvolution(4 * width, 4 * width)]
        self.layers = nn.Sequential(*layers, *build_decoder(widths))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the full image; what `image` contains in the hole is ignored."""
        return torch.tanh(self.layers(add_mask_channels(image * (1 - mask), mask)))


class GatedUNet(nn.Module):
    """Fills holes on a CPU: from images (B, 3, H, W) in [-1, 1] and masks (B, 1, H, W), 1 in the hole, to one image.

    The hole is filled smoothly first, and the network's output is added to that. It works at half the size, with four
    pixels as channels of one, so that no layer is as large as the image.

    Args:
        width: Channels at half the size; each further halving doubles them.
        halvings: How often features are halved.
        widest: Upper limit of a layer's channels.
        smooth_levels: Levels of the pyramid that fills the hole smoothly; six of them bridge holes of up to 128 pixels.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
    """

    margin = None  # the smooth filling depends on the whole border of the hole
    minimum = 1
    only_size = None

    def __init__(self, *, width: int = 32, halvings: int = 2, widest: int = 72, smooth_levels: int = 6) -> None:
        super().__init__()
        widths = [min(width * 2**level, widest) for level in range(halvings + 1)]
        self.first = build_open_gated(4 * 5, width)
        self.down = nn.ModuleList(
            nn.Sequential(build_open_gated(narrow, wide, stride=2), build_open_gated(wide, wide))
            for narrow, wide in itertools.pairwise(widths)
        )
        last = widths[-1]
        self.middle = nn.ModuleList(build_open_gated(last, last, dilation=dilation) for dilation in (1, *DILATIONS, 1))
        self.up = nn.ModuleList(
            build_open_gated(wide + narrow, narrow) for narrow, wide in reversed(list(itertools.pairwise(widths)))
        )
        self.last = nn.Conv2d(width, 4 * 3, 3, padding=1)
        with torch.no_grad():
            # The first filters respond to differences of colour and not to brightness; the factor was chosen by trial.
            filters = self.first.convolution.weight[:width, : 4 * 3]
            filters.sub_(filters.mean(dim=(1, 2, 3), keepdim=True)).mul_(3)
            for parameter in self.last.parameters():
                parameter.zero_()  # nothing is added at first
        self.smooth_levels = smooth_levels
        self.multiple = 1 << max(halvings + 1, smooth_levels)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor]:
        """Return an image that is valid in the hole only, as a tuple; what `image` contains in the hole is ignored."""
        filled = smooth_fill(image, mask, self.smooth_levels)
        features = self.first(F.pixel_unshuffle(add_mask_channels(filled, mask), 2))
        skips = []
        for layers in self.down:
            skips.append(features)
            features = layers(features)
        for layer in self.middle:
            features = features + layer(features)
        for layer in self.up:
            features = layer(torch.cat([F.interpolate(features, scale_factor=2, mode="nearest"), skips.pop()], dim=1))
        return (filled + F.pixel_shuffle(self.last(features), 2),)


def build_open_gated(channels_in: int, channels_out: int, *, stride: int = 1, dilation: int = 1) -> GatedConvolution:
    """Build a gated convolution that is nearly linear, starts with open gates, and keeps the size of a signal."""
    layer = GatedConvolution(
        channels_in, channels_out, stride=stride, dilation=dilation, activation=nn.LeakyReLU(SLOPE)
    )
    weight, bias = layer.convolution.weight, layer.convolution.bias
    assert bias is not None
    with torch.no_grad():
        # Chosen by trial: a signal keeps about its size from layer to layer, and gates stay nearly open.
        weight[:channels_out].mul_(0.6)
        weight[channels_out:].mul_(0.3)
        bias.zero_()
        bias[channels_out:].fill_(OPEN_GATE)
    return layer


def smooth_fill(image: Tensor, mask: Tensor, levels: int) -> Tensor:
    """Fill holes of (B, C, H, W) smoothly; masks are (B, 1, H, W), 1 in the hole; H, W are multiples of 2^levels.

    The image is halved `levels` times, averaging known pixels only. On the way back, the unknown part of a pixel is
    taken from the next smaller image, bilinearly, and is then replaced by the mean of its four neighbours, repeatedly:
    this approaches the solution of Laplace's equation in the hole. A pixel of the smallest image that has no known part
    starts from 0.
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
            filled = colours + (1 - known) * _average_neighbours(filled)
    return filled


def _average_neighbours(image: Tensor) -> Tensor:
    """Average the four neighbours of every pixel; at the border, a pixel is its own neighbour."""
    wide = F.pad(image, (1, 1, 1, 1), mode="replicate")
    across, down = wide[..., 1:-1, 2:] + wide[..., 1:-1, :-2], wide[..., 2:, 1:-1] + wide[..., :-2, 1:-1]
    return (across + down) / 4


def add_mask_channels(image: Tensor, mask: Tensor) -> Tensor:
    """Concatenate the image, ones, which distinguish the image from padding, and the mask: (B, 5, H, W)."""
    return torch.cat([image, torch.ones_like(mask), mask], dim=1)
