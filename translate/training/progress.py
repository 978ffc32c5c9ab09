"""The progress of a training: what it reports to its caller after every step, and what it writes down for people."""

import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from translate.run_folder import RunFolder
from translate.training.processes import World
from translate.training.report import write_report


@dataclass(frozen=True)
class Progress:
    """The state of a training after a step.

    Attributes:
        step: Steps taken so far.
        steps: Steps to take.
        images: Samples seen in this step, by all processes.
        losses: Means since the last line of metrics, as "player/name"; None in steps without such a line.
        metrics: Means over the validation samples; None in steps without a validation.
        waited: Fraction of the time since the last line of metrics that was spent waiting for samples.
        notes: Messages for the user.
        stopped: Why the training ended early; None if it did not.
    """

    step: int
    steps: int
    images: int = 0
    losses: dict[str, float] | None = None
    metrics: dict[str, float] | None = None
    waited: float = 0.0
    notes: tuple[str, ...] = ()
    stopped: str | None = None


@dataclass
class Interval:
    """Sums over the steps since the last line of metrics.

    Attributes:
        losses: Sum of every loss and metric, as "player/name".
        counts: Steps that had each of them: a player that moves every fifth step has a loss as rarely.
        steps: Steps in the interval.
        waited: Seconds spent waiting for samples.
        began: Value of the monotonic clock at the start.
    """

    losses: dict[str, Tensor] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    waited: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def add(self, losses: dict[str, Tensor], waited: float) -> None:
        """Add a step's losses and metrics, and the seconds it waited for samples."""
        for name, value in losses.items():
            self.losses[name] = self.losses[name] + value if name in self.losses else value
            self.counts[name] += 1
        self.steps += 1
        self.waited += waited

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return max(time.monotonic() - self.began, 1e-9)

    @property
    def waiting_fraction(self) -> float:
        """Fraction of the time spent waiting for samples."""
        return self.waited / self.elapsed

    def means(self, world: World) -> dict[str, float]:
        """Return the mean of each loss over the steps that had it, and over all processes."""
        means = torch.stack([total / self.counts[name] for name, total in self.losses.items()])
        world.average([means])
        return {name: round(value, 6) for name, value in zip(self.losses, means.tolist(), strict=True)}


class Record:
    """Writes metrics.jsonl, TensorBoard curves, sample pictures and the report into a run folder.

    In a process other than the main one every method does nothing.
    """

    def __init__(self, folder: RunFolder, world: World) -> None:
        self.folder = folder
        self._is_main = world.is_main
        self._curves: SummaryWriter | None = None

    def open(self, resumed_at: int | None) -> None:
        """Begin to write; curves beyond `resumed_at`, the step of the restored state, are discarded."""
        if self._is_main:
            purge = None if resumed_at is None else resumed_at + 1
            self._curves = SummaryWriter(self.folder.curves, purge_step=purge)

    def write_losses(self, step: int, losses: dict[str, float], facts: dict[str, Any]) -> None:
        """Add a line with losses and facts about the speed."""
        self._write_line(step, {"losses": _replace_non_finite(losses), **facts}, losses)

    def write_metrics(self, step: int, metrics: dict[str, float]) -> None:
        """Add a line with validation metrics."""
        curves = {f"validation/{name}": value for name, value in metrics.items()}
        self._write_line(step, {"metrics": _replace_non_finite(metrics)}, curves)

    def write_messages(self, step: int, messages: list[str]) -> None:
        """Add a line for each message about the training's health."""
        for message in messages:
            self._write_line(step, {"health": message}, {})

    def write_sample(self, step: int, strips: Tensor, columns: str) -> None:
        """Write preview strips, (B, 3, H, W) in [-1, 1], as one picture, and a line with what its columns are."""
        if self._curves is None:
            return
        self.folder.write_sample(step, strips)
        self._write_line(step, {"sample": columns}, {})
        self._curves.add_image("samples", (torch.cat([*strips], dim=1).clamp(-1, 1) + 1) / 2, step)

    def write_report(self) -> None:
        """Replace the report by one of all that the folder holds now."""
        if self._curves is not None:
            self._curves.flush()
            write_report(self.folder)

    def close(self) -> None:
        """Finish writing."""
        if self._curves is not None:
            self._curves.close()

    def _write_line(self, step: int, record: dict[str, Any], curves: dict[str, float]) -> None:
        if self._curves is None:
            return
        self.folder.append_metrics({"step": step, **record})
        for name, value in curves.items():
            self._curves.add_scalar(name, value, step)


def _replace_non_finite(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}  # JSON has no NaN
