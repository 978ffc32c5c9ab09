"""A bridge: where its steps lead, how much noise lies on the way, and what it refuses."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from models.bridge import Bridge, BridgeConfig
from models.networks.denoisers import TimedUNetConfig

SMALL = TimedUNetConfig(depth=2, width=4)


class Oracle(nn.Module):
    """A network that knows the target."""

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self.target = target

    def forward(self, image: Tensor, time: Tensor) -> Tensor:
        return self.target


def informed(target: Tensor, **settings: Any) -> Bridge:
    model = BridgeConfig(generator=SMALL, **settings).translator().eval()
    model._modules["network"] = Oracle(target)
    return model


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_perfect_network_ends_at_the_target_in_any_number_of_steps(steps: int, noise: float) -> None:
    source, target = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(informed(target, steps=steps, noise=noise)(source), target)


def test_one_step_is_what_the_network_says_of_the_source() -> None:
    torch.manual_seed(0)
    model = BridgeConfig(generator=SMALL, steps=1).translator().eval()
    source = torch.rand(2, 3, 8, 8)
    expected = model.network(torch.cat([source, source], 1), torch.zeros(2))
    torch.testing.assert_close(model(source), expected)


def test_each_step_goes_on_from_where_the_last_one_ended() -> None:
    """Without noise, a constant prediction keeps the picture on the straight line."""
    source, target = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    model = informed(target)
    state = model.start(source)
    for time, following in ((0.0, 0.1), (0.1, 0.6), (0.6, 0.9)):
        state = model.move(state, target, time, following)
        torch.testing.assert_close(state, (1 - following) * source + following * target)
        torch.testing.assert_close(state, model.mix(source, target, torch.tensor([following])))


def test_steps_and_mixtures_have_the_variance_of_a_brownian_bridge() -> None:
    """σ² t (1 - t) at time t, however many steps led there."""
    torch.manual_seed(0)
    count, sigma = 40_000, 0.8
    source, target = torch.zeros(count, 1, 1, 1), torch.ones(count, 1, 1, 1)
    model = BridgeConfig(channels_in=1, channels_out=1, generator=SMALL, noise=sigma).translator()
    state = model.start(source)
    for time, following in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.7)):
        state = model.move(state, target, time, following)
        mixed = model.mix(source, target, torch.full((count,), following))
        for numbers in (state, mixed):
            assert float(numbers.mean()) == pytest.approx(following, abs=0.01)
            assert float(numbers.var()) == pytest.approx(sigma**2 * following * (1 - following), rel=0.04)


def test_gray_sources_start_in_every_channel_of_the_target() -> None:
    model = BridgeConfig(channels_in=1, channels_out=3, generator=SMALL, steps=2).translator().eval()
    assert model(torch.rand(1, 1, 8, 8)).shape == (1, 3, 8, 8)
    assert torch.equal(model.start(torch.ones(1, 1, 2, 2)), torch.ones(1, 3, 2, 2))
    with pytest.raises(
        ValidationError, match="a bridge starts at its source, so it needs 1 or as many as channels_out"
    ):
        BridgeConfig(channels_in=3, channels_out=1)


def test_tiles_see_as_far_as_all_steps_together_and_never_draw() -> None:
    model = BridgeConfig(generator=SMALL, steps=3).translator()
    assert model.margin == 3 * 3 * (2**2 - 1)
    model.set_steps(1)
    assert model.margin == 3 * (2**2 - 1)
    assert BridgeConfig(generator=SMALL, noise=0.1).translator().margin is None
    assert BridgeConfig(generator=TimedUNetConfig(norm="instance")).translator().margin is None
