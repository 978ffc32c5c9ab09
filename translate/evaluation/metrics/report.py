"""Figures with the protocol by which they were measured, in memory and as a JSON document."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import UserError
from translate import __version__

Protocol = dict[str, str | int | float]

RESAMPLES = 1000  # of the bootstrap; Efron, Tibshirani 1993, chapter 13, advise that many for 95 % intervals
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Figure:
    """One metric.

    Attributes:
        value: Of the whole set; a mean where it is one of pictures.
        interval: 95 % confidence interval of the mean; None where there is none.
        spread: Standard deviation over repetitions, of metrics that are repeated; None for others.
        better: "higher", "lower", or "" where neither is.
        protocol: How it was measured: figures with another protocol cannot be compared.
    """

    value: float
    better: str
    protocol: Protocol
    interval: tuple[float, float] | None = None
    spread: float | None = None


@dataclass(frozen=True)
class Report:
    """All figures of one evaluation.

    Attributes:
        subject: What was evaluated, in words.
        figures: By the name of the metric.
        pictures: Metrics of each picture, by its name.
        notes: What the user should know.
    """

    subject: str
    figures: dict[str, Figure]
    pictures: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """Return the report as it is written to JSON, without NaN and infinities, which JSON does not have."""
        document = {"translate": __version__, **asdict(self)}
        return _finite(document)  # type: ignore[no-any-return]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_report(path: Path) -> Report:
    """Return the report in a file that `--json` wrote.

    Raises:
        UserError: The file is missing or holds something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        figures = {
            str(name): Figure(
                math.nan if one["value"] is None else float(one["value"]),
                str(one["better"]),
                dict(one["protocol"]),
                None if one["interval"] is None else (one["interval"][0], one["interval"][1]),
                one["spread"],
            )
            for name, one in document["figures"].items()
        }
        return Report(str(document["subject"]), figures, dict(document["pictures"]), tuple(document["notes"]))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}; check the name") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise UserError(
            f"{path}: is not a report; expected what `eval folders` or `eval model` writes with `out`"
        ) from None


def summarize(pictures: Mapping[str, Mapping[str, float]], better: Mapping[str, str]) -> dict[str, Figure]:
    """Return the mean of each metric over pictures, with a bootstrap interval; protocols are left empty."""
    figures = {}
    for name in better:
        values = np.array([metrics[name] for metrics in pictures.values() if name in metrics], np.float64)
        if len(values):
            figures[name] = Figure(float(values.mean()), better[name], {}, bootstrap_mean(values))
    return figures


def bootstrap_mean(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float] | None:
    """Return the percentile interval of the mean of (N,) values at 95 %; None for fewer than two values.

    Efron, Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    if len(values) < 2:
        return None
    rng = np.random.default_rng(seed)
    means = [float(values[rng.integers(len(values), size=len(values))].mean()) for _ in range(RESAMPLES)]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def fingerprint(parts: Sequence[str]) -> str:
    """Return 12 hexadecimal digits that stand for some texts, such as the names and sizes of files."""
    digest = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:12]
