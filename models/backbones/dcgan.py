"""The convolutional generator and discriminator of DCGAN, and the discriminator's body as an encoder.

Radford, Metz, Chintala 2015, arXiv:1511.06434: strided convolutions instead of pooling, batch norm everywhere except at
the generator's output and the discriminator's input, no hidden dense layer, ReLU in the generator, leaky ReLU in the
discriminator. Labels enter as one-hot numbers beside the latent and as constant planes beside the image.

Differs from the paper:
- 512 channels at most at 64² (the paper's generator begins with 1024), as in PyTorch's example, whose parameter counts
  these networks have; no convolution has a bias.
- Sizes other than 64: the image is halved until 4 to 7 pixels are left on a side, so 28 ends at 7, and 96 at 6. `depth`
  sets another number of halvings.
- The generator's output has no activation: the model chooses one.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.blocks import Norm, build_norm, initialize_weights, is_global

SMALLEST, LARGEST = 4, 7  # pixels on a side at which halving ends: every size has at most one such end


def count_halvings(size: int, depth: int | None = None) -> tuple[int, int]:
    """Return how often `size` is halved, and how many pixels are left on a side.

    Raises:
        ValueError: It cannot be halved `depth` times, or does not end at a size that the body can take.
    """
    left, count = size, 0
    while left % 2 == 0 and (left > LARGEST if depth is None else count < depth):
        left, count = left // 2, count + 1
    if (left > LARGEST or left < SMALLEST) if depth is None else (count < depth or left > LARGEST):
        raise ValueError(f"{size} pixels cannot be halved down to {SMALLEST} to {LARGEST}")
    return count, left


class ConvEncoder(nn.Module):
    """Strided convolutions: from (B, channels, size, size) and labels (B,) to (B, outputs).

    Args:
        channels: Channels of the images.
        size: Height and width of the images, in pixels.
        outputs: Numbers in the output; 1 for a discriminator.
        classes: Number of classes, which enter as constant planes; 0: labels are ignored.
        width: Channels of the first convolution; they double with each further one, up to eight times.
        depth: Number of halvings; None: until 4 to 7 pixels are left.
        norm: After every convolution except the first and the last.
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
        count, left = count_halvings(size, depth)
        self.classes = classes
        widths = [width * min(2**level, 8) for level in range(count)]
        modules: list[nn.Module] = []
        for level, channels_in in enumerate([channels + classes, *widths[:-1]]):
            single_pixel = level == count - 1 and left == 1  # instance norm of a single pixel is 0
            has_norm = level > 0 and not (single_pixel and is_global(norm))
            modules += [
                nn.Conv2d(channels_in, widths[level], 4, stride=2, padding=1, bias=False),
                build_norm(norm if has_norm else "none", widths[level]),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.trunk = nn.Sequential(*modules)
        self.head = nn.Conv2d(widths[-1], outputs, left, bias=False)
        initialize_weights(self, gain=None if norm == "none" else 0.02)

    def features(self, image: Tensor, label: Tensor) -> Tensor:
        """Compute the input of the head, (B, features)."""
        return self._run_trunk(image, label).flatten(1)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Return (B, outputs); labels are ignored without classes."""
        outputs: Tensor = self.head(self._run_trunk(image, label))
        return outputs.flatten(1)

    def _run_trunk(self, image: Tensor, label: Tensor) -> Tensor:
        if self.classes:
            planes = F.one_hot(label, self.classes).to(image.dtype)[:, :, None, None]
            image = torch.cat([image, planes.expand(-1, -1, *image.shape[-2:])], 1)
        maps: Tensor = self.trunk(image)
        return maps


class ConvGenerator(nn.Module):
    """Transposed convolutions: from (B, latent) and labels (B,) to (B, channels, size, size), without an activation.

    Args:
        latent: Numbers in a latent.
        channels: Channels of the images.
        size: Height and width of the images, in pixels.
        classes: Number of classes, which enter one-hot beside the latent; 0: labels are ignored.
        width: Channels before the last convolution; twice as many with each halving of the size, up to eight times.
        depth: Number of doublings; None: from 4 to 7 pixels on.
        norm: After every convolution except the last.
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
        count, left = count_halvings(size, depth)
        self.classes = classes
        widths = [width * min(2**level, 8) for level in reversed(range(count))]
        modules: list[nn.Module] = [
            nn.ConvTranspose2d(latent + classes, widths[0], left, bias=False),
            build_norm("none" if is_global(norm) and left == 1 else norm, widths[0]),
            nn.ReLU(inplace=True),
        ]
        for channels_in, channels_out in itertools.pairwise(widths):
            modules += [
                nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1, bias=False),
                build_norm(norm, channels_out),
                nn.ReLU(inplace=True),
            ]
        modules.append(nn.ConvTranspose2d(widths[-1], channels, 4, stride=2, padding=1, bias=False))
        self.layers = nn.Sequential(*modules)
        initialize_weights(self, gain=None if norm == "none" else 0.02)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Return images (B, channels, size, size); labels are ignored without classes."""
        if self.classes:
            latent = torch.cat([latent, F.one_hot(label, self.classes).to(latent.dtype)], 1)
        images: Tensor = self.layers(latent[:, :, None, None])
        return images
