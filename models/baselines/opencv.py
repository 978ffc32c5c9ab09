"""Holes filled without learning, as translators: what every learned one has to beat.

Telea 2004, doi:10.1080/10867651.2004.10487596, a weighted mean of what is known around, from the border of the hole
inward; Bertalmio, Bertozzi, Sapiro 2001, doi:10.1109/CVPR.2001.990497, lines of equal brightness led on as a fluid
flows (Navier-Stokes). Both are OpenCV's.

Differs from the papers:
- OpenCV fills several channels at 8 bits only. Here each channel is filled by itself at 16, so that deep pictures stay
  deep; of 8-bit pictures the results differ from OpenCV's at 8 bits by what the latter rounds on the way inward.
- Floats are not given to OpenCV: its Telea adds a slope of ±1.4 levels, whatever the range, and of pictures in [0, 1]
  nothing is left.
"""

from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from models.contract import Translator

ClassicalName = Literal["telea", "navier-stokes"]

RADIUS = 3  # pixels around a pixel from which it is made
HIGHEST = 65535
_FLAGS: dict[ClassicalName, int] = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}


class Classical(Translator):
    """Fills holes from their borders inward, and learns nothing."""

    channels_in = 4

    def __init__(self, method: ClassicalName) -> None:
        super().__init__()
        self.method: ClassicalName = method

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """(B, 4, H, W), RGB in [-1, 1] and 1 in holes, to (B, 3, H, W); what is known comes back as it was.

        A picture that is all hole comes back as it was too: there is nothing to fill it from.
        """
        return torch.stack([self._filled(picture) for picture in image])

    def _filled(self, image: Tensor) -> Tensor:
        known, hole = image[:3].float().cpu(), image[3].cpu() > 0.5
        levels = ((known + 1) * (HIGHEST / 2)).round().clamp(0, HIGHEST).numpy().astype(np.uint16)
        mask = hole.numpy().astype(np.uint8)
        made = np.stack([cv2.inpaint(channel, mask, RADIUS, _FLAGS[self.method]) for channel in levels])
        filled = torch.from_numpy(made.astype(np.float32)) * (2 / HIGHEST) - 1
        return torch.where(hole, filled, known).to(image)
