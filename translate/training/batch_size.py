"""Which batch and crop fit the memory at hand: tried out, each in a process of its own."""

import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datasets.contract import derive_seed, stack
from datasets.errors import UserError
from translate.experiment import Experiment, apply_override, parse_experiment
from translate.hardware import choose_device, choose_numerics, free_memory, memory_ran_out
from translate.training.processes import World
from translate.training.trainer import Trainer

SHARE = 0.7  # of the free memory that a training may take; the rest is for reading pictures and for others
LARGEST = 64  # batch that is tried
SMALLEST_CROP = 32  # pixels
WORTH = 1.05  # a doubled batch must train so many times more pictures a second to be worth its memory


@dataclass(frozen=True)
class Trial:
    """One batch size and crop, tried; `peak` is None where memory was not enough."""

    batch_size: int
    crop: int
    peak: int | None  # bytes
    images_per_second: float = 0.0

    def overrides(self, experiment: Experiment) -> list[str]:
        """What to put on the command line for it."""
        key = experiment.data.size_key
        return [f"training.batch_size={self.batch_size}", *([] if key is None else [f"{key}={self.crop}"])]


def fit(experiment: Experiment, data: Path, device: str = "auto") -> Iterator[Trial]:
    """Try batches that double, at the recipe's crop or the largest half of it that fits; the last is not always best.

    Raises:
        UserError: Not even one small square at a time fits.
    """
    room = SHARE * free_memory(choose_device(device))
    crop = experiment.data.size
    while True:
        first = _try(experiment, data, 1, crop, device)
        yield first
        if first.peak is not None and first.peak <= room:
            break
        crop //= 2
        if crop < SMALLEST_CROP:
            raise UserError("not even one small square at a time fits the memory here; choose a narrower model")
    before = first
    while before.batch_size < LARGEST:
        trial = _try(experiment, data, 2 * before.batch_size, crop, device)
        yield trial
        if trial.peak is None or trial.peak > room or trial.images_per_second < WORTH * before.images_per_second:
            return
        before = trial


def best_of(trials: list[Trial], device: str = "auto") -> Trial:
    """The fastest trial that fits."""
    room = SHARE * free_memory(choose_device(device))
    fitting = [trial for trial in trials if trial.peak is not None and trial.peak <= room]
    return max(fitting, key=lambda trial: trial.images_per_second)


def _try(experiment: Experiment, data: Path, batch_size: int, crop: int, device: str) -> Trial:
    # A process of its own: what one trial took would otherwise be counted in the next, and might not be freed.
    tree = experiment.model_dump(mode="json")
    if experiment.data.size_key is not None:
        apply_override(tree, f"{experiment.data.size_key}={crop}")
    smaller = parse_experiment(tree, f"with squares of {crop} pixels")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_measure, smaller.model_dump_json(), data, batch_size, device).result()
        except BrokenProcessPool:  # the system ended it
            return Trial(batch_size, crop, None)


def _measure(experiment_json: str, data: Path, batch_size: int, device_name: str) -> Trial:
    experiment = Experiment.model_validate_json(experiment_json)
    opened = experiment.data.open(data)
    experiment, samples = experiment.on(opened), opened.training
    crop = experiment.data.size
    device = choose_device(device_name)
    numerics = choose_numerics(device, training=True, precision=experiment.training.precision)
    try:
        trainer: Trainer[Any] = Trainer(experiment.model.recipe(), experiment.training, numerics, World(device=device))
        batch: Any = stack([samples.sample(index % len(samples), derive_seed(index)) for index in range(batch_size)])
        trainer.advance([batch])
        began = time.perf_counter()
        trainer.advance([batch])
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return Trial(batch_size, crop, _peak(device), batch_size / (time.perf_counter() - began))
    except (RuntimeError, MemoryError) as error:
        if memory_ran_out(error):
            return Trial(batch_size, crop, None)
        raise


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # not on Windows, where this cannot be measured so simply

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
