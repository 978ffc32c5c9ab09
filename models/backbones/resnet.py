"""The residual generator of CycleGAN: down by four, a row of residual blocks, up again.

Zhu, Park, Isola, Efros 2017, arXiv:1703.10593, after Johnson, Alahi, Fei-Fei 2016, arXiv:1603.08155.
The paper takes 6 blocks at 128² and 9 at 256² and above.

Differs from the paper:
- `norm="batch"`, `dropout` (between the convolutions of a block) and `upsampling="resize"` are choices it does not
  make; the first two are in the authors' code.
"""

from torch import Tensor, nn

from models.backbones.blocks import Norm, Upsampling, initialize_weights, needs_bias, normalisation, upsample


class ResNetGenerator(nn.Module):
    """An image-to-image residual network: (B, channels_in, H, W) to (B, channels_out, H, W) in [-1, 1].

    Args:
        channels_in: Channels of the pictures it takes.
        channels_out: Channels of the pictures it makes.
        blocks: Residual blocks.
        width: Channels at full size; four times as many at a quarter of it.
        norm: After every convolution but the last.
        dropout: Chance of a zero inside a residual block, in training.
        upsampling: How the size is doubled.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels: a quarter of it must be larger than a reflected border.
        margin: How many pixels away, on each side, an output pixel can still see, norms aside.
        global_norm: Its norms take their statistics over the whole picture.
        looks: Channels of what `encode` gives.
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
        # In input pixels: 3 + 3 for the ends, 2 * 4 for each block, 3 for the way down, 3 for the way up (6 if resized,
        # where two 3x3 convolutions look around instead), and 3 for where the output pixel stands among four.
        self.margin = 8 * blocks + (12 if upsampling == "transposed" else 15)
        self.global_norm = norm == "instance"
        self.looks = (channels_in, 2 * width, 4 * width, *([4 * width] * len({min(1, blocks), min(5, blocks)} - {0})))
        bias = needs_bias(norm)
        self.encoder = nn.Sequential(
            _reflected(channels_in, width, kernel=7, bias=bias),
            normalisation(norm, width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias),
            normalisation(norm, 2 * width),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=bias),
            normalisation(norm, 4 * width),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width, norm=norm, dropout=dropout) for _ in range(blocks)))
        self.decoder = nn.Sequential(
            upsample(4 * width, 2 * width, kernel=3, upsampling=upsampling, bias=bias),
            normalisation(norm, 2 * width),
            nn.ReLU(inplace=True),
            upsample(2 * width, width, kernel=3, upsampling=upsampling, bias=bias),
            normalisation(norm, width),
            nn.ReLU(inplace=True),
            _reflected(width, channels_out, kernel=7, bias=True),
            nn.Tanh(),
        )
        initialize_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        """Translate (B, channels_in, H, W), H and W multiples of `multiple` and at least `minimum`."""
        translated: Tensor = self.decoder(self.blocks(self.encoder(image)))
        return translated

    def encode(self, image: Tensor) -> list[Tensor]:
        """What it sees of (B, channels_in, H, W) on its way in, by which CUT tells whether two places are alike.

        That is the picture itself, what either convolution of stride 2 makes of it, and the sums after the first and
        the fifth residual block, or the last where there are fewer; `looks` tells the channels.
        """
        half = self.encoder[:4](image)
        quarter = self.encoder[4:7](half)
        looks = [image, half, quarter]
        features = self.encoder[7:](quarter)
        for number, block in enumerate(self.blocks[:5], 1):
            features = block(features)
            if number in (1, 5, len(self.blocks)):
                looks.append(features)
        return looks

    def decode(self, look: Tensor) -> Tensor:
        """The translation, from the last of what `encode` gave: both together are `forward`."""
        translated: Tensor = self.decoder(self.blocks[5:](look))
        return translated


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity, (B, channels, H, W) to the same; nothing follows the sum.

    He, Zhang, Ren, Sun 2015, arXiv:1512.03385.
    """

    def __init__(self, channels: int, *, norm: Norm, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _reflected(channels, channels, kernel=3, bias=needs_bias(norm)),
            normalisation(norm, channels),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            _reflected(channels, channels, kernel=3, bias=needs_bias(norm)),
            normalisation(norm, channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Add what the layers make of `features` to them."""
        changed: Tensor = self.layers(features)
        return features + changed


def _reflected(channels_in: int, channels_out: int, *, kernel: int, bias: bool) -> nn.Conv2d:
    """A convolution that keeps the size; the picture goes on beyond its border as in a mirror."""
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, padding_mode="reflect", bias=bias)
