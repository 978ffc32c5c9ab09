"""Previews: what a training shows to people of what its model does."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SQUARE = 8  # pixels on a side of the squares that show transparency; chosen by eye


@dataclass(frozen=True)
class Preview:
    """A batch before and after translation, for human eyes and for the health check of the training.

    Attributes:
        source: The input, (B, C, H, W); None if images are made from noise.
        output: The model's output, (B, C', H', W').
        target: The right output, if it is known.
        real: Images of the target kind, (B', C', H', W'), if the right output is not known; outputs should be as
            diverse as these.
        title: What the model was to do, such as a domain; empty: there is no choice.
    """

    source: Tensor | None
    output: Tensor
    target: Tensor | None = None
    real: Tensor | None = None
    title: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """What the columns of `strips` are, in words."""
        shown = {"input": self.source, "output": self.output, "right output": self.target}
        return tuple(name for name, image in shown.items() if image is not None)

    def strips(self) -> Tensor:
        """Return source, output and target of each example side by side, in colour: (B, 3, H', n * W').

        Transparency is shown by squares of two grays.
        """
        images = [image for image in (self.source, self.output, self.target) if image is not None]
        size = self.output.shape[-2:]
        resized = [F.interpolate(image, size) if image.shape[-2:] != size else image for image in images]
        return torch.cat([show_transparency(image).expand(-1, 3, -1, -1) for image in resized], dim=3)


def show_transparency(images: Tensor) -> Tensor:
    """Return images with alpha, (B, 4, H, W) in [-1, 1], as colours on squares of two grays; others as they are."""
    if images.shape[1] != 4:
        return images
    rows, columns = (torch.arange(side, device=images.device) // SQUARE for side in images.shape[-2:])
    board = 1 - 0.4 * ((rows[:, None] + columns) % 2)  # white and light gray, as in image editors
    opacity = (images[:, 3:].clamp(-1, 1) + 1) / 2
    return images[:, :3] * opacity + board.to(images.dtype) * (1 - opacity)
