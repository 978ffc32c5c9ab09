"""Measuring two ways of doing one thing: interleaved in one process, medians and their ratio."""

import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Seconds of both ways, and how many times faster ours is."""

    name: str
    peers: float
    ours: float
    fastest_ratio: float  # of the single fastest runs, a check against noise

    @property
    def ratio(self) -> float:
        return self.peers / self.ours

    def row(self) -> str:
        return (
            f"| {self.name} | {1000 * self.peers:.0f} ms | {1000 * self.ours:.0f} ms | "
            f"{self.ratio:.2f}× | {self.fastest_ratio:.2f}× |"
        )


HEAD = "| what | the peers' way | ours | ratio of medians | ratio of fastest |\n|---|---|---|---|---|"


def compare(
    name: str, peers: Callable[[], None], ours: Callable[[], None], rounds: int, per_run: int = 1
) -> Comparison:
    """Run both in turn, after a warm-up of each; `per_run` is how many things one run does."""
    peers()
    ours()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for run, taken in zip((peers, ours), times, strict=True):
            began = time.perf_counter()
            run()
            taken.append((time.perf_counter() - began) / per_run)
    medians = [statistics.median(taken) for taken in times]
    return Comparison(name, medians[0], medians[1], min(times[0]) / min(times[1]))


def commit() -> str:
    """What was measured."""
    told = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True)
    return told.stdout.strip()
