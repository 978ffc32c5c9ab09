"""What recipes that learn from two unpaired domains share: names of domains, previews and validation metrics.

Where the data have true counterparts, held-out images are compared with them. Elsewhere only what a translation
preserves can be measured: what comes back from a round trip, and how much an image changes that is in the target domain
already.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from datasets.contract import Unpaired
from datasets.errors import UserError
from models.apply import translate_batch
from models.contract import Preview, Translator
from models.metrics import reconstruction_metrics


def check_two_domains(expected: tuple[str, ...], found: tuple[str, ...]) -> tuple[str, str]:
    """Return the names of the data's two domains.

    Args:
        expected: The names in the configuration; empty if they are left to the data.
        found: The names of the data's domains.

    Raises:
        UserError: The data do not have two domains, or not the expected ones.
    """
    if len(found) != 2:
        count = f"the {len(found)} domains {', '.join(found)}" if found else "no domains"
        raise UserError(f"this model learns from 2 domains, and the data have {count}; name two folders of pictures")
    if expected and expected != found:
        raise UserError(
            f"model.domains is {', '.join(expected)}, and the data's folders are {', '.join(found)}; leave it out, or "
            "name the folders with data.a and data.b"
        )
    return found[0], found[1]


def make_preview(model: Translator, source: Tensor, like: Tensor, truth: Tensor, domain: int) -> Preview:
    """Translate images, and show them beside images of the target domain.

    Args:
        model: The translator.
        source: Images (B, C, H, W) in [-1, 1].
        like: Images of the target domain, (B, C, H, W) in [-1, 1].
        truth: (B,) bool, whether `like` are the true counterparts of `source`.
        domain: Index of the target domain.
    """
    output, title = translate_batch(model, source, domain), f"to {model.domains[domain]}" if model.domains else ""
    if bool(truth.all()):
        return Preview(source, output, like, title=title)
    return Preview(source, output, real=like, title=title)


def average_metrics(metrics: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Average metrics, (B,) each, over several directions of translation."""
    return {name: torch.stack([one[name] for one in metrics]).mean(dim=0) for name in metrics[0]}


def add_error(
    metrics: dict[str, Tensor], fallback: Tensor, batch: Unpaired, pairs: Sequence[tuple[Tensor, Tensor]]
) -> dict[str, Tensor]:
    """Add `error`, by which the best model is chosen, to the metrics.

    Args:
        metrics: Metrics that need no true counterparts, (B,) each.
        fallback: The error if the batch has no true counterparts, (B,).
        batch: The batch.
        pairs: Translations and the batch's images of the same domain. If these are true counterparts, the error is the
            L1 distance, averaged over all pairs, and the other distances to them are added as well.
    """
    if not bool(batch.truth.all()):
        return {"error": fallback, **metrics}
    distances = average_metrics([reconstruction_metrics(output, target) for output, target in pairs])
    return {"error": distances["l1"], **distances, **metrics}
