"""How small pictures are made from large ones to learn super-resolution: settings of `data.small`."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from datasets.codecs.images import recompress
from datasets.contract import Settings
from datasets.pixels import Floats, to_floats


class BicubicReduction(Settings):
    """Small pictures are the large ones resized, bicubic and antialiased, and rounded to 8 bit."""

    kind: Literal["bicubic"] = "bicubic"


class RealWorldReduction(Settings):
    """Small pictures are the large ones degraded as in `datasets.degradations.real_world`."""

    kind: Literal["real-world"] = "real-world"


class CompressedReduction(Settings):
    """Small pictures are the large ones resized as for `bicubic`, then with a little noise, then saved as JPEG.

    What people's own pictures mostly are. All three are drawn anew for every patch.
    """

    kind: Literal["compressed"] = "compressed"
    quality: tuple[int, int] = Field(
        default=(30, 95), description="of the JPEG: the lowest and the highest; these are of Real-ESRGAN's authors"
    )
    noise: float = Field(
        default=4.0, ge=0, le=100, description="the largest standard deviation, in 8-bit levels; chosen by hand"
    )
    untouched: float = Field(default=0.1, ge=0, le=1, description="of the patches, that stay as bicubic makes them")

    @model_validator(mode="after")
    def _check_quality(self) -> Self:
        low, high = self.quality
        if not 1 <= low <= high <= 100:
            raise ValueError(f"quality: expected two numbers from 1 to 100, the lower first, found {low} and {high}")
        return self

    def apply(self, pixels: Floats, rng: np.random.Generator) -> Floats:
        """Return (H, W, 3) floats in [0, 1] with noise and the marks of JPEG."""
        if rng.random() < self.untouched:
            return pixels
        noisy = pixels + rng.standard_normal(pixels.shape, np.float32) * np.float32(rng.uniform(0, self.noise) / 255)
        eight_bit = np.round(np.clip(noisy, 0, 1) * 255).astype(np.uint8)
        return to_floats(recompress(eight_bit, round(rng.uniform(*self.quality))))
