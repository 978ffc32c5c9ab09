"""Validation: metrics and previews of the model that would be shipped, on samples that it never learns from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from datasets.contract import Samples, derive_seed, to_device
from models.contract import Preview, Recipe
from translate.hardware import keep_random_state, seed_draws
from translate.training.processes import World


def validate(recipe: Recipe[Any, Any], model: Any, samples: Samples[Any], limit: int, world: World) -> dict[str, float]:
    """Return the mean of each metric over the first `limit` samples, which the processes divide among them."""
    count = min(len(samples), limit)
    if not count:
        return {}
    # A process without samples still needs the names of the metrics, from a sample that is given no weight.
    indices = range(world.rank, count, world.size) or range(1)
    weight = 1.0 if world.rank < count else 0.0
    sums: dict[str, Tensor] = {}
    with fixed_randomness(world.device, world.rank):
        for first in range(0, len(indices), recipe.validation_batch):
            batch = _gather(samples, indices[first : first + recipe.validation_batch], world)
            for name, values in recipe.validate(model, batch).items():
                sums[name] = sums.get(name, torch.zeros((), device=world.device)) + values.float().sum()
    totals = world.total(weight * torch.stack([*sums.values()])) / count
    return {name: round(value, 6) for name, value in zip(sums, totals.tolist(), strict=True)}


def make_previews(
    recipe: Recipe[Any, Any], model: Any, samples: Samples[Any], count: int, world: World
) -> list[Preview]:
    """Return previews of the first `count` samples, one for each way in which the model translates."""
    with fixed_randomness(world.device):
        return recipe.preview(model, _gather(samples, range(min(count, len(samples))), world))


def describe_columns(previews: Sequence[Preview]) -> str:
    """Return what is where in a picture of previews one below the other, in words."""
    parts, first = [], 1
    for preview in previews:
        last = first + len(preview.output) - 1
        title = f" ({preview.title})" if preview.title else ""
        rows = f"rows {first} to {last}: " if len(previews) > 1 and last > first else ""
        parts.append(f"{rows}{' | '.join(preview.columns)}{title}")
        first = last + 1
    return "; ".join(parts)


@contextmanager
def fixed_randomness(device: torch.device, rank: int = 0) -> Iterator[None]:
    """Draw the same random numbers in every such block, so that metrics change only because the model does.

    Of all devices, only the one that computes is touched: to ask another GPU for its state would start it.
    """
    with keep_random_state(device):
        seed_draws(derive_seed(rank), device)
        yield


def _gather(samples: Samples[Any], indices: Sequence[int], world: World) -> Any:
    """Return a batch in which the same samples are always the same: their seeds depend on their indices alone."""
    return to_device(samples.gather(indices, [derive_seed(index) for index in indices]), world.device)
