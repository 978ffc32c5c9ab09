"""What a training writes down for people while it runs: metrics, curves, sample pictures, a report."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from translate.run_folder import RunFolder
from translate.training.report import write_report


class Record:
    """Writes into a run folder; in a process that does not lead, all of it does nothing."""

    def __init__(self, folder: RunFolder, *, is_main: bool, resumed_at: int | None) -> None:
        self.folder = folder
        self._curves: SummaryWriter | None = None
        if is_main:
            purge = None if resumed_at is None else resumed_at + 1
            self._curves = SummaryWriter(folder.curves, purge_step=purge)

    def losses(self, step: int, losses: dict[str, float], facts: dict[str, Any]) -> None:
        """A line of losses."""
        self._line(step, {"losses": _finite(losses), **facts}, losses)

    def metrics(self, step: int, metrics: dict[str, float]) -> None:
        """A line of validation figures."""
        self._line(
            step, {"metrics": _finite(metrics)}, {f"validation/{name}": value for name, value in metrics.items()}
        )

    def sentences(self, step: int, sentences: list[str]) -> None:
        """A line for each sentence about the training's health."""
        for sentence in sentences:
            self._line(step, {"health": sentence}, {})

    def sample(self, step: int, strips: Tensor) -> None:
        """A picture of preview strips (B, 3, H, W)."""
        if self._curves is None:
            return
        self.folder.write_sample(step, strips)
        self._curves.add_image("samples", (torch.cat([*strips], dim=1).clamp(-1, 1) + 1) / 2, step)

    def report(self) -> None:
        """The report of all there is so far."""
        if self._curves is not None:
            self._curves.flush()
            write_report(self.folder)

    def close(self) -> None:
        """Nothing more will come."""
        if self._curves is not None:
            self._curves.close()

    def _line(self, step: int, record: dict[str, Any], scalars: dict[str, float]) -> None:
        if self._curves is None:
            return
        self.folder.append_metrics({"step": step, **record})
        for name, value in scalars.items():
            self._curves.add_scalar(name, value, step)


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}  # JSON has no NaN
