"""The health of a training: four ways in which adversarial trainings fail without an error.

The thresholds below were chosen by hand; tests hold them against made-up failures and against a training that is well.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.contract import FailureMode, Preview

WON_ACCURACY = 0.999  # fraction of scores that a discriminator has right when the generator learns nothing from it
WON_LINES = 10  # lines of metrics in a row over which it does: a short lead is no failure
COPY_FRACTION = 0.1  # change of the input, as a fraction of the change to the target, below which it is a copy
TYPICAL_CHANGE = 0.2  # mean absolute change from input to target, on the scale [0, 1], if the target is not known
SMALL_CHANGE = 0.02  # change from input to target below which a copy is the right output
INVERTED_CORRELATION = -0.3  # with the target, or else the input, below which colours are inverted
COLLAPSED_SPREAD = 0.05  # spread of the outputs, as a fraction of that of targets or real images, that is too small


@dataclass
class Health:
    """Watches one training and reports each failure mode once, when it begins.

    Attributes:
        hints: What to change in the configuration, for each failure mode.
    """

    hints: dict[FailureMode, str]
    _accuracies: deque[float] = field(default_factory=lambda: deque(maxlen=WON_LINES))
    _suspected: set[FailureMode] = field(default_factory=set)
    _reported: set[FailureMode] = field(default_factory=set)

    def after_losses(self, losses: dict[str, float]) -> list[str]:
        """Return messages about a line of losses."""
        accuracies = [value for name, value in losses.items() if name.endswith("/accuracy")]
        if not accuracies:
            return []
        self._accuracies.append(min(accuracies))
        won = len(self._accuracies) == WON_LINES and min(self._accuracies) >= WON_ACCURACY
        return self._report({"discriminator won": won})

    def after_validation(self, previews: Sequence[Preview]) -> list[str]:
        """Return messages about held-out samples: one preview for each way in which the model translates."""
        found: dict[FailureMode, bool] = {}
        for preview in previews:
            for mode, present in find_failures(preview).items():
                found[mode] = found.get(mode, False) or present
        # Early outputs may look like anything, so a failure counts only if two validations in a row find it.
        confirmed = {mode: present and mode in self._suspected for mode, present in found.items()}
        self._suspected = {mode for mode, present in found.items() if present}
        return self._report(confirmed)

    def _report(self, found: dict[FailureMode, bool]) -> list[str]:
        begun = [mode for mode, present in found.items() if present and mode not in self._reported]
        for mode, present in found.items():
            (self._reported.add if present else self._reported.discard)(mode)
        return [f"{mode}: {self.hints[mode]}" for mode in begun]


def find_failures(preview: Preview) -> dict[FailureMode, bool]:
    """Return whether each failure mode is present, for those that the preview can tell."""
    found: dict[FailureMode, bool] = {}
    source, output, target = preview.source, preview.output.float(), preview.target
    if source is not None and source.shape == output.shape:
        change = TYPICAL_CHANGE if target is None else _difference(source, target)
        copied = _difference(output, source) < COPY_FRACTION * change
        found["generator copies its input"] = copied and change > SMALL_CHANGE
    reference = source if target is None else target
    if reference is not None and reference.shape == output.shape:
        found["colours inverted"] = _correlation(output, reference.float()) < INVERTED_CORRELATION
        if len(output) > 1:
            found["diversity lost"] = _spread(output) < COLLAPSED_SPREAD * _spread(reference.float())
    if preview.real is not None and len(output) > 1:
        found["diversity lost"] = _spread(output) < COLLAPSED_SPREAD * _spread(preview.real.float())
    return found


def _difference(a: Tensor, b: Tensor) -> float:
    """Return the mean absolute difference of images in [-1, 1], on the scale [0, 1]."""
    return float((a.float() - b.float()).abs().mean()) / 2


def _correlation(a: Tensor, b: Tensor) -> float:
    """Return Pearson's correlation over all values of an image, averaged over the images that are not flat."""
    a, b = a.flatten(1), b.flatten(1)
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    norms = a.norm(dim=1) * b.norm(dim=1)
    values = (a * b).sum(1)[norms > 1e-3] / norms[norms > 1e-3]  # 1e-3: far below the norms of any visible contrast
    return float(values.mean()) if len(values) else 0.0


def _spread(images: Tensor) -> float:
    """Return the mean absolute difference between images and their mean."""
    return float((images - torch.mean(images, dim=0, keepdim=True)).abs().mean())
