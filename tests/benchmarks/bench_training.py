"""A Pix2Pix step, U-Net-256 and PatchGAN-70 at 256 x 256, batch 1: the trainer against the peers' way.

python tests/benchmarks/bench_training.py
"""

import copy

import torch
from measure import HEAD, commit, compare
from peers_way import PeersPix2Pix

from datasets.contract import Paired
from models.pix2pix import Pix2PixConfig
from translate.distributed import World
from translate.experiment import TrainingConfig
from translate.hardware import choose_numerics
from translate.trainer import Trainer

ROUNDS = 15


def main() -> None:
    torch.set_num_threads(2)
    torch.manual_seed(0)
    recipe = Pix2PixConfig().recipe()
    peers = PeersPix2Pix(copy.deepcopy(recipe.model), copy.deepcopy(recipe.discriminator))
    world = World()
    numerics = choose_numerics(world.device, training=True, threads=2)
    trainer = Trainer(recipe, TrainingConfig(), numerics, world)
    batch = Paired(torch.rand(1, 3, 256, 256) * 2 - 1, torch.rand(1, 3, 256, 256) * 2 - 1)
    result = compare("Pix2Pix step", lambda: peers.step(*batch), lambda: trainer.advance([batch]) and None, ROUNDS)
    print(f"commit {commit()}, {numerics.precision}, {numerics.layout}, {numerics.threads} threads\n{HEAD}")
    print(result.row())


if __name__ == "__main__":
    main()
