"""Gather sharp, freely licensed photographs with their authors, to train upscalers and restorers on.

    python tests/benchmarks/photograph_pool.py FOLDER DOWNLOADS        (a Debian machine with network, 4 GiB)

A picture is reduced by 2, 3, 4 or 6 until it has at most 3 million pixels, little noise and no JPEG blocks; drawings,
plain pictures, small ones and near copies are left out. FOLDER gets PNGs and `list.csv`, which says whose they are.
Standard test sets are in none of the sources. `photographs.py` gathers the smaller pool of the first models.
"""

import csv
import hashlib
import io
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from photograph_sources import Photograph, find_photographs
from PIL import Image, UnidentifiedImageError

SHORTEST = 400  # pixels on the shorter side
LARGEST = 3_000_000  # pixels: what is larger is soft, noisy, and slow to decode
# The limits were chosen by looking at pictures sorted by each measure.
FLATTEST = 0.35  # fraction of pixels equal to both neighbours: more is drawn
PLAINEST = 2.0  # mean difference of neighbouring gray levels: less has nothing to learn
NOISIEST = 2.6  # deviation of the noise in the smoothest fifth
BLOCKIEST = 1.22  # third differences across multiples of 8, against those elsewhere
SOFTEST = 0.75  # strongest second differences against strongest first ones
SAME = 6  # bits of 64 in which the hashes of near copies differ, at most


class Quality(NamedTuple):
    """What decides whether a picture is kept at a size; each is compared with the constant of its kind."""

    detail: float
    flat: float
    noise: float
    crispness: float
    blockiness: float


def main(folder: Path, downloads: Path) -> None:
    """Fill `folder`."""
    for place in (folder, downloads):
        place.mkdir(parents=True, exist_ok=True)
    kept = gather(find_photographs(downloads), folder)
    print(kept, "photographs")


def gather(photographs: Iterable[Photograph], folder: Path) -> int:
    """Write what is good enough, and the list; return how many there are."""
    seen: list[np.ndarray] = []
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "author", "licence", "source", "width", "height", "reduced_by", *Quality._fields])
        for photograph in photographs:
            found = reduce(photograph.content)
            if found is None:
                continue
            picture, factor, quality = found
            bits = hash_bits(picture)
            if any((bits != other).sum() < SAME for other in seen):
                continue
            seen.append(bits)
            digest = hashlib.sha1(photograph.name.encode()).hexdigest()[:4]
            stem = re.sub(r"\W+", "-", f"{photograph.source.split('/')[-1]}-{Path(photograph.name).stem}")[:70]
            picture.save(folder / f"{stem}-{digest}.png", compress_level=1)
            origin = (photograph.author, photograph.licence, f"{photograph.source}: {photograph.name}")
            measured = (f"{value:.2f}" for value in quality)
            rows.writerow([f"{stem}-{digest}.png", *origin, *picture.size, factor, *measured])
    return len(seen)


def reduce(content: bytes) -> tuple[Image.Image, int, Quality] | None:
    """Return a picture at the largest size that is good enough, the factor, and its quality; None if there is none."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.mode in ("RGBA", "LA", "P") and (np.asarray(image.convert("RGBA"))[:, :, 3] < 255).any():
                return None
            whole = image.convert("RGB")
    except (UnidentifiedImageError, OSError):
        return None
    for factor in (1, 2, 3, 4, 6):
        size = whole.width // factor, whole.height // factor
        if min(size) < SHORTEST:
            return None
        if size[0] * size[1] > LARGEST:
            continue
        picture = whole if factor == 1 else whole.resize(size, Image.Resampling.LANCZOS)
        quality = measure(np.asarray(picture.convert("L"), np.float32))
        if quality.flat > FLATTEST or quality.detail < PLAINEST:
            return None
        if quality.noise <= NOISIEST and quality.blockiness <= BLOCKIEST and quality.crispness >= SOFTEST:
            return picture, factor, quality
    return None


def measure(gray: np.ndarray) -> Quality:
    """Measure gray levels (H, W) from 0 to 255."""
    across, down = np.abs(np.diff(gray, axis=1)), np.abs(np.diff(gray, axis=0))
    flat = float(((across[:-1] == 0) & (down[:, :-1] == 0)).mean())
    diagonal = (gray[:-1:2, :-1:2] - gray[1::2, :-1:2] - gray[:-1:2, 1::2] + gray[1::2, 1::2]) / 2
    height, width = (side // 8 * 8 for side in diagonal.shape)
    squares = diagonal[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2).reshape(-1, 64)
    noise = np.percentile(np.median(np.abs(squares), axis=1) / 0.6745, 20)  # of a median to a deviation
    second = 4 * gray[1:-1, 1:-1] - gray[:-2, 1:-1] - gray[2:, 1:-1] - gray[1:-1, :-2] - gray[1:-1, 2:]
    crispness = np.percentile(np.abs(second), 98) / (np.percentile(across, 98) + 1e-3)
    third = np.abs(gray[:, 3:] - 3 * gray[:, 2:-1] + 3 * gray[:, 1:-2] - gray[:, :-3]).clip(0, 12).mean(axis=0)
    by_column = np.array([third[start::8].mean() for start in range(8)])
    blockiness = max(value / ((by_column.sum() - value) / 7 + 0.05) for value in by_column)
    detail = (across.mean() + down.mean()) / 2
    return Quality(float(detail), flat, float(noise), float(crispness), float(blockiness))


def hash_bits(picture: Image.Image) -> np.ndarray:
    """Return 64 bits that near copies share: whether each of 8x9 gray levels is darker than its neighbour."""
    small = np.asarray(picture.convert("L").resize((9, 8)), np.int16)
    return (small[:, 1:] > small[:, :-1]).ravel()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
