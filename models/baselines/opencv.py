"""OpenCV's inpainting without learning, as translators: the baselines of every learned inpainter.

Telea 2004, doi:10.1080/10867651.2004.10487596, a weighted mean of known neighbours, from the border of the hole inward;
Bertalmio, Bertozzi, Sapiro 2001, doi:10.1109/CVPR.2001.990497, which continues lines of equal brightness as a fluid
flows (Navier-Stokes).

Differs from the papers:
- OpenCV takes several channels at 8 bits only. Here each channel is filled by itself at 16 bits, so that deep images
  stay deep; for 8-bit images, results differ from OpenCV's by what it rounds on the way inward.
- Floats are not given to OpenCV: its Telea adds a slope of ±1.4 levels, whatever the range, which leaves nothing of
  images in [0, 1].
"""

from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from models.contract import Translator

ClassicalName = Literal["telea", "navier-stokes"]

RADIUS = 3  # pixels around a pixel from which it is computed; the value in OpenCV's tutorial on inpainting
HIGHEST = 65535
_FLAGS: dict[ClassicalName, int] = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}


class Classical(Translator):
    """Fills holes from their borders inward; it has no weights."""

    channels_in = 4

    def __init__(self, method: ClassicalName) -> None:
        super().__init__()
        self.method: ClassicalName = method

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Fill (B, 4, H, W), RGB in [-1, 1] and a mask that is 1 in holes: (B, 3, H, W), unchanged outside holes.

        An image that is all hole is returned unchanged, since there is nothing to fill it from.
        """
        return torch.stack([self._fill(one) for one in image])

    def _fill(self, image: Tensor) -> Tensor:
        known, hole = image[:3].float().cpu(), image[3].cpu() > 0.5
        levels = ((known + 1) * (HIGHEST / 2)).round().clamp(0, HIGHEST).numpy().astype(np.uint16)
        mask = hole.numpy().astype(np.uint8)
        output = np.stack([cv2.inpaint(channel, mask, RADIUS, _FLAGS[self.method]) for channel in levels])
        filled = torch.from_numpy(output.astype(np.float32)) * (2 / HIGHEST) - 1
        return torch.where(hole, filled, known).to(image)
