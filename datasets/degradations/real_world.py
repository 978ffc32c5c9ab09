"""Good pictures made small and bad, as cameras, messengers and web sites do it: the degradation of Real-ESRGAN.

Wang, Xie, Dong, Shan 2021, arXiv:2107.10833. Two rounds of blur, resizing, noise and JPEG, and a low-pass filter that
rings, before or after the last JPEG. All numbers are those of the authors' code (options/train_realesrgan_x4plus.yml).

Differs from the paper:
- Pictures are degraded one by one, on the threads that read them, by the JPEG codec itself and not by a differentiable
  approximation. What is drawn depends on a picture's seed alone.
- Targets are not sharpened.
- The number of levels in a picture, for Poisson noise, is the power of two above that of its 8-bit version.
"""

from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch

from datasets.codecs.images import recompress
from datasets.pixels import Floats, convert_channels, to_floats

KERNEL_SIDES = range(7, 22, 2)
KERNELS = ("isotropic", "anisotropic", "generalised", "generalised anisotropic", "plateau", "plateau anisotropic")
KERNEL_PROBABILITIES = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
SINC_PROBABILITY = 0.1
LAST_SINC_PROBABILITY = 0.8
GRAY_NOISE_PROBABILITY = 0.4
JPEG_QUALITY = (30, 95)
INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


class RoundConfig(NamedTuple):
    """The ranges and probabilities of one of the two rounds."""

    blur_probability: float
    deviation: tuple[float, float]  # standard deviation of the blur, in pixels
    resize_probabilities: tuple[float, float, float]  # up, down, keep
    factor: tuple[float, float]
    gaussian_noise: tuple[float, float]  # standard deviation, in 8-bit levels
    poisson_noise: tuple[float, float]  # factor


FIRST = RoundConfig(1.0, (0.2, 3.0), (0.2, 0.7, 0.1), (0.15, 1.5), (1, 30), (0.05, 3.0))
SECOND = RoundConfig(0.8, (0.2, 1.5), (0.3, 0.4, 0.3), (0.3, 1.2), (1, 25), (0.05, 2.5))


def degrade_twice(pixels: Floats, scale: int, seed: int) -> Floats:
    """Return (H, W, 3) floats in [0, 1] as degraded ones (H / scale, W / scale, 3), rounded to 8 bit.

    Equal seeds give equal results.
    """
    rng = np.random.default_rng(seed)
    height, width = (side // scale for side in pixels.shape[:2])
    result = _apply_round(pixels, FIRST, pixels.shape[:2], rng)
    result = _compress(result, rng)
    result = _apply_round(result, SECOND, (height, width), rng)
    ringing = rng.random() < LAST_SINC_PROBABILITY
    kernel = sinc_kernel(21, rng.uniform(np.pi / 3, np.pi)) if ringing else None
    interpolation = int(rng.choice(INTERPOLATIONS))
    if rng.random() < 0.5:
        result = _compress(_filter(_resize(result, height, width, interpolation), kernel), rng)
    else:
        result = _filter(_resize(_compress(result, rng), height, width, interpolation), kernel)
    rounded: Floats = np.round(np.clip(result, 0, 1) * 255).astype(np.float32) / np.float32(255)
    return rounded


def gaussian_kernel(
    side: int,
    deviations: tuple[float, float],
    angle: float = 0.0,
    shape: Literal["bell", "plateau"] = "bell",
    beta: float = 1.0,
) -> Floats:
    """Return a (side, side) kernel whose sum is 1: exp(-½ d^β) or 1 / (1 + d^β).

    d is the squared distance from the centre, in units of the two `deviations`, whose axes are turned by `angle`.
    """
    offsets = np.arange(side) - side // 2
    x, y = np.meshgrid(offsets, offsets)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    distance = (along / deviations[0]) ** 2 + (across / deviations[1]) ** 2
    values = np.exp(-0.5 * distance**beta) if shape == "bell" else 1 / (1 + distance**beta)
    return np.asarray(values / values.sum(), np.float32)


def sinc_kernel(side: int, cutoff: float) -> Floats:
    """Return a (side, side) kernel whose sum is 1, which passes frequencies below `cutoff`, in radians per pixel.

    cutoff · J₁(cutoff · r) / (2π r): the ideal low-pass filter, whose sharp edge makes it ring.
    """
    offsets = np.arange(side) - side // 2
    radius = np.hypot(*np.meshgrid(offsets, offsets))
    radius[side // 2, side // 2] = 1  # avoids 0 / 0; the value is set below
    values = cutoff * torch.special.bessel_j1(torch.from_numpy(cutoff * radius)).numpy() / (2 * np.pi * radius)
    values[side // 2, side // 2] = cutoff**2 / (4 * np.pi)
    return np.asarray(values / values.sum(), np.float32)


def _apply_round(pixels: Floats, config: RoundConfig, size: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return the pixels blurred, resized to a random multiple of `size`, and with noise."""
    if rng.random() < config.blur_probability:
        pixels = _filter(pixels, _draw_kernel(config, rng))
    up, down, _ = config.resize_probabilities
    chance, factor = rng.random(), 1.0
    if chance < up:
        factor = rng.uniform(1, config.factor[1])
    elif chance < up + down:
        factor = rng.uniform(config.factor[0], 1)
    height, width = (max(1, round(side * factor)) for side in size)
    pixels = _resize(pixels, height, width, int(rng.choice(INTERPOLATIONS)))
    noisy: Floats = np.clip(pixels + _draw_noise(pixels, config, rng), 0, 1, dtype=np.float32)
    return noisy


def _draw_kernel(config: RoundConfig, rng: np.random.Generator) -> Floats:
    side = int(rng.choice(KERNEL_SIDES))
    if rng.random() < SINC_PROBABILITY:
        return sinc_kernel(side, rng.uniform(np.pi / 3 if side < 13 else np.pi / 5, np.pi))
    kind = str(rng.choice(KERNELS, p=KERNEL_PROBABILITIES))
    first, second = rng.uniform(*config.deviation, size=2)
    if "anisotropic" not in kind:
        second = first
    plateau = kind.startswith("plateau")
    beta = rng.uniform(1, 2) if plateau else rng.uniform(0.5, 4) if kind.startswith("generalised") else 1.0
    return gaussian_kernel(side, (first, second), rng.uniform(-np.pi, np.pi), "plateau" if plateau else "bell", beta)


def _draw_noise(pixels: Floats, config: RoundConfig, rng: np.random.Generator) -> Floats:
    gray = rng.random() < GRAY_NOISE_PROBABILITY
    if rng.random() < 0.5:
        shape = (*pixels.shape[:2], 1 if gray else pixels.shape[2])
        deviation = rng.uniform(*config.gaussian_noise) / 255
        return np.asarray(rng.standard_normal(shape, np.float32) * np.float32(deviation), np.float32)
    clean = np.round(np.clip(convert_channels(pixels, 1) if gray else pixels, 0, 1) * 255) / 255
    levels = 2 ** np.ceil(np.log2(len(np.unique(clean))))
    strength = rng.uniform(*config.poisson_noise)
    return np.asarray((rng.poisson(clean * levels) / levels - clean) * strength, np.float32)


def _filter(pixels: Floats, kernel: Floats | None) -> Floats:
    if kernel is None:
        return pixels
    return np.asarray(cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)


def _resize(pixels: Floats, height: int, width: int, interpolation: int) -> Floats:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.float32)


def _compress(pixels: Floats, rng: np.random.Generator) -> Floats:
    eight_bit = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return to_floats(recompress(eight_bit, round(rng.uniform(*JPEG_QUALITY))))
