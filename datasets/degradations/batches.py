"""Degradations and colour changes of whole batches, on the device that the batch lies on.

They repeat what `degrade`, `resampling` and `datasets.augment` do to single pictures on the threads that read, for
trainings whose device is faster at it. The table says how far the two are apart for equal parameters, in 8-bit levels
and float32 on a CPU; the tests hold these bounds.

| operation | against the threads |
|---|---|
| gray, posterize, colour changes | equal but for float32 rounding, under 0.01 levels |
| posterize, where a pixel lies on the border between two levels | the neighbouring level |
| blur | under 0.05 levels |
| bicubic reduction | one level, in fewer than 1 in 1,000 pixels: where rounding to 8 bit is a near tie |
| noise | the same distribution; other numbers, since torch's generators are not NumPy's |
| jpeg | kornia's differentiable codec; from libjpeg's 31 dB or more at quality 5, 38 at 15, 42 at 50, 45 at 95 |

The codecs differ since kornia's rounding is softened to have gradients, and since it halves chroma with a triangle
filter where libjpeg averages. The figures are of photographs (scikit-image's astronaut, cat, coffee and rocket); on
each, kornia's picture was at least 5 dB closer to libjpeg's than libjpeg's was to the original.

These stay on the threads:
- edges: `kornia.filters.canny` measures gradients and follows lines by other rules than OpenCV, and finds other lines.
- The two rounds of `real_world`: after the first resize every picture has a size of its own, so that there is no batch.
- Crops and flips: on the threads they are views of bytes, and cost nothing.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from datasets.degradations.degrade import DegradationName, check_strength
from datasets.degradations.resampling import kernel_taps
from datasets.devices import move

# Importing kornia takes half a second, and inference, which needs none of this, imports this module with the data
# configurations: so the functions import it.


@torch.no_grad()
def degrade_batch(images: Tensor, name: DegradationName, strength: float | None, seeds: Sequence[int]) -> Tensor:
    """Return (B, C, H, W) images in [-1, 1], C 1 or 3, degraded; each seed decides the noise of its image alone.

    The result has one channel for `gray`, else C. `BATCHED` has the names that can be given.

    Raises:
        DataError: `strength` is outside the degradation's range.
    """
    result = BATCHED[name](_to_floats(images), check_strength(name, strength), seeds)
    return _to_signed(result)


@torch.no_grad()
def recolour_batch(images: Tensor, colours: Tensor) -> Tensor:
    """Return (B, 3, H, W) images in [-1, 1] with brightness, contrast, saturation and hue changed.

    `colours`, (B, 8) on the host, are the rows that `Cropper.draw_colours` returns: the four amounts, and the order in
    which they are applied. Rows without columns, (B, 0), change nothing.
    """
    from kornia import enhance

    if not colours.numel():
        return images
    adjustments: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
        enhance.adjust_brightness_accumulative,
        enhance.adjust_contrast_with_mean_subtraction,
        enhance.adjust_saturation_with_gray_subtraction,
        lambda chosen, turns: enhance.adjust_hue(chosen, 2 * math.pi * turns),
    )
    amounts, orders = colours[:, :4], colours[:, 4:]
    floats = _to_floats(images)
    for place in range(4):
        for number, adjust in enumerate(adjustments):
            rows = (orders[:, place] == number).nonzero()[:, 0]
            if len(rows):
                floats[rows] = adjust(floats[rows], amounts[rows, number])
    return _to_signed(floats)


@torch.no_grad()
def shrink_batch(images: Tensor, scale: int) -> Tensor:
    """Return images in [-1, 1] made `scale` times smaller, as `resampling.shrink_padded`, and rounded to 8 bit.

    (B, C, H + 2r, W + 2r) becomes (B, C, H / scale, W / scale), where r = `kernel_reach(scale)`.
    """
    taps = move(torch.from_numpy(kernel_taps(scale)), images.device)
    floats = _to_floats(images)
    for axis in (2, 3):
        # A product and a sum instead of a convolution, which GPUs may compute in TF32, with 10 bits.
        floats = (floats.unfold(axis, 5 * scale, scale) * taps).sum(-1)
    return _to_signed(_round_to_levels(floats))


def convert_batch(images: Tensor, channels: int) -> Tensor:
    """Return (B, 1 or 3, H, W) images as (B, channels, H, W), as `convert_channels` does: gray is BT.601's luma."""
    from kornia.color import rgb_to_grayscale

    if images.shape[1] == channels:
        return images
    converted: Tensor = rgb_to_grayscale(images) if channels == 1 else images.expand(-1, 3, -1, -1).contiguous()
    return converted


def _gray(floats: Tensor, strength: float, seeds: Sequence[int]) -> Tensor:
    gray = convert_batch(floats, 1)
    return gray + (strength - 1) * (gray - 0.5)


def _blur(floats: Tensor, strength: float, seeds: Sequence[int]) -> Tensor:
    from kornia.filters import filter2d_separable, get_gaussian_kernel1d

    side = round(8 * strength + 1) | 1  # OpenCV's rule for floats: four deviations to each side, and odd
    kernel = get_gaussian_kernel1d(side, strength)
    blurred: Tensor = filter2d_separable(_mirror(floats, side // 2), kernel, kernel, padding="valid")
    return blurred


def _noise(floats: Tensor, strength: float, seeds: Sequence[int]) -> Tensor:
    noise = torch.empty(floats.shape, device=floats.device)
    for one, seed in zip(noise, seeds, strict=True):
        one.normal_(generator=torch.Generator(floats.device).manual_seed(seed))
    return floats + noise * (strength / 255)


def _jpeg(floats: Tensor, strength: float, seeds: Sequence[int]) -> Tensor:
    from kornia.enhance import jpeg_codec_differentiable

    quality = torch.full((1,), float(round(strength)))  # on the host, where kornia checks it
    coded = jpeg_codec_differentiable(convert_batch(_round_to_levels(floats), 3), quality)
    return _round_to_levels(coded)[:, : floats.shape[1]]


def _posterize(floats: Tensor, strength: float, seeds: Sequence[int]) -> Tensor:
    steps = round(strength) - 1  # kornia's posterize keeps bits, and so only powers of two, which are not spread evenly
    return torch.round(floats * steps) / steps


BATCHED: dict[DegradationName, Callable[[Tensor, float, Sequence[int]], Tensor]] = {
    "gray": _gray,
    "blur": _blur,
    "noise": _noise,
    "jpeg": _jpeg,
    "posterize": _posterize,
}


def _to_floats(images: Tensor) -> Tensor:
    """Return images in [-1, 1] as new ones in [0, 1]."""
    return (images + 1) / 2


def _to_signed(floats: Tensor) -> Tensor:
    """Return images in [0, 1], cut off there, as ones in [-1, 1]."""
    return floats.clamp(0, 1).mul_(2).sub_(1)


def _round_to_levels(floats: Tensor) -> Tensor:
    """Return images as 8-bit files would hold them, in [0, 1]."""
    return (floats.clamp(0, 1) * 255).round_() / 255


def _mirror(floats: Tensor, reach: int) -> Tensor:
    """Return images with `reach` pixels more on every side, mirrored with the border's pixels repeated.

    torch has no such padding, and none that reaches further than the picture.
    """
    for axis in (2, 3):
        side = floats.shape[axis]
        places = torch.arange(-reach, side + reach, device=floats.device) % (2 * side)
        floats = floats.index_select(axis, torch.minimum(places, 2 * side - 1 - places))
    return floats
