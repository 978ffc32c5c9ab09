"""The residual generator with conditional batch norm, and the projection discriminator.

Miyato, Koyama 2018, arXiv:1802.05637, with the residual blocks of Miyato, Kataoka, Koyama, Yoshida 2018,
arXiv:1802.05957. A class enters the generator as the scale and shift of every norm, and the discriminator as an inner
product between its embedding and the picture's features.

Differs from the paper:
- Sizes other than 64 and 128: the picture is halved down to 4 to 7 pixels a side, as in the DCGAN body here; the
  discriminator halves once more, which gives the paper's networks at 64.
- Without classes, the norms learn one scale and shift, and the projection is left out.
- Spectral normalisation is the recipe's choice and not built in.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.dcgan import halvings


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
        """Normalise, then scale and shift as the class wants it."""
        normal: Tensor = self.norm(maps)
        if self.scale is None or self.shift is None:
            return normal
        scaled: Tensor = normal * self.scale(label)[:, :, None, None] + self.shift(label)[:, :, None, None]
        return scaled


class UpBlock(nn.Module):
    """Norm, ReLU, double, convolve, norm, ReLU, convolve, beside a 1x1 shortcut: to twice the size."""

    def __init__(self, channels_in: int, channels_out: int, classes: int) -> None:
        super().__init__()
        self.first_norm = ConditionalBatchNorm(channels_in, classes)
        self.first = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.second_norm = ConditionalBatchNorm(channels_out, classes)
        self.second = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, maps: Tensor, label: Tensor) -> Tensor:
        """(B, channels_in, H, W) to (B, channels_out, 2H, 2W)."""
        changed = self.first(_doubled(F.relu(self.first_norm(maps, label))))
        changed = self.second(F.relu(self.second_norm(changed, label)))
        # A 1x1 convolution and doubling commute; at the small size it costs a quarter.
        whole: Tensor = _doubled(self.shortcut(maps)) + changed
        return whole


class DownBlock(nn.Module):
    """ReLU, convolve, ReLU, convolve, halve, beside a 1x1 shortcut.

    The first block of a network begins without a ReLU, and widens with its first convolution, not its second.
    """

    def __init__(self, channels_in: int, channels_out: int, *, first: bool = False) -> None:
        super().__init__()
        self.begins = first
        between = channels_out if first else channels_in
        self.first = nn.Conv2d(channels_in, between, 3, padding=1)
        self.second = nn.Conv2d(between, channels_out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, channels_in, H, W) to (B, channels_out, H // 2, W // 2)."""
        changed = self.first(maps if self.begins else F.relu(maps))
        changed = F.avg_pool2d(self.second(F.relu(changed)), 2)
        kept: Tensor = self.shortcut(F.avg_pool2d(maps, 2))  # commute too
        return kept + changed


class ResidualGenerator(nn.Module):
    """(B, latent) numbers and labels to (B, channels, size, size), without an activation.

    Args:
        latent: Numbers a picture is made from.
        channels: Of the pictures.
        size: Of the pictures, pixels on a side.
        classes: Of the labels it is told, in every norm; 0 where it is told none.
        width: Channels at full size; they double with each halving of the size.
    """

    def __init__(self, latent: int, channels: int, size: int, *, classes: int = 0, width: int = 64) -> None:
        super().__init__()
        count, left = halvings(size)
        widths = [width * 2**level for level in reversed(range(count + 1))]
        self.start = (widths[0], left, left)
        self.dense = nn.Linear(latent, widths[0] * left * left)
        self.blocks = nn.ModuleList(UpBlock(a, b, classes) for a, b in itertools.pairwise(widths))
        self.norm = nn.BatchNorm2d(width)
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        _initialise(self)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Pictures, (B, channels, size, size)."""
        maps: Tensor = self.dense(latent).unflatten(1, self.start)
        for block in self.blocks:
            maps = block(maps, label)
        pictures: Tensor = self.last(F.relu(self.norm(maps)))
        return pictures


class ResidualEncoder(nn.Module):
    """(B, channels, size, size) pictures and labels to (B, outputs).

    With classes it is the projection discriminator: the inner product of the features with the class's embedding is
    added to every output (equation 3 of the paper).

    Args:
        channels: Of the pictures.
        size: Of the pictures, pixels on a side.
        outputs: Numbers it gives; 1 for a discriminator.
        classes: Of the labels it is told; 0 where it is told none.
        width: Channels of the first block; they double with each further one.
    """

    def __init__(self, channels: int, size: int, outputs: int, *, classes: int = 0, width: int = 64) -> None:
        super().__init__()
        count, _ = halvings(size)
        widths = [width * 2**level for level in range(count + 1)]
        blocks = [DownBlock(channels, width, first=True)]
        blocks += [DownBlock(a, b) for a, b in itertools.pairwise(widths)]
        self.trunk = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], outputs)
        self.embedding = nn.Embedding(classes, widths[-1]) if classes else None
        _initialise(self)

    def features(self, image: Tensor, label: Tensor) -> Tensor:
        """What the head is given, (B, features): summed over the picture, not averaged."""
        return F.relu(self.trunk(image)).sum(dim=(2, 3))

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """(B, outputs) of pictures, and of labels where it has classes."""
        features = self.features(image, label)
        outputs: Tensor = self.head(features)
        if self.embedding is None:
            return outputs
        projected: Tensor = (self.embedding(label) * features).sum(1, keepdim=True)
        return outputs + projected


def _doubled(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2, mode="nearest")


@torch.no_grad()
def _initialise(network: nn.Module) -> None:
    """Glorot's uniform weights, biases 0, as in the authors' code: gain √2 within blocks, 1 elsewhere."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            inside = name.endswith((".first", ".second"))
            nn.init.xavier_uniform_(layer.weight, 2**0.5 if inside else 1.0)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding) and name == "embedding":
            nn.init.xavier_uniform_(layer.weight)
