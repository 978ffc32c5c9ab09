"""Training steps: the trainer against the peers' way.

python tests/benchmarks/bench_training.py [pix2pix] [dcgan] [cyclegan] [stargan] [cut]
"""

import copy
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from measure import HEAD, Comparison, commit, compare
from peers_way import PeersCycleGAN, PeersDCGAN, PeersPix2Pix, PeersStarGAN

from datasets.contract import Attributed, LabelSet, Paired, Pictures, Unpaired
from models.core.gan import GANConfig
from models.cut import CUTConfig
from models.cyclegan import CycleGANConfig
from models.pix2pix import Pix2PixConfig
from models.stargan import StarGANConfig
from translate.experiment import TrainingConfig
from translate.hardware import resolve_numerics
from translate.training.processes import World
from translate.training.trainer import Trainer

ROUNDS = 15


def pix2pix() -> tuple[str, Any, Any, Any]:
    """U-Net-256 and PatchGAN-70 at 256 x 256, batch 1."""
    recipe = Pix2PixConfig().recipe()
    peers = PeersPix2Pix(copy.deepcopy(recipe.model), copy.deepcopy(recipe.discriminator))
    batch = Paired(torch.rand(1, 3, 256, 256) * 2 - 1, torch.rand(1, 3, 256, 256) * 2 - 1)
    return "Pix2Pix step, U-Net-256, 256², batch 1", recipe, peers.step, batch


def dcgan() -> tuple[str, Any, Any, Any]:
    """The 3.6 and 2.8 million parameters of PyTorch's example, at its picture size."""
    recipe = GANConfig().recipe()
    peers = PeersDCGAN(copy.deepcopy(recipe.model.generator), copy.deepcopy(recipe.discriminator), recipe.model.latent)
    batch = Pictures(torch.rand(64, 3, 64, 64) * 2 - 1, torch.zeros(64, dtype=torch.long))
    return "DCGAN step, 64², batch 64", recipe, peers.step, batch


def cyclegan() -> tuple[str, Any, Any, Any]:
    """Two ResNet-9 and two PatchGAN-70 at 256 x 256, batch 1."""
    recipe = CycleGANConfig().recipe()
    parts = (recipe.model.to_a, recipe.model.to_b, recipe.discriminator_a, recipe.discriminator_b)
    return "CycleGAN step, ResNet-9, 256², batch 1", recipe, PeersCycleGAN(*map(copy.deepcopy, parts)).step, unpaired()


def stargan() -> tuple[str, Any, Any, Any]:
    """The published networks of five attributes at 128 x 128, batch 8."""
    recipe = STARGAN.recipe()
    peers = PeersStarGAN(copy.deepcopy(recipe.model.generator), copy.deepcopy(recipe.discriminator))
    return "StarGAN, five steps of the critic, 128², batch 8", recipe, peers.cycle, attributed()


STARGAN = StarGANConfig(label_sets=(LabelSet(names=("black", "blond", "brown", "male", "young")),), size=128)


def attributed() -> Attributed:
    """Eight pictures of 128 x 128 with five attributes."""
    image, label = torch.rand(8, 3, 128, 128) * 2 - 1, (torch.rand(8, 5) < 0.5).float()
    return Attributed(image, label, torch.zeros(8, dtype=torch.long))


def unpaired() -> Unpaired:
    """A picture of 256 x 256 of each domain."""
    a, b = torch.rand(2, 1, 3, 256, 256) * 2 - 1
    return Unpaired(a, b, torch.zeros(1, dtype=torch.bool))


STEPS = {"pix2pix": pix2pix, "dcgan": dcgan, "cyclegan": cyclegan, "stargan": stargan}
CALLS = {"stargan": 5}  # of the trainer, where it takes several to do the same


def cut_against_cyclegan(trainer: Callable[[Any], Trainer[Any]]) -> Comparison:
    """CUT's step beside CycleGAN's, both by the trainer: half the networks."""
    batch = unpaired()
    cyclegan, cut = (partial(trainer(config.recipe()).advance, [batch]) for config in (CycleGANConfig(), CUTConfig()))
    return compare("CycleGAN step (left), CUT step (right), 256², batch 1", cyclegan, cut, ROUNDS, alike=True)


def main() -> None:
    torch.set_num_threads(2)
    torch.manual_seed(0)
    world = World()
    numerics = resolve_numerics(world.device, training=True, threads=2)
    print(f"commit {commit()}, {numerics.precision}, {numerics.layout}, {numerics.threads} threads\n{HEAD}")
    for step in sys.argv[1:] or [*STEPS, "cut"]:
        if step == "cut":
            print(cut_against_cyclegan(lambda recipe: Trainer(recipe, TrainingConfig(), numerics, world)).row())
            continue
        name, recipe, peers, batch = STEPS[step]()
        trainer: Trainer[Any] = Trainer(recipe, TrainingConfig(), numerics, world)

        def ours(step: str = step, trainer: Trainer[Any] = trainer, batch: Any = batch) -> None:
            for _ in range(CALLS.get(step, 1)):
                trainer.advance([batch])

        print(compare(name, partial(peers, *batch), ours, ROUNDS).row(), flush=True)


if __name__ == "__main__":
    main()
