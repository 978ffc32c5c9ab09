"""The residual generator of CycleGAN: two halvings, a row of residual blocks, two doublings.

Zhu, Park, Isola, Efros 2017, arXiv:1703.10593, after Johnson, Alahi, Fei-Fei 2016, arXiv:1603.08155.
The paper uses 6 blocks at 128² and 9 at 256² and above.

Blurred resampling: Zhang 2019, arXiv:1904.11486, as in CUT's code: Park, Efros, Zhang, Zhu 2020, arXiv:2007.15651.

Differs from the paper:
- `norm="batch"`, `dropout` (between the convolutions of a block), `downsampling="blurred"` and `upsampling` other than
  "transposed" are options that it does not have; the first two are in the authors' code.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.blocks import (
    Norm,
    Upsampling,
    build_norm,
    build_upsampling,
    initialize_weights,
    is_global,
    needs_bias,
)

Downsampling = Literal["strided", "blurred"]
# Input pixels that the layers of a network add to its margin, by how they change the size.
HALVING_MARGIN = {"strided": 3, "blurred": 6}
DOUBLING_MARGIN = {"transposed": 3, "resize": 6, "blurred": 9}


class ResNetGenerator(nn.Module):
    """An image-to-image residual network: (B, channels_in, H, W) to (B, channels_out, H, W) in [-1, 1].

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        blocks: Number of residual blocks.
        width: Channels at full size; four times as many at a quarter of it.
        norm: After every convolution except the last.
        dropout: Probability of a zero inside a residual block, in training.
        downsampling: How the size is halved: by a convolution of stride 2, or "blurred", by a blur behind one of 1.
        upsampling: How the size is doubled: as in `build_upsampling`, or "blurred", by a blur before a convolution.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels: a quarter of it must be larger than a reflected border.
        margin: How many pixels away, on each side, an output pixel can see, norms aside.
        global_norm: Whether its norms take their statistics over the whole image.
        feature_channels: Channels of each layer that `encode` returns.
    """

    def __init__(
        self,
        channels_in: int = 3,
        channels_out: int = 3,
        *,
        blocks: int = 9,
        width: int = 64,
        norm: Norm = "instance",
        dropout: float = 0.0,
        downsampling: Downsampling = "strided",
        upsampling: Upsampling | Literal["blurred"] = "transposed",
    ) -> None:
        super().__init__()
        self.multiple = 4
        self.minimum = 8
        # In input pixels: 3 + 3 for the first and last convolution, 2 * 4 per block, and what the halvings, the
        # doublings and the place of the output pixel among four add.
        self.margin = 8 * blocks + 6 + HALVING_MARGIN[downsampling] + DOUBLING_MARGIN[upsampling]
        self.global_norm = is_global(norm)
        after_blocks = len({min(1, blocks), min(5, blocks)} - {0})
        self.feature_channels = (channels_in, 2 * width, 4 * width, *[4 * width] * after_blocks)
        bias = needs_bias(norm)
        self.encoder = nn.Sequential(
            _build_reflecting_conv(channels_in, width, kernel=7, bias=bias),
            build_norm(norm, width),
            nn.ReLU(inplace=True),
            *_build_down(width, norm, downsampling),
            *_build_down(2 * width, norm, downsampling),
        )
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width, norm=norm, dropout=dropout) for _ in range(blocks)))
        self.decoder = nn.Sequential(
            *_build_up(4 * width, norm, upsampling),
            *_build_up(2 * width, norm, upsampling),
            _build_reflecting_conv(width, channels_out, kernel=7, bias=True),
            nn.Tanh(),
        )
        initialize_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        """Translate (B, channels_in, H, W), H and W multiples of `multiple` and at least `minimum`."""
        translated: Tensor = self.decoder(self.blocks(self.encoder(image)))
        return translated

    def encode(self, image: Tensor) -> list[Tensor]:
        """Return the features of (B, channels_in, H, W) by which CUT compares places.

        They are the image itself, the output of the second and the third convolution, and the sums after the first and
        the fifth residual block, or the last one if there are fewer.
        """
        layers, features = [image], image
        for index, layer in enumerate(self.encoder):
            features = layer(features)
            if index and isinstance(layer, nn.Conv2d):
                layers.append(features)
        for number, block in enumerate(self.blocks[:5], 1):
            features = block(features)
            if number in (1, 5, len(self.blocks)):
                layers.append(features)
        return layers

    def decode(self, features: Tensor) -> Tensor:
        """Compute the translation from the last features that `encode` returns; both together are `forward`."""
        translated: Tensor = self.decoder(self.blocks[5:](features))
        return translated


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity, (B, channels, H, W) to the same; nothing follows the sum.

    He, Zhang, Ren, Sun 2015, arXiv:1512.03385.
    """

    def __init__(self, channels: int, *, norm: Norm, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _build_reflecting_conv(channels, channels, kernel=3, bias=needs_bias(norm)),
            build_norm(norm, channels),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            _build_reflecting_conv(channels, channels, kernel=3, bias=needs_bias(norm)),
            build_norm(norm, channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Add the output of the layers to `features`."""
        residual: Tensor = self.layers(features)
        return features + residual


class BlurredHalving(nn.Module):
    """Blur by [1, 2, 1] / 4 along each axis, and take every second pixel: (B, C, 2H, 2W) to (B, C, H, W)."""

    def forward(self, features: Tensor) -> Tensor:
        """Halve the size."""
        # Two means of two pixels are the same filter, and much faster than a convolution of each channel.
        return F.avg_pool2d(F.avg_pool2d(F.pad(features, (1, 1, 1, 1), mode="reflect"), 2, stride=1), 2)


def _build_down(width: int, norm: Norm, downsampling: Downsampling) -> list[nn.Module]:
    """Build the layers from (B, width, H, W) to (B, 2 * width, H / 2, W / 2)."""
    stride = 2 if downsampling == "strided" else 1
    convolution = nn.Conv2d(width, 2 * width, 3, stride=stride, padding=1, bias=needs_bias(norm))
    blur = [BlurredHalving()] if downsampling == "blurred" else []
    return [convolution, build_norm(norm, 2 * width), nn.ReLU(inplace=True), *blur]


def _build_up(width: int, norm: Norm, upsampling: Upsampling | Literal["blurred"]) -> list[nn.Module]:
    """Build the layers from (B, width, H, W) to (B, width / 2, 2H, 2W)."""
    bias, half = needs_bias(norm), width // 2
    if upsampling == "blurred":
        # Bilinear interpolation is a blur by [1, 3, 3, 1] / 4 of pixels with zeros between them.
        blur = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        grown: list[nn.Module] = [blur, nn.Conv2d(width, half, 3, padding=1, bias=bias)]
    else:
        grown = [build_upsampling(width, half, kernel=3, upsampling=upsampling, bias=bias)]
    return [*grown, build_norm(norm, half), nn.ReLU(inplace=True)]


def _build_reflecting_conv(channels_in: int, channels_out: int, *, kernel: int, bias: bool) -> nn.Conv2d:
    """Build a convolution that keeps the size and pads by reflection."""
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, padding_mode="reflect", bias=bias)
