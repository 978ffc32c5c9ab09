"""SPAN: plain convolutions with attention that has no parameters, for upscalers and restorers that are quick on a CPU.

Wan et al. 2024, arXiv:2311.12770. While training, each convolution is the sum of linear branches, which is folded into
one kernel: Zhang, Zeng, Zhang 2021 (ECBSR, doi:10.1145/3474085.3475291), and the expanded branch of the paper's code.

The network takes images (B, 3, H, W) in [0, 1] and returns (B, 3, scale * H, scale * W) with unbounded values; it pads
with zeros.

Differs from the paper:
- The branches meet as kernels, not as feature maps: the same sum, at the cost of one convolution a step.
- A block's output is added to its input: for small o the attention is nearly o / 4, so behind nine blocks without this
  shortcut a signal of 0.3 was 0.0003 at the start, only the first block learned, and the training diverged.
- The output is added to the enlarged input, so that an untrained network enlarges by repeating pixels.
- At scale 1, for restoration, squares of 2x2 pixels are folded into channels first and unfolded at the end, as in
  Zhang, Zuo, Zhang 2018 (FFDNet, arXiv:1710.04026); the paper only enlarges.
- The last concatenation takes the first block, the last one and one between them, beside the first features; the
  paper's takes the middle of a block instead of the block between.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.upscalers import initialize_as_nearest


class SPAN(nn.Module):
    """Blocks with attention at the size of the input, and one pixel shuffle, added to the enlarged input.

    Args:
        scale: 1, 2, 3 or 4.
        blocks: Number of blocks, of three convolutions each.
        width: Channels.
        expansion: How many times wider the middle of each convolution's expanded branch is; 0: there are no branches.

    Attributes:
        scale: The factor by which the output is larger on each side.
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        margin: How many input pixels away, on each side, an output pixel can see.
    """

    def __init__(self, scale: int = 4, *, blocks: int = 9, width: int = 32, expansion: int = 0) -> None:
        super().__init__()
        self.scale, self.fold_by = scale, 2 if scale == 1 else 1
        self.multiple = self.minimum = self.fold_by
        # In folded pixels: 3 per block; 1 each for the first convolution, the one after the blocks, and the last. The
        # other pixels of a folded square are seen with it.
        self.margin = self.fold_by * (3 * blocks + 3) + self.fold_by - 1
        self.first = BranchedConvolution(3 * self.fold_by**2, width, expansion)
        self.blocks = nn.ModuleList(AttentionBlock(width, expansion) for _ in range(blocks))
        self.after = BranchedConvolution(width, width, expansion)
        self.join = nn.Conv2d(4 * width, width, 1)
        growth = scale * self.fold_by
        self.last = nn.Conv2d(width, 3 * growth**2, 3, padding=1)
        initialize_as_nearest(self.last, growth, gain=0.1)  # small: the enlarged input alone is nearly right

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge (B, 3, H, W) in [0, 1] to (B, 3, scale * H, scale * W)."""
        depths = [self.first(F.pixel_unshuffle(image, self.fold_by) if self.fold_by > 1 else image)]
        for block in self.blocks:
            depths.append(block(depths[-1]))
        count = len(self.blocks)
        joined = torch.cat([depths[0], self.after(depths[-1]), depths[min(1, count)], depths[count // 2]], dim=1)
        residual = F.pixel_shuffle(self.last(self.join(joined)), self.scale * self.fold_by)
        return residual + (image if self.scale == 1 else F.interpolate(image, scale_factor=float(self.scale)))

    def fold(self) -> None:
        """Replace the branches of every convolution by one kernel; what the network computes stays the same."""
        for module in self.modules():
            if isinstance(module, BranchedConvolution):
                module.fold()


class AttentionBlock(nn.Module):
    """Three convolutions, whose output o also says how much of o + x is added: x + (o + x)(σ(o) - ½)."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            BranchedConvolution(width, width, expansion),
            nn.SiLU(),
            BranchedConvolution(width, width, expansion),
            nn.SiLU(),
            BranchedConvolution(width, width, expansion),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Compute (B, width, H, W) from (B, width, H, W)."""
        output = self.layers(features)
        return torch.addcmul(features, output + features, torch.sigmoid(output) - 0.5)


class BranchedConvolution(nn.Conv2d):
    """A 3x3 convolution with zero padding, beside which linear branches train: 1x1, and 1x1 - 3x3 - 1x1.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        expansion: How many times wider than the output the middle of the expanded branch is; 0: no branches.
    """

    def __init__(self, channels_in: int, channels_out: int, expansion: int) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1)
        self.point: nn.Parameter | None = None
        self.expand: nn.Parameter | None = None
        self.middle: nn.Parameter | None = None
        self.project: nn.Parameter | None = None
        if expansion:
            wide = expansion * channels_out
            self.point = nn.Parameter(torch.randn(channels_out, channels_in) * (0.1 / channels_in**0.5))
            self.expand = nn.Parameter(torch.randn(wide, channels_in) / channels_in**0.5)
            self.middle = nn.Parameter(torch.randn(9, wide, wide) / (9 * wide) ** 0.5)
            # Small: the plain kernel starts with the usual scale, and the branch grows where it helps.
            self.project = nn.Parameter(torch.randn(channels_out, wide) * (0.3 / wide**0.5))

    def kernel(self) -> Tensor:
        """Compute the kernel (channels_out, channels_in, 3, 3) that is the sum of all branches."""
        if self.point is None or self.expand is None or self.middle is None or self.project is None:
            return self.weight
        with torch.autocast(self.weight.device.type, enabled=False):  # a sum of kernels needs all its digits
            expanded = (self.project @ self.middle @ self.expand).permute(1, 2, 0).reshape(self.weight.shape)
            total: Tensor = self.weight + expanded + F.pad(self.point[:, :, None, None], (1, 1, 1, 1))
            return total

    def forward(self, features: Tensor) -> Tensor:
        """Compute (B, channels_out, H, W) from (B, channels_in, H, W)."""
        return F.conv2d(features, self.kernel(), self.bias, padding=1)

    def fold(self) -> None:
        """Make the branches a part of the plain kernel."""
        with torch.no_grad():
            self.weight.copy_(self.kernel())
        self.point = self.expand = self.middle = self.project = None
