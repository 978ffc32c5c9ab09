"""The networks of StarGAN: a generator that takes a target label, and a critic that also classifies.

Choi, Choi, Kim, Ha, Kim, Choo 2017, arXiv:1711.09020.

The label becomes constant planes beside the image. Padding by reflection would make of them constants after the first
convolution, which the first norm subtracts again; padding with zeros, as here, keeps the label's influence.

Differs from the paper:
- Instance norms learn a scale and a shift but keep no running statistics: the authors' code keeps them and never uses
  them, since it also tests in training mode. Here `eval()` computes what `train()` does. With `norm="batch"`, `eval()`
  computes what the authors' network would if it were put in that mode.
- `upsampling="resize"`, which leaves no checkerboard, is an option that it does not have.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from models.backbones.blocks import PiecewiseLinear, Upsampling, build_norm, build_upsampling, is_global

StarNorm = Literal["instance-affine", "batch"]


class StarGenerator(nn.Module):
    """A residual generator: from images (B, channels, H, W) and (B, label) to images of the same shape in [-1, 1].

    Args:
        channels: Channels of the input and the output.
        label: Numbers in a label.
        blocks: Number of residual blocks.
        width: Channels at full size; four times as many at a quarter of it.
        norm: After every convolution except the last.
        upsampling: How the size is doubled.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels: no norm may be left with a single pixel.
        margin: How many pixels away, on each side, an output pixel can see, norms aside.
        global_norm: Whether its norms take their statistics over the whole image.
    """

    def __init__(
        self,
        channels: int,
        label: int,
        *,
        blocks: int = 6,
        width: int = 64,
        norm: StarNorm = "instance-affine",
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        self.global_norm = is_global(norm)
        self.multiple = 4
        self.minimum = 8
        # In input pixels: 3 + 3 for the first and last convolution, 2 * 4 per block, and 9 for the halvings, the
        # doublings and the place of the output pixel among four.
        self.margin = 8 * blocks + 15
        self.layers = nn.Sequential(
            *_add_norm(nn.Conv2d(channels + label, width, 7, padding=3, bias=False), width, norm),
            *_add_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False), 2 * width, norm),
            *_add_norm(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1, bias=False), 4 * width, norm),
            *(StarBlock(4 * width, norm) for _ in range(blocks)),
            *_add_norm(_double(4 * width, upsampling), 2 * width, norm),
            *_add_norm(_double(2 * width, upsampling), width, norm),
            nn.Conv2d(width, channels, 7, padding=3, bias=False),
            nn.Tanh(),
        )

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Translate (B, channels, H, W) to the label (B, label)."""
        planes = label.to(image)[:, :, None, None].expand(-1, -1, *image.shape[2:])
        translated: Tensor = self.layers(torch.cat([image, planes], dim=1))
        return translated


class StarBlock(nn.Module):
    """Two convolutions beside the identity, (B, channels, H, W) to the same; nothing follows the sum."""

    def __init__(self, channels: int, norm: StarNorm = "instance-affine") -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_add_norm(nn.Conv2d(channels, channels, 3, padding=1, bias=False), channels, norm),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            build_norm(norm, channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Add the output of the layers to `features`."""
        residual: Tensor = self.layers(features)
        return features + residual


class StarDiscriminator(nn.Module):
    """Scores of patches and logits of labels: from (B, channels, size, size) to (B, 1, h, h) and (B, label).

    Args:
        channels: Channels of the input.
        label: Numbers in a label.
        size: Height and width of the input, in pixels.
        layers: Number of convolutions that halve the size.
        width: Channels of the first convolution; they double with each further one.
    """

    def __init__(self, channels: int, label: int, *, size: int, layers: int = 6, width: int = 64) -> None:
        super().__init__()
        widths = [channels, *(width * 2**layer for layer in range(layers))]
        self.layers = nn.Sequential(
            *(
                module
                for before, after in pairwise(widths)
                for module in (nn.Conv2d(before, after, 4, stride=2, padding=1), PiecewiseLinear(0.01))
            )
        )
        self.scores = nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False)
        self.classes = nn.Conv2d(widths[-1], label, size // 2**layers, bias=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score and classify (B, channels, size, size)."""
        features = self.layers(image)
        return self.scores(features), self.classes(features).flatten(1)


def _add_norm(convolution: nn.Module, channels: int, norm: StarNorm) -> tuple[nn.Module, ...]:
    """Return the convolution with a norm and a ReLU after it."""
    return convolution, build_norm(norm, channels), nn.ReLU(inplace=True)


def _double(channels: int, upsampling: Upsampling) -> nn.Module:
    """Build the layer from (B, channels, H, W) to (B, channels / 2, 2H, 2W)."""
    return build_upsampling(channels, channels // 2, kernel=4, upsampling=upsampling, bias=False)
