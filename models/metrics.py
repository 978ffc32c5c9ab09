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


def hole_metrics(made: Tensor, truth: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """The figures of inpainting for (B, C, H, W) pictures in [-1, 1] and masks (B, 1, H, W), 1 in the hole, by name.

    L1, PSNR and SSIM over the pixels of the hole alone: SSIM's map is computed over the whole picture, mirrored at its
    border, and averaged over the hole. A picture without a hole has nothing to judge: 0, 100 dB and 1.
    """
    made, truth, mask = made.float(), truth.float(), mask.float()
    count = (mask.sum(dim=(1, 2, 3)) * made.shape[1]).clamp(min=1)

    def mean(values: Tensor) -> Tensor:
        return (values * mask).sum(dim=(1, 2, 3)) / count

    window = min(11, *((side - 1) // 2 * 2 + 1 for side in made.shape[-2:]))
    different = 1 - kornia.metrics.ssim((made + 1) / 2, (truth + 1) / 2, window)
    return {
        "psnr_hole": (-10 * torch.log10(mean((made - truth).square()) / 4)).clamp(max=100),
        "ssim_hole": 1 - mean(different),
        "l1_hole": mean((made - truth).abs()) / 2,
    }


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


def luma(picture: Tensor) -> Tensor:
    """The Y of (B, 3, H, W) pictures in [-1, 1], (B, 1, H, W) in [-1, 1]: BT.601, 16 to 235 of 255, as video has it.

    Super-resolution is judged by it; its range makes a PSNR 1.3 dB higher than that of all levels would be.
    """
    weights = picture.new_tensor([65.481, 128.553, 24.966], dtype=torch.float32).reshape(1, 3, 1, 1)
    y = 16 + (weights * (picture.float() + 1) / 2).sum(dim=1, keepdim=True)
    return y / 255 * 2 - 1


def upscaling_metrics(made: Tensor, truth: Tensor, scale: int) -> dict[str, Tensor]:
    """The figures of super-resolution for (B, 3, H, W) pictures in [-1, 1], by name: PSNR and SSIM, of Y and of RGB.

    As the field has it: pictures rounded to 8 bit, and `scale` pixels cut off at each border.
    """
    height, width = truth.shape[-2:]
    inside = (..., slice(scale, height - scale), slice(scale, width - scale))
    made, truth = ((((p.float().clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1)[inside] for p in (made, truth))
    made_y, truth_y = luma(made), luma(truth)
    return {
        "psnr_y": psnr(made_y, truth_y),
        "ssim_y": ssim(made_y, truth_y),
        "psnr_rgb": psnr(made, truth),
        "ssim_rgb": ssim(made, truth),
    }


def reconstruction_metrics(made: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """All three, by name."""
    return {"l1": l1(made, truth), "psnr": psnr(made, truth), "ssim": ssim(made, truth)}
