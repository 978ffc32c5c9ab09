"""What does a generator that knows nothing of holes fill them with, and how much does its prior matter?

python tests/benchmarks/semantic_filling.py RUN IDX_FOLDER SHEET [COUNT [FIRST]]

Fills a hole of three eighths of the side in the middle of COUNT pictures held out (12) from FIRST on (5), by the
discriminator of a GAN's run folder and by its latents' own prior, and beside them Telea's way; prints the PSNR in the
hole, of the mean squared error over all, and the seconds a picture takes. SHEET shows a column for each.
"""

import math
import sys
import time
from pathlib import Path

import torch
from measure import commit
from torch import Tensor

from datasets.idx import IdxConfig
from datasets.pixels import to_pixels
from translate.inpainting import gan_search
from translate.inpainting.fill import Inpainter
from translate.inpainting.inpainters import classical_inpainter
from translate.sampling.sampler import load_sampler
from translate.sheet import contact_sheet


def fill(inpainter: Inpainter, images: Tensor, hole: Tensor, name: str) -> Tensor:
    began = time.perf_counter()
    filled = torch.stack([inpainter.fill(image.expand(inpainter.channels, -1, -1), hole, 8)[:1] for image in images])
    seconds = (time.perf_counter() - began) / len(images)
    error = float((filled - images)[:, :, hole[0] > 0].square().mean()) / 4
    print(f"{name}: {-10 * math.log10(error):.2f} dB, {seconds:.1f} s a picture", flush=True)
    return filled


def main() -> None:
    run, sheet = Path(sys.argv[1]), Path(sys.argv[3])
    count, first = (int(text) for text in (sys.argv[4:] + ["12", "5"][len(sys.argv[4:]) :]))
    loaded = load_sampler(run, device="cpu", precision="fp32")
    size = loaded.sampler.size
    pictures = IdxConfig(size=size).open(Path(sys.argv[2])).validation
    images = pictures.gather(range(first, first + count), [0] * count).image
    hole = torch.zeros(1, size, size)
    hole[:, 5 * size // 16 : 11 * size // 16, 5 * size // 16 : 11 * size // 16] = 1
    columns = {"truth": images, "hole": torch.where(hole > 0, torch.zeros(()), images)}
    columns["telea"] = fill(classical_inpainter("telea"), images, hole, "telea")
    for place, kind in ((run, "discriminator"), (run / "last.safetensors", "latent")):
        for weight in (0.1, 0.003):
            gan_search.PRIOR_WEIGHT = weight
            name = f"{kind} {weight}"
            columns[name] = fill(gan_search.load_gan_search(loaded, place), images, hole, name)
    rows = [[to_pixels(column[index], 8) for column in columns.values()] for index in range(count)]
    contact_sheet(rows, list(columns), sheet, height=128)
    print(f"at {commit()}")


if __name__ == "__main__":
    main()
