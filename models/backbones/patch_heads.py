"""The projection heads of CUT: from features of an image's places to unit vectors that can be compared.

Park, Efros, Zhang, Zhu 2020, arXiv:2007.15651, section 3.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.blocks import initialize_weights


class PatchHeads(nn.Module):
    """A small perceptron for each layer of features, from the features of a place to a vector of length 1.

    Args:
        channels: Of each layer's features.
        width: Numbers in a vector.
    """

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(count, width), nn.ReLU(inplace=True), nn.Linear(width, width)) for count in channels
        )
        initialize_weights(self)

    def forward(self, layers: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Return (B, n, width) float32 unit vectors of n places of each (B, C, H, W) layer.

        `places` are (n,) indices into the H * W places of each layer.
        """
        sampled = [layer.flatten(2)[:, :, place].transpose(1, 2) for layer, place in zip(layers, places, strict=True)]
        return [F.normalize(head(one).float(), dim=2) for head, one in zip(self.heads, sampled, strict=True)]
