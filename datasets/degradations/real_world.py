"""Good pictures made small and bad, as cameras, messengers and web sites do it, twice over.

The second-order degradation of Wang, Xie, Dong, Shan 2021, arXiv:2107.10833 (Real-ESRGAN), with the numbers of the
authors' code: blur, resize, noise and JPEG, all of it again, and a low-pass that rings, before or after the last JPEG.

Differs from the paper:
- Pictures are degraded one by one, on the threads that read them, and JPEG is the codec itself and not a differentiable
  stand-in. What is drawn depends on a picture's seed alone.
- Targets are not sharpened.
- What counts as a picture's number of levels, for Poisson noise, is the power of two above that of its 8-bit version.
"""

from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch

from datasets.codecs.images import recompress
from datasets.pixels import Floats, convert_channels, to_floats

KERNEL_SIDES = range(7, 22, 2)
KERNELS = ("isotropic", "anisotropic", "generalised", "generalised anisotropic", "plateau", "plateau anisotropic")
KERNEL_ODDS = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
SINC_ODDS = 0.1
LAST_SINC_ODDS = 0.8
GRAY_NOISE_ODDS = 0.4
JPEG_QUALITY = (30, 95)
INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


class Round(NamedTuple):
    """What one of the two rounds draws from."""

    blur_odds: float
    deviation: tuple[float, float]  # of the blur, in pixels
    resize_odds: tuple[float, float, float]  # up, down, keep
    factor: tuple[float, float]
    gaussian: tuple[float, float]  # deviation of the noise, in 8-bit levels
    poisson: tuple[float, float]


FIRST = Round(1.0, (0.2, 3.0), (0.2, 0.7, 0.1), (0.15, 1.5), (1, 30), (0.05, 3.0))
SECOND = Round(0.8, (0.2, 1.5), (0.3, 0.4, 0.3), (0.3, 1.2), (1, 25), (0.05, 2.5))


def degrade_twice(pixels: Floats, scale: int, seed: int) -> Floats:
    """(H, W, 3) floats in [0, 1] to (H / scale, W / scale, 3), rounded to 8 bit; one seed gives one result."""
    draws = np.random.default_rng(seed)
    height, width = (side // scale for side in pixels.shape[:2])
    made = _round(pixels, FIRST, pixels.shape[:2], draws)
    made = _jpeg(made, draws)
    made = _round(made, SECOND, (height, width), draws)
    ringing = draws.random() < LAST_SINC_ODDS
    kernel = sinc(21, draws.uniform(np.pi / 3, np.pi)) if ringing else None
    interpolation = int(draws.choice(INTERPOLATIONS))
    if draws.random() < 0.5:
        made = _jpeg(_filtered(_resized(made, height, width, interpolation), kernel), draws)
    else:
        made = _filtered(_resized(_jpeg(made, draws), height, width, interpolation), kernel)
    rounded: Floats = np.round(np.clip(made, 0, 1) * 255).astype(np.float32) / np.float32(255)
    return rounded


def gaussian(
    side: int,
    deviations: tuple[float, float],
    angle: float = 0.0,
    shape: Literal["bell", "plateau"] = "bell",
    beta: float = 1.0,
) -> Floats:
    """A (side, side) kernel whose sum is 1: exp(-½ d^β) or 1 / (1 + d^β); d is the squared distance in `deviations`."""
    offsets = np.arange(side) - side // 2
    x, y = np.meshgrid(offsets, offsets)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    distance = (along / deviations[0]) ** 2 + (across / deviations[1]) ** 2
    values = np.exp(-0.5 * distance**beta) if shape == "bell" else 1 / (1 + distance**beta)
    return np.asarray(values / values.sum(), np.float32)


def sinc(side: int, cutoff: float) -> Floats:
    """A (side, side) kernel whose sum is 1, that lets pass what is slower than `cutoff`, in radians a pixel.

    cutoff · J₁(cutoff · r) / (2π r): a disc of frequencies, cut off hard, and so it rings.
    """
    offsets = np.arange(side) - side // 2
    radius = np.hypot(*np.meshgrid(offsets, offsets))
    radius[side // 2, side // 2] = 1  # set below
    values = cutoff * torch.special.bessel_j1(torch.from_numpy(cutoff * radius)).numpy() / (2 * np.pi * radius)
    values[side // 2, side // 2] = cutoff**2 / (4 * np.pi)
    return np.asarray(values / values.sum(), np.float32)


def _round(pixels: Floats, chosen: Round, size: tuple[int, ...], draws: np.random.Generator) -> Floats:
    """Blur, resize by a factor of `size`, add noise."""
    if draws.random() < chosen.blur_odds:
        pixels = _filtered(pixels, _kernel(chosen, draws))
    up, down, _ = chosen.resize_odds
    chance, factor = draws.random(), 1.0
    if chance < up:
        factor = draws.uniform(1, chosen.factor[1])
    elif chance < up + down:
        factor = draws.uniform(chosen.factor[0], 1)
    height, width = (max(1, round(side * factor)) for side in size)
    pixels = _resized(pixels, height, width, int(draws.choice(INTERPOLATIONS)))
    noisy: Floats = np.clip(pixels + _noise(pixels, chosen, draws), 0, 1, dtype=np.float32)
    return noisy


def _kernel(chosen: Round, draws: np.random.Generator) -> Floats:
    side = int(draws.choice(KERNEL_SIDES))
    if draws.random() < SINC_ODDS:
        return sinc(side, draws.uniform(np.pi / 3 if side < 13 else np.pi / 5, np.pi))
    kind = str(draws.choice(KERNELS, p=KERNEL_ODDS))
    first, second = draws.uniform(*chosen.deviation, size=2)
    if "anisotropic" not in kind:
        second = first
    plateau = kind.startswith("plateau")
    beta = draws.uniform(1, 2) if plateau else draws.uniform(0.5, 4) if kind.startswith("generalised") else 1.0
    return gaussian(side, (first, second), draws.uniform(-np.pi, np.pi), "plateau" if plateau else "bell", beta)


def _noise(pixels: Floats, chosen: Round, draws: np.random.Generator) -> Floats:
    gray = draws.random() < GRAY_NOISE_ODDS
    if draws.random() < 0.5:
        shape = (*pixels.shape[:2], 1 if gray else pixels.shape[2])
        deviation = draws.uniform(*chosen.gaussian) / 255
        return np.asarray(draws.standard_normal(shape, np.float32) * np.float32(deviation), np.float32)
    clean = np.round(np.clip(convert_channels(pixels, 1) if gray else pixels, 0, 1) * 255) / 255
    levels = 2 ** np.ceil(np.log2(len(np.unique(clean))))
    strength = draws.uniform(*chosen.poisson)
    return np.asarray((draws.poisson(clean * levels) / levels - clean) * strength, np.float32)


def _filtered(pixels: Floats, kernel: Floats | None) -> Floats:
    if kernel is None:
        return pixels
    return np.asarray(cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)


def _resized(pixels: Floats, height: int, width: int, interpolation: int) -> Floats:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.float32)


def _jpeg(pixels: Floats, draws: np.random.Generator) -> Floats:
    eight_bit = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return to_floats(recompress(eight_bit, round(draws.uniform(*JPEG_QUALITY))))
