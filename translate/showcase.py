"""What ships, shown on photographs that it never saw: made larger, and with holes filled."""

from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.degradations.resampling import shrink
from datasets.masks.drawing import Mask
from datasets.pixels import Pixels, convert_channels, to_floats, to_pixels, to_tensor
from models.baselines.bicubic import BicubicUpscaler
from models.metrics import hole_metrics, upscaling_metrics
from translate.folders.manifest import raise_on_failure
from translate.folders.translated_folder import translate_folder
from translate.inference.model import load_model
from translate.inpainting.masked_folder import inpaint_folder
from translate.sheet import contact_sheet

UPSCALER = "upscale-x4"
WINDOW = 256  # pixels on a side of what the sheet of enlargements shows
SCRATCH = ((0.05, 0.3), (0.4, 0.42), (0.62, 0.3), (0.95, 0.55))  # corners of a line, in shares of width and height
BOX = (0.55, 0.6, 0.14)  # left, top and side of a square, in shares of width, height and the shorter side


def upscale(out: Path) -> tuple[float, float]:
    """Make the pictures in `out/unseen` small, enlarge them with a model that ships, and draw a sheet beside bicubic's.

    Returns the mean PSNR of Y in dB of bicubic's pictures and of the model's, against the originals.
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
    rows, figures = [], []
    for name, original in originals.items():
        small, larger = (read_picture(out / folder / name).pixels for folder in ("small", "larger"))
        plain = to_pixels(BicubicUpscaler(scale)(to_tensor(to_floats(small))[None])[0], 8)
        truth = to_tensor(original)[None]
        made = (to_tensor(to_floats(pixels))[None] for pixels in (plain, larger))
        figures.append([float(upscaling_metrics(picture, truth, scale)["psnr_y"]) for picture in made])
        squares = small.repeat(scale, 0).repeat(scale, 1)
        rows.append([_middle(pixels) for pixels in (squares, plain, larger, to_pixels(truth[0], 8))])
    contact_sheet(rows, ["small", "bicubic", "upscaled", "original"], out / "upscaled.png")
    before, after = np.mean(figures, axis=0)
    return float(before), float(after)


def inpaint(out: Path) -> tuple[float, float]:
    """Scratch the pictures in `out/unseen` and cut a square out, fill both with the model that ships, and draw a sheet.

    Returns the mean PSNR in the holes, in dB, of what OpenCV's Telea makes and of what the model makes.
    """
    originals = {path.name: read_picture(path).pixels for path in sorted((out / "unseen").iterdir())}
    for folder in ("damaged", "masks"):
        (out / folder).mkdir()
    holes = {}
    for name, pixels in originals.items():
        holes[name] = damage(*pixels.shape[:2])
        write_picture(Picture(np.where(holes[name][:, :, None], np.uint8(255), pixels)), out / "damaged" / name)
        write_picture(Picture(np.uint8(255) * holes[name][:, :, None]), out / "masks" / name)
    for model, folder in (("telea", "telea"), (None, "filled")):
        raise_on_failure(inpaint_folder(model, out / "damaged", out / folder, out / "masks"))
    rows, figures = [], []
    for name, pixels in originals.items():
        damaged, plain, filled = (read_picture(out / folder / name).pixels for folder in ("damaged", "telea", "filled"))
        truth, hole = _as_batch(pixels), to_tensor(holes[name][:, :, None].astype(np.float32))[None].clamp(min=0)
        figures.append([float(hole_metrics(_as_batch(made), truth, hole)["psnr_hole"]) for made in (plain, filled)])
        rows.append([damaged, plain, filled, pixels])
    contact_sheet(rows, ["damaged", "Telea", "inpainted", "original"], out / "inpainted.png")
    before, after = np.mean(figures, axis=0)
    return float(before), float(after)


def damage(height: int, width: int) -> Mask:
    """A scratch and a square, (H, W)."""
    canvas = np.zeros((height, width), np.uint8)
    corners = np.array([(round(x * width), round(y * height)) for x, y in SCRATCH], np.int32)
    cv2.polylines(canvas, [corners], isClosed=False, color=1, thickness=max(2, min(height, width) // 90))
    left, top, side = round(BOX[0] * width), round(BOX[1] * height), round(BOX[2] * min(height, width))
    canvas[top : top + side, left : left + side] = 1
    return canvas.astype(bool)


def _as_batch(pixels: Pixels) -> Tensor:
    return to_tensor(convert_channels(to_floats(pixels), 3))[None]


def _middle(pixels: Pixels) -> Pixels:
    """The middle of a picture, small enough to be shown at its size."""
    top, left = ((side - WINDOW) // 2 for side in pixels.shape[:2])
    return pixels[top : top + WINDOW, left : left + WINDOW]
