"""Penalties on critics whose gradients are known."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor, nn

from models.backbones.blocks import PiecewiseLinear
from models.backbones.patch import PatchDiscriminator
from models.losses.penalties import dragan, gradient_penalty, r1

CONTEXTS = [nullcontext, lambda: torch.autocast("cpu", torch.bfloat16)]
Context = Callable[[], AbstractContextManager[object]]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def linear(channels: int) -> nn.Conv2d:
    """The critic f(x) = <w, x>, whose gradient is w everywhere; one weight for each of 5 x 4 pixels."""
    return nn.Conv2d(channels, 1, (5, 4), bias=False)


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_a_linear_critic(channels: int, context: Context) -> None:
    critic = linear(channels)
    real, fake = torch.rand(2, 3, channels, 5, 4)
    norm = critic.weight.detach().norm()
    with context():
        penalty, on_real = gradient_penalty(critic, real, fake), r1(critic, real)
    assert penalty.dtype == on_real.dtype == torch.float32
    assert penalty.shape == on_real.shape == ()
    torch.testing.assert_close(penalty, (norm - 1) ** 2)
    torch.testing.assert_close(on_real, 0.5 * norm**2)
    # d/dw (‖w‖ - 1)² = 2 (‖w‖ - 1) w / ‖w‖, and d/dw ½‖w‖² = w
    weight = critic.weight.detach()
    torch.testing.assert_close(torch.autograd.grad(penalty, critic.weight)[0], 2 * (norm - 1) * weight / norm)
    torch.testing.assert_close(torch.autograd.grad(on_real, critic.weight)[0], weight)


def quadratic(images: Tensor) -> Tensor:
    """The critic f(x) = ½‖x‖², whose gradient is x, as a map of scores, one for each pixel."""
    return 0.5 * images**2


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_quadratic_critic(context: Context) -> None:
    real = torch.randn(4, 2, 3, 3)
    norms = real.flatten(1).norm(dim=1)
    with context():
        penalty, on_real = gradient_penalty(quadratic, real, real), r1(quadratic, real)
    torch.testing.assert_close(penalty, ((norms - 1) ** 2).mean())  # between an image and itself there is itself
    torch.testing.assert_close(on_real, 0.5 * (norms**2).mean())


def test_the_gradient_is_taken_between_real_and_fake() -> None:
    seen: list[Tensor] = []

    def critic(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return quadratic(images)

    real, fake = torch.ones(500, 2, 3, 3), torch.full((500, 2, 3, 3), -1.0)
    gradient_penalty(critic, real, fake)
    shares = (seen[0] + 1) / 2
    assert torch.allclose(shares, shares[:, :1, :1, :1].expand_as(shares))  # one fraction per image, and
    shares = shares[:, 0, 0, 0]  # uniform: mean 1/2, variance 1/12
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert shares.mean().item() == pytest.approx(0.5, abs=0.05)
    assert shares.var().item() == pytest.approx(1 / 12, rel=0.2)


def test_half_precision_images_are_widened() -> None:
    critic = linear(3)
    real = torch.rand(2, 3, 5, 4, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert gradient_penalty(critic, real, real).dtype == torch.float32
        assert r1(critic, real).dtype == torch.float32


def test_vectors_are_examples_too() -> None:
    critic = nn.Linear(2, 1)
    norm = critic.weight.detach().norm()
    torch.testing.assert_close(gradient_penalty(critic, *torch.rand(2, 6, 2)), (norm - 1) ** 2)
    torch.testing.assert_close(r1(critic, torch.rand(6, 2)), 0.5 * norm**2)


def test_only_the_critic_is_taught() -> None:
    critic = PatchDiscriminator(3, layers=1, width=4)
    maker = nn.Conv2d(3, 3, 1)
    real = torch.rand(2, 3, 16, 16, requires_grad=True)
    (gradient_penalty(critic, real, maker(real)) + r1(critic, real)).backward()
    taught = critic.get_parameter("layers.0.weight").grad
    assert taught is not None
    assert taught.any()
    assert maker.weight.grad is None
    assert real.grad is None


def test_inputs_are_not_changed() -> None:
    real, fake = torch.rand(2, 3, 5, 4), torch.rand(2, 3, 5, 4)
    gradient_penalty(linear(3), real, fake)
    r1(linear(3), real)
    assert not real.requires_grad
    assert not fake.requires_grad


def test_a_flat_critic_gives_no_nan() -> None:
    critic = linear(3)
    nn.init.zeros_(critic.weight)
    penalty = gradient_penalty(critic, torch.rand(2, 3, 5, 4), torch.rand(2, 3, 5, 4))
    assert penalty.item() == 1.0
    assert torch.autograd.grad(penalty, critic.weight)[0].isfinite().all()


@pytest.mark.parametrize("context", CONTEXTS)
def test_dragans_penalty_of_a_linear_critic(context: Context) -> None:
    critic = linear(3)
    with context():
        penalty = dragan(critic, torch.rand(3, 3, 5, 4))
    torch.testing.assert_close(penalty, (critic.weight.detach().norm() - 1) ** 2)


def test_dragan_moves_real_examples_by_half_their_deviation() -> None:
    seen = []

    def critic(examples: Tensor) -> Tensor:
        seen.append(examples.detach())
        return quadratic(examples)

    real = torch.randn(500, 1, 2, 2)
    dragan(critic, real)
    moved = (seen[0] - real).flatten(1)
    assert moved.min() >= 0
    assert 0.45 * real.std() < moved.max() <= 0.5 * real.std()
    assert moved.mean().item() == pytest.approx(0.125 * real.std().item(), rel=0.1)  # ½ of ½ of ½


def test_piecewise_linear_has_the_values_and_penalty_gradients_of_leaky_relu() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 4, 2, 1), nn.Conv2d(8, 8, 4, 2, 1), nn.Conv2d(8, 1, 3, 1, 1, bias=False)]
    real, fake = torch.randn(2, 4, 3, 16, 16)
    learned = []
    for activation in (nn.LeakyReLU(0.01), PiecewiseLinear(0.01)):
        critic = nn.Sequential(layers[0], activation, layers[1], activation, layers[2])
        critic.zero_grad()
        torch.manual_seed(1)
        penalty = gradient_penalty(critic, real, fake)
        (penalty + critic(real).mean()).backward()
        learned.append([penalty, critic(real), *(parameter.grad for parameter in critic.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*learned, strict=True))


def test_a_penalty_is_not_differentiated_through_the_activations_of_its_critic() -> None:
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), PiecewiseLinear(0.2), nn.Conv2d(4, 1, 3))
    gradient_penalty(critic, *torch.randn(2, 2, 3, 8, 8)).backward()
    assert critic[0].bias.grad is None
