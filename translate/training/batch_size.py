"""The batch size and crop that fit into memory: tried out, each in a process of its own."""

import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from datasets.contract import derive_seed, stack
from datasets.errors import UserError
from translate.experiment import Experiment, override_experiment
from translate.hardware import choose_device, free_memory, memory_ran_out, resolve_numerics, synchronize
from translate.process import configure_process
from translate.training.processes import World
from translate.training.trainer import Trainer

# All four were chosen by hand.
MEMORY_FRACTION = 0.7  # of the free memory that a training may take; the rest is for reading data and other programs
LARGEST_BATCH = 64  # that is tried
SMALLEST_CROP = 32  # that is tried, in pixels
MIN_SPEEDUP = 1.05  # in images per second for which a doubled batch is worth its memory


@dataclass(frozen=True)
class Trial:
    """One batch size and crop that was tried.

    Attributes:
        batch_size: Samples in a batch.
        crop: Side of the squares that are learned from, in pixels.
        peak: Memory taken, in bytes; None if there was not enough.
        images_per_second: Speed of one step, after one to warm up.
    """

    batch_size: int
    crop: int
    peak: int | None
    images_per_second: float = 0.0

    def overrides(self, experiment: Experiment) -> list[str]:
        """Return the overrides, as "section.key=value", that make an experiment use this batch size and crop."""
        key = experiment.data.size_key
        return [f"training.batch_size={self.batch_size}", *([] if key is None else [f"{key}={self.crop}"])]


def try_batch_sizes(experiment: Experiment, data: Path, device: str = "auto") -> Iterator[Trial]:
    """Yield trials: the largest half of the recipe's crop that fits, then batches that double while that pays.

    The last trial is not always the best; see `choose_trial`.

    Raises:
        UserError: Not even one small square at a time fits.
    """
    room = MEMORY_FRACTION * free_memory(choose_device(device))
    crop = experiment.data.training_size
    while True:
        first = _try(experiment, data, 1, crop, device)
        yield first
        if first.peak is not None and first.peak <= room:
            break
        crop //= 2
        if crop < SMALLEST_CROP:
            raise UserError("not even one small square at a time fits into memory here; choose a narrower model")
    best = first
    while best.batch_size < LARGEST_BATCH:
        trial = _try(experiment, data, 2 * best.batch_size, crop, device)
        yield trial
        if trial.peak is None or trial.peak > room or trial.images_per_second < MIN_SPEEDUP * best.images_per_second:
            return
        best = trial


def choose_trial(trials: list[Trial], device: str = "auto") -> Trial:
    """Return the fastest trial that fits."""
    room = MEMORY_FRACTION * free_memory(choose_device(device))
    fitting = [trial for trial in trials if trial.peak is not None and trial.peak <= room]
    return max(fitting, key=lambda trial: trial.images_per_second)


def _try(experiment: Experiment, data: Path, batch_size: int, crop: int, device: str) -> Trial:
    # In a process of its own: memory that one trial took might not be freed, and would count in the next.
    key = experiment.data.size_key
    smaller = experiment if key is None else override_experiment(experiment, [f"{key}={crop}"])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=configure_process) as pool:
        try:
            return pool.submit(_measure, smaller.model_dump_json(), data, batch_size, device).result()
        except BrokenProcessPool:  # the system killed it
            return Trial(batch_size, crop, None)


def _measure(experiment_json: str, data: Path, batch_size: int, device_name: str) -> Trial:
    experiment = Experiment.model_validate_json(experiment_json)
    opened = experiment.data.open(data)
    experiment, samples = experiment.adapt_to(opened), opened.training
    crop = experiment.data.training_size
    device = choose_device(device_name)
    numerics = resolve_numerics(device, training=True, precision=experiment.training.precision)
    try:
        trainer: Trainer[Any] = Trainer(experiment.model.recipe(), experiment.training, numerics, World(device=device))
        batch: Any = stack([samples.sample(index % len(samples), derive_seed(index)) for index in range(batch_size)])
        with numerics.active(device, training=True):
            trainer.advance([batch])
            began = time.perf_counter()
            trainer.advance([batch])
            synchronize(device)
            return Trial(batch_size, crop, _peak_memory(device), batch_size / (time.perf_counter() - began))
    except (RuntimeError, MemoryError) as error:
        if memory_ran_out(error):
            return Trial(batch_size, crop, None)
        raise


def _peak_memory(device: torch.device) -> int:
    """Return the most memory that this process took, in bytes."""
    if device.type in ("cuda", "xpu"):
        return int(torch.get_device_module(device).max_memory_allocated(device))
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()  # with what torch keeps to use again, so nearly the peak
    try:
        import resource
    except ImportError:  # on Windows, which counts it itself
        return int(getattr(psutil.Process().memory_info(), "peak_wset"))  # noqa: B009 - only Windows' has it
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
