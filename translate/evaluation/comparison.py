"""Compare two reports, figure by figure, where they were measured in the same way."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datasets.errors import UserError
from translate.evaluation.metrics.report import Protocol, Report, bootstrap_mean


@dataclass(frozen=True)
class Difference:
    """One figure in two reports.

    Attributes:
        first: Its value in the first.
        second: Its value in the second.
        better: "higher", "lower", or "" where neither is.
        interval: 95 % interval of the mean difference, second minus first, over the pictures that both have; None:
            there are no values of pictures.
    """

    first: float
    second: float
    better: str
    interval: tuple[float, float] | None

    @property
    def winner(self) -> str:
        """Which is better, "first" or "second"; "" where the difference may be chance or neither direction is."""
        if self.interval is None or not self.better or self.interval[0] <= 0 <= self.interval[1]:
            return ""
        return "second" if (self.interval[0] > 0) == (self.better == "higher") else "first"


def compare_reports(first: Report, second: Report, metrics: Sequence[str] = ()) -> dict[str, Difference]:
    """Return the figures of both reports, of these metrics or of all, beside each other.

    Raises:
        UserError: The reports have no such figure in common, or measured it in different ways; the message says what
            differs.
    """
    common = [name for name in first.figures if name in second.figures and (not metrics or name in metrics)]
    missing = [name for name in metrics if name not in common]
    if missing or not common:
        has = f"{', '.join(first.figures)} in one, {', '.join(second.figures)} in the other"
        raise UserError(f"{', '.join(missing) or 'no figure'} is in both reports; they have {has}")
    problems: dict[str, list[str]] = {}
    for name in common:
        for difference in find_differences(first.figures[name].protocol, second.figures[name].protocol):
            problems.setdefault(difference, []).append(name)
    if problems:
        described = "; ".join(f"{difference} ({', '.join(names)})" for difference, names in problems.items())
        raise UserError(
            f"these figures cannot be compared, since they were measured in different ways: {described}; measure both "
            "in one way, or choose figures that are alike with `metrics`"
        )
    return {name: _compare(name, first, second) for name in common}


def find_differences(first: Protocol, second: Protocol) -> list[str]:
    """Return what differs between two protocols, as "crop: 0 and 4"."""
    keys = dict.fromkeys([*first, *second])
    return [
        f"{key}: {first.get(key, 'none')} and {second.get(key, 'none')}"
        for key in keys
        if first.get(key) != second.get(key)
    ]


def _compare(name: str, first: Report, second: Report) -> Difference:
    one, other = first.figures[name], second.figures[name]
    differences = [
        second.pictures[picture][name] - metrics[name]
        for picture, metrics in first.pictures.items()
        if name in metrics and name in second.pictures.get(picture, {})
    ]
    return Difference(one.value, other.value, one.better, bootstrap_mean(np.array(differences, np.float64)))
