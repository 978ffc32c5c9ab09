"""Measuring two ways of doing one thing: interleaved in one process, medians and their ratio."""

import ctypes
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from translate.process import M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, keep_freed_memory


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


def as_peers_allocate() -> None:
    """The allocator as it is when nobody has told it anything, once it has seen large blocks."""
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)
    libc.mallopt(M_TRIM_THRESHOLD, 64 << 20)


def compare(
    name: str,
    peers: Callable[[], object],
    ours: Callable[[], object],
    rounds: int,
    per_run: int = 1,
    warm_up: bool = True,
    alike: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Run both in turn, each with its own setting of the allocator.

    `per_run` is how many things one run does; with so many that a warm-up is lost among them, leave it out.
    With `alike` both are ours, and get the allocator as the program sets it.
    `clock` is the wall's; `time.process_time`, with one thread, compares on a machine that others use.
    """
    ways = ((keep_freed_memory if alike else as_peers_allocate, peers), (keep_freed_memory, ours))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for (set_up, run), taken in zip(ways, times, strict=True):
            set_up()
            if warm_up:
                run()
            began = clock()
            run()
            taken.append((clock() - began) / per_run)
    medians = [statistics.median(taken) for taken in times]
    return Comparison(name, medians[0], medians[1], min(times[0]) / min(times[1]))


def commit() -> str:
    """What was measured."""
    told = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True)
    return told.stdout.strip()
