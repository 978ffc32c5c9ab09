"""What a training tells while it runs."""

import time
from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor

from translate.training.processes import World


@dataclass(frozen=True)
class Progress:
    """What a training tells after a step; `losses` and `figures` are there when they were computed.

    Attributes:
        images: Samples seen in this step, by all processes.
        waited: Share of the time since the last line of metrics that was spent waiting for pictures.
        notes: Sentences for a person.
        stopped: Why it ended early, if it did.
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
    """What has been added up since the last line of metrics."""

    losses: dict[str, Tensor] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)  # a player that moves every fifth step has a loss as rarely
    steps: int = 0
    waited: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def add(self, report: dict[str, Tensor], waited: float) -> None:
        """Add a step's losses and metrics, and the seconds it waited for pictures."""
        for name, value in report.items():
            self.losses[name] = self.losses[name] + value if name in self.losses else value
            self.counts[name] += 1
        self.steps += 1
        self.waited += waited

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return max(time.monotonic() - self.began, 1e-9)

    def means(self, world: World) -> dict[str, float]:
        """The mean of each loss over the steps that had it, and over all processes."""
        means = torch.stack([total / self.counts[name] for name, total in self.losses.items()])
        world.average([means])
        return {name: round(value, 6) for name, value in zip(self.losses, means.tolist(), strict=True)}
