"""The VAE's bounds, against closed forms: the KL term, and a linear model whose likelihood is known exactly."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from datasets.contract import Pictures
from models.apply import evaluating
from models.contract import Encoder
from models.core.vae import VAE, Bernoulli, Gaussian, VAEConfig, importance_bound, kl_to_prior
from models.networks.bodies import DCGANBody

SIZE, LATENT = 3, 2  # of the linear model; an image is 9 numbers
DEVIATION = 0.2  # on the scale [0, 1]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


class Affine(nn.Module):
    """numbers → numbers @ weight.T + bias, whatever the label; the shape of the result is given."""

    def __init__(self, weight: Tensor, bias: Tensor, *shape: int) -> None:
        super().__init__()
        self.weight, self.bias, self.shape = nn.Parameter(weight), nn.Parameter(bias), shape

    def forward(self, numbers: Tensor, label: Tensor) -> Tensor:
        return (numbers.flatten(1) @ self.weight.T + self.bias).view(-1, *self.shape)


def linear_model(*, stretch: float = 1.0) -> tuple[VAE, MultivariateNormal]:
    """Probabilistic PCA (Tipping, Bishop 1999) as a VAE, and the distribution of its images, on the scale [0, 1].

    x = Wz + b + N(0, s²) with orthogonal columns of W, so that the posterior's numbers are independent; the
    encoder knows it exactly, but for its deviation, which is `stretch` times too large.
    """
    model = VAE(VAEConfig(size=SIZE, latent=LATENT, likelihood=Gaussian(deviation=DEVIATION)))
    orthogonal, _ = torch.linalg.qr(torch.randn(SIZE**2, LATENT))
    weight, bias = orthogonal * torch.tensor([0.5, 0.3]), torch.rand(SIZE**2)
    model.register_module("decoder", Affine(2 * weight, 2 * bias - 1, 1, SIZE, SIZE))  # its numbers are in [-1, 1]

    precision = (weight**2).sum(0) + DEVIATION**2  # M = WᵀW + s²I is diagonal
    to_mean = (weight / precision).T  # of x - b
    log_variance = torch.log(DEVIATION**2 / precision) + 2 * math.log(stretch)
    encoder = Affine(
        torch.cat([to_mean, torch.zeros(LATENT, SIZE**2)]),
        torch.cat([-to_mean @ bias, log_variance]),
        2 * LATENT,
    )
    model.register_module("encoder", encoder)
    covariance = weight @ weight.T + DEVIATION**2 * torch.eye(SIZE**2)
    return model, MultivariateNormal(bias.double(), covariance.double())


def pictures_of(truth: MultivariateNormal, count: int) -> tuple[Tensor, Tensor]:
    """Pictures in [-1, 1] and the logarithms of their likelihoods."""
    pixels = truth.sample((count,))
    return (2 * pixels - 1).view(count, 1, SIZE, SIZE).float(), truth.log_prob(pixels)


def test_the_kl_term_is_torchs():
    mean, log_variance = torch.randn(5, 7), torch.randn(5, 7)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0, 1)).sum(1)
    torch.testing.assert_close(kl_to_prior(mean, log_variance), expected)


def test_where_the_posterior_is_exact_every_bound_is_the_likelihood():
    model, truth = linear_model()
    image, exact = pictures_of(truth, 6)
    evidence = model.estimate_evidence(image, 8)
    # Not only on average: each weight is p(x), whatever z was drawn.
    torch.testing.assert_close(evidence.log_weights, exact.expand(8, 6).to(evidence.log_weights), rtol=1e-4, atol=1e-3)
    many = model.estimate_evidence(image, 4000)
    torch.testing.assert_close(-(many.reconstruction + many.kl), exact.to(many.kl), rtol=0, atol=0.15)


def test_where_it_is_not_the_bounds_lie_below_and_rise_with_the_draws():
    model, truth = linear_model(stretch=2.0)
    image, exact = pictures_of(truth, 4000)
    bounds = []
    for draws in (1, 5, 50):
        reconstruction, kl, log_weights = model.estimate_evidence(image, draws)
        bounds.append(importance_bound(log_weights).mean().item())
        # The gap of the lower bound is KL(q ‖ posterior), here of deviations that are twice too large.
        gap = LATENT * (0.5 * 2.0**2 - 0.5 - math.log(2))
        assert (exact.mean() + (reconstruction + kl).mean()).item() == pytest.approx(gap, abs=0.15)
    one, five, fifty = bounds
    assert one < five - 0.3 < fifty - 0.4
    assert fifty < exact.mean().item() < fifty + 0.05


def test_the_importance_bound_is_a_mean_of_weights_that_no_sum_overflows():
    weights = torch.tensor([[1.0, 4.0], [3.0, 4.0]])
    torch.testing.assert_close(importance_bound(weights.log()), torch.tensor([2.0, 4.0]).log())
    far = torch.tensor([[-5000.0], [-5001.0]])
    assert importance_bound(far).item() == pytest.approx(-5000 + math.log((1 + math.exp(-1)) / 2), abs=1e-3)


@pytest.mark.parametrize(("latent", "parameters"), [(20, 652_824), (40, 676_864)])
def test_published_sizes(latent, parameters):
    model = VAEConfig(latent=latent).translator()
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_beta_weights_the_kl_term_of_the_loss_and_no_metric():
    batch = Pictures(torch.rand(4, 1, 28, 28) * 2 - 1, torch.zeros(4, dtype=torch.int64))
    updates = {}
    for beta in (1.0, 4.0):
        torch.manual_seed(1)
        recipe = VAEConfig(beta=beta).recipe()
        (updates[beta],) = recipe.updates(batch, 0)
        metrics = recipe.validate(recipe.model, batch)
        torch.testing.assert_close(metrics["nll_bound"], metrics["reconstruction"] + metrics["kl"])
    one, four = updates[1.0], updates[4.0]
    torch.testing.assert_close(four.losses["kl"], 4 * one.losses["kl"])
    torch.testing.assert_close(four.losses["reconstruction"], one.losses["reconstruction"])
    torch.testing.assert_close(four.metrics["nll_bound"], one.metrics["nll_bound"])
    torch.testing.assert_close(one.metrics["nll_bound"], sum(one.losses.values()))


def test_the_likelihood_in_the_loss_is_summed_over_an_image_and_averaged_over_the_batch():
    batch = Pictures(torch.rand(4, 1, 28, 28) * 2 - 1, torch.zeros(4, dtype=torch.int64))
    recipe = VAEConfig().recipe()
    (update,) = recipe.updates(batch, 0)
    assert 400 < update.losses["reconstruction"] < 700  # 784 log 2 = 543 where nothing is known yet


def test_it_reconstructs_from_the_posteriors_mean_and_generates_from_any_code():
    model = VAEConfig().translator().eval()
    image = torch.rand(3, 1, 28, 28) * 2 - 1
    label = torch.zeros(3, dtype=torch.int64)
    assert torch.equal(model(image), model.generate(model.encode(image), label))
    assert model.encode(image).shape == (3, 20)
    output = model.generate(model.draw(3), label)
    assert output.shape == (3, 1, 28, 28)
    assert output.abs().max() <= 1
    assert (model.only_size, model.size) == (28, 28)
    assert isinstance(model, Encoder)


def test_a_code_is_learned_that_distinguishes_images():
    """Two kinds of image: after some steps each is reconstructed as itself."""
    halves = torch.full((2, 1, 8, 8), -1.0)
    halves[0, :, :4], halves[1, :, :, :4] = 1.0, 1.0
    batch = Pictures(halves.repeat(16, 1, 1, 1), torch.zeros(32, dtype=torch.int64))
    recipe = VAEConfig(size=8, latent=2).recipe()
    (optimizer,) = recipe.optimizers().values()
    for step in range(150):
        for update in recipe.updates(batch, step):
            optimizer.zero_grad()
            sum(update.losses.values(), torch.zeros(())).backward()
            optimizer.step()
    with evaluating(recipe.model):
        assert (recipe.model(halves) - halves).abs().max() < 0.3
        assert recipe.validate(recipe.model, batch)["kl"].mean() > 0.5


def test_a_convolutional_body_makes_images_of_its_size():
    config = VAEConfig(channels=3, size=32, body=DCGANBody(width=4), likelihood=Gaussian())
    model = config.translator()
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 3, 32, 32)
    assert config.size_problem(32) is None
    assert config.size_problem(64) == "model.size is 32"
    assert config.model_copy(update={"size": 36}).size_problem(36) is not None


def test_a_fixed_deviation_does_not_learn_and_a_learned_one_does():
    assert not Gaussian(deviation=0.1).build().log_deviation.requires_grad
    assert Gaussian().build().log_deviation.requires_grad
    assert not list(Bernoulli().build().parameters())
    with pytest.raises(ValidationError, match="greater than 0"):
        Gaussian(deviation=0)
