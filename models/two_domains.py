"""What recipes that learn from two piles of pictures share: showing and judging without counterparts.

Where the data know a truth, held-out pictures are compared with it; where not, only what a translation keeps can be
measured: what comes back from a round trip, and what it does to a picture that is already as it should be.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from datasets.contract import Unpaired
from datasets.errors import UserError
from models.apply import translate_batch
from models.contract import Preview, Translator
from models.metrics import reconstruction_metrics


def two_domains(chosen: tuple[str, ...], found: tuple[str, ...]) -> tuple[str, str]:
    """The names of the domains that data have, which are the chosen ones where any were chosen.

    Raises:
        UserError: The data have more or fewer than two, or others than the chosen ones.
    """
    if len(found) != 2:
        held = f"the {len(found)} domains {', '.join(found)}" if found else "no domains"
        raise UserError(f"this model learns from 2 domains, and the data have {held}; name two folders of pictures")
    if chosen and chosen != found:
        raise UserError(
            f"model.domains is {', '.join(chosen)}, and the data's folders are {', '.join(found)}; leave it out, or "
            "name the folders with data.a and data.b"
        )
    return found[0], found[1]


def make_preview(model: Translator, source: Tensor, wanted: Tensor, truth: Tensor, domain: int) -> Preview:
    """Pictures and their translations, beside pictures of the wanted domain: each one's truth, or just the like."""
    made = translate_batch(model, source, domain)
    return Preview(source, made, wanted) if bool(truth.all()) else Preview(source, made, real=wanted)


def average_metrics(figures: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Figures of several directions, averaged over them."""
    return {name: torch.stack([one[name] for one in figures]).mean(dim=0) for name in figures[0]}


def add_error(
    kept: dict[str, Tensor], otherwise: Tensor, batch: Unpaired, pairs: Sequence[tuple[Tensor, Tensor]]
) -> dict[str, Tensor]:
    """All figures, and `error`, by which the best model is kept.

    Args:
        kept: What is measured without a truth.
        otherwise: The error where no truth is known.
        batch: Tells whether one is.
        pairs: Translations and their truths; the error is then their L1, averaged over all of them.
    """
    if not bool(batch.truth.all()):
        return {"error": otherwise, **kept}
    compared = average_metrics([reconstruction_metrics(made, truth) for made, truth in pairs])
    return {"error": compared["l1"], **compared, **kept}
