"""Which metrics are measured, and with which networks."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from datasets.errors import OptionError, UserError, count_of, suggest
from translate.evaluation.metrics import pairs, sets
from translate.evaluation.metrics.features import extract_features, load_inception, load_vgg16, pixels_network
from translate.evaluation.metrics.networks import load_lpips
from translate.evaluation.metrics.pairs import PairMetrics
from translate.evaluation.metrics.report import Figure, Protocol, Report, summarize
from translate.evaluation.metrics.sets import FeatureSets, check_counts, measure_sets
from translate.evaluation.metrics.weights import NetworkName, Weights, find_weights
from translate.hardware import choose_device

Pictures = Callable[[], Iterable[tuple[str, Tensor]]]

LOADERS = {"inception": load_inception, "vgg16": load_vgg16}
NO_PAIRS = "outputs have no references of their own, so both are compared as sets only"
GROUPS = {"pairs": pairs.NAMES, "sets": sets.NAMES}
# Networks that a metric can do with, the usual one first; None: pixels will do.
NEEDED: dict[str, tuple[NetworkName | None, ...]] = {
    "lpips": ("alexnet",),
    "fid": ("inception",),
    "kid": ("inception",),
    "is": ("inception",),
    "precision-recall": ("vgg16", "inception"),
    "density-coverage": ("vgg16", "inception"),
    "two-sample": ("vgg16", "inception", None),
    "neighbours": ("vgg16", "inception", None),
}


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

    @property
    def of_sets(self) -> tuple[str, ...]:
        """Those that compare all outputs with all references."""
        return tuple(name for name in self.names if name in sets.NAMES)

    def for_counts(self, outputs: int, references: int, asked: Sequence[str]) -> "Choice":
        """Return the choice for sets of these sizes, without metrics that need more and were not `asked` for by name.

        Raises:
            UserError: One that was asked for by name needs more pictures.
        """
        check_counts([name for name in self.of_sets if name in asked], outputs, references)
        few = min(outputs, references)
        lacking = [name for name in self.of_sets if few < sets.FEWEST[name]]
        if not lacking:
            return self
        names = tuple(name for name in self.names if name not in lacking)
        return replace(self, names=names, notes=(*self.notes, f"too few pictures for {', '.join(lacking)}: {few}"))

    def without_pairs(self, asked: Sequence[str]) -> "Choice":
        """Return the choice for outputs that have no reference of their own.

        Raises:
            UserError: A metric of pairs was asked for, or nothing else is left.
        """
        if not self.of_sets or any(name in self.of_pairs for name in asked) or "pairs" in asked:
            raise UserError(
                f"these outputs have no references of their own, which {', '.join(self.of_pairs)} need; set "
                "data.truth=true if pictures of equal names are pairs, or measure sets (`metrics` sets)"
            )
        return replace(self, names=self.of_sets, notes=(*self.notes, NO_PAIRS))

    def measure_sets(self, outputs: Pictures, references: Pictures) -> tuple[dict[str, Figure], list[str]]:
        """Return the figures of two sets of pictures, and notes; both functions are called once for each network."""
        by_network: dict[NetworkName | None, list[str]] = {}
        for name in self.of_sets:
            by_network.setdefault(_choose_network(name, self.weights), []).append(name)
        figures: dict[str, Figure] = {}
        notes: list[str] = []
        for network, names in by_network.items():
            loaded = pixels_network() if network is None else LOADERS[network](self.weights[network], self.device)
            one, other = (extract_features(loaded, pictures()) for pictures in (outputs, references))
            scores = one.get("scores")
            both = FeatureSets(one["features"], other["features"], scores, loaded.protocol, loaded.published)
            found, more = measure_sets(names, both)
            figures |= found
            notes += more
        return figures, notes

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
    here = find_weights(features, ())
    wanted = [NEEDED[name][0] for name in named if name in NEEDED and not _is_possible(name, here)]
    weights = find_weights(features, [name for name in wanted if name is not None])
    left_out = [name for name in grouped if name not in named and not _is_possible(name, weights)]
    names = tuple(name for name in known if name in {*named, *grouped} and name not in left_out)
    note = (
        f"{', '.join(left_out)} left out: the weights of the networks are not here; give files with `features`, or "
        "name these metrics with `metrics` to download them"
    )
    return Choice(names, weights, choose_device(device), (note,) if left_out else ())


def _is_possible(name: str, weights: Mapping[NetworkName, Weights]) -> bool:
    return name not in NEEDED or any(network is None or network in weights for network in NEEDED[name])


def _choose_network(name: str, weights: Mapping[NetworkName, Weights]) -> NetworkName | None:
    return next(network for network in NEEDED[name] if network is None or network in weights)


def build_report(
    subject: str,
    pictures: dict[str, dict[str, float]],
    measure: PairMetrics,
    facts: Protocol,
    notes: Sequence[str],
    of_sets: Mapping[str, Figure],
) -> Report:
    """Return the report of metrics of pictures, their means with intervals, and of metrics of sets."""
    protocols = measure.describe()
    counts = Counter(name for metrics in pictures.values() for name in metrics)
    better = {name: pairs.better(name) for name in protocols if counts[name]}
    figures = {
        name: replace(figure, protocol={**protocols[name], **facts, "pictures": counts[name]})
        for name, figure in summarize(pictures, better).items()
    }
    figures |= {name: replace(figure, protocol={**figure.protocol, **facts}) for name, figure in of_sets.items()}
    lacking = sum("ms_ssim_rgb" not in metrics for metrics in pictures.values())
    if "ms-ssim" in measure.names and lacking:
        side = pairs.SMALLEST_MS_SSIM
        notes = [*notes, f"MS-SSIM needs sides of {side} pixels: {count_of(lacking, 'picture')} left out of it"]
    return Report(subject, figures, pictures, tuple(notes))
