"""Named degradations, which make the source of a pair from its target, so that no data need to be prepared.

`gray` is for colourisation, `edges` for sketches to photographs, and `blur`, `noise`, `jpeg` and `posterize` for
restoration.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import cv2
import numpy as np

from datasets.codecs.images import recompress
from datasets.errors import DataError
from datasets.pixels import Floats, convert_channels, to_floats

DegradationName = Literal["gray", "edges", "blur", "noise", "jpeg", "posterize"]


class Degradation(NamedTuple):
    """A degradation of (H, W, C) floats in [0, 1], and the meaning and range of its strength."""

    apply: Callable[[Floats, float, np.random.Generator], Floats]
    meaning: str
    default: float
    lowest: float
    highest: float
    channels: int | None = None  # of the result; None: those of the picture


def degrade(pixels: Floats, name: DegradationName, strength: float | None, seed: int) -> Floats:
    """Return (H, W, 1 or 3) floats in [0, 1], degraded; equal seeds give equal noise.

    Raises:
        DataError: `strength` is outside the degradation's range.
    """
    kind = DEGRADATIONS[name]
    result = kind.apply(pixels, check_strength(name, strength), np.random.default_rng(seed))
    clipped: Floats = np.clip(result, 0, 1, dtype=np.float32)
    return clipped


def check_strength(name: DegradationName, strength: float | None) -> float:
    """Return the strength to use: the degradation's default for None.

    Raises:
        DataError: `strength` is outside the degradation's range.
    """
    kind = DEGRADATIONS[name]
    if strength is None:
        return kind.default
    if not kind.lowest <= strength <= kind.highest:
        raise DataError(
            f"{name}: strength is {kind.meaning}, from {kind.lowest:g} to {kind.highest:g}, and {strength:g} was given"
        )
    return strength


def _gray(pixels: Floats, strength: float, rng: np.random.Generator) -> Floats:
    gray = convert_channels(pixels, 1)
    return gray + (strength - 1) * (gray - 0.5)


def _edges(pixels: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Return white lines on black: Canny's edges of the gray picture, slightly blurred."""
    gray = (convert_channels(pixels, 1)[:, :, 0] * 255).round().astype(np.uint8)
    lines = cv2.Canny(cv2.GaussianBlur(gray, (0, 0), 1.0), strength, 2 * strength)
    edges: Floats = lines[:, :, np.newaxis].astype(np.float32) / np.float32(255)
    return edges


def _blur(pixels: Floats, strength: float, rng: np.random.Generator) -> Floats:
    blurred = cv2.GaussianBlur(pixels, (0, 0), strength, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32).reshape(pixels.shape)


def _noise(pixels: Floats, strength: float, rng: np.random.Generator) -> Floats:
    return pixels + rng.standard_normal(pixels.shape, np.float32) * np.float32(strength / 255)


def _jpeg(pixels: Floats, strength: float, rng: np.random.Generator) -> Floats:
    eight_bit = (pixels * 255).round().astype(np.uint8)
    return to_floats(recompress(eight_bit, round(strength)))


def _posterize(pixels: Floats, strength: float, rng: np.random.Generator) -> Floats:
    steps = round(strength) - 1
    return np.asarray(np.round(pixels * steps) / steps, np.float32)


# Defaults and ranges were chosen by hand.
DEGRADATIONS: dict[DegradationName, Degradation] = {
    "gray": Degradation(_gray, "the contrast kept", 1.0, 0.1, 1.0, channels=1),
    "edges": Degradation(_edges, "Canny's lower threshold", 50.0, 1.0, 250.0, channels=1),
    "blur": Degradation(_blur, "the Gaussian's standard deviation in pixels", 2.0, 0.1, 20.0),
    "noise": Degradation(_noise, "the Gaussian's standard deviation in 8-bit levels", 25.0, 1.0, 100.0),
    "jpeg": Degradation(_jpeg, "the JPEG quality", 15.0, 1.0, 95.0),
    "posterize": Degradation(_posterize, "the levels a channel keeps", 4.0, 2.0, 64.0),
}
