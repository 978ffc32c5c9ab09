"""The residual generator of CycleGAN: two halvings, a row of residual blocks, two doublings.

Zhu, Park, Isola, Efros 2017, arXiv:1703.10593, after Johnson, Alahi, Fei-Fei 2016, arXiv:1603.08155.
The paper uses 6 blocks at 128² and 9 at 256² and above.

Differs from the paper:
- `norm="batch"`, `dropout` (between the convolutions of a block) and `upsampling="resize"` are options that it does not
  have; the first two are in the authors' code.
"""

from torch import Tensor, nn

from models.backbones.blocks import Norm, Upsampling, build_norm, build_upsampling, initialize_weights, needs_bias


class ResNetGenerator(nn.Module):
    """An image-to-image residual network: (B, channels_in, H, W) to (B, channels_out, H, W) in [-1, 1].

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        blocks: Number of residual blocks.
        width: Channels at full size; four times as many at a quarter of it.
        norm: After every convolution except the last.
        dropout: Probability of a zero inside a residual block, in training.
        upsampling: How the size is doubled.

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
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        self.multiple = 4
        self.minimum = 8
        # In input pixels: 3 + 3 for the first and last convolution, 2 * 4 per block, 3 for the halvings, 3 for the
        # doublings (6 if resized, by their two 3x3 convolutions), and 3 for the place of the output pixel among four.
        self.margin = 8 * blocks + (12 if upsampling == "transposed" else 15)
        self.global_norm = norm == "instance"
        after_blocks = len({min(1, blocks), min(5, blocks)} - {0})
        self.feature_channels = (channels_in, 2 * width, 4 * width, *[4 * width] * after_blocks)
        bias = needs_bias(norm)
        self.encoder = nn.Sequential(
            _build_reflecting_conv(channels_in, width, kernel=7, bias=bias),
            build_norm(norm, width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias),
            build_norm(norm, 2 * width),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=bias),
            build_norm(norm, 4 * width),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width, norm=norm, dropout=dropout) for _ in range(blocks)))
        self.decoder = nn.Sequential(
            build_upsampling(4 * width, 2 * width, kernel=3, upsampling=upsampling, bias=bias),
            build_norm(norm, 2 * width),
            nn.ReLU(inplace=True),
            build_upsampling(2 * width, width, kernel=3, upsampling=upsampling, bias=bias),
            build_norm(norm, width),
            nn.ReLU(inplace=True),
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

        They are the image itself, the output of each convolution of stride 2, and the sums after the first and the
        fifth residual block, or the last one if there are fewer.
        """
        half = self.encoder[:4](image)
        quarter = self.encoder[4:7](half)
        layers = [image, half, quarter]
        features = self.encoder[7:](quarter)
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


def _build_reflecting_conv(channels_in: int, channels_out: int, *, kernel: int, bias: bool) -> nn.Conv2d:
    """Build a convolution that keeps the size and pads by reflection."""
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, padding_mode="reflect", bias=bias)
