"""How close an image is to its target: L1, PSNR, SSIM and others, one value per image.

SSIM is kornia's. PSNR is written here, since kornia's is one value per batch. MS-SSIM is in `translate.evaluation`:
kornia has it as a loss only, with Gaussians at full size (Zhao, Gallo, Frosio, Kautz 2017), not as the metric of Wang,
Simoncelli, Bovik 2003, which halves the image.
"""

import kornia.metrics
import torch
from torch import Tensor


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of (B, C, H, W) images in [-1, 1], on the scale [0, 1]: (B,)."""
    return (output.float() - target.float()).abs().mean(dim=(1, 2, 3)) / 2


def psnr(output: Tensor, target: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of (B, C, H, W) images in [-1, 1], over all channels, in dB: (B,).

    It is 10 log10(peak² / mean squared error), and 100 dB at most, so that means over equal images stay finite.
    """
    error = (output.float() - target.float()).square().mean(dim=(1, 2, 3)) / 4
    return (-10 * torch.log10(error)).clamp(max=100)


def ssim(output: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity of (B, C, H, W) images in [-1, 1], averaged over channels: (B,).

    Wang, Bovik, Sheikh, Simoncelli 2004: a Gaussian window of 11 pixels with deviation 1.5, K 0.01 and 0.03, over the
    area where the window fits. Smaller images get the largest odd window that fits.
    """
    output, target = (output.float() + 1) / 2, (target.float() + 1) / 2
    similarity: Tensor = kornia.metrics.ssim(output, target, _ssim_window(output), padding="valid")
    return similarity.mean(dim=(1, 2, 3))


def _ssim_window(image: Tensor) -> int:
    return min(11, *((side - 1) // 2 * 2 + 1 for side in image.shape[-2:]))


def direction(name: str) -> str:
    """Return "higher" or "lower", whichever is better for a validation metric; empty: neither, as of a code's size."""
    if name.startswith(("psnr", "ssim")) or name.endswith("accuracy"):
        return "higher"
    return "" if name in ("kl", "active") else "lower"


def reconstruction_metrics(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return L1, PSNR and SSIM of (B, C, H, W) images in [-1, 1], (B,) each, by name."""
    return {"l1": l1(output, target), "psnr": psnr(output, target), "ssim": ssim(output, target)}


def hole_metrics(output: Tensor, target: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return L1, PSNR and SSIM over the pixels of the hole only, (B,) each, by name.

    SSIM's map is computed over the whole image, padded by reflection, and averaged over the hole. An image without a
    hole gets 0, 100 dB and 1.

    Args:
        output: Images (B, C, H, W) in [-1, 1].
        target: Images (B, C, H, W) in [-1, 1].
        mask: (B, 1, H, W), 1 in the hole and 0 elsewhere.
    """
    output, target, mask = output.float(), target.float(), mask.float()
    count = (mask.sum(dim=(1, 2, 3)) * output.shape[1]).clamp(min=1)

    def average(values: Tensor) -> Tensor:
        return (values * mask).sum(dim=(1, 2, 3)) / count

    dissimilarity = 1 - kornia.metrics.ssim((output + 1) / 2, (target + 1) / 2, _ssim_window(output))
    return {
        "psnr_hole": (-10 * torch.log10(average((output - target).square()) / 4)).clamp(max=100),
        "ssim_hole": 1 - average(dissimilarity),
        "l1_hole": average((output - target).abs()) / 2,
    }


def detail_ratio(output: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Return the mean gradient magnitude within the hole over the target's: (B,), 1 where there is as much detail.

    A blurred fill has less detail than what was there, which PSNR does not show. Gradients are differences to the next
    pixel to the right and below, of pixels for which both are in the hole as well, so that the hole's border does not
    count. One level of 255 is added to both means: two flat fills have the ratio 1, and so has an image without a hole.

    Args:
        output: Images (B, C, H, W) in [-1, 1].
        target: Images (B, C, H, W) in [-1, 1].
        mask: (B, 1, H, W), 1 in the hole and 0 elsewhere.
    """
    hole = mask.bool()
    within = (hole[..., :-1, :-1] & hole[..., :-1, 1:] & hole[..., 1:, :-1]).float()
    count = (within.sum(dim=(1, 2, 3)) * output.shape[1]).clamp(min=1)

    def average_gradient(image: Tensor) -> Tensor:
        corner = image[..., :-1, :-1]
        magnitude = torch.hypot(image[..., :-1, 1:] - corner, image[..., 1:, :-1] - corner) / 2
        return (magnitude * within).sum(dim=(1, 2, 3)) / count

    level = 1 / 255
    return (average_gradient(output.float()) + level) / (average_gradient(target.float()) + level)


def upscaling_metrics(output: Tensor, target: Tensor, scale: int) -> dict[str, Tensor]:
    """Return PSNR and SSIM of luma and of RGB for (B, 3, H, W) images in [-1, 1], (B,) each, by name.

    As is usual in super-resolution, images are rounded to 8 bits, and `scale` pixels are cropped at each border.
    """
    height, width = target.shape[-2:]
    inside = (..., slice(scale, height - scale), slice(scale, width - scale))
    output, target = ((((i.float().clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1)[inside] for i in (output, target))
    output_y, target_y = luma(output), luma(target)
    return {
        "psnr_y": psnr(output_y, target_y),
        "ssim_y": ssim(output_y, target_y),
        "psnr_rgb": psnr(output, target),
        "ssim_rgb": ssim(output, target),
    }


def luma(image: Tensor) -> Tensor:
    """Convert (B, 3, H, W) images in [-1, 1] to Y of BT.601 at video range, 16 to 235 of 255: (B, 1, H, W) in [-1, 1].

    Super-resolution is evaluated on it. By its smaller range, PSNR is 1.3 dB higher than on Y of full range.
    """
    weights = image.new_tensor([65.481, 128.553, 24.966], dtype=torch.float32).reshape(1, 3, 1, 1)
    y = 16 + (weights * (image.float() + 1) / 2).sum(dim=1, keepdim=True)
    return y / 255 * 2 - 1


def energy_distance(output: Tensor, real: Tensor) -> Tensor:
    """Return how far outputs are from real images as a whole: (B,), whose mean is the energy distance of two sets of B.

    The distance is 2 E‖x - g‖ - E‖x - x'‖ - E‖g - g'‖ over distinct pairs (Székely, Rizzo 2013,
    doi:10.1016/j.jspi.2013.03.018), where ‖·‖ is the root mean square over pixels on the scale [0, 1]. It is 0 for
    equal distributions, and around 0 for two samples of one distribution. A batch of 1 has no pairs, so only the first
    term is left.
    """
    output, real = output.float().flatten(1), real.float().flatten(1)
    scale = 2 * output.shape[1] ** 0.5
    others = max(len(real) - 1, 1)
    across = torch.cdist(real, output).mean(1)
    # Not by matrix products, which give an image a distance above 0 from itself.
    within_real, within_output = (
        torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").sum(1) for x in (real, output)
    )
    distance: Tensor = (2 * across - within_real / others - within_output / others) / scale
    return distance
