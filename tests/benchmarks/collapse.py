"""How many modes do GANs lose? Every objective on a ring of 8 and a grid of 25 normal distributions in the plane.

python tests/benchmarks/collapse.py RESULTS [--only NAME] [--full]    train what RESULTS has not yet, one thread
python tests/benchmarks/collapse.py RESULTS --show                    the table, and RESULTS/*.png

RESULTS is a folder: runs.jsonl gets a line for each run that ends, so that the same command goes on where it was
stopped, and samples/ the points that were judged.

Data and measures are those of VEEGAN (Srivastava et al. 2017, arXiv:1705.07761, section 5.1) and PacGAN (Lin, Khetan,
Fanti, Oh 2018, arXiv:1712.04086, section 4.1): of 2,500 samples, the share within 3 standard deviations of the nearest
mode (98.9 % of the mixture's own are), the modes with at least one such sample, and KL(samples ‖ uniform), in nats, of
the histogram of nearest modes. PacGAN's own training is `--full`; the others are shorter and smaller: perceptrons of
two layers of 128 ReLUs, latents from N(0, 1)², 20,000 steps of 128, Adam 1e-3 with beta1 0.5, the last weights judged.
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.codecs.images import Picture, write_picture
from datasets.contract import Pictures, derive_seed
from datasets.mixtures import MIXTURES, Mixture
from datasets.pixels import to_pixels
from datasets.storage.memory import PicturesInMemory
from models.apply import generate_batch
from models.contract import Sampler
from models.core.began import BEGANConfig
from models.core.gan import GANConfig
from models.core.points import plot_points
from models.networks.bodies import MLPBody
from models.optimizers import Adam
from translate.experiment import TrainingConfig
from translate.hardware import resolve_numerics
from translate.process import configure_process
from translate.training.batches import Order, load_batches
from translate.training.processes import World
from translate.training.trainer import Trainer

SAMPLES = 2500
SEEDS = 3

ADAM = Adam(lr=1e-3, beta1=0.5)
SMALL = MLPBody(hidden=(128, 128))
FULL_GENERATOR = MLPBody(hidden=(400,) * 4, norm="batch", gain=0.02)
FULL_DISCRIMINATOR = MLPBody(hidden=(200,) * 3, activation="maxout", pieces=(5,) * 3, gain=0.02)


@dataclass(frozen=True)
class Row:
    """A way to train.

    Attributes:
        model: What it is, beside what all share.
        steps: Updates of the discriminator; the generator's are as many, or every fifth.
        points: That are learned from, drawn once.
    """

    model: dict[str, Any]
    steps: int = 20_000
    batch: int = 128
    adam: Adam = ADAM
    generator: MLPBody = SMALL
    discriminator: MLPBody = SMALL
    points: int = 100_000
    kind: type[GANConfig] | type[BEGANConfig] = GANConfig

    def config(self) -> GANConfig | BEGANConfig:
        """The model's configuration."""
        shared = {"channels": 2, "size": 1, "latent": 2, "prior": "normal", "output": "linear"}
        bodies = {"generator": self.generator, "discriminator": self.discriminator}
        rates = {"generator_adam": self.adam, "discriminator_adam": self.adam}
        return self.kind(**{**shared, **bodies, **rates, **self.model})


NON_SATURATING = {"adversarial": "non-saturating"}
CRITIC = {"adversarial": "wasserstein", "discriminator_steps": 5}
ROWS = {
    "minimax": Row({"adversarial": "minimax"}),
    "non-saturating": Row(NON_SATURATING),
    "WGAN, clipped": Row({**CRITIC, "clip_weights": 0.01}),
    "WGAN-GP": Row({**CRITIC, "gradient_penalty_weight": 0.1}),  # the weight of the paper's code for such data
    "LSGAN": Row({"adversarial": "least-squares"}),
    "DRAGAN": Row({**NON_SATURATING, "dragan_weight": 10}),
    "BEGAN": Row({"latent": 1}, kind=BEGANConfig),  # its code, too: one of 2 numbers would reproduce every point
    "hinge": Row({"adversarial": "hinge"}),
    "R1": Row({**NON_SATURATING, "r1_weight": 10}),
    "relativistic average": Row({**NON_SATURATING, "relativistic": True}),
    "spectral norm": Row({**NON_SATURATING, "spectral": "norm"}),
}
FULL = Row(NON_SATURATING, 400_000, 100, Adam(lr=1e-4, beta1=0.8), FULL_GENERATOR, FULL_DISCRIMINATOR)
FULL_NAME = "non-saturating, PacGAN's protocol"


def measures(points: NDArray[np.float32], mixture: Mixture) -> dict[str, float]:
    """Modes that were found, the share of good samples, and the reverse divergence in nats."""
    distances = np.linalg.norm(points[:, None].astype(np.float64) - mixture.modes, axis=2)
    nearest = distances.argmin(1)
    good = distances.min(1) <= 3 * mixture.deviation
    shares = np.bincount(nearest, minlength=len(mixture.modes)) / len(points)
    some = shares[shares > 0]
    return {
        "modes": len(np.unique(nearest[good])),
        "good": float(good.mean()),
        "divergence": float((some * np.log(some * len(mixture.modes))).sum()),
    }


def train(row: Row, mixture: Mixture, seed: int) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Samples of a trained generator, and facts of its training."""
    world = World()
    config = TrainingConfig(steps=row.steps, batch_size=row.batch, seed=seed, precision="fp32", threads=1)
    numerics = resolve_numerics(world.device, training=True, precision="fp32", threads=1)
    torch.manual_seed(derive_seed(seed))
    trainer: Trainer[Pictures] = Trainer(row.config().recipe(), config, numerics, world)
    points = torch.from_numpy(mixture.draw(row.points, seed))[:, :, None, None]
    data = PicturesInMemory(points, torch.zeros(len(points), dtype=torch.int64), [""] * len(points))
    batches = load_batches(data, Order(len(data), seed, 0, row.batch, 1, 0, 1), 0, 1)
    began = time.perf_counter()
    while trainer.step < row.steps:
        trainer.advance(next(batches))
    facts = {"ms": round(1000 * (time.perf_counter() - began) / row.steps, 3), "skipped": trainer.skipped}
    return sampled(trainer.shipped, seed), facts


def sampled(model: Sampler, seed: int) -> NDArray[np.float32]:
    """What is judged, (SAMPLES, 2)."""
    latent = model.draw(SAMPLES, torch.Generator().manual_seed(derive_seed(seed, SAMPLES)))
    made = generate_batch(model, latent, torch.zeros(SAMPLES, dtype=torch.int64))
    points: NDArray[np.float32] = made.flatten(1).numpy()
    return points


def run(folder: Path, rows: dict[str, Row], seeds: int) -> None:
    """Train and judge what is not known yet; all rows with one seed before the next seed."""
    known = {(line["name"], line["data"], line["seed"]) for line in lines(folder)}
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        for data, mixture in MIXTURES.items():
            for name, row in rows.items():
                if (name, data, seed) in known:
                    continue
                points, facts = train(row, mixture, seed)
                np.save(folder / "samples" / f"{data} {seed} {name}.npy", points)
                told = {"name": name, "data": data, "seed": seed, **measures(points, mixture), **facts}
                print(json.dumps(told), flush=True)
                with (folder / "runs.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(told) + "\n")


def lines(folder: Path) -> list[dict[str, Any]]:
    """Of all runs that ended."""
    path = folder / "runs.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def show(folder: Path) -> None:
    """Print the table, and plot the samples: a row of plots for each way to train, a column for each seed."""
    runs = lines(folder)
    print("| | ring: modes of 8 | good | KL | grid: modes of 25 | good | KL | ms a step | seeds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in [*ROWS, FULL_NAME]:
        mine = [line for line in runs if line["name"] == name]
        if mine:
            cells = [cell for data in MIXTURES for cell in _cells([line for line in mine if line["data"] == data])]
            fastest = min(line["ms"] for line in mine)
            seeds = " + ".join(str(sum(line["data"] == data for line in mine)) for data in MIXTURES)
            print(f"| {name} | {' | '.join(cells)} | {fastest:.1f} | {seeds} |")
    for data, mixture in MIXTURES.items():
        reach = 1.5 * float(np.abs(mixture.modes).max())
        names = [name for name in [*ROWS, FULL_NAME] if any(line["name"] == name for line in runs)]
        strips = [_strip(folder, data, name, reach) for name in names]
        if strips:
            write_picture(Picture(np.concatenate(strips)), folder / f"{data}.png")
            print(f"{folder / data}.png, from above: {', '.join(names)}")


def _cells(runs: list[dict[str, Any]]) -> list[str]:
    """Mean ± standard error of each measure, as the papers have it."""
    cells = []
    for key, digits, factor in (("modes", 1, 1), ("good", 1, 100), ("divergence", 2, 1)):
        values = factor * np.array([line[key] for line in runs], float)
        if not len(values):
            cells.append("")
            continue
        error = f" ± {values.std(ddof=1) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else ""
        cells.append(f"{values.mean():.{digits}f}{error}" + (" %" if key == "good" else ""))
    return cells


def _strip(folder: Path, data: str, name: str, reach: float) -> NDArray[Any]:
    plots = []
    for seed in range(SEEDS):
        path = folder / "samples" / f"{data} {seed} {name}.npy"
        points = torch.from_numpy(np.load(path)) if path.is_file() else torch.empty(0, 2)
        plots.append(np.pad(to_pixels(plot_points(points[:, :, None, None], reach)[0], 8), ((0, 4), (0, 4), (0, 0))))
    return np.concatenate(plots, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--only", choices=ROWS, help="train this one alone")
    parser.add_argument("--full", action="store_true", help="PacGAN's protocol, for the plain GAN")
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    configure_process()
    torch.set_num_threads(1)
    if arguments.show:
        show(arguments.results)
    elif arguments.full:
        run(arguments.results, {FULL_NAME: FULL}, 1)
    else:
        run(arguments.results, {arguments.only: ROWS[arguments.only]} if arguments.only else ROWS, SEEDS)


if __name__ == "__main__":
    main()
