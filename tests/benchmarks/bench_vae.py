"""A step of the VAE 784-400-20 on 60,000 pictures of 28 x 28, batch 128, fp32: a training against a plain loop.

    python tests/benchmarks/bench_vae.py FASHION_MNIST [--processor-time]

FASHION_MNIST is the folder with the four published .gz files. Ours is all that `translate train` does between two steps
in steady state: order, gathering, draws, the update, losses and their curves; samples, validation and checkpoints
apart. The plain loop shuffles pixels in memory, and keeps nothing. On a machine that others use, compare the time of a
processor, with one thread.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from measure import HEAD, commit, compare
from torch import Tensor, nn

from datasets.contract import Pictures
from translate.experiment import load_experiment
from translate.training.session import Training

ROUNDS = 50
STEPS = 20  # between two looks at the clock
BATCH, EPOCH = 128, 469
NEVER = 10**9  # steps
SETTINGS = (f"training.{name}={NEVER}" for name in ("steps", "sample_every", "validate_every", "checkpoint_minutes"))


class PlainVAE(nn.Module):
    """As everybody writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.mean, self.log_variance = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

    def loss(self, pixels: Tensor) -> Tensor:
        hidden = F.relu(self.hidden(pixels))
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        made = self.decoder(mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean))
        reconstruction = F.binary_cross_entropy_with_logits(made, pixels, reduction="sum")
        loss: Tensor = (reconstruction - 0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()) / len(pixels)
        return loss


def plain_steps(pixels: Tensor) -> Iterator[None]:
    """A plain loop, step by step."""
    model = PlainVAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    total = 0.0
    while True:
        for indices in torch.split(torch.randperm(len(pixels)), BATCH):
            optimizer.zero_grad()
            loss = model.loss(pixels[indices])
            loss.backward()
            optimizer.step()
            total += loss.item()
            yield


def take(steps: Iterator[object]) -> None:
    """Go on for as many steps as are timed at once."""
    for _ in range(STEPS):
        next(steps)


def main() -> None:
    data, busy = Path(sys.argv[1]), "--processor-time" in sys.argv
    threads, clock = (1, time.process_time) if busy else (2, time.perf_counter)
    torch.set_num_threads(threads)
    settings = [*SETTINGS, f"training.threads={threads}", "training.validation_limit=100"]
    with tempfile.TemporaryDirectory() as folder:
        training = Training(load_experiment("vae", settings), data, Path(folder) / "run", device="cpu")
        samples = training.setup.data.training
        pictures: Pictures = samples.gather(range(len(samples)), [0] * len(samples))
        pixels = (pictures.image.flatten(1) + 1) / 2
        plain, ours = plain_steps(pixels), training.run()
        take(plain)
        take(ours)
        result = compare(
            "VAE step", lambda: take(plain), lambda: take(ours), ROUNDS, per_run=STEPS, warm_up=False, clock=clock
        )
    print(f"commit {commit()}, fp32, {threads} threads, {clock.__name__}; the peers' way is a plain loop\n{HEAD}")
    print(result.row())
    print(f"an epoch of {EPOCH} steps: {EPOCH * result.peers:.2f} s plain, {EPOCH * result.ours:.2f} s ours")


if __name__ == "__main__":
    main()
