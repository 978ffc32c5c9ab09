"""How good the shipped model is on samples held out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from datasets.contract import Gathers, Samples, derive_seed, stack, to_device
from models.contract import Preview, Recipe
from translate.training.processes import World


def validate(recipe: Recipe[Any, Any], model: Any, samples: Samples[Any], limit: int, world: World) -> dict[str, float]:
    """The mean of each figure over the first `limit` samples, every process judging its share of them."""
    count = min(len(samples), limit)
    if not count:
        return {}
    # A process without a share still learns the figures' names, from a sample that does not count.
    mine = range(world.rank, count, world.size) or range(1)
    weight = 1.0 if world.rank < count else 0.0
    sums: dict[str, Tensor] = {}
    with same_draws(world.rank):
        for first in range(0, len(mine), recipe.validation_batch):
            batch = gather_validation(samples, mine[first : first + recipe.validation_batch], world)
            for name, values in recipe.validate(model, batch).items():
                sums[name] = sums.get(name, torch.zeros((), device=world.device)) + values.float().sum()
    totals = world.total(weight * torch.stack([*sums.values()])) / count
    return {name: round(value, 6) for name, value in zip(sums, totals.tolist(), strict=True)}


def write_previews(
    recipe: Recipe[Any, Any], model: Any, samples: Samples[Any], count: int, world: World
) -> list[Preview]:
    """What the model makes of the first `count` samples."""
    with same_draws():
        return recipe.preview(model, gather_validation(samples, range(min(count, len(samples))), world))


@contextmanager
def same_draws(rank: int = 0) -> Iterator[None]:
    """What is drawn within is the same every time, so that a figure moves because the model did."""
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(rank))
        yield


def gather_validation(samples: Samples[Any], indices: Sequence[int], world: World) -> Any:
    """A batch of samples, drawn the same way every time."""
    if isinstance(samples, Gathers):
        return to_device(samples.gather(indices), world.device)
    return to_device(stack([samples.sample(index, derive_seed(index)) for index in indices]), world.device)
