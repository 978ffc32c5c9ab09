"""The residual generator with conditional batch norm, and the projection discriminator.

Miyato, Koyama 2018, arXiv:1802.05637, with the residual blocks of Miyato, Kataoka, Koyama, Yoshida 2018,
arXiv:1802.05957. A class enters the generator as the scale and shift of every norm, and the discriminator as the inner
product of its embedding and the image's features.

Differs from the paper:
- Sizes other than 64 and 128: the image is halved until 4 to 7 pixels are left on a side, as in the DCGAN body here;
  the discriminator halves once more, which gives the paper's networks at 64.
- Without classes, the norms learn one scale and shift, and the projection is left out.
- Spectral normalization is not built in: the recipe applies it.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.dcgan import count_halvings


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose scale and shift depend on the class: (B, channels, H, W) and (B,) int64 to the same shape.

    Dumoulin, Shlens, Kudlur 2016, arXiv:1610.07629. Without classes it is plain batch norm.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=not classes)
        self.scale = nn.Embedding(classes, channels) if classes else None
        self.shift = nn.Embedding(classes, channels) if classes else None
        if self.scale is not None and self.shift is not None:
            nn.init.ones_(self.scale.weight)
            nn.init.zeros_(self.shift.weight)

    def forward(self, maps: Tensor, label: Tensor) -> Tensor:
        """Normalize, then scale and shift by the class."""
        normalized: Tensor = self.norm(maps)
        if self.scale is None or self.shift is None:
            return normalized
        scaled: Tensor = normalized * self.scale(label)[:, :, None, None] + self.shift(label)[:, :, None, None]
        return scaled


class UpBlock(nn.Module):
    """Norm, ReLU, doubling, convolution, norm, ReLU, convolution, beside a 1x1 shortcut: to twice the size."""

    def __init__(self, channels_in: int, channels_out: int, classes: int) -> None:
        super().__init__()
        self.first_norm = ConditionalBatchNorm(channels_in, classes)
        self.first = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.second_norm = ConditionalBatchNorm(channels_out, classes)
        self.second = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, maps: Tensor, label: Tensor) -> Tensor:
        """Compute (B, channels_out, 2H, 2W) from (B, channels_in, H, W) and labels (B,)."""
        residual = self.first(_double(F.relu(self.first_norm(maps, label))))
        residual = self.second(F.relu(self.second_norm(residual, label)))
        # A 1x1 convolution and doubling commute; at the small size the convolution costs a quarter.
        output: Tensor = _double(self.shortcut(maps)) + residual
        return output


class DownBlock(nn.Module):
    """ReLU, convolution, ReLU, convolution, halving, beside a 1x1 shortcut.

    The first block of a network has no ReLU at its start, and adds channels in its first convolution, not its second.
    """

    def __init__(self, channels_in: int, channels_out: int, *, first: bool = False) -> None:
        super().__init__()
        self.is_first = first
        between = channels_out if first else channels_in
        self.first = nn.Conv2d(channels_in, between, 3, padding=1)
        self.second = nn.Conv2d(between, channels_out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Compute (B, channels_out, H // 2, W // 2) from (B, channels_in, H, W)."""
        residual = self.first(maps if self.is_first else F.relu(maps))
        residual = F.avg_pool2d(self.second(F.relu(residual)), 2)
        shortcut: Tensor = self.shortcut(F.avg_pool2d(maps, 2))  # halving and a 1x1 convolution commute too
        return shortcut + residual


class ResidualGenerator(nn.Module):
    """From (B, latent) and labels (B,) to images (B, channels, size, size), without an activation.

    Args:
        latent: Numbers in a latent.
        channels: Channels of the images.
        size: Height and width of the images, in pixels.
        classes: Number of classes, which enter in every norm; 0: labels are ignored.
        width: Channels at full size; they double with each halving of the size.
    """

    def __init__(self, latent: int, channels: int, size: int, *, classes: int = 0, width: int = 64) -> None:
        super().__init__()
        count, left = count_halvings(size)
        widths = [width * 2**level for level in reversed(range(count + 1))]
        self.start = (widths[0], left, left)
        self.dense = nn.Linear(latent, widths[0] * left * left)
        self.blocks = nn.ModuleList(UpBlock(a, b, classes) for a, b in itertools.pairwise(widths))
        self.norm = nn.BatchNorm2d(width)
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        _initialize(self)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Return images (B, channels, size, size); labels are ignored without classes."""
        maps: Tensor = self.dense(latent).unflatten(1, self.start)
        for block in self.blocks:
            maps = block(maps, label)
        images: Tensor = self.last(F.relu(self.norm(maps)))
        return images


class ResidualEncoder(nn.Module):
    """From images (B, channels, size, size) and labels (B,) to (B, outputs).

    With classes it is the projection discriminator: the inner product of the features with the class's embedding is
    added to every output (equation 3 of the paper).

    Args:
        channels: Channels of the images.
        size: Height and width of the images, in pixels.
        outputs: Numbers in the output; 1 for a discriminator.
        classes: Number of classes; 0: labels are ignored.
        width: Channels of the first block; they double with each further one.
    """

    def __init__(self, channels: int, size: int, outputs: int, *, classes: int = 0, width: int = 64) -> None:
        super().__init__()
        count, _ = count_halvings(size)
        widths = [width * 2**level for level in range(count + 1)]
        blocks = [DownBlock(channels, width, first=True)]
        blocks += [DownBlock(a, b) for a, b in itertools.pairwise(widths)]
        self.trunk = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], outputs)
        self.embedding = nn.Embedding(classes, widths[-1]) if classes else None
        _initialize(self)

    def features(self, image: Tensor, label: Tensor) -> Tensor:
        """Compute the input of the head, (B, features): summed over the image, not averaged."""
        return F.relu(self.trunk(image)).sum(dim=(2, 3))

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Return (B, outputs); labels are ignored without classes."""
        features = self.features(image, label)
        outputs: Tensor = self.head(features)
        if self.embedding is None:
            return outputs
        projected: Tensor = (self.embedding(label) * features).sum(1, keepdim=True)
        return outputs + projected


def _double(maps: Tensor) -> Tensor:
    """Enlarge (B, C, H, W) to (B, C, 2H, 2W)."""
    return F.interpolate(maps, scale_factor=2, mode="nearest")


@torch.no_grad()
def _initialize(network: nn.Module) -> None:
    """Draw weights as the authors' code does: Glorot's uniform with gain √2 within blocks and 1 elsewhere, biases 0."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            inside = name.endswith((".first", ".second"))
            nn.init.xavier_uniform_(layer.weight, 2**0.5 if inside else 1.0)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding) and name == "embedding":
            nn.init.xavier_uniform_(layer.weight)
