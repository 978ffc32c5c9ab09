"""Models that ship do not fall below what their cards say of scikit-image's photographs."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage

from datasets.codecs.images import read_picture, recompress
from datasets.contract import derive_seed
from datasets.degradations.degrade import degrade
from datasets.degradations.real_world import degrade_twice
from datasets.degradations.resampling import shrink
from datasets.pixels import Pixels, to_floats, to_pixels, to_tensor
from models.metrics import psnr, upscaling_metrics
from translate.inference.model import load_model
from translate.inference.shipped import builtin_models

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
SIDE = 384  # pixels of the middle that restorers are measured on, as their cards say
UPSCALERS = [name for name in builtin_models() if name.startswith("upscale-")]


def read_photographs() -> Iterator[Pixels]:
    folder = Path(skimage.__file__).parent / "data"
    return (read_picture(next(folder.glob(f"{name}.*g"))).pixels for name in PHOTOGRAPHS)


def read_stated(name: str, column: int = 0) -> float:
    """What the card says of scikit-image's photographs, in dB."""
    card = builtin_models()[name].with_suffix(".md").read_text(encoding="utf-8")
    (row,) = (line for line in card.splitlines() if line.startswith("| scikit-image's"))
    return float(re.findall(r"(\d+\.\d+) dB", row)[column])


@pytest.mark.parametrize("name", UPSCALERS)
def test_an_upscaler_reaches_what_its_card_says(name: str) -> None:
    stated = read_stated(name)
    model = load_model(name, device="cpu", precision="fp32")
    scale = model.translator.scale
    scores = []
    for index, pixels in enumerate(read_photographs()):
        height, width = (side // scale * scale for side in pixels.shape[:2])
        large = to_floats(pixels[:height, :width])
        eight_bit = (shrink(large, scale).clip(0, 1) * 255).round().astype(np.uint8)
        if name.endswith("-damaged"):
            small = degrade_twice(large, scale, derive_seed(index))
        else:
            small = to_floats(recompress(eight_bit, 75) if name.endswith("-compressed") else eight_bit)
        output, target = model.run(to_tensor(small)[None]), to_tensor(large)[None]
        scores.append(upscaling_metrics(output, target, scale)["psnr_y"].item())
    assert np.mean(scores) >= stated - 0.03  # cards are measured in bfloat16, on another machine


def test_the_denoiser_reaches_what_its_card_says_at_every_strength() -> None:
    model = load_model("denoise", device="cpu", precision="fp32")
    for column, strength in enumerate((15, 25, 50)):
        scores = []
        for index, pixels in enumerate(read_photographs()):
            top, left = (max(0, (side - SIDE) // 2) for side in pixels.shape[:2])
            clean = to_floats(pixels[top : top + SIDE, left : left + SIDE])
            noisy = to_pixels(to_tensor(degrade(clean, "noise", strength, derive_seed(index))), 8)
            output = model.run(to_tensor(to_floats(noisy))[None])
            scores.append(psnr(output, to_tensor(clean)[None]).item())
        assert np.mean(scores) >= read_stated("denoise", column) - 0.05  # pixels are not rounded here
