"""Compare what an exported file computes, in its own runtime, with what the model computes."""

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from datasets.errors import UserError
from models.apply import translate_batch
from translate.exchange.exporting.formats import Format, Runtime, Subject
from translate.exchange.exporting.pictures import verification_inputs

BOUND = 1e-3  # a quarter of a level of 8 bits
HALF_BOUND = 2e-2  # of float16: five levels of 8 bits; norms amplify what its 11 bits round


class VerificationError(UserError):
    """An exported file does not compute what its model computes, and was not kept."""

    exit_code: ClassVar[int] = 9


@dataclass(frozen=True)
class Comparison:
    """What came of one picture, or of several at once.

    Attributes:
        batch: How many pictures.
        width: Of the input, in pixels.
        height: Of the input, in pixels.
        largest_difference: Of two values, where white is 1.
    """

    batch: int
    width: int
    height: int
    largest_difference: float


@dataclass(frozen=True)
class Verification:
    """How near an exported file is to its model.

    Attributes:
        comparisons: On each input.
        bound: What no difference may exceed.
        seconds: That the file's runtime took for all of them.
    """

    comparisons: tuple[Comparison, ...]
    bound: float
    seconds: float

    @property
    def largest_difference(self) -> float:
        """Of all inputs."""
        return max(comparison.largest_difference for comparison in self.comparisons)


def verify(subject: Subject, kind: Format, run: Runtime) -> Verification:
    """Compare a file with its model on five photographs and, where it takes batches, on two of them at once.

    Raises:
        VerificationError: A difference exceeds the bound, an output has another shape, or the runtime fails.
    """
    inputs = verification_inputs(subject.translator, padded=kind.pads, size=subject.size)
    if kind.batches:
        inputs.append(torch.cat([inputs[0], inputs[0].flip(3)]))
    bound, seconds, comparisons = HALF_BOUND if subject.half else BOUND, 0.0, []
    for image in inputs:
        expected = translate_unit(subject, image).numpy()
        began = time.perf_counter()
        try:
            output = run(image.numpy())
        except Exception as error:  # a runtime raises what it likes
            raise VerificationError(f"{_describe(image)}: {kind.runtime} fails: {_first_line(error)}") from error
        seconds += time.perf_counter() - began
        if output.shape != expected.shape:
            raise VerificationError(f"{_describe(image)}: {kind.runtime} returns {output.shape}, not {expected.shape}")
        difference = float(np.abs(output - expected).max())
        if not difference <= bound:  # not a number is no less
            raise VerificationError(
                f"{_describe(image)}: {kind.runtime}'s output differs from the model's by {difference:.2g}, and by "
                f"{bound:g} at most it should"
            )
        comparisons.append(Comparison(len(image), image.shape[3], image.shape[2], difference))
    return Verification(tuple(comparisons), bound, seconds)


def translate_unit(subject: Subject, image: Tensor) -> Tensor:
    """Translate (B, C, H, W) in [0, 1] by the model itself, in float32, to the same range."""
    signed = torch.cat([2 * image[:, :3] - 1, image[:, 3:]], dim=1) if subject.translator.fills_holes else 2 * image - 1
    return (translate_batch(subject.translator, signed, subject.domain) + 1) / 2


def _describe(image: Tensor) -> str:
    return f"{len(image)} picture{'' if len(image) == 1 else 's'} of {image.shape[3]}x{image.shape[2]}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
