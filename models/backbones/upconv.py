"""upconv_7, the network of waifu2x: seven layers without padding, the last of which enlarges.

No paper; published by nagadomi at github.com/nagadomi/waifu2x, after Dong et al. 2015, arXiv:1501.00092 (SRCNN). There
are weights for photographs and for drawings, each for several strengths of noise.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (1, 2, 4, 8, 8, 16)  # channels of the convolutions, as multiples of the first one's


class UpConv7(nn.Module):
    """Convolutions and a deconvolution that together lose 7 pixels on each side, by which the image is extended first.

    Args:
        width: Channels of the first convolution.

    Attributes:
        scale: The factor by which the output is larger on each side.
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        margin: How many input pixels away, on each side, an output pixel can see.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.scale, self.multiple, self.minimum = 2, 1, 1
        self.margin = 7
        channels, layers = [3, *(width * multiple for multiple in WIDTHS)], list[nn.Module]()
        for channels_in, channels_out in pairwise(channels):
            layers += [nn.Conv2d(channels_in, channels_out, 3), nn.LeakyReLU(0.1, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(channels[-1], 3, 4, stride=2, padding=3))

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge (B, 3, H, W) in [0, 1] to (B, 3, 2 * H, 2 * W)."""
        output: Tensor = self.layers(F.pad(image, (self.margin,) * 4, mode="replicate"))
        return output
