"""What upscaling costs: a frame, its files, tiles, and a large photograph's memory.

    python tests/benchmarks/bench_upscale.py PHOTO [memory]

PHOTO is any photograph; frames of 480x270 pixels, and with `memory` one of 24 megapixels, are made of it.
"""

import resource
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from bench_folder import added_by_files
from measure import commit, compare

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.pixels import Pixels, resize
from translate.folders.translated_folder import translate_folder
from translate.inference.conversion import to_input
from translate.inference.model import load_model
from translate.process import configure_process

FRAMES = 24
ROUNDS = 5
TILED = (1000, 800)  # pixels of the picture that tiles are compared on
TILE = 392  # what `auto` takes for a network that sees 14 pixels far, were pictures not large


def main(photo: Path) -> None:
    """Print all figures."""
    configure_process()
    torch.set_num_threads(2)
    pixels = read_picture(photo).pixels
    if len(sys.argv) > 2:
        return large(pixels)
    print(f"commit {commit()}\n\n| what | pipeline | bare forward passes | added |\n|---|---|---|---|")
    model = load_model("upscale-x4", threads=2)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("jpg", "png"):
            place = Path(folder, suffix)
            place.mkdir()
            for index in range(FRAMES):
                part = pixels[8 * index : 8 * index + 1080, 8 * index : 8 * index + 1920]
                write_picture(Picture(resize(part, 480, 270)), place / f"{index:02}.{suffix}")
            print(suffix, added_by_files(model, place, Path(folder, "out")), flush=True)
    image = to_input(Picture(resize(pixels, *TILED)), model.translator)[None]
    for precision in ("fp32", "bf16"):
        print(
            compare(
                f"{TILED[0]}x{TILED[1]}, {precision}: in tiles of {TILE} | whole",
                partial(model.run, image, precision=precision, tile=TILE),
                partial(model.run, image, precision=precision, tile="off"),
                ROUNDS,
                alike=True,
            ).row(),
            flush=True,
        )


def large(pixels: Pixels) -> None:
    """A photograph of 24 megapixels, enlarged twice in this process: its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "large.jpg")
        write_picture(Picture(resize(pixels, 6000, 4000)), place)
        model = load_model("upscale-x2", precision="bf16", threads=2)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert all(outcome.status == "ok" for outcome in translate_folder(model, place, Path(folder, "out")))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"24 megapixels, twice as large: {before / 2**20:.2f} GiB before, {peak / 2**20:.2f} GiB at the peak")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
