"""Mix a translation with the picture that it was made from, for half an effect."""

from dataclasses import replace

import numpy as np
from torch import Tensor

from datasets.codecs.images import Picture
from datasets.codecs.picture import Pixels
from datasets.errors import UserError
from datasets.pixels import BAND, Floats, drop_alpha, resize
from translate.inference.conversion import scale_tensor


def check_strength(strength: float) -> None:
    """Check that a strength is one.

    Raises:
        UserError: It is not from 0 to 1.
    """
    if not 0 <= strength <= 1:
        raise UserError(f"`strength` {strength:g}: expected 0 (the picture as it was) to 1 (the model's output)")


def blend_pictures(before: Picture, after: Picture, strength: float) -> Picture:
    """Return (1 - strength) of a picture and `strength` of its translation, as the kind of picture that the latter is.

    A translation of another size is mixed with the picture at that size: bicubic where it grew, as
    `datasets.pixels.resize`. At 1 the translation comes back as it is, and at 0 the pixels of the picture. Gray and
    colours mix to colours. Where the model made alpha of its own, colours count as far as they are opaque.
    """
    if strength == 1:
        return after
    width, height = after.width, after.height
    same_size = (before.width, before.height) == (width, height)
    # Hidden colours would be smeared over visible edges where the picture grows.
    colours = before.pixels if same_size else resize(drop_alpha(before), width, height)
    channels = max(before.channels, after.channels)
    alpha = None if before.alpha is None else resize(before.alpha[:, :, np.newaxis], width, height)
    if after.alpha is not None and alpha is None:
        alpha = np.full((height, width, 1), np.iinfo(after.alpha.dtype).max, after.alpha.dtype)
    if strength == 0:
        pixels = np.ascontiguousarray(np.broadcast_to(colours, (height, width, channels)))
        return replace(after, pixels=pixels, alpha=None if alpha is None else alpha[:, :, 0])
    carried = alpha is None or after.alpha is None or np.array_equal(alpha[:, :, 0], after.alpha)
    pixels = np.empty((height, width, channels), after.pixels.dtype)
    for top in range(0, height, BAND):
        rows = slice(top, top + BAND)
        weight: Floats | np.float32 = np.float32(strength)
        if not carried and alpha is not None and after.alpha is not None:
            weight = _weigh(alpha[rows], after.alpha[rows, :, np.newaxis], strength)
        pixels[rows] = _mix(colours[rows], after.pixels[rows], weight)
    if carried or alpha is None or after.alpha is None:
        return replace(after, pixels=pixels)
    return replace(after, pixels=pixels, alpha=_mix(alpha[:, :, 0], after.alpha, np.float32(strength)))


def blend_tensors(before: Tensor, after: Tensor, strength: float) -> Tensor:
    """Return (1 - strength) of (B, C, H, W) in [-1, 1], scaled to the size of its translation, and `strength` of that.

    Raises:
        UserError: They have different channels, neither of which are a single one.
    """
    if strength == 1:
        return after
    if before.shape[1] != after.shape[1] and 1 not in (before.shape[1], after.shape[1]):
        raise UserError(
            f"`strength` {strength:g}: a tensor of {before.shape[1]} channels cannot be mixed with its translation of "
            f"{after.shape[1]}; give a picture instead"
        )
    resized = scale_tensor(before.detach(), after.shape[-1], after.shape[-2])
    return (1 - strength) * resized + strength * after


def _weigh(before: Pixels, after: Pixels, strength: float) -> Floats:
    """Return the weight of the second of two pictures' colours, from their alphas (H, W, 1)."""
    first = np.float32(1 - strength) * before.astype(np.float32)
    second = np.float32(strength) * after.astype(np.float32)
    total = first + second
    weight: Floats = np.where(total > 0, second / np.maximum(total, np.float32(1e-6)), np.float32(strength))
    return weight


def _mix(before: Pixels, after: Pixels, weight: "Floats | np.float32") -> Pixels:
    # In floats, of which the nearest level is taken: 16 bits have room in their 24.
    mixed = (1 - weight) * before.astype(np.float32) + weight * after.astype(np.float32)
    levels: Pixels = np.rint(mixed).astype(after.dtype)
    return levels
