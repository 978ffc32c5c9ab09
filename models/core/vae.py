"""The variational autoencoder: pictures from a code of normal numbers, and the code of a picture.

Kingma, Welling 2013, arXiv:1312.6114. beta above 1: Higgins et al. 2017, openreview.net/forum?id=Sy2fzU9gl. The
importance-weighted bound: Burda, Grosse, Salakhutdinov 2015, arXiv:1509.00519.

It raises the evidence lower bound, in nats a picture:
    log p(x) ≥ ELBO = E_q[log p(x|z)] - KL(q(z|x) ‖ p(z)),   KL = -½ Σ (1 + log σ² - μ² - σ²)
with q(z|x) = N(μ, σ²) of the encoder, the prior p(z) = N(0, 1), and one draw z = μ + σε a picture and step. Nats are
summed over all pixels of a picture, which the encoder, too, is given in [0, 1]; `models.losses.likelihood` says what
pixels that are not binarised mean. With K draws, log p(x) ≥ E[log 1/K Σ p(x, z_k) / q(z_k|x)] ≥ ELBO, and the bound
rises with K.

Differs from the paper:
- Adam instead of Adagrad, and ReLU instead of tanh, as everybody's code has it; 784-400-20 are the sizes of PyTorch's
  example.
- A Gaussian likelihood has one deviation for all pixels, where the paper's has one a pixel from the decoder.
"""

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field, Tag
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import Pictures, Settings, discriminate_by
from models.apply import evaluating, generate_batch, translate_batch
from models.contract import Encoder, FailureMode, ModelConfig, Preview, Recipe, Sampler, Translator, Trunk, Update
from models.losses.likelihood import FIRST_DEVIATION, BernoulliPixels, GaussianPixels, Likelihood, from_zero
from models.networks.bodies import BodyConfig, MLPBody
from models.optimizers import Adam


class Bernoulli(Settings):
    """For pictures that are mostly black and white."""

    name: Literal["bernoulli"] = "bernoulli"

    def build(self) -> BernoulliPixels:
        """The likelihood."""
        return BernoulliPixels()


class Gaussian(Settings):
    """For photographs.

    The smaller its deviation, the more the picture counts against the code's terms. Learned, it settles at the root
    mean square error (Rybkin, Daniilidis, Levine 2020, arXiv:2006.13202).
    """

    name: Literal["gaussian"] = "gaussian"
    deviation: Annotated[float, Field(gt=0)] | Literal["learned"] = "learned"  # of a pixel, on the scale [0, 1]

    def build(self) -> GaussianPixels:
        """The likelihood."""
        if self.deviation == "learned":
            return GaussianPixels(FIRST_DEVIATION, learned=True)
        return GaussianPixels(self.deviation, learned=False)


LikelihoodConfig = Annotated[
    Annotated[Bernoulli, Tag("bernoulli")] | Annotated[Gaussian, Tag("gaussian")], discriminate_by("name", "bernoulli")
]


class VAEConfig(ModelConfig):
    """A VAE; the defaults are those of PyTorch's example on MNIST."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    name: Literal["vae"] = "vae"
    channels: int = Field(1, ge=1)
    size: int = Field(28, ge=1)  # pixels on a side; it takes and makes no other
    latent: int = Field(20, ge=1)  # numbers in a code
    body: BodyConfig = MLPBody()  # of encoder and decoder
    likelihood: LikelihoodConfig = Bernoulli()
    beta: float = Field(1.0, ge=0)  # weight of the KL term; above 1, codes say less, each number something of its own
    importance_samples: int = Field(50, ge=1)  # draws a picture by which held-out pictures are judged
    adam: Adam = Adam(lr=1e-3, beta1=0.9)

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the pictures."""
        return {"channels": self.channels}

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        return f"model.size is {self.size}" if size != self.size else self.body.size_problem(size)

    def translator(self) -> "VAE":
        """Encoder and decoder."""
        return VAE(self)

    def recipe(self) -> "VAERecipe":
        """Encoder and decoder with their loss."""
        return VAERecipe(self)


class Evidence(NamedTuple):
    """What draws from the posterior tell of each picture, in nats.

    Attributes:
        reconstruction: -E_q[log p(x|z)], the mean over the draws, (B,).
        kl: KL(q(z|x) ‖ p(z)), in closed form, (B,).
        log_weights: log p(x, z) / q(z|x) of each draw, (draws, B).
    """

    reconstruction: Tensor
    kl: Tensor
    log_weights: Tensor


class VAE(Translator, Sampler, Encoder):
    """Encoder and decoder: as a translator it reconstructs from the posterior's mean, as a sampler it decodes.

    Attributes:
        likelihood: Of a picture, given what the decoder made.
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.channels_in = self.channels_out = self.channels = config.channels
        self.only_size = self.size = config.size
        self.latent = config.latent
        self.encoder = config.body.encoder(config.channels, config.size, 2 * config.latent)
        self.decoder = config.body.generator(config.latent, config.channels, config.size)
        self.likelihood: Likelihood = config.likelihood.build()

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """(B, channels, size, size) in [-1, 1] to their reconstructions, in the same range."""
        return self.likelihood.picture(self.decode(self.encode(image)))

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        """(B, latent) numbers to (B, channels, size, size) in [-1, 1]; labels do not count."""
        return self.likelihood.picture(self.decode(latent))

    def encode(self, image: Tensor) -> Tensor:
        """(B, channels, size, size) pictures in [-1, 1] to the mean of their posterior, (B, latent)."""
        mean, _ = self.posterior(image)
        return mean

    def posterior(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of q(z|x), (B, latent) float32 each."""
        mean, log_variance = self.encoder(from_zero(image), _unlabelled(image)).float().chunk(2, dim=1)
        return mean, log_variance

    def decode(self, latent: Tensor) -> Tensor:
        """(B, latent) to what the likelihood takes, (B, channels, size, size)."""
        raw: Tensor = self.decoder(latent, _unlabelled(latent))
        return raw

    def evidence(self, image: Tensor, draws: int = 1) -> Evidence:
        """Draw `draws` codes for each of (B, channels, size, size) pictures, and weigh them."""
        mean, log_variance = self.posterior(image)
        deviation = torch.exp(0.5 * log_variance)
        likelihoods, ratios = [], []
        for _ in range(draws):
            noise = torch.randn_like(mean)
            latent = mean + deviation * noise
            likelihoods.append(self.likelihood(self.decode(latent), image))
            # log p(z) - log q(z|x); both normalisations are the same.
            ratios.append(0.5 * (noise.square() + log_variance - latent.square()).sum(1))
        likelihood = torch.stack(likelihoods)
        return Evidence(-likelihood.mean(0), kl_to_prior(mean, log_variance), likelihood + torch.stack(ratios))


class VAERecipe(Recipe[Pictures, VAE]):
    """How a VAE learns."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "colours inverted": "lower model.adam.lr",
        "diversity lost": "lower model.beta, raise model.latent, or lower model.adam.lr",
    }
    best_metric = "nll_bound"
    higher_is_better = False
    validation_batch = 250
    signed_input = False

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.model = VAE(config)

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for both halves."""
        return {"vae": self.config.adam.of(self.model)}

    def trunks(self) -> dict[Trunk, nn.Module]:
        """The encoder but for its last layer."""
        return {"encoder": self.model.encoder.trunk}

    def updates(self, batch: Pictures, step: int) -> Iterator[Update]:
        """Equation 10 of the paper with one draw, the mean over the batch; its KL term times beta."""
        evidence = self.model.evidence(batch.image)
        reconstruction, kl = evidence.reconstruction.mean(), evidence.kl.mean()
        losses = {"reconstruction": reconstruction, "kl": self.config.beta * kl}
        yield Update("vae", losses, {"nll_bound": reconstruction + kl})

    def preview(self, model: VAE, batch: Pictures) -> list[Preview]:
        """Reconstructions beside their originals, and pictures from the prior."""
        made = generate_batch(model, model.draw(len(batch.image)), batch.label)
        return [
            Preview(None, translate_batch(model, batch.image), batch.image),
            Preview(None, made, real=batch.image),
        ]

    def validate(self, model: VAE, batch: Pictures) -> dict[str, Tensor]:
        """Bounds of -log p(x) in nats, whatever beta is, from `importance_samples` draws a picture.

        `nll_bound` is -ELBO, the sum of `reconstruction` and `kl`; `iwae_bound` is -log of the mean importance weight,
        in expectation at most as large, and nearer to -log p(x).
        """
        with evaluating(model):
            reconstruction, kl, log_weights = model.evidence(batch.image, self.config.importance_samples)
            return {
                "nll_bound": reconstruction + kl,
                "reconstruction": reconstruction,
                "kl": kl,
                "iwae_bound": -importance_bound(log_weights),
            }


def kl_to_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) of (B, n) independent numbers, in nats: (B,)."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)


def importance_bound(log_weights: Tensor) -> Tensor:
    """log of each picture's mean weight, from (draws, B) logarithms of weights: Burda et al., equation 8, (B,)."""
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))


def _unlabelled(batch: Tensor) -> Tensor:
    return torch.zeros(len(batch), dtype=torch.int64, device=batch.device)
