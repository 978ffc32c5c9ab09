"""Which of several upscalers is best on whole photographs, and what does each cost?

    python tests/benchmarks/judge_upscalers.py MODEL[,MODEL…] FOLDER [FOLDER …] [--sheet FILE]

Every picture of a folder is made small by bicubic reduction, rounded to 8 bit, enlarged by each model and by bicubic
interpolation, and compared as the field compares: PSNR of Y, with `scale` pixels cut off at the borders. FOLDER may be
`skimage`: scikit-image's colour photographs. Times are of 480x270 pixels on as many threads as torch takes, and they
alternate between the models. The sheet shows the window of each picture where the models differ most.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from measure import commit
from torch import Tensor
from upscaling import PHOTOGRAPHS, TIMED, WINDOW, rounded, y_of

from datasets.codecs.images import read_picture
from datasets.degradations.resampling import shrink
from datasets.pixels import convert_channels, to_floats, to_pixels, to_tensor
from datasets.storage.listing import find_pictures
from models.baselines.bicubic import BicubicUpscaler
from translate.inference.model import Model, load_model
from translate.sheet import contact_sheet


def main(names: list[str], folders: list[str], sheet: Path | None) -> None:
    """Print a table; draw the sheet if it has a place."""
    models = {name: load_model(name) for name in names}
    scales = {model.translator.scale for model in models.values()}
    if len(scales) != 1:
        raise SystemExit(f"the models enlarge by {sorted(scales)}: judge those of one scale at a time")
    scale = scales.pop()
    print(f"at {commit()}, x{scale}, {torch.get_num_threads()} threads")
    rows: list[list[np.ndarray]] = []
    scores = {name: [f"{parameters(model):,}"] for name, model in models.items()} | {"bicubic": ["0"]}
    for folder in folders:
        found = judge_folder(models, pictures_of(folder), scale, rows)
        for name, values in found.items():
            scores[name].append("{:.2f} / {:.4f}".format(*np.mean(values, axis=0)))
        scores_count = len(found["bicubic"])
        print(f"{folder}: {scores_count} pictures", flush=True)
    times = time_frames(models)
    print(f"| model | parameters | {' | '.join(Path(folder).name for folder in folders)} | ms a frame |")
    print("|---|---|" + "---|" * (len(folders) + 1))
    for name, cells in scores.items():
        print(f"| {name} | {' | '.join(cells)} | {times.get(name, 0):.0f} |")
    if sheet is not None:
        contact_sheet(rows, ["small", "bicubic", *names, "original"], sheet)


def judge_folder(
    models: dict[str, Model], pictures: list[Path], scale: int, rows: list[list[np.ndarray]]
) -> dict[str, list[tuple[float, float]]]:
    """Return PSNR and SSIM of Y of each model and of bicubic for each picture, and add a row of windows for each."""
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in (*models, "bicubic")}
    for path in pictures:
        small, large = make_pair(path, scale)
        made = {name: model.run(small[None])[0] for name, model in models.items()}
        made["bicubic"] = BicubicUpscaler(scale)(small[None])[0].clamp(-1, 1)
        for name, output in made.items():
            scores[name].append(y_of(output[None], large, scale))
        window = find_difference([made[name] for name in models] + [made["bicubic"]])
        near = torch.nn.functional.interpolate(small[None], scale_factor=float(scale))[0]
        shown = (near, made["bicubic"], *(made[name] for name in models), large)
        rows.append([to_pixels(output[window], 8) for output in shown])
    return scores


def pictures_of(folder: str) -> list[Path]:
    """Return the pictures of a folder, or scikit-image's."""
    if folder != "skimage":
        return [Path(folder) / path for path in find_pictures(Path(folder)).pictures]
    import skimage

    data = Path(skimage.__file__).parent / "data"
    return [next(data.glob(f"{name}.*g")) for name in PHOTOGRAPHS]


def make_pair(path: Path, scale: int) -> tuple[Tensor, Tensor]:
    """Return the small picture (3, H, W), rounded to 8 bit, and the large one, in [-1, 1]."""
    pixels = read_picture(path).pixels
    height, width = (side // scale * scale for side in pixels.shape[:2])
    large = convert_channels(to_floats(pixels[:height, :width]), 3)
    return to_tensor(rounded(shrink(large, scale))), to_tensor(large)


def find_difference(outputs: list[Tensor]) -> tuple[slice, slice, slice]:
    """Return the window in which the first output and the others (3, H, W) differ most."""
    difference = torch.stack([(outputs[0] - other).abs().mean(0) for other in outputs[1:]]).mean(0)
    side = min(WINDOW, *difference.shape)
    means = torch.nn.functional.avg_pool2d(difference[None, None], side, stride=side // 4)[0, 0]
    top, left = (int(index) * (side // 4) for index in divmod(int(means.argmax()), means.shape[1]))
    return slice(None), slice(top, top + side), slice(left, left + side)


def parameters(model: Model) -> int:
    """Count the parameters."""
    return sum(parameter.numel() for parameter in model.translator.parameters())


def time_frames(models: dict[str, Model]) -> dict[str, float]:
    """Return the median milliseconds of each model for 480x270 pixels; the models take turns."""
    image = torch.rand(1, 3, 270, 480) * 2 - 1
    taken: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(TIMED):
        for name, model in models.items():
            began = time.perf_counter()
            model.run(image)
            taken[name].append(1000 * (time.perf_counter() - began))
    return {name: statistics.median(values[1:]) for name, values in taken.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    main(given.models.split(","), given.folders, given.sheet)
