"""Which metrics are measured, and with which networks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from datasets.errors import OptionError, count_of, suggest
from translate.evaluation.metrics import pairs
from translate.evaluation.metrics.networks import load_lpips
from translate.evaluation.metrics.pairs import PairMetrics
from translate.evaluation.metrics.report import Protocol, Report, summarize
from translate.evaluation.metrics.weights import NetworkName, Weights, find_weights
from translate.hardware import choose_device

GROUPS = {"pairs": pairs.NAMES}
NEEDED: dict[str, NetworkName] = {"lpips": "alexnet"}


@dataclass(frozen=True)
class Choice:
    """What is measured.

    Attributes:
        names: Of the metrics.
        weights: Of the networks that are at hand.
        device: Where networks compute.
        notes: On what is left out.
    """

    names: tuple[str, ...]
    weights: dict[NetworkName, Weights]
    device: torch.device
    notes: tuple[str, ...] = ()

    @property
    def of_pairs(self) -> tuple[str, ...]:
        """Those that compare a picture with its reference."""
        return tuple(name for name in self.names if name in pairs.NAMES)

    def pair_metrics(self, crop: int) -> PairMetrics:
        """Return what measures pairs."""
        lpips = load_lpips(self.weights["alexnet"], self.device) if "lpips" in self.names else None
        return PairMetrics(self.of_pairs, crop, self.device, lpips)


def choose_metrics(asked: Sequence[str], features: Sequence[Path], device: str) -> Choice:
    """Return the metrics of these names and groups; of none, all whose networks are at hand.

    Raises:
        OptionError: There is no such metric.
        UserError: A network's weights are needed and nowhere.
    """
    known = [*dict.fromkeys(name for names in GROUPS.values() for name in names)]
    for name in asked:
        if name not in known and name not in GROUPS:
            raise OptionError("metrics", f"{name} is no metric; {suggest(name, [*known, *GROUPS])}")
    named = [name for name in asked if name not in GROUPS]
    grouped = [name for group in asked if group in GROUPS for name in GROUPS[group]] or ([] if asked else known)
    weights = find_weights(features, {NEEDED[name] for name in named if name in NEEDED})
    left_out = [name for name in grouped if name in NEEDED and NEEDED[name] not in weights and name not in named]
    names = tuple(name for name in known if name in {*named, *grouped} and name not in left_out)
    note = (
        f"{', '.join(left_out)} left out: the weights of the networks are not here; give files with `features`, or "
        "name these metrics with `metrics` to download them"
    )
    return Choice(names, weights, choose_device(device), (note,) if left_out else ())


def build_report(
    subject: str,
    pictures: dict[str, dict[str, float]],
    measure: PairMetrics,
    facts: Protocol,
    notes: Sequence[str],
) -> Report:
    """Return the report of metrics of pictures: their means, with intervals and protocols."""
    protocols = measure.describe()
    counts = Counter(name for metrics in pictures.values() for name in metrics)
    better = {name: pairs.better(name) for name in protocols if counts[name]}
    figures = {
        name: replace(figure, protocol={**protocols[name], **facts, "pictures": counts[name]})
        for name, figure in summarize(pictures, better).items()
    }
    lacking = sum("ms_ssim_rgb" not in metrics for metrics in pictures.values())
    if "ms-ssim" in measure.names and lacking:
        side = pairs.SMALLEST_MS_SSIM
        notes = [*notes, f"MS-SSIM needs sides of {side} pixels: {count_of(lacking, 'picture')} left out of it"]
    return Report(subject, figures, pictures, tuple(notes))
