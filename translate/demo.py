"""The demo: shipped models and a training of minutes, on photographs that come with scikit-image.

Photographs are made small and enlarged, damaged and inpainted, with models that ship and never saw them. Then a
translator learns to remove noise from ten others and is compared with two filters. Each part draws a contact sheet.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.degradations.resampling import shrink
from datasets.errors import UserError
from datasets.masks.drawing import Mask
from datasets.pixels import Pixels, convert_channels, to_floats, to_pixels, to_tensor
from models.baselines.bicubic import BicubicUpscaler
from models.metrics import hole_metrics, psnr, upscaling_metrics
from translate.experiment import load_experiment
from translate.folders.degraded_folder import degrade_folder
from translate.folders.manifest import raise_on_failure
from translate.folders.translated_folder import translate_folder
from translate.inference.model import load_model
from translate.inpainting.masked_folder import inpaint_folder
from translate.sheet import contact_sheet
from translate.training.progress import Progress
from translate.training.session import Training

# Photographs of scikit-image that are in the public domain or CC0. Whole photographs are held out, not parts of them.
TRAINING = (
    "brick",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "hubble_deep_field",
    "ihc",
    "moon",
    "motorcycle_left",
    "rocket",
)
HELD_OUT = ("astronaut", "camera", "chelsea")
UPSCALER = "upscale-x4"
WINDOW = 256  # side, in pixels, of what the sheet of enlargements shows of each photograph
SCRATCH = ((0.05, 0.3), (0.4, 0.42), (0.62, 0.3), (0.95, 0.55))  # corners of a line, as fractions of width and height
BOX = (0.55, 0.6, 0.14)  # left, top and side of a square, as fractions of width, height and the shorter side
NOISE = 50.0  # standard deviation in 8-bit levels: the strongest of the three usual in papers on denoising
STEPS_A_MINUTE = 1000  # only shapes the decay of the learning rate: the clock ends the training


@dataclass(frozen=True)
class RestorationScores:
    """Mean PSNR of the held-out photographs, in dB."""

    noisy: float
    median: float
    bilateral: float
    translated: float


def check_empty(out: Path) -> None:
    """Create the demo's folder.

    Raises:
        UserError: It cannot be created, or there is something in it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be created: {error.strerror}; choose another `out`") from None
    if os.listdir(out):
        raise UserError(f"{out}: expected a new or an empty folder, found files in it; choose another `out`")


def make_photographs(out: Path) -> None:
    """Write scikit-image's photographs into the folders `photos` and `unseen`.

    Those to learn from that have colours come three times, with their channels exchanged in turn: half of them are gray
    and hardly one is blue, so a network that learns from them alone turns blue to gray.

    Raises:
        UserError: scikit-image is not installed.
    """
    try:
        import skimage
    except ImportError:
        raise UserError("the demo's photographs come with scikit-image: pip install 'translate-images[demo]'") from None
    folder = Path(skimage.__file__).parent / "data"
    for kind, names in (("photos", TRAINING), ("unseen", HELD_OUT)):
        (out / kind).mkdir(parents=True)
        for name in names:
            found = next(path for path in (folder / f"{name}.png", folder / f"{name}.jpg") if path.is_file())
            pixels = read_picture(found).pixels
            write_picture(Picture(pixels), out / kind / f"{name}.png")
            if kind == "photos" and pixels.shape[2] == 3:
                for turn, order in enumerate(((2, 0, 1), (1, 2, 0)), 1):
                    write_picture(Picture(np.ascontiguousarray(pixels[:, :, order])), out / kind / f"{name}-{turn}.png")


def upscale_photographs(out: Path) -> tuple[float, float]:
    """Make the photographs in `out/unseen` small, enlarge them with a model that ships, and draw a sheet.

    Returns the mean PSNR of Y, in dB, of bicubic interpolation and of the model.
    """
    model = load_model(UPSCALER)
    scale = model.translator.scale
    (out / "small").mkdir()
    originals = {}
    for path in sorted((out / "unseen").iterdir()):
        pixels = read_picture(path).pixels
        height, width = (side // scale * scale for side in pixels.shape[:2])
        originals[path.name] = convert_channels(to_floats(pixels[:height, :width]), 3)
        write_picture(Picture(to_pixels(to_tensor(shrink(originals[path.name], scale)), 8)), out / "small" / path.name)
    raise_on_failure(translate_folder(model, out / "small", out / "larger"))
    rows, scores = [], []
    for name, original in originals.items():
        small, upscaled = (read_picture(out / folder / name).pixels for folder in ("small", "larger"))
        bicubic = to_pixels(BicubicUpscaler(scale)(to_tensor(to_floats(small))[None])[0], 8)
        target = to_tensor(original)[None]
        outputs = (to_tensor(to_floats(pixels))[None] for pixels in (bicubic, upscaled))
        scores.append([float(upscaling_metrics(output, target, scale)["psnr_y"]) for output in outputs])
        squares = small.repeat(scale, 0).repeat(scale, 1)
        rows.append([_crop_middle(pixels) for pixels in (squares, bicubic, upscaled, to_pixels(target[0], 8))])
    contact_sheet(rows, ["small", "bicubic", "upscaled", "original"], out / "upscaled.png")
    bicubic_score, upscaled_score = np.mean(scores, axis=0)
    return float(bicubic_score), float(upscaled_score)


def inpaint_photographs(out: Path) -> tuple[float, float]:
    """Damage the photographs in `out/unseen`, fill the holes with the model that ships, and draw a sheet.

    Returns the mean PSNR in the holes, in dB, of OpenCV's Telea and of the model.
    """
    originals = {path.name: read_picture(path).pixels for path in sorted((out / "unseen").iterdir())}
    for folder in ("damaged", "masks"):
        (out / folder).mkdir()
    holes = {}
    for name, pixels in originals.items():
        holes[name] = draw_damage(*pixels.shape[:2])
        write_picture(Picture(np.where(holes[name][:, :, None], np.uint8(255), pixels)), out / "damaged" / name)
        write_picture(Picture(np.uint8(255) * holes[name][:, :, None]), out / "masks" / name)
    for model, folder in (("telea", "telea"), (None, "filled")):
        raise_on_failure(inpaint_folder(model, out / "damaged", out / folder, out / "masks"))
    rows, scores = [], []
    for name, pixels in originals.items():
        damaged, telea, filled = (read_picture(out / folder / name).pixels for folder in ("damaged", "telea", "filled"))
        target, hole = _to_batch(pixels), to_tensor(holes[name][:, :, None].astype(np.float32))[None].clamp(min=0)
        scores.append([float(hole_metrics(_to_batch(output), target, hole)["psnr_hole"]) for output in (telea, filled)])
        rows.append([damaged, telea, filled, pixels])
    contact_sheet(rows, ["damaged", "Telea", "inpainted", "original"], out / "inpainted.png")
    telea_score, filled_score = np.mean(scores, axis=0)
    return float(telea_score), float(filled_score)


def draw_damage(height: int, width: int) -> Mask:
    """Return the mask (H, W) of a scratch and a square."""
    canvas = np.zeros((height, width), np.uint8)
    corners = np.array([(round(x * width), round(y * height)) for x, y in SCRATCH], np.int32)
    cv2.polylines(canvas, [corners], isClosed=False, color=1, thickness=max(2, min(height, width) // 90))
    left, top, side = round(BOX[0] * width), round(BOX[1] * height), round(BOX[2] * min(height, width))
    canvas[top : top + side, left : left + side] = 1
    return canvas.astype(bool)


def train_denoiser(out: Path, minutes: float) -> tuple[Training, Iterator[Progress]]:
    """Start a training on `out/photos` that takes `minutes`."""
    overrides = [
        f"data.pairs.strength={NOISE}",
        f"training.max_minutes={minutes}",
        f"training.steps={max(1, round(STEPS_A_MINUTE * minutes))}",
        "training.sample_every=500",
    ]
    training = Training(load_experiment("restore", overrides), out / "photos", out / "run")
    return training, training.run()


def denoise_photographs(out: Path) -> RestorationScores:
    """Add noise to the photographs in `out/unseen`, remove it with the trained model and filters, and draw a sheet."""
    raise_on_failure(degrade_folder(out / "unseen", out / "noisy", "noise", NOISE))
    model = load_model(out / "run")
    raise_on_failure(translate_folder(model, out / "noisy", out / "translated"))
    rows, scores = [], []
    for name in HELD_OUT:
        clean, noisy, translated = (
            read_picture(out / kind / f"{name}.png").pixels for kind in ("unseen", "noisy", "translated")
        )
        filtered = filter_median(noisy), filter_bilateral(noisy, clean)
        rows.append([noisy, *filtered, translated, clean])
        scores.append([_psnr(pixels, clean) for pixels in (noisy, *filtered, translated)])
    contact_sheet(rows, ["input", "median filter", "bilateral filter", "translated", "original"], out / "sheet.png")
    return RestorationScores(*(float(value) for value in np.mean(scores, axis=0)))


def filter_median(noisy: Pixels) -> Pixels:
    """Return the median of 5 x 5 pixels."""
    return np.asarray(cv2.medianBlur(noisy, 5), np.uint8).reshape(noisy.shape)


def filter_bilateral(noisy: Pixels, clean: Pixels) -> Pixels:
    """Return the best of several bilateral filters, chosen by the clean picture: a baseline that knows the answer."""
    filtered = [cv2.bilateralFilter(noisy, -1, strength, 2) for strength in (50, 75, 100, 150, 200)]
    shaped = [np.asarray(pixels, np.uint8).reshape(noisy.shape) for pixels in filtered]
    return max(shaped, key=lambda pixels: _psnr(pixels, clean))


def _psnr(output: Pixels, target: Pixels) -> float:
    return float(psnr(_to_batch(output), _to_batch(target)))


def _to_batch(pixels: Pixels) -> Tensor:
    return to_tensor(convert_channels(to_floats(pixels), 3))[None]


def _crop_middle(pixels: Pixels) -> Pixels:
    """Return the middle of a picture, small enough to be shown at its own size."""
    top, left = ((side - WINDOW) // 2 for side in pixels.shape[:2])
    return pixels[top : top + WINDOW, left : left + WINDOW]
