"""Where does the model for compressed pictures begin to be nearer to the truth than the one for clean pictures?

    python tests/benchmarks/input_kinds.py PHOTOS [--scale 2] [--count 20] [--compressed MODEL]

Photographs that are sharp at full size are cropped and made small, then saved as JPEG of several qualities, as
JPEG and again as PNG, or made noisy. Printed are the PSNR of Y of both models and of bicubic, how often the model for
compressed pictures is the better one, how often `translate upscale` would choose it, and the medians that it goes by.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import commit
from PIL import Image

from datasets.codecs.images import read_picture
from datasets.pixels import to_floats, to_tensor
from models.metrics import luma, psnr
from translate.inference.input_kind import centre_luma, estimate_noise, find_input_kind, measure_blockiness
from translate.inference.model import load_model

SIDE = 640  # of the large squares, so that the small ones hold enough blocks to be measured at scale 2
BORDER = 8  # pixels that do not count

Spoil = Callable[[Image.Image, Path], Path]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--compressed", help="a model file; what ships if not given")
    options = parser.parse_args()
    models = [
        load_model(f"upscale-x{options.scale}"),
        load_model(options.compressed or f"upscale-x{options.scale}-compressed"),
    ]
    squares = find_squares(options.photos, options.count)
    print(f"at {commit()}, scale {options.scale}, {len(squares)} photographs")
    print("| small picture | clean | compressed | bicubic | compressed is better | is chosen | blocks | noise |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, spoil in SPOILS.items():
            rows = []
            for large in squares:
                small = large.resize((SIDE // options.scale,) * 2, Image.Resampling.BICUBIC)
                picture = read_picture(spoil(small, Path(folder)))
                outputs = [np.asarray(model(picture).pixels) for model in models]
                bicubic = Image.fromarray(picture.pixels).resize(large.size, Image.Resampling.BICUBIC)
                scores = [score(output, np.asarray(large)) for output in (*outputs, np.asarray(bicubic))]
                measures = centre_luma(picture)
                chosen = find_input_kind(picture).compressed
                rows.append(
                    [*scores, scores[1] > scores[0], chosen, measure_blockiness(measures), estimate_noise(measures)]
                )
            mean, middle = np.mean(rows, 0), np.median(rows, 0)
            cells = [f"{value:.2f}" for value in mean[:3]] + [f"{value:.0%}" for value in mean[3:5]]
            print(f"| {name} | {' | '.join(cells)} | {middle[5]:.2f} | {middle[6]:.2f} |", flush=True)


def find_squares(folder: Path, count: int) -> list[Image.Image]:
    """Return the middles of some photographs, spread over the whole folder."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})
    squares: list[Image.Image] = []
    for path in paths[:: max(1, len(paths) // (8 * count))]:
        image = Image.open(path).convert("RGB")
        if min(image.size) < SIDE or len(squares) == count:
            continue
        left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
        square = image.crop((left, top, left + SIDE, top + SIDE))
        if np.asarray(square).std() > 20:  # no empty sky
            squares.append(square)
    return squares


def score(output: np.ndarray, large: np.ndarray) -> float:
    """Return the PSNR of Y without the border, in dB."""
    pair = [luma(to_tensor(to_floats(pixels[BORDER:-BORDER, BORDER:-BORDER]))[None]) for pixels in (output, large)]
    return float(psnr(*pair)[0])


def _save_jpeg(quality: int) -> Spoil:
    def spoil(image: Image.Image, folder: Path) -> Path:
        image.save(folder / "small.jpg", quality=quality)
        return folder / "small.jpg"

    return spoil


def _save_png_of_jpeg(quality: int) -> Spoil:
    def spoil(image: Image.Image, folder: Path) -> Path:
        Image.open(_save_jpeg(quality)(image, folder)).save(folder / "small.png")
        return folder / "small.png"

    return spoil


def _add_noise(deviation: float) -> Spoil:
    def spoil(image: Image.Image, folder: Path) -> Path:
        noise = np.random.default_rng(0).normal(0, deviation, (image.height, image.width, 3))
        Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).round().astype(np.uint8)).save(folder / "small.png")
        return folder / "small.png"

    return spoil


SPOILS: dict[str, Spoil] = {
    "clean": _add_noise(0),
    **{f"noise {deviation}": _add_noise(deviation) for deviation in (1, 2, 3, 5)},
    **{f"JPEG {quality}": _save_jpeg(quality) for quality in (98, 95, 93, 90, 85, 75, 60, 40, 20)},
    **{f"PNG of JPEG {quality}": _save_png_of_jpeg(quality) for quality in (90, 75, 60, 40)},
}

if __name__ == "__main__":
    main()
