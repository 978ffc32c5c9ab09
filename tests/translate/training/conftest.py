"""What the tests of training share: reading what a run folder holds, and short trainings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from translate.training.progress import Progress
from translate.training.session import Training


class Run:
    """Reads the files of a run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def state(self) -> dict[str, Any]:
        """The saved state."""
        state: dict[str, Any] = torch.load(self.path / "state.pt", weights_only=True)
        return state

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return [json.loads(line) for line in (self.path / "metrics.jsonl").read_text().splitlines()]

    def recorded(self, kind: str) -> dict[int, Any]:
        """The losses, metrics or health messages in metrics.jsonl, by step."""
        return {line["step"]: line[kind] for line in self.lines if kind in line}


@pytest.fixture(scope="session")
def run_of() -> Callable[[Path], Run]:
    """`run_of(path)`: what a run folder holds, such as `.state["step"]` and `.recorded("losses")`."""
    return Run


@pytest.fixture(scope="session")
def train_to_end() -> Callable[..., list[Progress]]:
    """`train_to_end(experiment, data, out, stop_after=3)`: a training, and all it reported."""

    def run(experiment: Any, data: Path, out: Path, stop_after: int | None = None, **options: Any) -> list[Progress]:
        training = Training(experiment, data, out, device="cpu", **options)
        return list(training.run(lambda: training.trainer.step == stop_after))

    return run
