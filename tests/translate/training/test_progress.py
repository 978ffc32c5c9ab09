"""What is told of an interval of training is true of each of its losses."""

import torch

from translate.training.processes import World
from translate.training.progress import Interval


def test_a_loss_that_comes_every_other_step_is_averaged_over_those_steps() -> None:
    interval = Interval()
    for step in range(4):
        report = {"critic/loss": torch.tensor(float(step))}
        interval.add(report if step % 2 else {**report, "generator/loss": torch.tensor(10.0 + step)}, waited=0.5)
    assert interval.means(World()) == {"critic/loss": 1.5, "generator/loss": 11.0}
    assert (interval.steps, interval.waited) == (4, 2.0)
