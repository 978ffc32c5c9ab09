"""Compiled trainings: whatever a recipe calls is compiled, and penalties, which cannot be, are not.

With a backend that compiles no machine code, which takes no C compiler and a hundredth of the time. One model for each
way in which recipes call their networks; all others were tried the same way.
"""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datasets.contract import Attributed, Paired, Pictures, Unpaired
from models.core.autoencoder import AutoencoderConfig
from translate.experiment import TrainingConfig, load_experiment
from translate.hardware import Numerics
from translate.training.processes import World
from translate.training.trainer import Trainer

# Convolutions and linear layers that a step runs uncompiled: those of critics, inside their penalties.
MODELS = {
    "autoencoder": 0,  # one player
    "pix2pix": 0,  # two, each called whole
    "cyclegan": 0,  # networks inside the model are called
    "fastcut": 0,  # methods of a network are called
    "stargan": 3,  # another method of the model is called, and there is a gradient penalty
}


def image(side: int) -> Tensor:
    return torch.rand(2, 3, side, side) * 2 - 1


BATCHES: dict[type, Callable[[int], Any]] = {
    Paired: lambda side: Paired(image(side), image(side)),
    Pictures: lambda side: Pictures(image(side)[:, :1], torch.tensor([1, 0])),
    Unpaired: lambda side: Unpaired(image(side), image(side), torch.zeros(2, dtype=torch.bool)),
    Attributed: lambda side: Attributed(image(side), torch.eye(2), torch.tensor([0, 0])),
}


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The layers that were run by Python, and not by compiled code."""
    layers: list[str] = []

    def watch(kind: type[nn.Module]) -> None:
        forward: Any = kind.forward

        def watched(layer: nn.Module, *inputs: Tensor) -> Tensor:
            if not torch.compiler.is_compiling():
                layers.append(type(layer).__name__)
            output: Tensor = forward(layer, *inputs)
            return output

        monkeypatch.setattr(kind, "forward", watched)

    for kind in (nn.Conv2d, nn.ConvTranspose2d, nn.Linear):
        watch(kind)
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    torch._dynamo.reset()
    return layers


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # which torch asks itself
@pytest.mark.parametrize(("recipe", "in_penalties"), MODELS.items(), ids=MODELS)
def test_a_step_runs_compiled_code_alone(
    recipe: str, in_penalties: int, uncompiled: list[str], smaller: Callable[[str], list[str]]
) -> None:
    config = load_experiment(recipe, smaller(recipe)).model.with_domains(("one", "other"))
    side = config.size if isinstance(config, AutoencoderConfig) else 16
    torch.manual_seed(0)
    training = TrainingConfig(compile=True, ema_decay=0.9)
    numerics = Numerics("fp32", "contiguous", 1)
    trainer: Trainer[Any] = Trainer(config.for_size(side).recipe(), training, numerics, World())
    for _ in range(2):  # in StarGAN, only the critic moves at first
        batch = BATCHES[config.batch_type](side)
        uncompiled.clear()
        report = trainer.advance([batch])
        assert all(torch.isfinite(value) for value in report.values())
    assert len(uncompiled) == in_penalties
    assert trainer.skipped == 0
