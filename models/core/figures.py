"""How close a picture is to its truth: L1, PSNR and SSIM, one figure a picture."""

import kornia.metrics
import torch
from torch import Tensor


def l1(made: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of (B, C, H, W) pictures in [-1, 1], on the scale [0, 1]: (B,)."""
    return (made.float() - truth.float()).abs().mean(dim=(1, 2, 3)) / 2


def psnr(made: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of (B, C, H, W) pictures in [-1, 1], over all channels, in dB: (B,).

    10 log10(peak² / mean squared error); equal pictures get 100 dB, so that means stay finite.
    """
    error = (made.float() - truth.float()).square().mean(dim=(1, 2, 3)) / 4
    return (-10 * torch.log10(error)).clamp(max=100)


def ssim(made: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity of (B, C, H, W) pictures in [-1, 1], averaged over channels: (B,).

    Wang, Bovik, Sheikh, Simoncelli 2004: Gaussian window of 11 pixels and deviation 1.5, K 0.01 and
    0.03, over the area where the window fits; smaller pictures get the largest odd window that does.
    """
    window = min(11, *((side - 1) // 2 * 2 + 1 for side in made.shape[-2:]))
    made, truth = (made.float() + 1) / 2, (truth.float() + 1) / 2
    similarity: Tensor = kornia.metrics.ssim(made, truth, window, padding="valid")
    return similarity.mean(dim=(1, 2, 3))


def energy(made: Tensor, real: Tensor) -> Tensor:
    """How far made pictures are from real ones as a whole; the mean over (B,) is the energy distance of two sets of B.

    2 E‖x - g‖ - E‖x - x'‖ - E‖g - g'‖ over distinct pairs (Székely, Rizzo 2013, doi:10.1016/j.jspi.2013.03.018), each
    distance as the root mean square over pixels on the scale [0, 1]; 0 for equal distributions, and around it for sets
    drawn from one. A batch of 1 has no pairs and is only compared with what was made.
    """
    made, real = made.float().flatten(1), real.float().flatten(1)
    scale = 2 * made.shape[1] ** 0.5
    others = max(len(real) - 1, 1)
    across = torch.cdist(real, made).mean(1)
    # Not by matrix products: those give a picture a distance from itself.
    alike, same = (torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").sum(1) for x in (real, made))
    distance: Tensor = (2 * across - alike / others - same / others) / scale
    return distance


def reconstruction(made: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """All three, by name."""
    return {"l1": l1(made, truth), "psnr": psnr(made, truth), "ssim": ssim(made, truth)}
