"""Mixtures of normal distributions in the plane: data whose distribution is known.

Srivastava et al. 2017 (VEEGAN), arXiv:1705.07761, section 5.1; the ring's size is that of Lin et al. 2018 (PacGAN),
arXiv:1712.04086.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.contract import derive_seed


@dataclass(frozen=True)
class Mixture:
    """A mixture of equally likely normal distributions.

    Attributes:
        modes: The centres, (M, 2).
        deviation: The standard deviation of each, in x and in y.
    """

    modes: NDArray[np.float64]
    deviation: float

    def draw(self, count: int, seed: int) -> NDArray[np.float32]:
        """Return (count, 2) points; equal seeds give equal points."""
        rng = np.random.default_rng(derive_seed(seed))
        centres = self.modes[rng.integers(len(self.modes), size=count)]
        return (centres + self.deviation * rng.standard_normal((count, 2))).astype(np.float32)


def build_ring() -> Mixture:
    """Return eight modes on the unit circle."""
    angles = 2 * np.pi * np.arange(8) / 8
    return Mixture(np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.01)


def build_grid() -> Mixture:
    """Return twenty-five modes on a square grid, 2 apart."""
    steps = np.arange(-4.0, 5.0, 2.0)
    return Mixture(np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2), 0.05)


MIXTURES = {"ring": build_ring(), "grid": build_grid()}
