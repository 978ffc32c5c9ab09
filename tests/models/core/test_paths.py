"""The two paths against closed forms: Gaussians and mixtures of them, whose scores and posteriors are known."""

import math

import pytest
import torch
from torch import Tensor

from models.core.paths import DiffusionPath, Predicts, Solver, StraightPath, compute_kept


def column(values: Tensor) -> Tensor:
    """Numbers (N,) as images of one pixel."""
    return values.view(-1, 1, 1, 1)


def test_linear_schedule_has_the_variances_of_the_paper() -> None:
    kept = compute_kept("linear", 1000)
    added = [1e-4 + (0.02 - 1e-4) * index / 999 for index in range(1000)]
    assert kept[0] == 1
    assert float(kept[1]) == pytest.approx(1 - 1e-4)
    assert float(kept[-1]) == pytest.approx(math.prod(1 - beta for beta in added), rel=1e-9)
    assert 1e-5 < float(compute_kept("linear", 100)[-1]) < 1e-4  # about as little as in 1000 steps


def test_cosine_schedule_follows_its_curve_until_the_clamp() -> None:
    kept = compute_kept("cosine", 50)
    start = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    for step in range(50):
        assert float(kept[step]) == pytest.approx(
            math.cos((step / 50 + 0.008) / 1.008 * math.pi / 2) ** 2 / start, abs=1e-12
        )
    assert 0 < float(kept[-1]) < 1e-4


def test_mixtures_have_the_moments_of_equation_4() -> None:
    path = DiffusionPath(1000, "linear", "noise")
    torch.manual_seed(0)
    image, step = torch.full((100_000, 1, 1, 1), 0.7), torch.full((100_000,), 300)
    noisy = path.mix(image, torch.randn_like(image), path.time_of(step)).noisy
    kept = float(compute_kept("linear", 1000)[300])
    assert float(noisy.mean()) == pytest.approx(0.7 * math.sqrt(kept), abs=0.01)
    assert float(noisy.var()) == pytest.approx(1 - kept, rel=0.02)


@pytest.mark.parametrize("predicts", ["noise", "image", "velocity"])
def test_a_perfect_answer_gives_the_image_back(predicts: Predicts) -> None:
    path = DiffusionPath(100, "cosine", predicts)
    image, noise, time = torch.rand(8, 3, 4, 4), torch.randn(8, 3, 4, 4), path.draw_times(8, torch.device("cpu"))
    time = time.clamp(max=0.8)  # where nearly nothing is left of the image, rounding is large
    noisy, target = path.mix(image, noise, time)
    torch.testing.assert_close(path.estimate_image(noisy, target, time), image, atol=1e-4, rtol=0)


def test_posterior_is_the_product_of_two_gaussians() -> None:
    """q(x_{t-1} | x_t, x_0) ∝ q(x_t | x_{t-1}) q(x_{t-1} | x_0), whose precisions add."""
    path = DiffusionPath(1000, "linear", "noise")
    kept = compute_kept("linear", 1000)
    image, noisy, step = column(torch.tensor([0.3, -0.9])), column(torch.tensor([1.2, 0.1])), torch.tensor([2, 700])
    mean, variance = path.posterior(image, noisy, step)
    for index, t in enumerate(step.tolist()):
        alpha = float(kept[t] / kept[t - 1])
        precision = alpha / (1 - alpha) + 1 / float(1 - kept[t - 1])
        expected = (
            math.sqrt(alpha) * float(noisy[index]) / (1 - alpha)
            + math.sqrt(float(kept[t - 1])) * float(image[index]) / float(1 - kept[t - 1])
        ) / precision
        assert float(variance[index]) == pytest.approx(1 / precision, rel=2e-3)
        assert float(mean[index]) == pytest.approx(expected, abs=1e-3)


def test_ddim_with_eta_1_is_ancestral_sampling() -> None:
    path = DiffusionPath(1000, "linear", "noise")
    count, t = 200_000, 500
    noisy, image = torch.full((count, 1, 1, 1), 0.8), torch.full((count, 1, 1, 1), -0.2)
    step = torch.full((count,), t)
    torch.manual_seed(1)
    moved = path.move(noisy, image, step, step - 1, eta=1.0)
    mean, variance = path.posterior(image[:1], noisy[:1], step[:1])
    assert float(moved.mean()) == pytest.approx(float(mean), abs=2e-3)
    assert float(moved.var()) == pytest.approx(float(variance), rel=0.02)


# A mixture of three normal distributions on the line: places, deviations and weights.
PLACES, DEVIATIONS, WEIGHTS = (
    torch.tensor([-0.8, 0.1, 0.7]),
    torch.tensor([0.05, 0.1, 0.02]),
    torch.tensor([0.5, 0.2, 0.3]),
)


def log_density(numbers: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
    """log p of signal * x + spread * ε, x of the mixture; all (N,)."""
    means, variances = signal[:, None] * PLACES, (signal[:, None] * DEVIATIONS).square() + spread[:, None].square()
    parts = WEIGHTS.log() - 0.5 * ((numbers[:, None] - means).square() / variances + torch.log(2 * math.pi * variances))
    return torch.logsumexp(parts, 1)


def test_a_network_that_knows_the_score_samples_the_mixture() -> None:
    """Denoising score matching: the noise to predict is -√(1 - ᾱ) times the score of the mixture's density."""
    path = DiffusionPath(1000, "cosine", "noise")

    def predict_noise(noisy: Tensor, time: Tensor) -> Tensor:
        signal, spread = (scale.flatten() for scale in path.scales(path.step_of(time)))
        numbers = noisy.flatten().detach().requires_grad_()
        (score,) = torch.autograd.grad(log_density(numbers, signal, spread).sum(), numbers)
        return column(-spread * score)

    torch.manual_seed(2)
    samples = path.solve(predict_noise, torch.randn(4000, 1, 1, 1), 250, bounded=False).flatten()
    nearest = (samples[:, None] - PLACES).abs().argmin(1)
    fractions = torch.bincount(nearest, minlength=3) / len(samples)
    torch.testing.assert_close(fractions, WEIGHTS, atol=0.03, rtol=0)
    for index in range(3):
        mine = samples[nearest == index]
        assert float(mine.mean()) == pytest.approx(float(PLACES[index]), abs=0.02)
        assert float(mine.std()) == pytest.approx(float(DEVIATIONS[index]), rel=0.25)


MEAN, DEVIATION = 0.4, 0.3  # of a normal distribution to learn


def test_the_bound_of_a_perfect_network_is_its_closed_form() -> None:
    """In nats: the prior's divergence, ½ (SNR_{t-1} - SNR_t) times the least squared error for each t, and the decoder.

    Kingma, Salimans, Poole, Ho 2021, arXiv:2107.00630, equation 14.
    """
    path = DiffusionPath(1000, "linear", "image")

    def posterior_mean(noisy: Tensor, time: Tensor) -> Tensor:
        signal, spread = path.scales(path.step_of(time))
        gain = signal * DEVIATION**2 / ((signal * DEVIATION).square() + spread.square())
        return MEAN + gain * (noisy - signal * MEAN)

    torch.manual_seed(3)
    image = MEAN + DEVIATION * torch.randn(100_000, 1, 1, 1)
    bits = path.estimate_bits(posterior_mean, image, 50, discrete=False)

    kept = compute_kept("linear", 1000)[1:]
    ratio = kept / (1 - kept)
    errors = 1 / (1 / DEVIATION**2 + ratio)
    steps = 0.5 * ((ratio[:-1] - ratio[1:]) * errors[1:]).sum()
    variance = 1 - kept[0]
    decoder = 0.5 * errors[0] / variance + 0.5 * torch.log(2 * math.pi * variance)
    second_moment = MEAN**2 + DEVIATION**2
    prior = 0.5 * (kept[-1] * second_moment - kept[-1] - torch.log(1 - kept[-1]))
    expected = float(steps + decoder + prior) / math.log(2)
    assert bits.shape == (100_000,)
    assert float(bits.mean()) == pytest.approx(expected, abs=0.04)  # three deviations of the draws
    entropy = 0.5 * math.log2(2 * math.pi * math.e * DEVIATION**2)
    assert expected > entropy


@pytest.mark.parametrize("place", [-1.0, 0.3, 0.999])
def test_discrete_probabilities_sum_to_1(place: float) -> None:
    path = DiffusionPath(1000, "linear", "image")
    levels = column(torch.linspace(-1, 1, 256))
    log_probabilities = path.decode(lambda noisy, time: torch.full_like(noisy, place), levels, discrete=True)
    assert float(log_probabilities.exp().sum()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("solver", "steps", "tolerance"), [("euler", 400, 0.01), ("heun", 40, 0.01), ("heun", 1, 1.0)])
def test_the_straight_flow_of_a_normal_distribution_ends_in_it(solver: Solver, steps: int, tolerance: float) -> None:
    """For the target N(m, s²), x_t is N(t m, (1 - t)² + t² s²), and E[x - ε | x_t] is linear in x_t."""
    path = StraightPath(solver)

    def velocity(noisy: Tensor, time: Tensor) -> Tensor:
        t = time.view(-1, 1, 1, 1)
        variance = (1 - t) ** 2 + (t * DEVIATION) ** 2
        covariance = t * DEVIATION**2 - (1 - t)
        return MEAN + covariance / variance * (noisy - t * MEAN)

    noise = column(torch.linspace(-2, 2, 9))
    ends = path.solve(velocity, noise, steps, bounded=False)
    torch.testing.assert_close(ends, MEAN + DEVIATION * noise, atol=tolerance, rtol=0)


def test_the_straight_path_asks_for_the_velocity_along_it() -> None:
    path = StraightPath("heun")
    image, noise = torch.rand(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    early, target = path.mix(image, noise, torch.tensor([0.25, 0.0]))
    late, _ = path.mix(image, noise, torch.tensor([0.75, 1.0]))
    torch.testing.assert_close(late[0] - early[0], 0.5 * target[0])
    assert torch.equal(early[1], noise[1])
    assert torch.equal(late[1], image[1])


def test_heun_counts_evaluations_not_intervals() -> None:
    calls: list[Tensor] = []

    def count(noisy: Tensor, time: Tensor) -> Tensor:
        calls.append(time)
        return noisy

    StraightPath("heun").solve(count, torch.randn(1, 1, 2, 2), 8, bounded=True)
    assert len(calls) == 8
