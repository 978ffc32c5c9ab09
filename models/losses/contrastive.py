"""Contrast between patches: a place of a translation should be recognised among all others by what it was made from.

Park, Efros, Zhang, Zhu 2020, arXiv:2007.15651, section 3, after van den Oord, Li, Vinyals 2018, arXiv:1807.03748.

Differs from the paper:
- The product of a query and its own key is left among the negatives' columns instead of being masked there: the one
  matrix of products holds it once, as the positive. The loss is the same.
- Similarities are computed in float32, under autocast too: divided by 0.07, their half-precision steps would be coarse.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.blocks import initialize_weights


class PatchHeads(nn.Module):
    """A small perceptron for each layer of features, from a place's features to a direction in which alike ones lie.

    Args:
        channels: Of each layer's features.
        width: Numbers in a direction.
    """

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(count, width), nn.ReLU(inplace=True), nn.Linear(width, width)) for count in channels
        )
        initialize_weights(self)

    def forward(self, layers: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Of each (B, C, H, W) layer the directions at its n places, (B, n, width), of length 1."""
        sampled = [layer.flatten(2)[:, :, place].transpose(1, 2) for layer, place in zip(layers, places, strict=True)]
        return [F.normalize(head(one).float(), dim=2) for head, one in zip(self.heads, sampled, strict=True)]


def draw_places(layers: Sequence[Tensor], count: int) -> list[Tensor]:
    """For each (B, C, H, W) layer up to `count` of its H * W places, none twice, the same for all of a batch."""
    return [torch.randperm(layer[0, 0].numel())[:count].to(layer.device) for layer in layers]


def patch_nce(queries: Sequence[Tensor], keys: Sequence[Tensor], temperature: float) -> Tensor:
    """How hard each query is to tell from the others' keys, in nats, averaged over places and layers: (B,).

    Args:
        queries: (B, n, width) directions for each layer, of translations.
        keys: Those of what they were made from, at the same places; no gradient reaches them. A query's own key is the
            positive, the other n - 1 of the same picture are the negatives.
        temperature: By which products are divided.
    """
    layers = [_cross_entropy(query, key.detach(), temperature) for query, key in zip(queries, keys, strict=True)]
    return torch.stack(layers).mean(dim=0)


def _cross_entropy(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    with torch.autocast(query.device.type, enabled=False):
        products = query.float() @ key.float().transpose(1, 2) / temperature
    own = torch.arange(products.shape[1], device=products.device).expand(len(products), -1)
    return F.cross_entropy(products.transpose(1, 2), own, reduction="none").mean(dim=1)
