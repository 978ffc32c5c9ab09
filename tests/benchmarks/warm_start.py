"""Does a translator learn faster from a core model's trunk? Pix2Pix from scratch, from a VAE's encoder, from a GAN.

python tests/benchmarks/warm_start.py PAIRS OUT [STEPS [CORE_STEPS [SEEDS]]]

PAIRS holds the folders A (source) and B (target). The VAE learns the sources, the GAN the targets, of the same training
pictures and of those held out as well, which the translator is then judged by; both at 64 pixels.
"""

import json
import sys
from pathlib import Path

from measure import commit

from translate.experiment import load_experiment
from translate.training.session import Training

STEPS, CORE_STEPS, SEEDS = 600, 1500, 3
SIZE = ("data.crop.load=72", "data.crop.size=64", "training.threads=1")
VAE = (
    "data.kind=pictures", "data.validation_fraction=0", "model.channels=3", "model.size=64", "model.latent=64",
    "model.body.name=dcgan", "model.body.width=32", "model.body.depth=6", "model.body.norm=instance",
    "model.likelihood.name=gaussian", "training.batch_size=16", "training.decay_from=0.5",
)  # fmt: skip
GAN = (
    "data.validation_fraction=0", "model.generator.width=32", "model.discriminator.width=32",
    "model.discriminator.norm=instance", "training.batch_size=16",
)  # fmt: skip
PIX2PIX = (
    "model.generator.depth=6", "model.generator.width=32", "model.discriminator.width=32", "training.batch_size=4",
)  # fmt: skip


def train(recipe: str, data: Path, out: Path, *overrides: str, init_from: Path | None = None) -> Training:
    start = None if init_from is None else str(init_from)
    training = Training(load_experiment(recipe, [*overrides, *SIZE]), data, out, device="cpu", init_from=start)
    for progress in training.run():
        for note in progress.notes:
            print(f"{out.name}: {note}", flush=True)
    return training


def main() -> None:
    pairs, out = Path(sys.argv[1]), Path(sys.argv[2])
    steps, core_steps, seeds = (
        int(given or default) for given, default in zip(
            [*sys.argv[3:6], *[""] * 3], (STEPS, CORE_STEPS, SEEDS), strict=False
        )
    )  # fmt: skip
    cores = {"vae": ("vae", pairs / "A", VAE), "gan": ("gan", pairs / "B", GAN)}
    for name, (recipe, data, overrides) in cores.items():
        train(recipe, data, out / name, *overrides, f"training.steps={core_steps}")
    every = steps // 4
    settings = (*PIX2PIX, f"training.steps={steps}", f"training.validate_every={every}", "training.sample_every=100000")
    for seed in range(seeds):
        for start in (None, "vae", "gan"):
            run = out / f"{start or 'cold'}-{seed}"
            train("pix2pix", pairs, run, *settings, f"training.seed={seed}", init_from=out / start if start else None)
    print(f"commit {commit()}; L1 on pairs held out, by seed\n| start | step | {' | '.join(map(str, range(seeds)))} |")
    print(f"|---|---|{'---|' * seeds}")
    for start in ("cold", "vae", "gan"):
        for step in range(every, steps + 1, every):
            told = [figure(out / f"{start}-{seed}", step) for seed in range(seeds)]
            print(f"| {start} | {step} | {' | '.join(f'{value:.4f}' for value in told)} |")


def figure(run: Path, step: int) -> float:
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return next(float(line["metrics"]["l1"]) for line in lines if line["step"] == step and "metrics" in line)


if __name__ == "__main__":
    main()
