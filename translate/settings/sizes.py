"""What follows from another size of the pictures: how they are scaled, and how deep the networks can be."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from datasets.contract import DataConfig
from models.contract import ModelConfig

COUNTS = ("depth", "layers", "halvings", "smooth_levels")  # settings that say how often pictures are halved
LARGEST = 1024  # pixels: up to here a size that fits is looked for; larger squares are hardly learned from


def follow_size(model: ModelConfig, data: DataConfig, size: int, own: Sequence[str]) -> list[str]:
    """Return the overrides that follow from another `data.size_key`, such as "model.generator.depth=5".

    Pictures are scaled in proportion, networks for one size get the new one, and networks for small pictures are halved
    as much less often as these are smaller. What cannot follow is left for the checks to refuse.

    Args:
        model: The model before.
        data: The data before.
        size: The new size, in pixels.
        own: Settings that the user has chosen, which do not follow.
    """
    if data.size_key is None or size < 1:
        return []
    before, followers = data.training_size, {}
    load_key = f"{data.size_key.rpartition('.')[0]}.load"
    load = data.model_dump().get("crop", {}).get("load")
    if load is not None:
        followers[load_key] = max(size, round(load * size / before))
    tree = model.model_dump()
    sizes = [f"model.{key}" for key, value in walk(tree) if key.split(".")[-1] == "size" and value == before]
    followers |= dict.fromkeys(sizes, size)
    followers = {key: value for key, value in followers.items() if key not in own}
    for key, value in followers.items():
        if key.startswith("model."):
            _put(tree, key.removeprefix("model."), value)
    if _problem(model, tree, size) == INVALID:  # the networks come in some sizes only
        return []
    chosen = [key.removeprefix("model.") for key in own if key.startswith("model.")]
    fewer = fit_counts(model, tree, size, halvings(before, size), chosen)
    followers |= {f"model.{key}": value for key, value in (fewer or {}).items()}
    return [f"{key}={value}" for key, value in followers.items()]


def fit_counts(
    model: ModelConfig, tree: dict[str, Any], size: int, most: int, chosen: Sequence[str] = ()
) -> dict[str, int] | None:
    """Return the counts of halvings, each lowered by `most` or less, with which a model takes squares of `size` pixels.

    None if there are none; `tree` holds the model's settings, and is changed.
    """
    counts = {key: value for key, value in walk(tree) if key.split(".")[-1] in COUNTS and isinstance(value, int)}
    lowered: dict[str, int] = {}
    while (problem := _problem(model, tree, size)) is not None:
        for key, count in counts.items():
            fewer = lowered.get(key, count) - 1
            if key in chosen or fewer < max(0, count - most):
                continue
            _put(tree, key, fewer)
            if _problem(model, tree, size) not in (problem, INVALID):
                lowered[key] = fewer
                break
            _put(tree, key, fewer + 1)
        else:
            return None
    return lowered


def suggest_sizes(model: ModelConfig, data: DataConfig) -> str:
    """Return what to set so that a model takes the squares of the data: a size near theirs, or another model."""
    size, key = data.training_size, data.size_key
    ways: list[dict[str, int]] = []
    fitting = [other for other in range(1, LARGEST + 1) if model.size_problem(other) is None]
    whole = next((other for other in fitting if other > size), size)
    near = sorted(range(max(size // 2, 1), 2 * size), key=lambda other: (abs(math.log2(other / size)), -other))
    if len(fitting) == 1:  # the model is made for it
        near = fitting
    for other in near if key is not None else ():
        changes = None if other == size else _changes(model, other, halvings(whole, other))
        if changes is not None:
            ways.append({str(key): other, **changes})
            break
    changes = _changes(model, size, LARGEST)
    ways += [changes] if changes else []
    texts = [" ".join(f"{name}={value}" for name, value in way.items()) for way in ways]
    return f"set {' or '.join(texts)}" if texts else "change one of the two"


def halvings(before: int, after: int) -> int:
    """Return how much less often pictures can be halved that were `before` pixels on a side and are `after`."""
    return math.ceil(math.log2(max(before / after, 1)))


def _changes(model: ModelConfig, size: int, most: int) -> dict[str, int] | None:
    """Return the settings with which a model takes squares of `size` pixels; None if it never does."""
    tree = model.model_dump()
    sizes = {key: size for key, value in walk(tree) if key.split(".")[-1] == "size" and value not in (None, size)}
    for key in sizes:
        _put(tree, key, size)
    fewer = fit_counts(model, tree, size, most)
    return None if fewer is None else {f"model.{key}": value for key, value in (sizes | fewer).items()}


INVALID = "not valid"


def _problem(model: ModelConfig, tree: Mapping[str, Any], size: int) -> str | None:
    try:
        return type(model).model_validate(tree).size_problem(size)
    except ValidationError:
        return INVALID


def walk(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of nested settings with its dotted path."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from walk(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        tree = tree[section]
    tree[last] = value
