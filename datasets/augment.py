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

# albumentations would otherwise ask the network for updates whenever it is imported.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A


class CropSettings(Settings, ABC):
    """How pictures of any size become squares of one size; each way of cropping is a subclass."""

    size: int = Field(256, ge=1)  # pixels on a side of the squares

    @property
    def scaled_to(self) -> int | None:
        """The shorter side in pixels to which pictures are scaled before they are cropped; None: they are not."""
        return None


class CropConfig(CropSettings):
    """How pictures of any size become squares to learn from.

    The shorter side is scaled to `load` pixels, keeping the aspect, and a square of `size` pixels is
    cut out at random; with `load` null pictures keep their own scale. A picture smaller than the
    square is enlarged until it fits. Validation scales the shorter side to `size` where training
    scales at all, and cuts out the centre.
    """

    load: int | None = Field(286, ge=1)
    size: int = Field(256, ge=1)
    flip: bool = True  # mirror half of the pictures, both of a pair alike
    jitter: float = Field(0.0, ge=0, le=1)  # how far colours move, those of a source and its target apart

    @property
    def scaled_to(self) -> int | None:
        """The shorter side, in pixels, that a model learns to expect; None where pictures keep their scale."""
        return None if self.load is None else self.size


class Cropper:
    """Cuts the same square out of pictures of one size; safe to use from several threads."""

    def __init__(self, config: CropConfig, *, training: bool) -> None:
        self.config = config
        self.training = training
        self._local = threading.local()  # a pipeline keeps its random state, so every thread has its own

    def crop(self, source: Pixels, target: Pixels, seed: int) -> tuple[Floats, Floats]:
        """Two `scaled` pictures of one size to two (size, size, C) in [0, 1], by the draws of `seed`."""
        pipeline = self._pipeline("geometry", self._geometry)
        pipeline.set_random_seed(seed)
        cut = pipeline(image=source, target=target)
        return to_floats(_with_channel(cut["image"])), to_floats(_with_channel(cut["target"]))

    def cut(self, pixels: Pixels, seed: int) -> Floats:
        """A `scaled` picture to (size, size, C) in [0, 1], by the draws of `seed`."""
        pipeline = self._pipeline("geometry", self._geometry)
        pipeline.set_random_seed(seed)
        return to_floats(_with_channel(pipeline(image=pixels)["image"]))

    def recolour(self, pixels: Floats, seed: int) -> Floats:
        """(H, W, 1 or 3) floats in [0, 1] with brightness, contrast, saturation and hue moved, in training."""
        if not self.training or not self.config.jitter:
            return pixels
        pipeline = self._pipeline("photometry", self._photometry)
        pipeline.set_random_seed(seed)
        moved: Floats = np.clip(_with_channel(pipeline(image=pixels)["image"]), 0, 1, dtype=np.float32)
        return moved

    def draw_colours(self, seed: int) -> Tensor:
        """Return what `recolour` draws from `seed`, for `recolour_batch`: (8,), or (0,) where it changes nothing.

        These are the amounts of brightness, contrast, saturation and hue, and the order of the four, as numbers 0 to 3.
        """
        if not self.training or not self.config.jitter:
            return torch.empty(0)
        pipeline = self._pipeline("photometry", self._photometry)
        pipeline.set_random_seed(seed)
        ((_, drawn),) = pipeline(image=np.zeros((1, 1, 3), np.float32))["applied_transforms"]
        amounts = [drawn[name] for name in ("brightness", "contrast", "saturation", "hue")]
        return torch.tensor([*amounts, *drawn["order"]])

    def scaled(self, pixels: Pixels) -> Pixels:
        """(H, W, C) pixels at the scale that squares are cut out at; nothing is drawn."""
        height, width = pixels.shape[:2]
        load, size = self.config.load, self.config.size
        if load is None:
            return resize_shorter_side(pixels, max(size, min(height, width)))
        return resize_shorter_side(pixels, max(load, size) if self.training else size)

    def _pipeline(self, name: str, build: Callable[[], Any]) -> Any:
        pipelines: dict[str, Any] = self._local.__dict__
        if name not in pipelines:
            pipelines[name] = build()
        return pipelines[name]

    def _geometry(self) -> Any:
        size = self.config.size
        if not self.training:
            return A.Compose([A.CenterCrop(size, size)], additional_targets={"target": "image"})
        flip = A.HorizontalFlip(p=0.5 if self.config.flip else 0.0)
        return A.Compose([A.RandomCrop(size, size), flip], additional_targets={"target": "image"})

    def _photometry(self) -> Any:
        amount = self.config.jitter
        return A.Compose([A.ColorJitter(amount, amount, amount, amount / 8, p=1.0)], save_applied_params=True)


def _with_channel(pixels: Any) -> Any:
    return pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]
