"""Likelihoods and errors of images, against torch's own distributions."""

import math

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Normal

from models.losses.likelihood import FIRST_DEVIATION, BernoulliPixels, GaussianPixels, cross_entropy, squared_error


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_of_black_and_white_pixels_the_cross_entropy_is_the_likelihood_of_bernoulli():
    raw, image = torch.randn(3, 2, 4, 5), torch.randint(0, 2, (3, 2, 4, 5)).float() * 2 - 1
    expected = TorchBernoulli(logits=raw).log_prob((image + 1) / 2).sum(dim=(1, 2, 3))
    torch.testing.assert_close(BernoulliPixels()(raw, image), expected)
    torch.testing.assert_close(-cross_entropy(raw, image), expected)


def test_of_grays_it_is_least_where_the_decoder_knows_them_and_then_their_entropy():
    gray = torch.rand(2, 1, 4, 4) * 0.8 + 0.1
    entropy = TorchBernoulli(gray).entropy().sum(dim=(1, 2, 3))
    known = torch.logit(gray)
    torch.testing.assert_close(cross_entropy(known, 2 * gray - 1), entropy)
    assert (cross_entropy(known + 0.1, 2 * gray - 1) > entropy).all()
    torch.testing.assert_close(BernoulliPixels().to_image(known), 2 * gray - 1)


def test_logits_far_out_overflow_nowhere():
    raw = torch.tensor([[[[1e4]]], [[[-1e4]]]], requires_grad=True)
    nats = cross_entropy(raw, torch.ones(2, 1, 1, 1))
    nats.sum().backward()
    assert nats.tolist() == [0, 1e4]
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


@pytest.mark.parametrize("deviation", [0.05, 1.0])
def test_a_gaussian_is_a_density_over_pixels_from_0_to_1(deviation):
    raw, image = torch.randn(3, 2, 4, 5), torch.rand(3, 2, 4, 5) * 2 - 1
    expected = Normal((raw + 1) / 2, deviation).log_prob((image + 1) / 2).sum(dim=(1, 2, 3))
    torch.testing.assert_close(GaussianPixels(deviation, learned=False)(raw, image), expected)


def test_a_learned_deviation_settles_at_the_root_mean_square_error():
    likelihood = GaussianPixels(FIRST_DEVIATION, learned=True)
    raw, image = torch.zeros(8, 1, 6, 6), torch.randn(8, 1, 6, 6) * 0.3
    optimizer = torch.optim.LBFGS(likelihood.parameters(), max_iter=50)

    def closure():
        optimizer.zero_grad()
        loss = -likelihood(raw, image).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    error = squared_error(raw, image).sum() / image.numel()
    assert likelihood.log_deviation.exp().item() == pytest.approx(math.sqrt(error), rel=1e-3)


def test_values_outside_the_range_are_clipped_in_images_only():
    raw = torch.tensor([-3.0, 0.5, 3.0]).view(1, 1, 1, 3)
    assert GaussianPixels(1, learned=False).to_image(raw).flatten().tolist() == [-1, 0.5, 1]
    assert squared_error(raw, torch.zeros(1, 1, 1, 3)).item() == pytest.approx((9 + 0.25 + 9) / 4)


@pytest.mark.parametrize("likelihood", [BernoulliPixels(), GaussianPixels(0.5, learned=False)])
def test_half_precision_does_not_leave_a_likelihood_of_three_digits(likelihood):
    raw, image = torch.randn(2, 1, 28, 28).bfloat16(), torch.rand(2, 1, 28, 28) * 2 - 1
    nats = likelihood(raw, image)
    assert nats.dtype == torch.float32
    torch.testing.assert_close(nats, likelihood(raw.float(), image))
