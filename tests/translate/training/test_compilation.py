"""Compiled trainings: whatever a recipe calls is compiled, and penalties, which cannot be, are not.

With a backend that compiles no machine code, which takes no C compiler and a hundredth of the time. One model for each
way in which recipes call their networks; all other recipes were tried alike (a penalty of WGAN-GP runs 4 layers).
"""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datasets.contract import Attributed, Masked, Paired, Pictures, Unpaired
from models.contract import ModelConfig
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
    "gan": 0,  # images are made from noise and a label
    "srgan": 0,  # published networks that do not learn, VGG-19's, are called
    "context-encoder": 0,  # networks take pictures with holes
}


def image(side: int, channels: int = 3) -> Tensor:
    return torch.rand(2, channels, side, side) * 2 - 1


def make_batch(config: ModelConfig, side: int) -> Any:
    """A batch of noise, of the kind that the model learns from."""
    expects = [*config.expects.values()]
    if config.batch_type is Paired:
        return Paired(image(side // config.output_scale, expects[0]), image(side, expects[1]))
    if config.batch_type is Pictures:
        return Pictures(image(side, expects[0]), torch.tensor([1, 0]))
    if config.batch_type is Masked:
        mask = torch.zeros(2, 1, side, side)
        mask[..., side // 4 : side // 2, side // 4 : side // 2] = 1
        return Masked(image(side), mask)
    if config.batch_type is Attributed:
        return Attributed(image(side), torch.eye(2), torch.tensor([0, 0]))
    return Unpaired(image(side), image(side), torch.zeros(2, dtype=torch.bool))


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
    experiment = load_experiment(recipe, smaller(recipe))
    config, side = experiment.model.with_domains(("one", "other")), experiment.data.training_size
    torch.manual_seed(0)
    training = TrainingConfig(compile=True, ema_decay=0.9)
    numerics = Numerics("fp32", "contiguous", 1)
    trainer: Trainer[Any] = Trainer(config.for_size(side).recipe(), training, numerics, World())
    for _ in range(2):  # in StarGAN, only the critic moves at first
        batch = make_batch(config, side)
        uncompiled.clear()
        report = trainer.advance([batch])
        assert all(torch.isfinite(value) for value in report.values())
    assert len(uncompiled) == in_penalties
    assert trainer.skipped == 0
