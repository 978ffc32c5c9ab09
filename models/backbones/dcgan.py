"""The convolutional generator and discriminator of DCGAN, and the same body as an encoder.

Radford, Metz, Chintala 2015, arXiv:1511.06434: strided convolutions instead of pooling, batch norm everywhere but at
the generator's output and the discriminator's input, no hidden dense layer, ReLU in the generator, leaky ReLU in the
discriminator. Labels enter as one-hot numbers beside the latent and as constant planes beside the picture.

Differs from the paper:
- 512 channels at most at 64² (the paper's generator begins with 1024), as in PyTorch's example, whose parameter counts
  these networks have; no convolution has a bias.
- Sizes other than 64: the picture is halved down to 4 to 7 pixels a side, so 28 ends at 7, and 96 at 6. `depth` halves
  more or less often.
- The generator's output has no activation: that is for the model to choose.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.blocks import Norm, initialize_weights, normalisation

SMALLEST, LARGEST = 4, 7  # pixels on a side at which halving ends by itself


def halvings(size: int, depth: int | None = None) -> tuple[int, int]:
    """How often `size` is halved, and how many pixels are left on a side.

    Raises:
        ValueError: It cannot be halved so often, or never gets as small as the body needs.
    """
    left, count = size, 0
    while left % 2 == 0 and (left > LARGEST if depth is None else count < depth):
        left, count = left // 2, count + 1
    if (left > LARGEST or left < SMALLEST) if depth is None else (count < depth or left > LARGEST):
        raise ValueError(f"{size} pixels cannot be halved down to {SMALLEST} to {LARGEST}")
    return count, left


class ConvEncoder(nn.Module):
    """Strided convolutions: (B, channels, size, size) and a label to (B, outputs).

    Args:
        channels: Of the pictures.
        size: Of the pictures, pixels on a side.
        outputs: Numbers it gives; 1 for a discriminator.
        classes: Of the labels it is told, as constant planes; 0 where it is told none.
        width: Channels of the first convolution; they double with each further one, up to eight times.
        depth: How often the picture is halved; None: until 4 to 7 pixels are left.
        norm: After every convolution but the first and the last.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        outputs: int,
        *,
        classes: int = 0,
        width: int = 64,
        depth: int | None = None,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        count, left = halvings(size, depth)
        self.classes = classes
        widths = [width * min(2**level, 8) for level in range(count)]
        modules: list[nn.Module] = []
        for level, taken in enumerate([channels + classes, *widths[:-1]]):
            alone = level == count - 1 and left == 1  # a norm over a single pixel would leave nothing
            modules += [
                nn.Conv2d(taken, widths[level], 4, stride=2, padding=1, bias=False),
                normalisation(norm if level and not (alone and norm == "instance") else "none", widths[level]),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.trunk = nn.Sequential(*modules)
        self.head = nn.Conv2d(widths[-1], outputs, left, bias=False)
        initialize_weights(self, gain=None if norm == "none" else 0.02)

    def features(self, image: Tensor, label: Tensor) -> Tensor:
        """What the head is given, (B, features)."""
        return self._trunk(image, label).flatten(1)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """(B, outputs) of pictures, and of labels where it has classes."""
        outputs: Tensor = self.head(self._trunk(image, label))
        return outputs.flatten(1)

    def _trunk(self, image: Tensor, label: Tensor) -> Tensor:
        if self.classes:
            planes = F.one_hot(label, self.classes).to(image.dtype)[:, :, None, None]
            image = torch.cat([image, planes.expand(-1, -1, *image.shape[-2:])], 1)
        maps: Tensor = self.trunk(image)
        return maps


class ConvGenerator(nn.Module):
    """Transposed convolutions: (B, latent) and a label to (B, channels, size, size), without an activation.

    Args:
        latent: Numbers a picture is made from.
        channels: Of the pictures.
        size: Of the pictures, pixels on a side.
        classes: Of the labels it is told, one-hot beside the latent; 0 where it is told none.
        width: Channels before the last convolution; twice as many with each halving of the size, up to eight times.
        depth: How often the size is doubled; None: from 4 to 7 pixels on.
        norm: After every convolution but the last.
    """

    def __init__(
        self,
        latent: int,
        channels: int,
        size: int,
        *,
        classes: int = 0,
        width: int = 64,
        depth: int | None = None,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        count, left = halvings(size, depth)
        self.classes = classes
        widths = [width * min(2**level, 8) for level in reversed(range(count))]
        modules: list[nn.Module] = [
            nn.ConvTranspose2d(latent + classes, widths[0], left, bias=False),
            normalisation("none" if norm == "instance" and left == 1 else norm, widths[0]),
            nn.ReLU(inplace=True),
        ]
        for taken, given in itertools.pairwise(widths):
            modules += [
                nn.ConvTranspose2d(taken, given, 4, stride=2, padding=1, bias=False),
                normalisation(norm, given),
                nn.ReLU(inplace=True),
            ]
        modules.append(nn.ConvTranspose2d(widths[-1], channels, 4, stride=2, padding=1, bias=False))
        self.layers = nn.Sequential(*modules)
        initialize_weights(self, gain=None if norm == "none" else 0.02)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Pictures, (B, channels, size, size)."""
        if self.classes:
            latent = torch.cat([latent, F.one_hot(label, self.classes).to(latent.dtype)], 1)
        pictures: Tensor = self.layers(latent[:, :, None, None])
        return pictures
