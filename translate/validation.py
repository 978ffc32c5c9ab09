"""How good the shipped model is on samples held out."""

from typing import Any

import torch
from torch import Tensor

from datasets.contract import Samples, seed_of, stack, to_device
from models.contract import Recipe, Shown
from translate.distributed import World


def validate(recipe: Recipe[Any, Any], model: Any, samples: Samples[Any], limit: int, world: World) -> dict[str, float]:
    """The mean of each figure over the first `limit` samples, every process judging its share of them."""
    count = min(len(samples), limit)
    if not count:
        return {}
    # A process without a share still learns the figures' names, from a sample that does not count.
    mine = range(world.rank, count, world.size) or range(1)
    weight = 1.0 if world.rank < count else 0.0
    sums: dict[str, Tensor] = {}
    for index in mine:
        for name, values in recipe.validate(model, held(samples, [index], world)).items():
            sums[name] = sums.get(name, torch.zeros((), device=world.device)) + values.float().sum()
    totals = world.total(weight * torch.stack([*sums.values()])) / count
    return {name: round(value, 6) for name, value in zip(sums, totals.tolist(), strict=True)}


def show(recipe: Recipe[Any, Any], model: Any, samples: Samples[Any], count: int, world: World) -> list[Shown]:
    """What the model makes of the first `count` samples."""
    return recipe.show(model, held(samples, range(min(count, len(samples))), world))


def held(samples: Samples[Any], indices: Any, world: World) -> Any:
    """A batch of samples, drawn the same way every time."""
    return to_device(stack([samples.sample(index, seed_of(index)) for index in indices]), world.device)
