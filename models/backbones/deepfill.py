"""DeepFill v2's generator: a coarse image, then a fine one that copies patches from around the hole.

Yu, Lin, Yang, Shen, Lu, Huang 2018, arXiv:1806.03589; contextual attention: Yu, Lin, Yang, Shen, Lu, Huang 2018,
arXiv:1801.07892. Widths and layers are those of the authors' code. Its weights were published for TensorFlow, and,
trained further, for a PyTorch port that pads and samples differently: neither network computes well with the other's.

Differs from the paper:
- A whole batch attends at once, each image with its own mask; the authors' code takes one mask for all.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.gated import CoarseGenerator, GatedConvolution, build_decoder, build_dilated

SHARPNESS = 10.0  # factor of the similarities before the softmax, as in the authors' code
LEAST_NORM = 1e-4  # of a patch, as in the authors' code

Variant = Literal["pytorch", "tensorflow"]


class DeepFill(nn.Module):
    """Fills holes: from images (B, 3, H, W) in [-1, 1] and masks (B, 1, H, W), 1 in the hole, to two images.

    The first is coarse, the second fine. H and W must be multiples of 8.

    Args:
        width: Channels of the first convolution; the 48 of the paper's code counts features and gates.
        variant: "pytorch": strided convolutions pad both sides, every second pixel is sampled, and neighbouring places
            are made to copy from neighbours; "tensorflow": strided convolutions pad the right and the bottom, pixels
            are sampled from corner to corner, and every place copies by itself.
    """

    multiple = 8
    margin = None  # every place can copy from any other
    minimum = 1
    only_size = None

    def __init__(self, width: int = 24, variant: Variant = "pytorch") -> None:
        super().__init__()
        self.coarse = CoarseGenerator(width, pad_end=variant == "tensorflow")
        self.fine = Refinement(width, variant)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coarse and the fine full image; what `image` contains in the hole is ignored."""
        coarse = self.coarse(image, mask)
        return coarse, self.fine(mask * coarse + (1 - mask) * image, mask)


class Refinement(nn.Module):
    """The second stage: a dilated branch and an attention branch, joined; (B, 3, H, W) to the same shape in [-1, 1]."""

    def __init__(self, width: int, variant: Variant) -> None:
        super().__init__()
        self.variant: Variant = variant
        widest, pad_end = 4 * width, variant == "tensorflow"
        self.far = nn.Sequential(
            *_build_down(width, 2 * width, pad_end),
            GatedConvolution(2 * width, widest),
            GatedConvolution(widest, widest),
            *build_dilated(widest),
        )
        self.before = nn.Sequential(
            *_build_down(width, widest, pad_end),
            GatedConvolution(widest, widest),
            GatedConvolution(widest, widest, activation=nn.ReLU()),
        )
        self.after = nn.Sequential(GatedConvolution(widest, widest), GatedConvolution(widest, widest))
        joined = [GatedConvolution(2 * widest, widest), GatedConvolution(widest, widest)]
        self.joined = nn.Sequential(*joined, *build_decoder([width, 2 * width, widest]))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Refine `image`; the attention branch copies nothing from where `mask` is 1."""
        before = self.before(image)
        attended = contextual_attention(before.float(), mask, self.variant)
        fine: Tensor = self.joined(torch.cat([self.far(image), self.after(attended.to(before.dtype))], dim=1))
        return torch.tanh(fine)


def contextual_attention(features: Tensor, mask: Tensor, variant: Variant = "pytorch") -> Tensor:
    """Rebuild every place of features (B, C, H, W) from similar places outside the hole, which is 1 in the mask.

    The mask is (B, 1, k * H, k * W), of the features' size or several times as large.

    At half the size, the 3x3 patch around a place is compared with all 3x3 patches that the hole does not touch, by
    their scalar product divided by the norm of the latter. Neighbouring places should copy from neighbours, so, unless
    the variant is "tensorflow", similarities are propagated along rows and columns. Their softmax weights the 4x4
    patches of full size, which are pasted two pixels apart: four of them are averaged at each pixel.
    """
    height, width = features.shape[-2:]
    patches = F.unfold(_sample(features, height // 2, width // 2, variant), 3, padding=1)
    norms = patches.norm(dim=1, keepdim=True).clamp(min=LEAST_NORM)
    scores = (patches / norms).transpose(1, 2) @ patches  # (B, from, to)
    if variant == "pytorch":
        scores = propagate_scores(scores, height // 2, width // 2)
    hole = _sample(mask.to(scores.dtype), height // 2, width // 2, variant)
    untouched = (F.unfold(hole, 3, padding=1).sum(dim=1) == 0).to(scores.dtype)[..., None]
    weights = torch.softmax(SHARPNESS * scores * untouched, dim=1) * untouched
    pasted = F.unfold(features, 4, padding=1, stride=2) @ weights
    return F.fold(pasted, (height, width), 4, padding=1, stride=2) / 4


def _sample(image: Tensor, height: int, width: int, variant: Variant) -> Tensor:
    """Return (B, C, height, width) of the pixels of a larger image: from corner to corner with "tensorflow"."""
    if variant == "pytorch":
        return image[..., :: image.shape[-2] // height, :: image.shape[-1] // width]
    rows, columns = (
        (torch.linspace(0, length - 1, count, device=image.device) + 0.5).long()
        for length, count in zip(image.shape[-2:], (height, width), strict=True)
    )
    return image[..., rows, :][..., columns]


def propagate_scores(scores: Tensor, height: int, width: int) -> Tensor:
    """Add to the scores (B, H·W, H·W) of each pair of places those of the two pairs beside it, then above and below."""
    by_rows = _sum_along_diagonals(scores).reshape(-1, height, width, height, width)
    by_columns = _sum_along_diagonals(by_rows.transpose(1, 2).transpose(3, 4).reshape(scores.shape))
    back = by_columns.reshape(-1, width, height, width, height).transpose(1, 2).transpose(3, 4)
    return back.reshape(scores.shape)


def _sum_along_diagonals(matrix: Tensor) -> Tensor:
    """Add to each entry of (B, n, n) the entries before and after it on its diagonal."""
    return matrix + F.pad(matrix[:, :-1, :-1], (1, 0, 1, 0)) + F.pad(matrix[:, 1:, 1:], (0, 1, 0, 1))


def _build_down(width: int, last: int, pad_end: bool) -> list[nn.Module]:
    """Build the layers to a quarter of the size; the last has `last` channels."""
    return [
        GatedConvolution(3, width, kernel=5),
        GatedConvolution(width, width, stride=2, pad_end=pad_end),
        GatedConvolution(width, 2 * width),
        GatedConvolution(2 * width, last, stride=2, pad_end=pad_end),
    ]
