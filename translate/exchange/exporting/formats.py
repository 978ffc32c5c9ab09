"""What all formats have in common: what an export is made from, and what a format can do."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from datasets.errors import UserError
from models.contract import Domain, Translator
from translate.inference.model_file import Card

# Calls an exported model: from (B, C, H, W) float32 in [0, 1] to (B, C', scale * H, scale * W).
Runtime = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Subject:
    """A model to export, and how.

    Attributes:
        name: By which the files are called, without a suffix.
        translator: The network, on the CPU and in evaluation mode.
        card: The description in its file.
        digest: SHA-256 of its file.
        notes: The text of the model card beside its file; empty without one.
        domain: What it translates to, as `forward` takes it.
        domain_name: The same, by name; None if there is no choice.
        size: The only (width, height) to take; None: any.
        half: Whether weights are float16.
        opset: Version of ONNX's operators; None: the format's own.
    """

    name: str
    translator: Translator
    card: Card
    digest: str
    notes: str
    domain: Domain
    domain_name: str | None
    size: tuple[int, int] | None
    half: bool
    opset: int | None


@dataclass(frozen=True)
class Format:
    """A file format of another runtime.

    Attributes:
        suffixes: Of its files; the first one is the file that is named.
        packages: Modules that write and run it.
        runtime: The module whose version was verified.
        pads: Whether images of any size are padded inside.
        batches: Whether several images at once are possible.
        problem: Returns why a model cannot be exported; None if it can.
        write: Writes the files for the path of the first one.
        load: Returns what calls a file.
        example: Python that calls it; FILE and MODE stand for the file and the picture's mode.
    """

    suffixes: tuple[str, ...]
    packages: tuple[str, ...]
    runtime: str
    pads: bool
    batches: bool
    problem: Callable[[Subject], str | None]
    write: Callable[[Subject, Path], None]
    load: Callable[[Path, Subject], Runtime]
    example: str

    def check_packages(self) -> None:
        """Check that everything is installed that writes and runs it.

        Raises:
            UserError: Something is missing.
        """
        missing = [name for name in self.packages if find_spec(name) is None]
        if missing:
            raise UserError(
                f"this format needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not "
                "installed: pip install 'translate-images[export]'"
            )


def contains(subject: Subject, *kinds: type[nn.Module]) -> bool:
    """Return whether one of these layers or networks is part of a model."""
    return any(isinstance(module, kinds) for module in subject.translator.modules())


def example_shape(subject: Subject, *, batch: int, pads: bool) -> tuple[int, int, int, int]:
    """Return the (B, C, H, W) of an image to follow through the network.

    Where sizes are free, both sides differ from each other and, with `pads`, from what the network takes.
    """
    translator = subject.translator
    if subject.size is not None:
        return batch, translator.channels_in, subject.size[1], subject.size[0]
    step = translator.multiple
    least = -(-max(translator.minimum, 24) // step) * step
    odd = 7 if pads else 0
    return batch, translator.channels_in, least + step + odd, least + 2 * step + odd
