"""How much nearer to the original does a restorer bring photographs that it never saw?

    python tests/benchmarks/judge_restorers.py MODEL noise|jpeg STRENGTH[,STRENGTH…] FOLDER [FOLDER …] [--sheet FILE]

The middle of each picture, 384 pixels on a side, is degraded with each strength, rounded to 8 bit and restored. PSNR is
over red, green and blue, in dB. Beside noise, the best of several bilateral filters and non-local means are measured,
each with its best setting for each picture: baselines that know the answer. FOLDER may be `skimage`: scikit-image's
colour photographs. The sheet shows the first pictures at the middle strength.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from judge_upscalers import pictures_of
from measure import commit

from datasets.codecs.images import Picture, read_picture
from datasets.contract import derive_seed
from datasets.degradations.degrade import DegradationName, degrade
from datasets.pixels import Pixels, convert_channels, to_floats, to_pixels, to_tensor
from translate.demo import filter_bilateral
from translate.inference.model import load_model
from translate.sheet import contact_sheet

SIDE = 384
SHOWN = 8  # pictures of a sheet


def main(name: str, kind: DegradationName, strengths: list[float], folders: list[str], sheet: Path | None) -> None:
    """Print a table; draw the sheet if it has a place."""
    model = load_model(name)
    methods: dict[str, Callable[[Pixels, Pixels], Pixels]] = {
        kind: lambda degraded, original: degraded,
        name: lambda degraded, original: np.asarray(model(Picture(degraded)).pixels, np.uint8),
    }
    if kind == "noise":
        methods |= {"bilateral": filter_bilateral, "non-local means": filter_non_local}
    print(f"at {commit()}\n| pictures | strength | {' | '.join(methods)} |\n|---|---|{'---|' * len(methods)}")
    rows: list[list[np.ndarray]] = []
    for folder in folders:
        paths = pictures_of(folder)
        for strength in strengths:
            scores = []
            for index, path in enumerate(paths):
                original = crop_middle(path)
                degraded = to_pixels(to_tensor(degrade(to_floats(original), kind, strength, derive_seed(index))), 8)
                made = [np.asarray(method(degraded, original), np.uint8) for method in methods.values()]
                scores.append([cv2.PSNR(pixels, original) for pixels in made])
                if strength == strengths[len(strengths) // 2] and len(rows) < SHOWN:
                    rows.append([*made, original])
            cells = " | ".join(f"{value:.2f}" for value in np.mean(scores, axis=0))
            print(f"| {Path(folder).name}, {len(paths)} | {strength:g} | {cells} |", flush=True)
    if sheet is not None:
        contact_sheet(rows, [*methods, "original"], sheet)


def crop_middle(path: Path) -> Pixels:
    """Return the middle of a picture, as RGB of 8 bit."""
    pixels = convert_channels(to_floats(read_picture(path).pixels), 3)
    top, left = (max(0, (side - SIDE) // 2) for side in pixels.shape[:2])
    return np.asarray(to_pixels(to_tensor(pixels[top : top + SIDE, left : left + SIDE]), 8), np.uint8)


def filter_non_local(degraded: Pixels, original: Pixels) -> Pixels:
    """Return the best of several non-local means filters (Buades, Coll, Morel 2005), chosen by the original."""
    filtered = [cv2.fastNlMeansDenoisingColored(degraded, None, h, h, 7, 21) for h in (3, 6, 10, 15, 20, 30)]
    return max((np.asarray(pixels, np.uint8) for pixels in filtered), key=lambda pixels: cv2.PSNR(pixels, original))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("kind", choices=["noise", "jpeg"])
    parser.add_argument("strengths")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    levels = [float(strength) for strength in given.strengths.split(",")]
    main(given.model, given.kind, levels, given.folders, given.sheet)
