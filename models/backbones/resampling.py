"""Bicubic interpolation between fixed factors, exact wherever in a picture it starts.

Keys 1981, doi:10.1109/TASSP.1981.1163711, with -0.75 as its parameter and without antialiasing, as in torch and ncnn.
torch computes the place of every pixel in float32, which is off by more the larger the picture is; here tiles put
together are the whole picture.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHARPNESS = -0.75  # Keys's parameter in torch, OpenCV and ncnn


class BicubicShrink(nn.Module):
    """Turn every square of `block` pixels into one of `size`, by bicubic interpolation.

    Args:
        block: Pixels on a side of the squares of the input.
        size: Pixels on a side of the squares of the output; less than `block`.
    """

    def __init__(self, block: int, size: int) -> None:
        super().__init__()
        self.block, self.size = block, size
        places = (torch.arange(size) + 0.5) * block / size - 0.5
        # Every place lies between the first and the last pixel of its square, so 1 pixel more on each side is enough.
        weights = _keys(places[:, None] - torch.arange(-1, block + 1))
        kernels = torch.einsum("py,qx->pqyx", weights, weights).flatten(0, 1)[:, None]
        self.register_buffer("kernels", kernels, persistent=False)
        self.kernels: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Shrink (B, C, block * H, block * W) to (B, C, size * H, size * W), in float32."""
        planes = F.pad(image.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="replicate")
        with torch.autocast(image.device.type, enabled=False):  # these are pixels, which need all their digits
            phases = F.conv2d(planes.to(self.kernels.dtype), self.kernels, stride=self.block)
        shrunk = F.pixel_shuffle(phases, self.size)
        return shrunk.reshape(*image.shape[:2], *shrunk.shape[2:])


def _keys(distance: Tensor) -> Tensor:
    """Return the weights of pixels at these distances."""
    near, a = distance.abs(), SHARPNESS
    inner = ((a + 2) * near - (a + 3)) * near**2 + 1
    outer = a * (((near - 5) * near + 8) * near - 4)
    return torch.where(near <= 1, inner, torch.where(near < 2, outer, 0.0))
