"""How much better than bicubic are upscalers on photographs they never saw, and what do they cost?

    python tests/benchmarks/upscaling.py POOL OUT MODEL [MODEL …]

Judges on what the recipe `upscaler` holds out of POOL at a share of 0.12, squares of 480 pixels, and on scikit-image's
colour photographs, whole: PSNR and SSIM of Y as the field has them. Small pictures are made as the models were told to
learn from. Times are of 480x270 pixels, on all cores, as `translate upscale` computes. OUT gets a sheet for each model.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage
import torch
from measure import commit
from torch import Tensor

from datasets.codecs.images import read_picture
from datasets.contract import Paired, derive_seed
from datasets.degradations.real_world import degrade_twice
from datasets.degradations.reductions import RealWorldReduction
from datasets.degradations.resampling import shrink
from datasets.pixels import to_floats, to_pixels, to_tensor
from datasets.super_resolution import SuperResolutionConfig
from models.baselines.bicubic import BicubicUpscaler
from models.metrics import upscaling_metrics
from translate.inference.model import Model, load_model
from translate.sheet import contact_sheet

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
HELD_OUT = 0.12
WINDOW = 240  # pixels on a side of what a sheet shows
TIMED = 9


def main(pool: Path, out: Path, models: list[str]) -> None:
    """Print a table and draw the sheets."""
    print(f"at {commit()}, {torch.get_num_threads()} threads")
    print("| model | parameters | MB | held out: Y PSNR | SSIM | bicubic | photographs: Y PSNR | SSIM | bicubic | ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in models:
        model = load_model(name)
        data = model.card.experiment.data
        assert isinstance(data, SuperResolutionConfig)
        opened = data.model_copy(update={"validation_fraction": HELD_OUT}).open(pool).validation
        pairs = (Paired(*opened.sample(index, 0)) for index in range(len(opened)))
        cells = [f"{sum(p.numel() for p in model.translator.parameters()):,}"]
        cells += [f"{size_of(name) / 1e6:.2f}", judged(model, pairs), judged(model, photographs(data))]
        print(f"| {name} | {' | '.join(cells)} | {milliseconds(model):.0f} |", flush=True)
        draw(model, data, out / f"{Path(name).stem}.png")


def photographs(data: SuperResolutionConfig) -> Iterator[Paired]:
    """scikit-image's, made small as `data` has it, and as they are."""
    for index, name in enumerate(PHOTOGRAPHS):
        folder = Path(skimage.__file__).parent / "data"
        pixels = read_picture(next(folder.glob(f"{name}.*g"))).pixels
        height, width = (side // data.scale * data.scale for side in pixels.shape[:2])
        large = to_floats(pixels[:height, :width])
        bad = isinstance(data.small, RealWorldReduction)
        small = degrade_twice(large, data.scale, derive_seed(index)) if bad else rounded(shrink(large, data.scale))
        yield Paired(to_tensor(small), to_tensor(large))


def rounded(pixels: np.ndarray) -> np.ndarray:
    """To 8 bit, as a file would."""
    return (pixels.clip(0, 1) * 255).round() / np.float32(255)


def judged(model: Model, pairs: Iterator[Paired]) -> str:
    """Mean figures of a model, and bicubic's, as cells."""
    figures, plain = [], []
    scale = model.translator.scale
    for small, large in pairs:
        figures.append(y_of(model.run(small[None]), large, scale))
        plain.append(y_of(BicubicUpscaler(scale)(small[None]), large, scale))
    (psnr, ssim), (psnr_before, ssim_before) = np.mean(figures, axis=0), np.mean(plain, axis=0)
    return f"{psnr:.2f} | {ssim:.4f} | {psnr_before:.2f} / {ssim_before:.4f}"


def y_of(made: Tensor, large: Tensor, scale: int) -> tuple[float, float]:
    """PSNR and SSIM of Y."""
    figures = upscaling_metrics(made, large[None], scale)
    return figures["psnr_y"].item(), figures["ssim_y"].item()


def milliseconds(model: Model) -> float:
    """The median time for 480x270 pixels."""
    image = next(photographs(SuperResolutionConfig(scale=2))).source[None, :, :270, :480]
    image = torch.nn.functional.interpolate(image, (270, 480))
    taken = []
    for _ in range(TIMED):
        began = time.perf_counter()
        model.run(image)
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def draw(model: Model, data: SuperResolutionConfig, path: Path) -> None:
    """A sheet: windows of the photographs, small, by bicubic, by the model, and the truth."""
    rows = []
    for small, large in photographs(data):
        made, plain = model.run(small[None])[0], BicubicUpscaler(data.scale)(small[None])[0]
        near = torch.nn.functional.interpolate(small[None], scale_factor=float(data.scale))[0]
        top, left = (side // 3 for side in large.shape[-2:])
        window = (..., slice(top, top + WINDOW), slice(left, left + WINDOW))
        rows.append([to_pixels(picture[window], 8) for picture in (near, plain, made, large)])
    path.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(rows, ["small", "bicubic", "upscaled", "original"], path)


def size_of(name: str) -> int:
    """Bytes of a model's file."""
    from translate.inference.model_file import model_path

    return model_path(name).stat().st_size


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
