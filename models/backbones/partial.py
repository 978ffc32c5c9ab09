"""Partial convolutions, which use known pixels only, and the U-Net made of them that fills holes.

Liu, Reda, Shih, Wang, Tao, Catanzaro 2018, arXiv:1804.07723.

Differs from the paper:
- `depth` 8 is the paper's network for 512 pixels; 7 halvings suit 256.
- One mask serves all channels of an image or of a layer's features, which is what the paper's masks amount to; where
  features with two masks are concatenated, the known channels are counted.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KERNELS = (7, 5, 5)  # of the first layers; the others have 3

# Features (B, C, H, W), and (B, 1, H, W) that is 1 where they are known and 0 elsewhere.
Part = tuple[Tensor, Tensor]


class PartialConvolution(nn.Module):
    """A convolution over known pixels, scaled as if the unknown ones were like them on average.

    The result is W · (X ⊙ M) · sum(1) / sum(M) + b where sum(M), over the window and all channels, is above 0, and 0
    elsewhere (equation 1); the former places are known from then on (equation 2). Padding is unknown.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, kernel // 2
        self.convolution = nn.Conv2d(channels_in, channels_out, kernel, stride, self.padding, bias=False)
        self.bias = nn.Parameter(torch.zeros(channels_out)) if bias else None

    def forward(self, *parts: Part) -> Part:
        """Convolve the features of all parts, concatenated as channels."""
        features = torch.cat([part * known for part, known in parts], dim=1)
        channels = torch.stack([part.shape[1] * known.float() for part, known in parts]).sum(dim=0)
        # An average over the window; zeros beyond the border count.
        fraction = F.avg_pool2d(channels, self.kernel, self.stride, self.padding) / features.shape[1]
        known = (fraction > 0).to(fraction.dtype)
        output = self.convolution(features) * (known / fraction.clamp(min=1e-6))
        if self.bias is not None:
            output = output + self.bias[:, None, None] * known
        return output, known


class PartialUNet(nn.Module):
    """Fills holes: from images (B, 3, H, W) and masks (B, 1, H, W), 1 in the hole, to one image of unbounded values.

    Args:
        depth: Number of halvings.
        width: Channels of the first layer; they double up to eight times.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
    """

    margin = None  # its receptive field is many times an image
    minimum = 1
    only_size = None

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
        """Return the full image, as a tuple; what `image` contains in the hole is ignored."""
        part: Part = image, 1 - mask
        parts = [part]
        for layer, norm in zip(self.down, self.down_norms, strict=True):
            features, known = layer(part)
            part = F.relu(norm(features)), known
            parts.append(part)
        features, known = parts.pop()
        for layer, norm in zip(self.up, self.up_norms, strict=True):
            features, known = layer((_double(features), _double(known)), parts.pop())
            if parts:
                features = F.leaky_relu(norm(features), 0.2)
        return (features,)


def _double(values: Tensor) -> Tensor:
    """Enlarge (B, C, H, W) to (B, C, 2H, 2W)."""
    return F.interpolate(values, scale_factor=2, mode="nearest")
