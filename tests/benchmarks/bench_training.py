"""Training steps: the trainer against the peers' way.

python tests/benchmarks/bench_training.py [pix2pix] [dcgan]
"""

import copy
import sys
from functools import partial
from typing import Any

import torch
from measure import HEAD, commit, compare
from peers_way import PeersDCGAN, PeersPix2Pix

from datasets.contract import Paired, Pictures
from models.core.gan import GANConfig
from models.pix2pix import Pix2PixConfig
from translate.distributed import World
from translate.experiment import TrainingConfig
from translate.hardware import choose_numerics
from translate.trainer import Trainer

ROUNDS = 15


def pix2pix() -> tuple[str, Any, Any, Any]:
    """U-Net-256 and PatchGAN-70 at 256 x 256, batch 1."""
    recipe = Pix2PixConfig().recipe()
    peers = PeersPix2Pix(copy.deepcopy(recipe.model), copy.deepcopy(recipe.discriminator))
    batch = Paired(torch.rand(1, 3, 256, 256) * 2 - 1, torch.rand(1, 3, 256, 256) * 2 - 1)
    return "Pix2Pix step, U-Net-256, 256², batch 1", recipe, peers, batch


def dcgan() -> tuple[str, Any, Any, Any]:
    """The 3.6 and 2.8 million parameters of PyTorch's example, at its picture size."""
    recipe = GANConfig().recipe()
    peers = PeersDCGAN(copy.deepcopy(recipe.model.generator), copy.deepcopy(recipe.discriminator), recipe.model.latent)
    batch = Pictures(torch.rand(64, 3, 64, 64) * 2 - 1, torch.zeros(64, dtype=torch.long))
    return "DCGAN step, 64², batch 64", recipe, peers, batch


STEPS = {"pix2pix": pix2pix, "dcgan": dcgan}


def main() -> None:
    torch.set_num_threads(2)
    torch.manual_seed(0)
    world = World()
    numerics = choose_numerics(world.device, training=True, threads=2)
    print(f"commit {commit()}, {numerics.precision}, {numerics.layout}, {numerics.threads} threads\n{HEAD}")
    for step in sys.argv[1:] or STEPS:
        name, recipe, peers, batch = STEPS[step]()
        trainer: Trainer[Any] = Trainer(recipe, TrainingConfig(), numerics, world)
        ways = partial(peers.step, *batch), partial(trainer.advance, [batch])
        print(compare(name, *ways, ROUNDS).row())


if __name__ == "__main__":
    main()
