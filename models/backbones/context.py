"""The context encoder, which fills a hole from its surroundings through a bottleneck, and its discriminator.

Pathak, Krähenbühl, Donahue, Darrell, Efros 2016, arXiv:1604.07379: the networks of the authors' code for holes of any
shape, which make the full image.

Differs from the paper:
- The code sets the biases of all convolutions to 0 after every step; here they are learned.
- Its channel-wise dense layer, which the code also leaves out, is left out.
- 128 pixels can be another power of two from 16 on.
"""

import itertools

import torch
from torch import Tensor, nn

from models.backbones.blocks import initialize_weights

MEAN = (117.0, 104.0, 123.0)  # of photographs, 0 to 255: the authors' code fills holes with it
SMALLEST = 4  # pixels on a side before the bottleneck


class ContextEncoder(nn.Module):
    """Fills holes: from images (B, 3, size, size) in [-1, 1] and masks (B, 1, size, size), 1 in the hole, to one image.

    Args:
        size: Height and width in pixels; a power of two.
        width: Channels of the first convolutions.
        bottleneck: Numbers in the bottleneck.
    """

    margin = None
    minimum = 1
    mean: Tensor

    def __init__(self, size: int = 128, *, width: int = 64, bottleneck: int = 4000) -> None:
        super().__init__()
        self.multiple = self.only_size = size
        widths = _list_widths(size, width)
        layers: list[nn.Module] = []
        for level, (channels_in, channels_out) in enumerate(itertools.pairwise([3, *widths])):
            norm = [nn.BatchNorm2d(channels_out)] if level else []
            layers += [nn.Conv2d(channels_in, channels_out, 4, 2, 1), *norm, nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.Conv2d(widths[-1], bottleneck, SMALLEST), nn.BatchNorm2d(bottleneck), nn.LeakyReLU(0.2)]
        layers.append(nn.ConvTranspose2d(bottleneck, widths[-1], SMALLEST))
        for channels_in, channels_out in itertools.pairwise(widths[::-1]):
            layers += [nn.BatchNorm2d(channels_in), nn.ReLU(inplace=True)]
            layers.append(nn.ConvTranspose2d(channels_in, channels_out, 4, 2, 1))
        layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1) / 127.5 - 1, persistent=False)
        initialize_weights(self)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor]:
        """Return the full image, with the hole filled, as a tuple; what `image` contains in the hole is ignored."""
        return (self.layers(torch.where(mask > 0, self.mean, image)),)


class ContextDiscriminator(nn.Module):
    """Scores of full images: from (B, channels, size, size) to logits (B, 1, 1, 1)."""

    def __init__(self, channels: int, size: int = 128, *, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = _list_widths(size, width)
        for level, (channels_in, channels_out) in enumerate(itertools.pairwise([channels, *widths])):
            norm = [nn.BatchNorm2d(channels_out)] if level else []
            layers += [nn.Conv2d(channels_in, channels_out, 4, 2, 1), *norm, nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, SMALLEST))
        initialize_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        """Score (B, channels, size, size)."""
        scores: Tensor = self.layers(image)
        return scores


def _list_widths(size: int, width: int) -> list[int]:
    """List the channels of the halvings from `size` to 4 pixels: `width` twice, then doubling up to 8 times `width`."""
    halvings = (size // SMALLEST).bit_length() - 1
    return [width * min(2 ** max(level - 1, 0), 8) for level in range(halvings)]
