"""What each of two processes does and reports; `torchrun` starts it for test_processes.py."""

import io
import itertools
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import translate.cli
from datasets.contract import Paired, Unpaired
from datasets.errors import UserError
from models.cyclegan import CycleGANConfig
from models.pix2pix import Pix2PixConfig
from translate.experiment import Experiment, TrainingConfig, load_experiment
from translate.hardware import Numerics
from translate.training.processes import World, join_world
from translate.training.progress import Progress
from translate.training.session import Training
from translate.training.trainer import Trainer

SMALL = {
    "generator": {"depth": 3, "width": 4, "dropout": 0},
    "discriminator": {"layers": 1, "width": 4, "spectral": True},
}


def learner(world: World, lr: float) -> Trainer[Any]:
    """A small Pix2Pix without draws, the same in every process."""
    adam = {"lr": lr}
    torch.manual_seed(0)
    recipe = Pix2PixConfig.model_validate({**SMALL, "generator_adam": adam, "discriminator_adam": adam}).recipe()
    return Trainer(recipe, TrainingConfig(), Numerics("fp32", "contiguous", 1), world)


def whole_batch() -> Paired:
    """What all processes together see."""
    source, target = torch.rand(2, 4, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return Paired(source, target)


def part_of_batch(world: World) -> Paired:
    """What one process sees of it."""
    return Paired(*(field.chunk(world.size)[world.rank] for field in whole_batch()))


def gradients(world: World) -> dict[str, torch.Tensor]:
    """The gradients of all players after a step with learning rates of 0."""
    trainer = learner(world, lr=0.0)
    trainer.advance([part_of_batch(world)])
    found = {}
    for name, parameter in trainer.recipe.named_parameters():
        assert parameter.grad is not None
        found[name] = parameter.grad
    return found


def spoiled(world: World) -> dict[str, Any]:
    """A good step, one with NaN in the last process alone, and another good one."""
    trainer = learner(world, lr=1e-3)
    report: dict[str, Any] = {"skipped": [], "moved": []}
    for spoil in (False, True, False):
        before = torch.cat([parameter.detach().flatten() for parameter in trainer.recipe.parameters()])
        batch = part_of_batch(world)
        if spoil and world.rank == world.size - 1:
            batch.target[0, 0, 0, 0] = math.nan
        trainer.advance([batch])
        after = torch.cat([parameter.detach().flatten() for parameter in trainer.recipe.parameters()])
        report["skipped"].append(trainer.skipped)
        report["moved"].append(not torch.equal(before, after))
    report["state"] = trainer.recipe.state_dict()
    return report


def resumed(world: World) -> dict[str, Any]:
    """The states of a CycleGAN after six steps, and after three, a save, a load and three more."""

    def fresh(seed: int) -> Trainer[Any]:
        torch.manual_seed(seed)
        small = {"generator": {"blocks": 1, "width": 2}, "discriminator": {"layers": 1, "width": 2}, "pool_size": 2}
        recipe = CycleGANConfig.model_validate(small).recipe()
        return Trainer(recipe, TrainingConfig(), Numerics("fp32", "contiguous", 1), world)

    def advance(trainer: Trainer[Any], steps: int) -> Trainer[Any]:
        for _ in range(steps):
            draws = torch.Generator().manual_seed(2 * trainer.step + world.rank)
            a, b = torch.rand(2, 1, 3, 16, 16, generator=draws) * 2 - 1
            trainer.advance([Unpaired(a, b, torch.zeros(1, dtype=torch.bool))])
        return trainer

    straight, stopped, other = advance(fresh(0), 6), advance(fresh(0), 3), fresh(1)
    file = io.BytesIO()
    torch.save(stopped.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    return {"straight": straight.state_dict(), "resumed": advance(other, 3).state_dict()}


def refusal(experiment: Experiment, data: Path, out: Path) -> str:
    """The error message that batch norm gets."""
    assert isinstance(experiment.model, Pix2PixConfig)
    generator = experiment.model.generator.model_copy(update={"norm": "batch"})
    model = experiment.model.model_copy(update={"generator": generator})
    try:
        Training(experiment.model_copy(update={"model": model}), data, out, device="cpu")
    except UserError as error:
        return str(error)
    return ""


def main(config: str, data: Path, out: Path) -> Iterator[Progress]:
    """Do everything; last a training of eight steps, returned unfinished, since its end would leave the world."""
    experiment = load_experiment(config)
    world = join_world(torch.device("cpu"))
    own = torch.full((2,), float(world.rank))
    world.average([own])
    report = {
        "process": os.getpid(),
        "agreed": [*world.any(world.rank == 1, False), own.tolist(), world.total(torch.ones(1)).item()],
        "gradients": gradients(world),
        "spoiled": spoiled(world),
        "resumed": resumed(world),
        "refusal": refusal(experiment, data, out / "refused"),
    }
    training = Training(experiment, data, out / "run", device="cpu")
    run = training.run()
    report["steps"] = [progress.step for progress in itertools.islice(run, 9)]
    training.save()
    report |= {"state": training.trainer.state_dict(), "metrics": training.checkpoints.metrics}
    torch.save(report, out / f"{world.rank}.pt")
    return run


if __name__ == "__main__":
    open_run = main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    # The processes are here, so the program itself may run in them too, until a signal comes.
    sys.argv = ["translate", *sys.argv[4:]]
    translate.cli.main()
