"""DeepFill v2's generator: a coarse picture, then a fine one that borrows patches from around the hole.

Yu, Lin, Yang, Shen, Lu, Huang 2018, arXiv:1806.03589; contextual attention: Yu, Lin, Yang, Shen, Lu, Huang 2018,
arXiv:1801.07892. Widths and layers are those of the authors' code, with the symmetric padding of its PyTorch port.

Differs from the paper:
- A whole batch attends at once, each picture by its own mask; the authors' code takes one mask for all.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.gated import CoarseGenerator, GatedConvolution, decoder, dilated

SHARPNESS = 10.0  # what similarities are multiplied with before the softmax
LEAST_NORM = 1e-4


class DeepFill(nn.Module):
    """Fills holes: pictures (B, 3, H, W) in [-1, 1] and masks (B, 1, H, W), 1 in the hole, to a coarse and a fine one.

    H and W must be multiples of 8.

    Args:
        width: Channels of the first convolution; the paper's 48 counts features and gates.
    """

    multiple = 8
    margin = None  # every place may borrow from any other

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.coarse = CoarseGenerator(width)
        self.fine = Refinement(width)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Fill the hole twice; what the picture holds in it does not count."""
        coarse = self.coarse(image, mask)
        return coarse, self.fine(mask * coarse + (1 - mask) * image, mask)


class Refinement(nn.Module):
    """The second stage: a branch that sees far joins one that borrows; (B, 3, H, W) to the same in [-1, 1]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widest = 4 * width
        self.far = nn.Sequential(
            *_down(width, 2 * width),
            GatedConvolution(2 * width, widest),
            GatedConvolution(widest, widest),
            *dilated(widest),
        )
        self.before = nn.Sequential(
            *_down(width, widest),
            GatedConvolution(widest, widest),
            GatedConvolution(widest, widest, activation=nn.ReLU()),
        )
        self.after = nn.Sequential(GatedConvolution(widest, widest), GatedConvolution(widest, widest))
        joined = [GatedConvolution(2 * widest, widest), GatedConvolution(widest, widest)]
        self.joined = nn.Sequential(*joined, *decoder([width, 2 * width, widest]))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """A finer picture than the one given; `mask` says where nothing may be borrowed from."""
        before = self.before(image)
        borrowed = contextual_attention(before.float(), mask[..., ::4, ::4])
        fine: Tensor = self.joined(torch.cat([self.far(image), self.after(borrowed.to(before.dtype))], dim=1))
        return torch.tanh(fine)


def contextual_attention(features: Tensor, mask: Tensor) -> Tensor:
    """Every place of (B, C, H, W) as a mixture of what is like it outside the hole; masks (B, 1, H, W), 1 in the hole.

    At half the size, the 3x3 patch around a place is compared with all 3x3 patches that the hole does not touch, by
    their scalar product over the other's norm. Neighbouring places should borrow from neighbours: similarities are
    added up along the diagonals of rows, and of columns. Their softmax weighs the 4x4 patches of the whole size, which
    are put down two pixels apart, so that four of them are averaged at each pixel.
    """
    height, width = features.shape[-2:]
    patches = F.unfold(features[..., ::2, ::2], 3, padding=1)
    norms = patches.norm(dim=1, keepdim=True).clamp(min=LEAST_NORM)
    similar = (patches / norms).transpose(1, 2) @ patches  # (B, from, to)
    similar = fused(similar, height // 2, width // 2)
    untouched = (F.unfold(mask[..., ::2, ::2], 3, padding=1).sum(dim=1) == 0).to(similar.dtype)[..., None]
    weights = torch.softmax(SHARPNESS * similar * untouched, dim=1) * untouched
    borrowed = F.unfold(features, 4, padding=1, stride=2) @ weights
    return F.fold(borrowed, (height, width), 4, padding=1, stride=2) / 4


def fused(similar: Tensor, height: int, width: int) -> Tensor:
    """Similarities (B, H·W, H·W) of places in rows, added up over three neighbours in a row, then three in a column."""
    by_rows = _along_diagonals(similar).reshape(-1, height, width, height, width)
    by_columns = _along_diagonals(by_rows.transpose(1, 2).transpose(3, 4).reshape(similar.shape))
    back = by_columns.reshape(-1, width, height, width, height).transpose(1, 2).transpose(3, 4)
    return back.reshape(similar.shape)


def _along_diagonals(matrix: Tensor) -> Tensor:
    """The sum of each entry of (B, n, n) with the one before it and the one after it on its diagonal."""
    return matrix + F.pad(matrix[:, :-1, :-1], (1, 0, 1, 0)) + F.pad(matrix[:, 1:, 1:], (0, 1, 0, 1))


def _down(width: int, last: int) -> list[nn.Module]:
    """To a quarter of the size; the last layer has `last` channels."""
    return [
        GatedConvolution(3, width, kernel=5),
        GatedConvolution(width, width, stride=2),
        GatedConvolution(width, 2 * width),
        GatedConvolution(2 * width, last, stride=2),
    ]
