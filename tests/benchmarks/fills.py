"""How well fills with and without detail fill holes, beside classical methods: a table, and a sheet to look at.

    python tests/benchmarks/fills.py FOLDER [FOLDER …] [--pictures N] [--peer PYTHON …] [--sheet FILE]

From each photograph of FOLDER and of scikit-image, at a shorter side of 512 pixels at most, a square of 256 pixels is
cut, and gets a thin, a medium and a thick mask of LaMa's and the outline of an object. The table gives for each kind of
mask the mean PSNR in the hole; the gradient ratio, which is the mean length of the gradient of luma in the hole over
the original's, as the mean over pictures and for all holes together; and the processor's milliseconds a picture.

PYTHON is an interpreter of an environment of its own that has NumPy and either opencv-contrib-python-headless, whose
frequency-selective reconstruction (FSR; the fast quality, as the better one takes over ten seconds a picture) is then
measured too, or pypatchmatch. `fills_peers.py` is what it runs.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, get_args

import cv2
import numpy as np
import skimage.data
import torch

from datasets.codecs.images import read_picture
from datasets.masks.drawing import Mask, MaskName, draw_mask
from datasets.pixels import Pixels, convert_channels, drop_alpha, resize_shorter_side, to_floats
from translate.inpainting.fill import FillName, Inpainter
from translate.inpainting.in_memory import inpaint
from translate.inpainting.inpainters import load_inpainter
from translate.sheet import contact_sheet

SIDE, SHORTER = 256, 512
KINDS: tuple[MaskName, ...] = ("thin", "medium", "thick")
OBJECT = "object"
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "stereo_motorcycle")
LUMA = (0.299, 0.587, 0.114)


class Problem(NamedTuple):
    """A square (256, 256, 3) and its hole (256, 256)."""

    name: str
    kind: str
    truth: Pixels
    hole: Mask


def find_squares(folders: list[Path], limit: int) -> dict[str, Pixels]:
    """Return a square of each photograph, by name, of at most `limit` in each folder, evenly chosen."""
    found: dict[str, Pixels] = {}
    for name in PHOTOGRAPHS:
        picture = getattr(skimage.data, name)()
        found[name] = cut_square(picture[0] if isinstance(picture, tuple) else picture, len(found))
    for folder in folders:
        paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg", ".webp"))
        for path in paths[:: max(1, -(-len(paths) // limit))]:
            pixels = convert_channels(to_floats(drop_alpha(read_picture(path))), 3)
            found[path.name] = cut_square((pixels * 255).round().astype(np.uint8), len(found))
    return found


def cut_square(pixels: Pixels, seed: int) -> Pixels:
    """Return a square from anywhere in a picture."""
    pixels = resize_shorter_side(pixels, min(SHORTER, *pixels.shape[:2]))
    rng = np.random.default_rng(seed)
    top, left = (int(rng.integers(length - SIDE + 1)) for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])


def draw_object(seed: int) -> Mask:
    """Return the irregular outline of an object that covers 3 to 30 % of a square."""
    rng, turn = np.random.default_rng(seed), np.linspace(0, 2 * np.pi, 180, endpoint=False)
    while True:
        waves = [rng.normal(0, 0.35 / k) * np.cos(k * turn + rng.uniform(0, 2 * np.pi)) for k in range(1, 7)]
        radius = np.clip(1 + sum(waves), 0.25, None) * rng.uniform(0.1, 0.25) * SIDE
        stretch, angle = rng.uniform(0.8, 1.25), rng.uniform(0, np.pi)
        x, y = radius * np.cos(turn) * stretch, radius * np.sin(turn) / stretch
        middle = rng.uniform(0.2, 0.8, 2) * SIDE
        points = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], 1) + middle
        mask = np.zeros((SIDE, SIDE), np.uint8)
        cv2.fillPoly(mask, [points.round().astype(np.int32)], 1)
        if 0.03 < mask.mean() < 0.3:
            return mask.astype(bool)


def measure_gradient(pixels: Pixels) -> np.ndarray:
    """Return the length of the gradient of luma, (H, W), by differences of neighbours."""
    luma = pixels.astype(np.float32) @ np.array(LUMA, np.float32)
    return np.hypot(np.diff(luma, axis=0, append=luma[-1:]), np.diff(luma, axis=1, append=luma[:, -1:]))


def describe(made: list[Pixels], problems: list[Problem], taken: float) -> str:
    """Return PSNR in the hole, the two gradient ratios, and milliseconds a picture, as cells of a table."""
    psnr, ours, theirs = [], [], []
    for pixels, problem in zip(made, problems, strict=True):
        difference = (pixels.astype(np.float32) - problem.truth)[problem.hole] / 255
        psnr.append(-10 * np.log10(max(float(np.square(difference).mean()), 1e-10)))
        ours.append(float(measure_gradient(pixels)[problem.hole].sum()))
        theirs.append(float(measure_gradient(problem.truth)[problem.hole].sum()))
    mean = np.mean(np.array(ours) / np.maximum(theirs, 1e-6))
    return f"{np.mean(psnr):.2f} | {mean:.2f} | {sum(ours) / sum(theirs):.2f} | {1000 * taken:.0f}"


def fill_all(inpainter: Inpainter, fill: FillName, problems: list[Problem]) -> tuple[list[Pixels], list[float]]:
    """Return the filled squares, and the seconds of a processor that each took."""
    made, taken = [], []
    for problem in problems:
        began = time.process_time()
        made.append(inpaint(problem.truth, problem.hole, inpainter, fill=fill))
        taken.append(time.process_time() - began)
    return made, taken


def ask_peer(python: str, problems: list[Problem]) -> tuple[str, list[Pixels], list[float]]:
    """Return the name of a method in another environment, its squares, and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder, "given.npz"), Path(folder, "result.npz")
        np.savez(given, truth=[p.truth for p in problems], hole=[p.hole for p in problems])
        subprocess.run([python, str(Path(__file__).with_name("fills_peers.py")), str(given), str(result)], check=True)
        with np.load(result) as found:
            return str(found["name"]), list(found["filled"]), list(found["seconds"])


def main() -> None:
    """Print the table, and write the sheet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    squares = find_squares(options.folders, options.pictures)
    problems = []
    for seed, (name, square) in enumerate(squares.items()):
        problems += [Problem(name, kind, square, draw_mask(kind, SIDE, SIDE, seed)) for kind in KINDS]
        problems.append(Problem(name, OBJECT, square, draw_object(seed)))
    shipped = load_inpainter(None, device="cpu", precision="bf16")
    results = {f"shipped, {fill}": fill_all(shipped, fill, problems) for fill in get_args(FillName)}
    for name in ("navier-stokes", "telea"):
        results[name] = fill_all(load_inpainter(name), "smooth", problems)
    for python in options.peer:
        peer, made, taken = ask_peer(python, problems)
        results[peer] = made, taken
    print("| mask | method | PSNR in the hole, dB | gradient ratio | of all together | ms |\n|---|---|---|---|---|---|")
    for kind in (*KINDS, OBJECT):
        chosen = [index for index, problem in enumerate(problems) if problem.kind == kind]
        for name, (made, taken) in results.items():
            mean = float(np.mean([taken[index] for index in chosen]))
            cells = describe([made[index] for index in chosen], [problems[index] for index in chosen], mean)
            print(f"| {kind} ({len(chosen)}) | {name} | {cells} |")
    if options.sheet is not None:
        rows = [
            [np.where(p.hole[..., None], np.uint8(255), p.truth), *(made[i] for made, _ in results.values()), p.truth]
            for i, p in enumerate(problems)
        ]
        contact_sheet(rows, ["hole", *results, "truth"], options.sheet)


if __name__ == "__main__":
    main()
