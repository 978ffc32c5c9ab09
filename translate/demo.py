"""The demo's training: a translator learns from photographs in minutes, and mends others with it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.errors import UserError
from datasets.pixels import Pixels, to_floats
from translate.experiment import load_experiment
from translate.folders.degraded_folder import degrade_folder
from translate.folders.manifest import raise_on_failure
from translate.folders.translated_folder import translate_folder
from translate.inference.model import load_model
from translate.sheet import contact_sheet
from translate.training.progress import Progress
from translate.training.session import Training

# Of scikit-image's photographs, public domain or CC0; whole pictures are held back, not parts of them.
LEARNED = (
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
UNSEEN = ("astronaut", "camera", "chelsea")
NOISE = 50.0  # standard deviation in 8-bit levels
STEPS_A_MINUTE = 1000  # only shapes the decay of the learning rate; the clock ends the training


@dataclass(frozen=True)
class Verdict:
    """Mean PSNR in dB over the unseen photographs, against the originals."""

    untouched: float
    median: float
    bilateral: float
    translated: float


def make_photographs(out: Path) -> None:
    """Write scikit-image's photographs into the folders `photos` and `unseen`.

    Raises:
        UserError: scikit-image is not installed.
    """
    try:
        import skimage
    except ImportError:
        raise UserError("the demo's photographs come with scikit-image: pip install 'translate-images[demo]'") from None
    folder = Path(skimage.__file__).parent / "data"
    for kind, names in (("photos", LEARNED), ("unseen", UNSEEN)):
        (out / kind).mkdir(parents=True)
        for name in names:
            found = next(path for path in (folder / f"{name}.png", folder / f"{name}.jpg") if path.is_file())
            write_picture(Picture(read_picture(found).pixels), out / kind / f"{name}.png")


def train_demo(out: Path, minutes: float) -> tuple[Training, Iterator[Progress]]:
    """Open a training on `out/photos` that takes `minutes`."""
    overrides = [
        f"data.pairs.strength={NOISE}",
        f"training.max_minutes={minutes}",
        f"training.steps={max(1, round(STEPS_A_MINUTE * minutes))}",
        "training.sample_every=500",
    ]
    training = Training(load_experiment("restore", overrides), out / "photos", out / "run")
    return training, training.run()


def mend(out: Path) -> Verdict:
    """Degrade the unseen photographs, mend them with the model, judge, and draw the contact sheet."""
    raise_on_failure(degrade_folder(out / "unseen", out / "noisy", "noise", NOISE))
    model = load_model(out / "run")
    raise_on_failure(translate_folder(model, out / "noisy", out / "translated"))
    rows, figures = [], []
    for name in UNSEEN:
        clean, noisy, made = (
            read_picture(out / kind / f"{name}.png").pixels for kind in ("unseen", "noisy", "translated")
        )
        filters = median(noisy), bilateral(noisy, clean)
        rows.append([noisy, *filters, made, clean])
        figures.append([psnr(pixels, clean) for pixels in (noisy, *filters, made)])
    contact_sheet(rows, ["input", "median filter", "bilateral filter", "translated", "original"], out / "sheet.png")
    return Verdict(*(float(value) for value in np.mean(figures, axis=0)))


def psnr(made: Pixels, clean: Pixels) -> float:
    """In dB, over all channels."""
    error = np.mean((to_floats(made) - to_floats(clean)) ** 2)
    return float(-10 * np.log10(error))


def median(noisy: Pixels) -> Pixels:
    """The median of 5 x 5 pixels."""
    return np.asarray(cv2.medianBlur(noisy, 5), np.uint8).reshape(noisy.shape)


def bilateral(noisy: Pixels, clean: Pixels) -> Pixels:
    """The bilateral filter, given the strength that suits this very picture best: a baseline that knows the answer."""
    made = [cv2.bilateralFilter(noisy, -1, strength, 2) for strength in (50, 75, 100, 150, 200)]
    shaped = [np.asarray(pixels, np.uint8).reshape(noisy.shape) for pixels in made]
    return max(shaped, key=lambda pixels: psnr(pixels, clean))


def refuse_full(out: Path) -> None:
    """The demo writes into a folder of its own.

    Raises:
        UserError: The folder holds something already.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be made: {error.strerror}; choose another --out") from None
    if out.exists() and (not out.is_dir() or os.listdir(out)):
        raise UserError(f"{out}: is there already; choose another --out")
