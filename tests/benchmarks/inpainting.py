"""How well holes are filled, against OpenCV's two ways: PSNR, SSIM and L1 within the hole, and a processor's time.

    python tests/benchmarks/inpainting.py MODEL FOLDER [SHEET]

MODEL was trained on FOLDER, which `photographs.py` fills, with `data.validation_fraction` 0.12: what it has not seen
there is cut into squares of 256 pixels, at a shorter side of 512 at most, and so are scikit-image's colour
photographs. Each square gets a thin, a medium and a thick mask of LaMa's, by the square's number. SHEET shows some of
them. Time is that of one thread's work, so that others on the machine do not count.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import torch

from datasets.codecs.images import read_picture
from datasets.masks.drawing import Mask, MaskName, draw_mask
from datasets.pixels import Pixels, convert_channels, drop_alpha, resize_shorter_side, to_floats, to_pixels, to_tensor
from datasets.storage.image_files import find_usable, split_held_out
from models.metrics import hole_metrics
from translate.inference.model import load_model
from translate.sheet import contact_sheet

SIDE, SHORTER = 256, 512
KINDS: tuple[MaskName, ...] = ("thin", "medium", "thick")
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "stereo_motorcycle")
SHOWN = 14  # rows of the sheet

Filler = Callable[[Pixels, Mask], Pixels]


def squares(pixels: Pixels) -> list[Pixels]:
    """All whole squares of a picture, from its upper left corner on."""
    pixels = resize_shorter_side(pixels, min(SHORTER, *pixels.shape[:2]))
    rows, columns = (side // SIDE for side in pixels.shape[:2])
    places = [(SIDE * row, SIDE * column) for row in range(rows) for column in range(columns)]
    return [pixels[top : top + SIDE, left : left + SIDE] for top, left in places]


def held(folder: Path) -> dict[str, list[Pixels]]:
    """Squares of pictures that were not learned from, by what they are of; of a texture, one."""
    files = split_held_out(find_usable(folder, decode=False)[0], 0.12)[1]
    cut = {file.name: squares(colours(drop_alpha(read_picture(file.path)))) for file in files}
    photographs = [getattr(skimage.data, name)() for name in PHOTOGRAPHS]
    photographs = [picture[0] if isinstance(picture, tuple) else picture for picture in photographs]
    return {
        "photographs of FOLDER": [s for name, found in cut.items() if not name.startswith("texture-") for s in found],
        "scikit-image's": [square for picture in photographs for square in squares(picture)],
        "textures": [found[0] for name, found in cut.items() if name.startswith("texture-")],
    }


def colours(pixels: Pixels) -> Pixels:
    """Eight bit, RGB."""
    return (convert_channels(to_floats(pixels), 3) * 255).round().astype(np.uint8)


def opencv(method: int) -> Filler:
    """One of OpenCV's, with the radius of its example."""
    return lambda pixels, mask: cv2.inpaint(np.ascontiguousarray(pixels), mask.astype(np.uint8), 3, method)


def learned(model: str) -> Filler:
    """A model file's, in bfloat16."""
    loaded = load_model(Path(model), device="cpu", precision="bf16")

    def fill(pixels: Pixels, mask: Mask) -> Pixels:
        given = torch.cat([to_tensor(to_floats(pixels)), torch.from_numpy(mask[None].astype(np.float32))])
        return to_pixels(loaded.run(given[None])[0], 8)

    return fill


def figures(made: Pixels, truth: Pixels, mask: Mask) -> np.ndarray:
    """PSNR, SSIM and L1 in the hole."""
    output, target = (to_tensor(to_floats(pixels))[None] for pixels in (made, truth))
    found = hole_metrics(output, target, torch.from_numpy(mask[None, None].astype(np.float32)))
    return np.array([float(found[name]) for name in ("psnr_hole", "ssim_hole", "l1_hole")])


def main(model: str, folder: Path, sheet: Path | None) -> None:
    """Print a table, and write the sheet."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    fillers = {
        "model": learned(model),
        "Telea": opencv(cv2.INPAINT_TELEA),
        "Navier-Stokes": opencv(cv2.INPAINT_NS),
    }
    print("| pictures | mask | way | PSNR | SSIM | L1 | ms |\n|---|---|---|---|---|---|---|")
    rows: list[list[Pixels]] = []
    for of, cut in held(folder).items():
        for kind in KINDS:
            masks = [draw_mask(kind, SIDE, SIDE, number) for number in range(len(cut))]
            made: dict[str, list[Pixels]] = {}
            for name, fill in fillers.items():
                began = time.process_time()
                made[name] = [fill(square, mask) for square, mask in zip(cut, masks, strict=True)]
                taken = 1000 * (time.process_time() - began) / len(cut)
                found = [figures(*three) for three in zip(made[name], cut, masks, strict=True)]
                psnr, ssim, l1 = np.mean(found, axis=0)
                print(f"| {of} ({len(cut)}) | {kind} | {name} | {psnr:.2f} | {ssim:.4f} | {l1:.4f} | {taken:.0f} |")
            for index in range(0, len(cut), max(1, len(cut) // 2)):
                white = np.where(masks[index][..., None], np.uint8(255), cut[index])
                rows.append([white, *(made[name][index] for name in fillers), cut[index]])
    if sheet is not None:
        contact_sheet(rows[:: max(1, len(rows) // SHOWN)], ["hole", "model", "Telea", "Navier-Stokes", "truth"], sheet)
    large = np.kron(squares(skimage.data.astronaut())[0], np.ones((2, 2, 1), np.uint8))
    hole = np.zeros(large.shape[:2], bool)
    hole[128:384, 128:384] = True
    times = []
    for _ in range(5):
        began = time.process_time()
        fillers["model"](large, hole)
        times.append(time.process_time() - began)
    print(f"512 x 512, a hole of a quarter: {min(times):.2f} to {max(times):.2f} s of one thread")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
