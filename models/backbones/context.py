"""The context encoder: what surrounds a hole, through a bottleneck, to what may have been in it; and its discriminator.

Pathak, Krähenbühl, Donahue, Darrell, Efros 2016, arXiv:1604.07379: the networks of the authors' code for holes of any
shape, which make the whole picture.

Differs from the paper:
- The code sets the biases of all convolutions to 0 after every step; here they learn.
- Its channel-wise dense layer, which the code leaves out too, is left out.
- 128 pixels can be another power of two from 16 on.
"""

import itertools

import torch
from torch import Tensor, nn

from models.backbones.blocks import initialize_weights

MEAN = (117.0, 104.0, 123.0)  # of a photograph, 0 to 255: what holes are filled with at first
SMALLEST = 4  # pixels on a side before the bottleneck


class ContextEncoder(nn.Module):
    """Fills holes: pictures (B, 3, size, size) in [-1, 1] and masks (B, 1, size, size), 1 in the hole, to one tuple.

    Args:
        size: Pixels on a side; a power of two.
        width: Channels of the first convolutions.
        bottleneck: Numbers that a picture is put through.
    """

    margin = None
    mean: Tensor

    def __init__(self, size: int = 128, *, width: int = 64, bottleneck: int = 4000) -> None:
        super().__init__()
        self.multiple = size
        widths = _widths(size, width)
        layers: list[nn.Module] = []
        for level, (taken, given) in enumerate(itertools.pairwise([3, *widths])):
            norm = [nn.BatchNorm2d(given)] if level else []
            layers += [nn.Conv2d(taken, given, 4, 2, 1), *norm, nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.Conv2d(widths[-1], bottleneck, SMALLEST), nn.BatchNorm2d(bottleneck), nn.LeakyReLU(0.2)]
        layers.append(nn.ConvTranspose2d(bottleneck, widths[-1], SMALLEST))
        for taken, given in itertools.pairwise(widths[::-1]):
            layers += [nn.BatchNorm2d(taken), nn.ReLU(inplace=True), nn.ConvTranspose2d(taken, given, 4, 2, 1)]
        layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1) / 127.5 - 1, persistent=False)
        initialize_weights(self)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor]:
        """Make the picture again, the hole with it; what the picture holds in it does not count."""
        return (self.layers(torch.where(mask > 0, self.mean, image)),)


class ContextDiscriminator(nn.Module):
    """Scores of whole pictures: (B, channels, size, size) to logits (B, 1, 1, 1)."""

    def __init__(self, channels: int, size: int = 128, *, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = _widths(size, width)
        for level, (taken, given) in enumerate(itertools.pairwise([channels, *widths])):
            norm = [nn.BatchNorm2d(given)] if level else []
            layers += [nn.Conv2d(taken, given, 4, 2, 1), *norm, nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, SMALLEST))
        initialize_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        """Judge (B, channels, size, size)."""
        scores: Tensor = self.layers(image)
        return scores


def _widths(size: int, width: int) -> list[int]:
    """Channels of the halvings that lead from `size` to 4 pixels: `width` twice, then doubling, eight times at most."""
    halvings = (size // SMALLEST).bit_length() - 1
    return [width * min(2 ** max(level - 1, 0), 8) for level in range(halvings)]
