"""Measure a picture once, for all checks: decoding is most of their time."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.codecs.images import read_picture
from datasets.errors import UserError
from datasets.pixels import show_alpha
from translate.evaluation.metrics.extras import import_extra
from translate.inference.input_kind import centre_luma, estimate_jpeg_quality

THUMBNAIL = 32  # pixels on a side; imagehash transforms as many
FLAT = 1.0  # standard deviation in levels of 255, below which a picture shows nothing
SPECTRUM = 512  # pixels on a side of the square whose frequencies are measured, at most
SMALLEST_SPECTRUM = 48  # below which too little is left to tell an enlarged picture, or blocks
# Of the blocks' edges, those that have to be stronger than their surroundings: of 300 drawings of discs and rectangles
# (72²) a third passes for blocks without this and none with it, and of 40 photographs saved at a quality of 30 no fewer
# are found.
LEAST_EDGES = 0.8
LARGEST_STEP = 12  # levels, above which a third difference is an edge; as where the photographs were chosen
BORDER_LEVELS = 8  # by which the pixels of one line of a border differ, at most
BORDER_STEP = 16  # levels by which the picture differs from its border, at least
BORDER_SEEN = 0.4  # of the length over which it does; of black borders around photographs 0.43 to 0.96 is seen
BORDER_UNEVEN = 2  # pixels by which opposite sides differ, at most


@dataclass(frozen=True, eq=False)
class Facts:
    """What was measured of a picture.

    Attributes:
        name: Its path within the folder.
        problem: Why it cannot be read; then nothing else is known.
        width: In pixels, upright.
        height: In pixels, upright.
        channels: 1 or 3.
        depth: 8 or 16 bits.
        alpha: "none", "opaque" or "transparent".
        format: Such as "PNG".
        profile: Whether the file states its colours.
        digest: Of its pixels.
        hash: imagehash's perceptual hash, 64 bits.
        thumbnail: (32, 32, 3) levels.
        deviation: Of its luma, in levels.
        quality: Of a JPEG, 1 to 100; None: it is none.
        blockiness: How much stronger steps are between blocks of 8 pixels than within; 1 without blocks.
        detail: log10 of its power at high frequencies over that at medium ones; None: too small to tell.
        border: Pixels of a border of one colour at the top and bottom, and at the left and right.
    """

    name: str
    problem: str | None = None
    width: int = 0
    height: int = 0
    channels: int = 3
    depth: int = 8
    alpha: str = "none"
    format: str = ""
    profile: bool = False
    digest: bytes = b""
    hash: int = 0
    thumbnail: NDArray[np.uint8] | None = None
    deviation: float = 0.0
    quality: float | None = None
    blockiness: float = 1.0
    detail: float | None = None
    border: tuple[int, int] = (0, 0)


def measure_picture(root: Path, name: str) -> Facts:
    """Return what is to be known of the picture at a path within a folder; it may well be unreadable."""
    try:
        picture = read_picture(root / name)
    except UserError as error:
        return Facts(name, problem=str(error))
    shown = show_alpha(picture, "white")
    eight_bit = shown if shown.dtype == np.uint8 else (shown >> 8).astype(np.uint8)
    colours = eight_bit if eight_bit.shape[2] == 3 else np.repeat(eight_bit, 3, axis=2)
    thumbnail = cv2.resize(np.asarray(colours, np.uint8), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    luma = centre_luma(picture)
    origin = picture.origin
    alpha = "none"
    if picture.alpha is not None:
        alpha = "opaque" if picture.alpha.min() == np.iinfo(picture.alpha.dtype).max else "transparent"
    return Facts(
        name,
        width=picture.width,
        height=picture.height,
        channels=picture.channels,
        depth=picture.depth,
        alpha=alpha,
        format="" if origin is None else origin.format,
        profile=origin is not None and origin.icc is not None,
        digest=hashlib.blake2b(np.ascontiguousarray(shown).data, digest_size=16).digest(),
        hash=hash_thumbnail(thumbnail),
        thumbnail=thumbnail,
        deviation=float(luma.std()),
        quality=estimate_jpeg_quality(origin.jpeg_tables[0]) if origin is not None and origin.jpeg_tables else None,
        blockiness=measure_blocks(luma),
        detail=measure_detail(luma),
        border=measure_border(colours) if alpha != "transparent" else (0, 0),
    )


def hash_thumbnail(thumbnail: NDArray[np.uint8]) -> int:
    """Return imagehash's perceptual hash of a picture from its thumbnail (32, 32, 3): near copies share most bits."""
    bits = import_extra("imagehash").phash(Image.fromarray(thumbnail)).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def measure_blocks(luma: NDArray[np.float32]) -> float:
    """Return how much stronger third differences are between blocks of 8 pixels than within, in (H, W) of 8-bit levels.

    They are clipped, so that edges do not count: label maps, whose edges lie anywhere, have 1.40 at most, and the
    measure by which an upscaler is chosen (`translate.inference.input_kind`) gives 1 to 2.5 for them. Blocks have edges
    everywhere, and a drawing only where its few shapes happen to end.
    """
    if min(luma.shape) < SMALLEST_SPECTRUM:
        return 1.0
    return min(_measure_edges(luma), _measure_edges(luma.T))


def _measure_edges(lines: NDArray[np.float32]) -> float:
    """Return what `measure_blocks` does, for blocks' upright edges alone."""
    third = np.abs(np.diff(lines, 3, axis=1)).clip(0, LARGEST_STEP).mean(0)
    by_offset = np.array([third[offset::8].mean() for offset in range(8)])
    strengths = by_offset / ((by_offset.sum() - by_offset) / 7 + 0.05)  # of flat pictures, what is left is rounding
    strongest = int(strengths.argmax())
    blocks = third[: len(third) // 8 * 8].reshape(-1, 8)
    surroundings = (blocks.sum(1) - blocks[:, strongest]) / 7
    is_edge = blocks[:, strongest] > surroundings + 0.02
    return float(strengths[strongest]) if is_edge.mean() >= LEAST_EDGES else 1.0


def measure_detail(luma: NDArray[np.float32]) -> float | None:
    """Return log10 of the power of (H, W) at 0.38 to 0.5 periods a pixel over that at 0.12 to 0.22.

    A picture that was enlarged has next to none at high frequencies.
    """
    side = min(*luma.shape, SPECTRUM)
    if side < SMALLEST_SPECTRUM:
        return None
    top, left = ((length - side) // 2 for length in luma.shape)
    square = luma[top : top + side, left : left + side]
    window = np.hanning(side).astype(np.float32)
    power = np.abs(np.fft.rfft2((square - square.mean()) * window[:, None] * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    high = float(power[(frequency > 0.38) & (frequency < 0.5)].mean())
    medium = float(power[(frequency > 0.12) & (frequency < 0.22)].mean())
    return float(np.log10(max(high, 1e-9) / max(medium, 1e-9)))


def measure_border(colours: NDArray[np.uint8 | np.uint16]) -> tuple[int, int]:
    """Return the widths of borders of one colour at the top and bottom and at the left and right of (H, W, 3); or 0.

    Both sides have to have the colour, and the picture to begin at once behind it: an object on a plain ground has no
    border, and neither has a picture with a plain sky.
    """
    levels = colours.astype(np.int16)
    return _measure_sides(levels), _measure_sides(levels.swapaxes(0, 1))


def _measure_sides(lines: NDArray[np.int16]) -> int:
    (first, colour), (second, other) = _count_border(lines), _count_border(lines[::-1])
    alike = abs(first - second) <= BORDER_UNEVEN and (np.abs(colour - other) <= BORDER_LEVELS).all()
    return min(first, second) if alike else 0


def _count_border(lines: NDArray[np.int16]) -> tuple[int, NDArray[np.float64]]:
    """Return how many lines from the first on have its colour, 0 if the picture does not begin at once, and it."""
    colour = lines[0].mean(0)
    width = 0
    while width < len(lines) // 3 and (np.abs(lines[width] - colour) <= BORDER_LEVELS).all():
        width += 1
    if not width or width >= len(lines) // 3:
        return 0, colour
    inside = lines[width : width + 2].mean(0)  # two lines, since the edge may be smooth
    differs = (np.abs(inside - colour) > BORDER_STEP).any(1)
    return width if differs.mean() > BORDER_SEEN else 0, colour
