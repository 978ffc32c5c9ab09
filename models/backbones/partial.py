"""Partial convolutions, which count what is known only, and the U-Net of them that fills holes.

Liu, Reda, Shih, Wang, Tao, Catanzaro 2018, arXiv:1804.07723.

Differs from the paper:
- `depth` 8 is the paper's network for 512 pixels; 7 halvings suit 256.
- A mask is one for all channels of a picture or of a layer's features, which is what the paper's come to; where two are
  joined, it is counted how many channels know.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KERNELS = (7, 5, 5)  # of the first layers; the others have 3
Part = tuple[Tensor, Tensor]
"""Features (B, C, H, W), and (B, 1, H, W): 1 where they are known, else 0."""


class PartialConvolution(nn.Module):
    """A convolution over what is known, as if the rest were like it on average.

    W · (X ⊙ M) · sum(1) / sum(M) + b where sum(M), over the window and all channels, is more than 0, else 0; there
    something is known from then on (equations 1 and 2). What lies beyond the border is not known.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, kernel // 2
        self.convolution = nn.Conv2d(channels_in, channels_out, kernel, stride, self.padding, bias=False)
        self.bias = nn.Parameter(torch.zeros(channels_out)) if bias else None

    def forward(self, *parts: Part) -> Part:
        """Convolve the parts, next to each other as channels."""
        features = torch.cat([part * known for part, known in parts], dim=1)
        channels = torch.stack([part.shape[1] * known.float() for part, known in parts]).sum(dim=0)
        # An average over the window; zeros beyond the border count.
        share = F.avg_pool2d(channels, self.kernel, self.stride, self.padding) / features.shape[1]
        known = (share > 0).to(share.dtype)
        made = self.convolution(features) * (known / share.clamp(min=1e-6))
        if self.bias is not None:
            made = made + self.bias[:, None, None] * known
        return made, known


class PartialUNet(nn.Module):
    """Fills holes: pictures (B, 3, H, W) and masks (B, 1, H, W), 1 in the hole, to one tuple of pictures, unbounded.

    Args:
        depth: How often the picture is halved.
        width: Channels of the first layer; they double up to eight times.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
    """

    margin = None  # its reach is many times a picture

    def __init__(self, *, depth: int = 7, width: int = 64) -> None:
        super().__init__()
        widths = [3, *(width * min(2**level, 8) for level in range(depth))]
        kernels = [*KERNELS, *[3] * depth][:depth]
        self.down, self.down_norms = nn.ModuleList(), nn.ModuleList()
        for level, kernel in enumerate(kernels):
            self.down.append(PartialConvolution(widths[level], widths[level + 1], kernel, stride=2))
            self.down_norms.append(nn.BatchNorm2d(widths[level + 1]) if level else nn.Identity())
        self.up, self.up_norms = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(depth)):
            joined = widths[level + 1] + widths[level]
            self.up.append(PartialConvolution(joined, widths[level], 3, bias=level == 0))
            self.up_norms.append(nn.BatchNorm2d(widths[level]) if level else nn.Identity())
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        self.multiple = 1 << depth

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor]:
        """Fill the hole; what the picture holds in it does not count."""
        part: Part = image, 1 - mask
        parts = [part]
        for layer, norm in zip(self.down, self.down_norms, strict=True):
            features, known = layer(part)
            part = F.relu(norm(features)), known
            parts.append(part)
        features, known = parts.pop()
        for layer, norm in zip(self.up, self.up_norms, strict=True):
            features, known = layer((_doubled(features), _doubled(known)), parts.pop())
            if parts:
                features = F.leaky_relu(norm(features), 0.2)
        return (features,)


def _doubled(values: Tensor) -> Tensor:
    return F.interpolate(values, scale_factor=2, mode="nearest")
