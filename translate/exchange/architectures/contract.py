"""What a family of architectures provides: a function that recognizes its checkpoints by names and shapes."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from datasets.contract import Options
from models.contract import ModelConfig

Tensors = Mapping[str, Tensor]


class ImportOptions(Options):
    """What a checkpoint does not say of itself.

    Attributes:
        domains: Names of what it translates to, where its weights hold several.
        statistics: Of batch norms: "picture", the statistics of the picture itself, as the authors of pix2pix and
            StarGAN test; or "training", those that the training kept, as `eval()` has it.
    """

    domains: tuple[str, ...] = ()
    statistics: Literal["picture", "training"] = "picture"


@dataclass(frozen=True)
class Recognized:
    """A checkpoint that is understood.

    Attributes:
        model: The configuration of the same network of ours.
        tensors: The weights under the names of that network.
        description: What it is, in a few words, for the card.
        trained_size: Pixels on a side of the squares that its authors train on.
    """

    model: ModelConfig
    tensors: dict[str, Tensor]
    description: str
    trained_size: int = 256


# Returns None for a checkpoint of another family; raises `ArchitectureError` for one of its own that cannot be used.
Recognize = Callable[[Tensors, ImportOptions], Recognized | None]


class ArchitectureError(ValueError):
    """A checkpoint is of a known family, and yet it cannot be imported; the caller adds the file's name."""


def rename(tensors: Tensors, rules: Iterable[tuple[str, str]]) -> dict[str, Tensor]:
    """Return the tensors under new names: of each name, the first pattern that matches its beginning is replaced."""
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]

    def change(name: str) -> str:
        for pattern, replacement in compiled:
            if pattern.match(name):
                return pattern.sub(replacement, name, count=1)
        return name

    return {change(name): tensor for name, tensor in tensors.items()}


def count(tensors: Tensors, pattern: str, start: int = 0) -> int:
    """Return how many numbers there are, from `start` to the largest that a pattern matches at the start of names."""
    found = [int(match[1]) for match in map(re.compile(pattern).match, tensors) if match]
    return max(found, default=start - 1) + 1 - start


def move(tensors: Tensors, modules: Mapping[str, str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the tensors of modules under the modules' new names, and all others under their own."""
    moved, left = {}, {}
    for name, tensor in tensors.items():
        module, _, leaf = name.rpartition(".")
        if module in modules:
            moved[f"{modules[module]}.{leaf}"] = tensor
        else:
            left[name] = tensor
    return moved, left


def adapt_norms(tensors: Tensors, norms: Iterable[str], norm: str) -> dict[str, Tensor]:
    """Return the tensors with those that norms of this kind need, and no others, at the modules `norms`.

    Checkpoints of torch before 0.4 have statistics of instance norms that were never used, and none before 0.4.1 count
    the batches behind those of batch norms.
    """
    adapted = dict(tensors)
    for module in norms:
        if norm == "batch":
            adapted.setdefault(f"{module}.num_batches_tracked", torch.zeros((), dtype=torch.int64))
            continue
        for leaf in ("running_mean", "running_var", "num_batches_tracked"):
            adapted.pop(f"{module}.{leaf}", None)
    return adapted


def choose_norm(tensors: Tensors, norm: str, options: ImportOptions) -> Literal["instance", "instance-affine", "batch"]:
    """Return which norm of ours a published one is, from the tensors of the module `norm`."""
    if f"{norm}.weight" not in tensors:
        return "instance"
    if f"{norm}.running_mean" in tensors and options.statistics == "training":
        return "batch"
    return "instance-affine"
