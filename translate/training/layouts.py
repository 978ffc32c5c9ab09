"""Which memory layout a training on a GPU is faster in: measured by steps of copies of it, before it begins.

On a CPU nothing is measured: contiguous is the right choice, and the bits of a training do not depend on a stopwatch.
channels_last took, of the time of a step in contiguous, on one thread with AVX512-BF16, in bfloat16 and in float32:
restore 0.95, 0.96; upscaler 0.93, 0.97; pix2pix 0.98, 1.22; fastcut 1.15 in bfloat16.
"""

import hashlib
import math
import time
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from datasets.contract import Samples
from translate.experiment import Experiment
from translate.hardware import LAYOUTS, Numerics, keep_random_state, memory_ran_out, synchronize
from translate.remembered import recall, remember, remembered_file
from translate.training.batches import load_batches, plan_order
from translate.training.processes import World
from translate.training.trainer import Trainer

# All were chosen by hand.
SECONDS = 1.5  # after which no further step is measured
LEAST_STEPS = 1000  # of a training for which it pays to measure
ROUNDS = 2  # that must have been measured for the times to count, beside the first, which warms up
GAIN = 1.1  # how many times as fast the other layout has to be, since times on a busy machine vary


def choose_layout(experiment: Experiment, samples: Samples[Any], numerics: Numerics, world: World) -> str:
    """Return the layout that the steps of a training are faster in on this GPU; on a CPU, the usual one.

    `numerics.layout` is the usual one on this kind of device. On a GPU it stays unless the other is clearly faster, and
    where that cannot be found out in a moment: one step takes a second, networks are compiled, or memory does not hold
    two copies of the training. What was measured is remembered, so that the same training chooses alike.
    """
    config = experiment.training
    if world.device.type == "cpu" or config.compile or config.steps < LEAST_STEPS:
        return numerics.layout
    what = f"{experiment.model.model_dump_json()} {experiment.data.training_size} {config.batch_size} {numerics}"
    path = remembered_file(f"training-{hashlib.sha256(what.encode()).hexdigest()[:32]}", numerics.threads, world.device)
    known = recall(path).get("layout")
    if known not in LAYOUTS:
        seconds = _measure(experiment, samples, numerics, world.device) if world.is_main else {}
        other = min(seconds, key=lambda layout: seconds[layout], default=numerics.layout)
        known = other if seconds and seconds[numerics.layout] > GAIN * seconds[other] else numerics.layout
        if world.is_main:
            remember(path, {"layout": known, "ms": {name: round(1000 * value, 1) for name, value in seconds.items()}})
    return str(world.gather(known)[0])  # what process 0 measured


def _measure(
    experiment: Experiment, samples: Samples[Any], numerics: Numerics, device: torch.device
) -> dict[str, float]:
    """Return the seconds of a step in each layout, the least of several; nothing if too few could be measured."""
    world = World(device=device)
    config = experiment.training.model_copy(update={"accumulate": 1})
    times: dict[str, list[float]] = {layout: [] for layout in LAYOUTS}
    try:
        with numerics.active(device, training=True), keep_random_state(device):
            batches = load_batches(samples, plan_order(samples, config, world), 0, config.workers, device)
            batch = next(batches)
            batches.close()
            recipe = experiment.model.recipe()
            if not any(isinstance(module, nn.Conv2d | nn.ConvTranspose2d) for module in recipe.modules()):
                return {}
            trainers: dict[str, Trainer[Any]] = {}
            began = time.perf_counter()
            while time.perf_counter() - began < SECONDS:
                for layout, measured in times.items():
                    if layout not in trainers:
                        trainers[layout] = Trainer(
                            experiment.model.recipe(), config, replace(numerics, layout=layout), world
                        )
                    measured.append(_time_step(trainers[layout], batch))
                    if measured[0] > SECONDS / 2:
                        return {}
    except (RuntimeError, MemoryError) as error:
        if memory_ran_out(error):
            return {}
        raise
    enough = min(map(len, times.values())) > ROUNDS
    return {layout: min(measured[1:], default=math.inf) for layout, measured in times.items()} if enough else {}


def _time_step(trainer: Trainer[Any], batch: list[Any]) -> float:
    began = time.perf_counter()
    trainer.advance(batch)
    synchronize(trainer.world.device)
    return time.perf_counter() - began
