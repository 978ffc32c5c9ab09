"""Data drawn offline, whose truth is known: mixtures of normal distributions in the plane.

Srivastava et al. 2017 (VEEGAN), arXiv:1705.07761, section 5.1; the ring's size as in Lin et al. 2018 (PacGAN),
arXiv:1712.04086.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.contract import derive_seed


@dataclass(frozen=True)
class Mixture:
    """Equally likely normal distributions.

    Attributes:
        modes: Their centres, (M, 2).
        deviation: The standard deviation of each, in x and in y.
    """

    modes: NDArray[np.float64]
    deviation: float

    def draw(self, count: int, seed: int) -> NDArray[np.float32]:
        """(count, 2) points."""
        draws = np.random.default_rng(derive_seed(seed))
        centres = self.modes[draws.integers(len(self.modes), size=count)]
        return (centres + self.deviation * draws.standard_normal((count, 2))).astype(np.float32)


def ring() -> Mixture:
    """Eight modes on the unit circle."""
    angles = 2 * np.pi * np.arange(8) / 8
    return Mixture(np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.01)


def grid() -> Mixture:
    """Twenty-five modes, two apart."""
    steps = np.arange(-4.0, 5.0, 2.0)
    return Mixture(np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2), 0.05)


MIXTURES = {"ring": ring(), "grid": grid()}
