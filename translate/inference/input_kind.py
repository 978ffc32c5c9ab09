"""What a picture is, for the choice of an upscaler: as a camera or a program made it, or compressed or noisy.

An upscaler for clean pictures takes the blocks of JPEG and noise for detail, and sharpens them.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.codecs.images import Picture
from datasets.pixels import convert_channels, to_floats

# Below this quality of JPEG, and above these measures, the model for compressed pictures is nearer to the truth:
# measured by tests/benchmarks/input_kinds.py, on photographs made small and then compressed or made noisy.
CLEAN_QUALITY = 92.0
BLOCKINESS = 1.08
NOISE = 2.5  # standard deviation, in 8-bit levels of luma

WINDOW = 1024  # pixels on a side of the part that is measured, the centre: enough, and quick
FEWEST_BLOCKS = 24  # in a row, below which chance makes some columns look like borders; chosen by hand
PATCH = 16  # pixels on a side of the squares whose noise is measured; chosen by hand
FEWEST_SQUARES = 100  # below which none may be flat, and detail would pass for noise; chosen by hand
FLATTEST = 10  # percent of these squares that are taken for flat, where what varies is noise

# Table K.1 of ITU-T T.81, row by row: luma at a quality of 50 in libjpeg's scale.
_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float64,
)


class InputKind(NamedTuple):
    """Whether a picture is compressed or noisy, and why, in a few words."""

    compressed: bool
    reason: str


def find_input_kind(picture: Picture) -> InputKind:
    """Return what a picture is, from the tables of its JPEG or, without one, from its pixels."""
    origin = picture.origin
    if origin is not None and origin.jpeg_tables:
        quality = estimate_jpeg_quality(origin.jpeg_tables[0])
        if quality < CLEAN_QUALITY:
            return InputKind(True, f"JPEG of quality {quality:.0f}")
    luma = centre_luma(picture)
    blockiness = measure_blockiness(luma)
    if blockiness > BLOCKINESS:
        return InputKind(True, "blocks of JPEG")
    noise = estimate_noise(luma)
    if noise > NOISE:
        return InputKind(True, f"noise of {noise:.1f} levels")
    return InputKind(False, "neither compressed nor noisy")


def estimate_jpeg_quality(table: tuple[int, ...]) -> float:
    """Return the quality, 1 to 100 in libjpeg's scale, at which the standard's luma table is as coarse as this one.

    Args:
        table: 64 steps of quantisation, row by row.
    """
    percent = 100 * float(np.mean(np.asarray(table, np.float64) / _LUMA.ravel()))
    return (200 - percent) / 2 if percent <= 100 else 5000 / percent


def measure_blockiness(luma: NDArray[np.float32]) -> float:
    """Return how much stronger steps are between blocks of 8 pixels than within, in (H, W); 1 without blocks.

    The blocks may begin anywhere, since pictures are cropped.
    """
    strengths = []
    for steps in (np.abs(np.diff(luma, axis=1)).mean(0), np.abs(np.diff(luma, axis=0)).mean(1)):
        if len(steps) < 8 * FEWEST_BLOCKS:
            return 1.0
        by_offset = np.array([steps[offset::8].mean() for offset in range(8)])
        strengths.append(by_offset.max() / max(float(np.median(by_offset)), 1e-6))
    return float(min(strengths))


def estimate_noise(luma: NDArray[np.float32]) -> float:
    """Return the standard deviation of the noise in (H, W) of 8-bit levels, from the flattest squares.

    Immerkær 1996, doi:10.1006/cviu.1996.0060: a mask that answers neither to slopes nor to edges.
    """
    height, width = (side // PATCH * PATCH for side in luma.shape)
    if height * width < FEWEST_SQUARES * PATCH**2:
        return 0.0
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    answers = np.abs(cv2.filter2D(luma, -1, mask, borderType=cv2.BORDER_REFLECT_101))[:height, :width]
    squares = answers.reshape(height // PATCH, PATCH, width // PATCH, PATCH).mean((1, 3))
    return float(np.sqrt(np.pi / 2) / 6 * np.percentile(squares, FLATTEST))


def centre_luma(picture: Picture) -> NDArray[np.float32]:
    """Return the luma (H, W) of the middle of a picture, in 8-bit levels."""
    top, left = (max(0, (side - WINDOW) // 2) for side in (picture.height, picture.width))
    window = picture.pixels[top : top + WINDOW, left : left + WINDOW]
    luma: NDArray[np.float32] = convert_channels(to_floats(window), 1)[:, :, 0] * np.float32(255)
    return luma
