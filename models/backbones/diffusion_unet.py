"""The U-Net of diffusion models: residual blocks that know the time, and attention at small sizes.

Ho, Jain, Abbeel 2020, arXiv:2006.11239, appendix B: for CIFAR-10, `width` 128, `multipliers` (1, 2, 2, 2), 2 blocks and
attention after one halving. Several attention heads: Dhariwal, Nichol 2021, arXiv:2105.05233.

Differs from the papers:
- Dhariwal and Nichol's adaptive norms, which scale by the time as well, and their residual resampling are left out.
- The norms are of groups of 32 channels or, in narrow networks, of as many as divide the width.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.time_embedding import TimeEmbedding

GROUPS = 32  # of Ho et al.'s group norms


class DiffusionUNet(nn.Module):
    """From images (B, channels_in, H, W) and times (B,) in [0, 1] to (B, channels_out, H, W), unbounded.

    It starts at an output of 0: its last convolution is 0 at first.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        width: Channels at full size.
        multipliers: Of `width`, one for each size; each size but the last is halved.
        blocks: Residual blocks at each size on the way down; on the way up there is one more.
        attention: Numbers of halvings after which blocks are followed by attention.
        heads: Of the attention.
        dropout: Probability of a zero within the blocks, in training.
        classes: Number of classes; 0: labels are ignored.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        margin: None: norms and attention see the whole image.
    """

    margin: int | None = None

    def __init__(
        self,
        channels_in: int = 3,
        channels_out: int = 3,
        *,
        width: int = 128,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 2,
        attention: Sequence[int] = (1,),
        heads: int = 1,
        dropout: float = 0.0,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.multiple = self.minimum = 2 ** (len(multipliers) - 1)
        features = 4 * width
        self.time = TimeEmbedding(width, features, classes)
        self.first = nn.Conv2d(channels_in, width, 3, padding=1)

        def stage(channels: int, outputs: int, level: int) -> nn.Module:
            return Stage(channels, outputs, features, heads if level in attention else 0, dropout)

        widths = [width * multiplier for multiplier in multipliers]
        kept = [width]  # channels of what the way up will see again
        self.down, self.halvings = nn.ModuleList(), nn.ModuleList()
        for level, outputs in enumerate(widths):
            inputs = [kept[-1], *[outputs] * (blocks - 1)]
            self.down.append(nn.ModuleList(stage(channels, outputs, level) for channels in inputs[:blocks]))
            kept += [outputs] * blocks
            if level + 1 < len(widths):
                self.halvings.append(nn.Conv2d(outputs, outputs, 3, stride=2, padding=1))
                kept.append(outputs)
        self.middle = nn.ModuleList(
            [
                Stage(widths[-1], widths[-1], features, heads, dropout),
                Stage(widths[-1], widths[-1], features, 0, dropout),
            ]
        )
        channels = widths[-1]
        self.up, self.doublings = nn.ModuleList(), nn.ModuleList()
        for level, outputs in reversed([*enumerate(widths)]):
            inputs = [channels, *[outputs] * blocks]
            self.up.append(nn.ModuleList(stage(entering + kept.pop(), outputs, level) for entering in inputs))
            channels = outputs
            if level:
                self.doublings.append(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.norm = build_group_norm(width * multipliers[0])
        self.last = nn.Conv2d(width * multipliers[0], channels_out, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)

    def forward(self, image: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Compute (B, channels_out, H, W); H and W are multiples of `multiple`."""
        embedded = F.silu(self.time(time, label))
        maps = self.first(image)
        kept = [maps]
        for level, stages in enumerate(self.down):
            for stage in stages.children():
                maps = stage(maps, embedded)
                kept.append(maps)
            if level < len(self.halvings):
                maps = self.halvings[level](maps)
                kept.append(maps)
        for stage in self.middle:
            maps = stage(maps, embedded)
        for level, stages in enumerate(self.up):
            for stage in stages.children():
                maps = stage(torch.cat([maps, kept.pop()], dim=1), embedded)
            if level < len(self.doublings):
                maps = self.doublings[level](F.interpolate(maps, scale_factor=2.0, mode="nearest"))
        output: Tensor = self.last(F.silu(self.norm(maps)))
        return output


class Stage(nn.Module):
    """A residual block that knows the time and, with heads, attention behind it.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        features: Numbers in the embedded time.
        heads: Of the attention; 0: there is none.
        dropout: Probability of a zero, in training.
    """

    def __init__(self, channels_in: int, channels_out: int, features: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.first_norm = build_group_norm(channels_in)
        self.first = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.shift = nn.Linear(features, channels_out)
        self.second_norm = build_group_norm(channels_out)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1) if channels_in != channels_out else nn.Identity()
        self.attention = SelfAttention(channels_out, heads) if heads else nn.Identity()

    def forward(self, maps: Tensor, embedded: Tensor) -> Tensor:
        """Compute (B, channels_out, H, W) from (B, channels_in, H, W) and (B, features)."""
        residual = self.first(F.silu(self.first_norm(maps))) + self.shift(embedded)[:, :, None, None]
        residual = self.second(self.dropout(F.silu(self.second_norm(residual))))
        output: Tensor = self.attention(self.shortcut(maps) + residual)
        return output


class SelfAttention(nn.Module):
    """Attention of every place to every place, added to its input: (B, channels, H, W) to the same shape."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{heads} heads do not divide {channels} channels")
        self.heads = heads
        self.norm = build_group_norm(channels)
        self.inputs = nn.Conv2d(channels, 3 * channels, 1)  # queries, keys and values
        self.output = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.output.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """Add to each place the mean of the values at all places, weighted by how well keys fit its query."""
        height, width = maps.shape[-2:]
        parts = self.inputs(self.norm(maps)).reshape(len(maps), 3, self.heads, -1, height * width)
        queries, keys, values = parts.transpose(-1, -2).contiguous().unbind(1)  # (B, heads, H * W, channels / heads)
        attended = F.scaled_dot_product_attention(queries, keys, values)
        joined = attended.transpose(-1, -2).reshape(maps.shape)
        output: Tensor = maps + self.output(joined)
        return output


def build_group_norm(channels: int) -> nn.GroupNorm:
    """Build the group norm of (B, channels, H, W), with at most 32 groups."""
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels, eps=1e-6)
