"""Peak memory of fresh processes: trainings and folders of 256 x 256 JPEGs, the peers' way and ours.

python tests/benchmarks/bench_memory.py PHOTOS
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from bench_folder import squares, untrained
from bench_training import STARGAN, attributed, unpaired
from peers_way import PeersCycleGAN, PeersPix2Pix, PeersStarGAN, peers_folder

from datasets.contract import Paired
from models.cut import CUTConfig
from models.cyclegan import CycleGANConfig
from models.networks.generators import ResNetConfig, UNetConfig
from models.pix2pix import Pix2PixConfig
from translate.experiment import TrainingConfig
from translate.folders.options import RunOptions
from translate.folders.translated_folder import translate_folder
from translate.hardware import resolve_numerics
from translate.process import configure_process
from translate.training.processes import World
from translate.training.trainer import Trainer

STEPS = 5


def train_peers(work: Path) -> None:
    recipe = Pix2PixConfig().recipe()
    peers = PeersPix2Pix(recipe.model, recipe.discriminator)
    for _ in range(STEPS):
        peers.step(torch.rand(1, 3, 256, 256), torch.rand(1, 3, 256, 256))


def train_ours(work: Path) -> None:
    train(Pix2PixConfig().recipe(), Paired(torch.rand(1, 3, 256, 256), torch.rand(1, 3, 256, 256)), STEPS)


def cyclegan_peers(work: Path) -> None:
    recipe = CycleGANConfig().recipe()
    peers = PeersCycleGAN(recipe.model.to_a, recipe.model.to_b, recipe.discriminator_a, recipe.discriminator_b)
    for _ in range(STEPS):
        peers.step(*unpaired())


def stargan_peers(work: Path) -> None:
    recipe, batch = STARGAN.recipe(), attributed()
    peers = PeersStarGAN(recipe.model.generator, recipe.discriminator)
    for _ in range(2):
        peers.cycle(*batch)


def train(recipe: Any, batch: Any, steps: int) -> None:
    configure_process()
    world = World()
    trainer: Trainer[Any] = Trainer(recipe, TrainingConfig(), resolve_numerics(world.device, training=True), world)
    for _ in range(steps):
        trainer.advance([batch])


def run_peers(work: Path, config: Pix2PixConfig) -> None:
    peers_folder(config.translator().eval(), work / "in", work / "peers")


def run_ours(work: Path, config: Pix2PixConfig) -> None:
    configure_process()
    for _ in translate_folder(untrained(config, work), work / "in", work / "ours", RunOptions(on_exists="overwrite")):
        pass


RESNET, UNET = Pix2PixConfig(generator=ResNetConfig()), Pix2PixConfig(generator=UNetConfig())
CASES: dict[str, Callable[[Path], None]] = {
    "Pix2Pix training, the peers' way": train_peers,
    "Pix2Pix training, ours": train_ours,
    "CycleGAN training, the peers' way": cyclegan_peers,
    "CycleGAN training, ours": lambda work: train(CycleGANConfig().recipe(), unpaired(), STEPS),
    "CUT training, ours": lambda work: train(CUTConfig().recipe(), unpaired(), STEPS),
    "StarGAN training, batch 8, the peers' way": stargan_peers,
    "StarGAN training, batch 8, ours": lambda work: train(STARGAN.recipe(), attributed(), 10),
    "folder through ResNet-9, the peers' way": lambda work: run_peers(work, RESNET),
    "folder through ResNet-9, ours": lambda work: run_ours(work, RESNET),
    "folder through U-Net-256, the peers' way": lambda work: run_peers(work, UNET),
    "folder through U-Net-256, ours": lambda work: run_ours(work, UNET),
}


def main() -> None:
    if len(sys.argv) > 2:
        CASES[sys.argv[1]](Path(sys.argv[2]))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        return
    with tempfile.TemporaryDirectory() as folder:
        squares(Path(sys.argv[1]), Path(folder) / "in")
        for name in CASES:
            command = [sys.executable, __file__, name, folder]
            told = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"| {name} | {float(told.stdout):.2f} GiB |", flush=True)


if __name__ == "__main__":
    main()
