"""What a family of architectures provides: a function that recognizes its checkpoints by names and shapes."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from datasets.contract import Options
from models.contract import ModelConfig

Tensors = Mapping[str, Tensor]


class ImportOptions(Options):
    """What a checkpoint does not say of itself.

    Attributes:
        domains: Names of what it translates to, where its weights hold several.
        scale: How many times larger it makes pictures, where its weights allow several scales.
        statistics: Of batch norms: "picture", the statistics of the picture itself, as the authors of pix2pix and
            StarGAN test; or "training", those that the training kept, as `eval()` has it.
    """

    domains: tuple[str, ...] = ()
    scale: int | None = None
    statistics: Literal["picture", "training"] = "picture"


@dataclass(frozen=True)
class Recognized:
    """A checkpoint that is understood.

    Attributes:
        model: The configuration of the same network of ours.
        tensors: The weights under the names of that network.
        description: What it is, in a few words, for the card.
        trained_size: Pixels on a side of the squares that its authors train on.
        extra: Names of tensors of the file that the network does not need, such as old statistics.
    """

    model: ModelConfig
    tensors: dict[str, Tensor]
    description: str
    trained_size: int = 256
    extra: tuple[str, ...] = field(default=())


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


def count(tensors: Tensors, pattern: str) -> int:
    """Return one more than the largest number that the group of a pattern matches at the beginning of names."""
    found = [int(match[1]) for match in map(re.compile(pattern).match, tensors) if match]
    return max(found, default=-1) + 1
