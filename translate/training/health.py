"""Whether a training is well: four ways in which adversarial trainings fail without an error."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.contract import FailureMode, Preview

RIGHT = 0.999  # share of its judgements that a discriminator has right when nothing is left to learn from it
ROUNDS = 10  # lines of metrics in a row over which it must
COPY = 0.1  # share of the wanted change of its input below which an output is a copy
WANTED = 0.2  # mean change of a picture, on the scale [0, 1], where no truth tells what is wanted
LITTLE = 0.02  # wanted change below which a copy is no failure
INVERTED = -0.3  # correlation with the truth, or else the input, below which colours are inverted
SAME = 0.05  # difference between outputs, as a share of that between truths or real pictures, below which all are one


@dataclass
class Health:
    """Watches one training; each ailment is told once, when it begins."""

    hints: dict[FailureMode, str]
    _right: deque[float] = field(default_factory=lambda: deque(maxlen=ROUNDS))
    _suspected: set[FailureMode] = field(default_factory=set)
    _told: set[FailureMode] = field(default_factory=set)

    def after_losses(self, losses: dict[str, float]) -> list[str]:
        """Sentences about a line of metrics."""
        rights = [value for name, value in losses.items() if name.endswith("/right")]
        if not rights:
            return []
        self._right.append(min(rights))
        won = len(self._right) == ROUNDS and min(self._right) >= RIGHT
        return self._tell({"discriminator won": won})

    def after_validation(self, shown: Sequence[Preview]) -> list[str]:
        """Sentences about pictures held out: each entry is one way of translating."""
        found: dict[FailureMode, bool] = {}
        for one in shown:
            for ailment, present in examine(one).items():
                found[ailment] = found.get(ailment, False) or present
        # Early in a training pictures may look like anything: only what is there twice in a row counts.
        confirmed = {ailment: present and ailment in self._suspected for ailment, present in found.items()}
        self._suspected = {ailment for ailment, present in found.items() if present}
        return self._tell(confirmed)

    def _tell(self, found: dict[FailureMode, bool]) -> list[str]:
        begun = [ailment for ailment, present in found.items() if present and ailment not in self._told]
        for ailment, present in found.items():
            (self._told.add if present else self._told.discard)(ailment)
        return [f"{ailment}: {self.hints[ailment]}" for ailment in begun]


def examine(shown: Preview) -> dict[FailureMode, bool]:
    """What is wrong with pictures that a model made; only what they can tell is answered."""
    found: dict[FailureMode, bool] = {}
    made, like = shown.made.float(), shown.source if shown.truth is None else shown.truth
    if shown.source is not None and shown.source.shape == made.shape:
        wanted = WANTED if shown.truth is None else _difference(shown.source, shown.truth)
        found["generator copies its input"] = _difference(made, shown.source) < COPY * wanted and wanted > LITTLE
    if like is not None and like.shape == made.shape:
        found["colours inverted"] = _correlation(made, like.float()) < INVERTED
        if len(made) > 1:
            found["diversity lost"] = _spread(made) < SAME * _spread(like.float())
    if shown.real is not None and len(made) > 1:
        found["diversity lost"] = _spread(made) < SAME * _spread(shown.real.float())
    return found


def _difference(one: Tensor, other: Tensor) -> float:
    return float((one.float() - other.float()).abs().mean()) / 2


def _correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's, of all values of each picture, averaged over the pictures that have any contrast."""
    one, other = one.flatten(1), other.flatten(1)
    one, other = one - one.mean(1, keepdim=True), other - other.mean(1, keepdim=True)
    norms = one.norm(dim=1) * other.norm(dim=1)
    values = (one * other).sum(1)[norms > 1e-3] / norms[norms > 1e-3]
    return float(values.mean()) if len(values) else 0.0


def _spread(pictures: Tensor) -> float:
    """Mean absolute difference between pictures and their mean."""
    return float((pictures - torch.mean(pictures, dim=0, keepdim=True)).abs().mean())
