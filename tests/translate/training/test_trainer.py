"""The training step against closed forms: accumulation, averages, clipping, decay, skipped updates, random numbers."""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.overrides import TorchFunctionMode

from datasets.contract import Paired
from models.contract import Preview, Recipe, Translator, Update
from models.pix2pix import Pix2PixConfig, Pix2PixRecipe
from translate.experiment import TrainingConfig
from translate.hardware import Numerics
from translate.training.processes import World
from translate.training.trainer import Trainer

NUMERICS = Numerics("fp32", "contiguous", 1)
SLOPE = torch.tensor([3.0, 0.0, -4.0])


class Point(Translator):
    """Three weights, and a buffer that counts calls in training."""

    used: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))
        self.register_buffer("used", torch.zeros(()))

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        self.used += 1
        return self.weight * image.flatten()


class Descent(Recipe[Paired, Point]):
    """Moves down a slope that the batch's target gives, after a rival that moves by 1 a step."""

    def __init__(self, extra: Callable[[Tensor], Tensor] = torch.zeros_like) -> None:
        super().__init__()
        self.model, self.rival, self.extra = Point(), nn.Parameter(torch.zeros(1)), extra

    def optimizers(self) -> dict[str, Optimizer]:
        return {"rival": SGD([self.rival], lr=1.0), "model": SGD(self.model.parameters(), lr=0.5)}

    def updates(self, batch: Paired, step: int) -> Iterator[Update]:
        yield Update("rival", {"pull": -self.rival.sum()}, {"drawn": torch.rand(())})
        yield Update("model", {"slope": self.model(batch.target).sum(), "extra": self.extra(self.model.weight).sum()})

    def preview(self, model: Point, batch: Paired) -> list[Preview]:
        return []

    def validate(self, model: Point, batch: Paired) -> dict[str, Tensor]:
        return {}


def trainer(recipe: Recipe[Any, Any] | None = None, rank: int = 0, **settings: Any) -> Trainer[Any]:
    return Trainer(recipe or Descent(), TrainingConfig(**settings), NUMERICS, World(rank=rank))


def slopes(*factors: float) -> list[Paired]:
    return [Paired(torch.zeros(1, 3, 1, 1), factor * SLOPE.reshape(1, 3, 1, 1)) for factor in factors]


def position(learner: Trainer[Any]) -> list[float]:
    return learner.recipe.model.weight.tolist()


def pix2pix(lr: float) -> Recipe[Any, Any]:
    """A real recipe without dropout."""
    adam = {"lr": lr}
    torch.manual_seed(0)
    return Pix2PixConfig.model_validate(
        {
            "generator": {"depth": 3, "width": 4, "dropout": 0},
            "discriminator": {"layers": 1, "width": 4},
            "generator_adam": adam,
            "discriminator_adam": adam,
        }
    ).recipe()


@pytest.mark.parametrize("micro", [2, 4])
@pytest.mark.parametrize(
    ("dtype", "lr", "close"),
    # Adam amplifies rounding where the true gradient is 0, so what has moved agrees a little less.
    [(torch.float32, 0.0, 1e-6), (torch.float64, 0.0, 1e-12), (torch.float64, 2e-4, 1e-9)],
)
def test_micro_batches_are_one_big_batch(micro, dtype, lr, close):
    source, target = torch.rand(2, 4, 3, 16, 16, dtype=dtype) * 2 - 1
    one, many = (trainer(pix2pix(lr).to(dtype)) for _ in range(2))
    whole = one.advance([Paired(source, target)])
    parts = many.advance([Paired(*part) for part in zip(source.chunk(micro), target.chunk(micro), strict=True)])
    assert whole.keys() == parts.keys()
    for name in whole.keys() - {"discriminator/accuracy"}:
        assert parts[name].item() == pytest.approx(whole[name].item(), rel=1e-5)
    for mine, theirs in zip(one.recipe.parameters(), many.recipe.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=0, atol=close)
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(mine.grad, theirs.grad, rtol=0, atol=close * max(1.0, mine.grad.abs().max().item()))


def test_the_average_follows_its_closed_form_and_copies_buffers():
    decay, steps = 0.7, 5
    learner = trainer(ema_decay=decay)
    for _ in range(steps):
        learner.advance(slopes(1))
    # After step t the weight is -0.5 · slope · t, and the average of all of them is geometric.
    weights = [(1 - decay) * decay ** (steps - step) for step in range(1, steps + 1)]
    expected = -0.5 * SLOPE * sum(weight * step for weight, step in zip(weights, range(1, steps + 1), strict=True))
    assert torch.allclose(learner.shipped.weight, expected)
    assert learner.shipped.used == steps
    assert learner.shipped is not learner.recipe.model
    assert not learner.shipped.training
    assert trainer().shipped.training


@pytest.mark.parametrize(("clip", "moved"), [(None, 2.5), (100.0, 2.5), (1.0, 0.5)])
def test_a_gradient_longer_than_the_bound_is_shortened_and_keeps_its_direction(clip, moved):
    learner = trainer(clip_norm=clip)
    learner.advance(slopes(1))
    assert position(learner) == pytest.approx((-moved * SLOPE / 5).tolist(), rel=1e-5)


def test_learning_rates_fall_by_the_factor_of_the_step():
    learner = trainer(steps=4, decay_from=0.5)
    moves = []
    for _ in range(4):
        before = position(learner)[0]
        learner.advance(slopes(1))
        moves.append(before - position(learner)[0])
    assert moves == pytest.approx([1.5, 1.5, 1.5, 0.75])


@pytest.mark.parametrize(
    "extra",
    [
        lambda weight: weight * math.nan,
        lambda weight: weight + math.inf,
        lambda weight: (weight * 0).square().sum().sqrt(),  # 0, with a gradient of 0 · ∞
    ],
    ids=["NaN", "infinite", "NaN gradient"],
)
def test_an_update_that_is_not_finite_is_left_out_and_counted(extra):
    recipe = Descent(extra)
    learner = trainer(recipe, ema_decay=0.5, clip_norm=1.0)
    before = copy.deepcopy(learner.optimizers["model"].state_dict())
    report = learner.advance(slopes(1))
    assert position(learner) == [0, 0, 0]
    assert learner.average is not None
    assert learner.average.weight.tolist() == [0, 0, 0]
    assert learner.optimizers["model"].state_dict() == before
    assert (learner.skipped, learner.failing, learner.step) == (1, 1, 1)
    assert report.keys() == {"rival/pull", "rival/drawn", "model/slope", "model/extra"}
    assert recipe.rival.item() == pytest.approx(1)  # the other player moves
    learner.advance(slopes(1))
    assert (learner.skipped, learner.failing) == (2, 2)
    recipe.extra = torch.zeros_like
    learner.advance(slopes(1))
    assert (learner.skipped, learner.failing) == (2, 0)
    assert position(learner) == pytest.approx((-0.1 * SLOPE).tolist())


def test_one_bad_micro_batch_spoils_its_update_and_no_other():
    learner = trainer()
    learner.advance(slopes(1, math.nan))
    assert position(learner) == [0, 0, 0]
    learner.advance(slopes(1, 3))
    assert position(learner) == pytest.approx((-SLOPE).tolist())
    assert learner.skipped == 1


def test_losses_are_reported_as_means_over_micro_batches():
    learner = trainer()
    learner.recipe.model.weight.data.fill_(1.0)
    report = learner.advance(slopes(1, 3))
    assert report["model/slope"].item() == pytest.approx(2 * SLOPE.sum().item())


def drawn(learner: Trainer[Any], steps: int = 3) -> list[float]:
    return [learner.advance(slopes(1))["rival/drawn"].item() for _ in range(steps)]


def test_a_step_draws_the_same_whatever_came_before():
    straight = drawn(trainer(seed=4), 5)
    assert len(set(straight)) == 5
    resumed = trainer(seed=4)
    resumed.step = 3
    torch.rand(17)
    assert drawn(resumed, 2) == straight[3:]


def test_other_seeds_ranks_and_rollbacks_draw_other_numbers():
    usual, seeded, ranked, returned = trainer(), trainer(seed=1), trainer(rank=1), trainer()
    returned.rollbacks = 1
    everything = [value for learner in (usual, seeded, ranked, returned) for value in drawn(learner)]
    assert len(set(everything)) == len(everything)


def test_the_whole_state_is_restored():
    learner, other = trainer(ema_decay=0.9), trainer(Descent(), ema_decay=0.9)
    learner.advance(slopes(1))
    learner.skipped, learner.rollbacks = 5, 2
    other.load_state_dict(learner.state_dict())
    assert (other.step, other.skipped, other.rollbacks) == (1, 5, 2)
    assert position(other) == position(learner)
    assert learner.average is not None
    assert other.average is not None
    assert torch.equal(other.average.weight, learner.average.weight)


class Waits(TorchFunctionMode):
    """Counts how often the host asks for a number that the device computes."""

    QUESTIONS = (Tensor.tolist, Tensor.item, Tensor.__bool__, Tensor.__float__, Tensor.__int__)

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function in self.QUESTIONS
        return function(*args, **(kwargs or {}))


def noise(seed: int, size: int = 16) -> Paired:
    draws = torch.Generator().manual_seed(seed)
    return Paired(*(torch.rand(2, 3, size, size, generator=draws) * 2 - 1 for _ in range(2)))


def test_the_host_waits_for_the_device_once_a_step_not_once_an_update():
    learner = trainer(pix2pix(2e-4))
    learner.advance([noise(0)])
    with Waits() as waits:
        learner.advance([noise(1)])
    assert waits.count == 1


def test_a_fused_optimizer_leaves_out_what_is_not_finite_without_being_asked_by_the_host():
    learner = trainer(pix2pix(2e-4))
    learner.advance([noise(0)])
    before = copy.deepcopy(learner.state_dict())
    spoilt = noise(1)
    learner.advance([Paired(spoilt.source, spoilt.target * math.nan)])
    after = learner.state_dict()
    assert (learner.skipped, learner.failing) == (2, 1)
    for name, weight in before["recipe"].items():
        assert torch.equal(weight, after["recipe"][name]), name
    for player, optimizer in before["optimizers"].items():
        for index, state in optimizer["state"].items():
            for key, value in state.items():
                assert torch.equal(value, after["optimizers"][player]["state"][index][key])


def in_float16(**settings: Any) -> Trainer[Any]:
    numerics = Numerics("fp16", "contiguous", 1)
    return Trainer(pix2pix(2e-4), TrainingConfig(**settings), numerics, World())


def test_in_float16_a_loss_is_scaled_and_an_overflow_is_no_failure():
    learner = in_float16()
    assert isinstance(learner.recipe, Pix2PixRecipe)
    learner.recipe.config = learner.recipe.config.model_copy(update={"l1_weight": 1e5})  # too steep for float16
    for step in range(8):
        learner.advance([noise(step)])
        assert learner.failing == 0
    scales = {player: scaler.get_scale() for player, scaler in learner.scalers.items()}
    assert scales["generator"] == 2.0**16 / 2**learner.skipped < scales["discriminator"] == 2.0**16
    assert learner.skipped < 16
    spoilt = noise(9)
    learner.advance([Paired(spoilt.source, spoilt.target * math.nan)])
    assert learner.failing == 1  # a loss that is not finite is a failure in any precision


def test_in_float16_a_resumed_training_is_the_same_to_the_last_bit(tmp_path):
    straight, first, second = (in_float16(seed=5) for _ in range(3))
    for step in range(6):
        straight.advance([noise(step)])
    for step in range(3):
        first.advance([noise(step)])
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for step in range(3, 6):
        second.advance([noise(step)])
    expected, found = straight.state_dict(), second.state_dict()
    assert expected["scalers"] == found["scalers"]
    assert expected["scalers"]["generator"]["scale"] < 2.0**16  # it has moved
    for name, weight in expected["recipe"].items():
        assert torch.equal(weight, found["recipe"][name]), name
    assert straight.skipped == second.skipped > 0
