"""The patchwise contrastive loss: a place of a translation should be more like its source place than like any other.

Park, Efros, Zhang, Zhu 2020, arXiv:2007.15651, section 3, after van den Oord, Li, Vinyals 2018, arXiv:1807.03748.

Differs from the paper:
- The product of a query and its own key stays among the columns of the negatives, where the authors' code masks it: the
  one matrix of products holds it once, as the positive. The loss is the same.
- Similarities are computed in float32, under autocast too: divided by a temperature of 0.07, the steps of half
  precision would be coarse.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def draw_places(layers: Sequence[Tensor], count: int) -> list[Tensor]:
    """Draw up to `count` of the H * W places of each (B, C, H, W) layer, none twice, the same for the whole batch."""
    return [torch.randperm(layer[0, 0].numel())[:count].to(layer.device) for layer in layers]


def patch_nce(queries: Sequence[Tensor], keys: Sequence[Tensor], temperature: float) -> Tensor:
    """Return the cross-entropy, in nats, of finding each query's key among all keys of its image and layer: (B,).

    It is averaged over places and layers.

    Args:
        queries: (B, n, width) unit vectors of each layer, of translations.
        keys: The same of their sources, at the same places; no gradient reaches them. A query's own key is its
            positive, the other n - 1 of the image are its negatives.
        temperature: Divisor of the products.
    """
    layers = [_cross_entropy(query, key.detach(), temperature) for query, key in zip(queries, keys, strict=True)]
    return torch.stack(layers).mean(dim=0)


def _cross_entropy(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    with torch.autocast(query.device.type, enabled=False):
        products = query.float() @ key.float().transpose(1, 2) / temperature
    own = torch.arange(products.shape[1], device=products.device).expand(len(products), -1)
    return F.cross_entropy(products.transpose(1, 2), own, reduction="none").mean(dim=1)
