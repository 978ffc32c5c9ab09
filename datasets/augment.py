"""Random crops, flips and colour changes for training; the only file that knows albumentations."""

import os
import threading
from abc import ABC
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from datasets.contract import Settings
from datasets.pixels import Floats, Pixels, resize_shorter_side, to_floats

_before = os.environ.get("NO_ALBUMENTATIONS_UPDATE")
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # or else its import asks the network for a newer version
try:
    import albumentations as A
finally:
    if _before is None:
        del os.environ["NO_ALBUMENTATIONS_UPDATE"]
    else:
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = _before


class CropSettings(Settings, ABC):
    """How pictures of any size become squares of one size; each way of cropping is a subclass."""

    size: int = Field(default=256, ge=1, description="pixels on a side of the squares to learn from")

    @property
    def scaled_to(self) -> int | None:
        """The shorter side in pixels to which pictures are scaled before they are cropped; None: they are not."""
        return None


class CropConfig(CropSettings):
    """How pictures of any size are scaled and cropped, and how they are augmented in training.

    Training scales the shorter side to `load` pixels, keeping the aspect, and crops a random square of `size` pixels;
    with `load` null pictures keep their own scale. A picture smaller than the square is enlarged until it fits.
    Validation scales the shorter side to `size`, unless `load` is null, and crops the centre.

    The defaults, 286 and 256, are those of Isola et al. 2017 (arXiv:1611.07004), section 6.2.
    """

    load: int | None = Field(
        default=286,
        ge=1,
        description="pixels to which the shorter side is scaled before the crop; null: pictures keep their scale",
    )
    size: int = Field(default=256, ge=1, description="pixels on a side of the squares to learn from")
    flip: bool = Field(default=True, description="mirror half of the pictures, both of a pair alike")
    jitter: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="range of random changes of brightness, contrast, saturation and hue; a source and its target"
        " are changed apart",
    )

    @property
    def scaled_to(self) -> int | None:
        """The shorter side in pixels that a model is to expect; None: pictures keep their own scale."""
        return None if self.load is None else self.size


class Cropper:
    """Scales, crops, flips and recolours pictures; safe to use from several threads."""

    def __init__(self, config: CropConfig, *, training: bool) -> None:
        self.config = config
        self.training = training
        self._local = threading.local()  # a pipeline has a random state, so every thread needs its own

    def resize(self, pixels: Pixels) -> Pixels:
        """Return (H, W, C) pixels at the scale at which they are cropped; nothing is drawn."""
        height, width = pixels.shape[:2]
        load, size = self.config.load, self.config.size
        if load is None:
            return resize_shorter_side(pixels, max(size, min(height, width)))
        return resize_shorter_side(pixels, max(load, size) if self.training else size)

    def crop(self, pixels: Pixels, seed: int) -> Floats:
        """Return a square (size, size, C) in [0, 1] of a resized picture, drawn from `seed`."""
        pipeline = self._get_pipeline("geometry", self._build_geometry)
        pipeline.set_random_seed(seed)
        return to_floats(_add_channel(pipeline(image=pixels)["image"]))

    def crop_pair(self, source: Pixels, target: Pixels, seed: int) -> tuple[Floats, Floats]:
        """Return the same square (size, size, C) in [0, 1] of two resized pictures of one size, drawn from `seed`."""
        pipeline = self._get_pipeline("geometry", self._build_geometry)
        pipeline.set_random_seed(seed)
        cropped = pipeline(image=source, target=target)
        return to_floats(_add_channel(cropped["image"])), to_floats(_add_channel(cropped["target"]))

    def recolour(self, pixels: Floats, seed: int) -> Floats:
        """Return (H, W, C) floats in [0, 1], in training with other brightness, contrast, saturation and hue.

        Alpha, the last of four channels, stays as it is.
        """
        if not self.training or not self.config.jitter:
            return pixels
        if pixels.shape[2] == 4:
            return np.dstack([self.recolour(pixels[:, :, :3], seed), pixels[:, :, 3:]])
        pipeline = self._get_pipeline("photometry", self._build_photometry)
        pipeline.set_random_seed(seed)
        recoloured: Floats = np.clip(_add_channel(pipeline(image=pixels)["image"]), 0, 1, dtype=np.float32)
        return recoloured

    def draw_colours(self, seed: int) -> Tensor:
        """Return what `recolour` draws from `seed`, for `recolour_batch`: (8,), or (0,) where it changes nothing.

        These are the amounts of brightness, contrast, saturation and hue, and the order of the four, as numbers 0 to 3.
        """
        if not self.training or not self.config.jitter:
            return torch.empty(0)
        pipeline = self._get_pipeline("photometry", self._build_photometry)
        pipeline.set_random_seed(seed)
        ((_, drawn),) = pipeline(image=np.zeros((1, 1, 3), np.float32))["applied_transforms"]
        amounts = [drawn[name] for name in ("brightness", "contrast", "saturation", "hue")]
        return torch.tensor([*amounts, *drawn["order"]])

    def _get_pipeline(self, name: str, build: Callable[[], Any]) -> Any:
        pipelines: dict[str, Any] = self._local.__dict__
        if name not in pipelines:
            pipelines[name] = build()
        return pipelines[name]

    def _build_geometry(self) -> Any:
        size = self.config.size
        if not self.training:
            return A.Compose([A.CenterCrop(size, size)], additional_targets={"target": "image"})
        flip = A.HorizontalFlip(p=0.5 if self.config.flip else 0.0)
        return A.Compose([A.RandomCrop(size, size), flip], additional_targets={"target": "image"})

    def _build_photometry(self) -> Any:
        amount = self.config.jitter  # hue moves by an eighth of that part of the colour circle: chosen by hand
        return A.Compose([A.ColorJitter(amount, amount, amount, amount / 8, p=1.0)], save_applied_params=True)


def _add_channel(pixels: Any) -> Any:
    return pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]
