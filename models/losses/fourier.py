"""The Fourier loss: how far the spectra of two images are apart.

Cho et al. 2021, arXiv:2108.05054 (as the multi-scale frequency reconstruction loss); upscalers take 0.05 of it beside
the absolute error, as in Sun et al. 2023, arXiv:2302.13800.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def fourier_loss(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of the spectra, real and imaginary parts apart, of images (B, C, H, W).

    The transform is not normalized, so the loss grows with the square root of H * W. It computes in fp32.
    """
    difference = torch.view_as_real(torch.fft.rfft2(output.float() - target.float()))
    return F.l1_loss(difference, torch.zeros_like(difference))
