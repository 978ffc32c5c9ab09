"""Samples of any number of bits as samples of 8 or 16, which is what pictures in memory have."""

import numpy as np
from numpy.typing import NDArray

from datasets.codecs.picture import Pixels


def scale_bits(samples: NDArray[np.uint8 | np.uint16], bits: int) -> Pixels:
    """Return samples of 1 to 16 bits over the whole range of 8 bits, if these hold them, or of 16."""
    target = 8 if bits <= 8 else 16
    dtype = np.uint8 if target == 8 else np.uint16
    if bits == target:
        return np.asarray(samples, dtype)
    highest = 2**bits - 1
    scaled = (samples.astype(np.uint32) * (2**target - 1) + highest // 2) // highest
    return np.asarray(np.minimum(scaled, 2**target - 1), dtype)
