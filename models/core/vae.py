"""The variational autoencoder: makes images from normally distributed codes, and encodes images.

Kingma, Welling 2013, arXiv:1312.6114. beta above 1: Higgins et al. 2017, openreview.net/forum?id=Sy2fzU9gl. The
importance-weighted bound: Burda, Grosse, Salakhutdinov 2015, arXiv:1509.00519.

It maximises the evidence lower bound, in nats per image:
    log p(x) ≥ ELBO = E_q[log p(x|z)] - KL(q(z|x) ‖ p(z)),   KL = -½ Σ (1 + log σ² - μ² - σ²)
with q(z|x) = N(μ, σ²) of the encoder, the prior p(z) = N(0, 1), and one draw z = μ + σε per image and step. Nats are
summed over all pixels of an image, which the encoder, too, takes in [0, 1]; `models.losses.likelihood` describes what
pixels that are not binarised mean. With K draws, log p(x) ≥ E[log 1/K Σ p(x, z_k) / q(z_k|x)] ≥ ELBO, and the bound
rises with K.

Differs from the paper:
- Adam instead of Adagrad, and ReLU instead of tanh, as in most code; 784-400-20 are the sizes of PyTorch's example.
- A Gaussian likelihood has one deviation for all pixels, where the paper's decoder gives one per pixel.
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
from models.networks.bodies import BodyConfig, MLPBody, zero_labels
from models.optimizers import Adam


class Bernoulli(Settings):
    """A Bernoulli likelihood, for images that are mostly black and white."""

    name: Literal["bernoulli"] = "bernoulli"

    def build(self) -> BernoulliPixels:
        """Build the likelihood."""
        return BernoulliPixels()


class Gaussian(Settings):
    """A Gaussian likelihood, for photographs.

    The smaller its deviation, the larger the weight of the reconstruction against the KL term. A learned deviation
    converges to the root mean square error (Rybkin, Daniilidis, Levine 2020, arXiv:2006.13202).
    """

    name: Literal["gaussian"] = "gaussian"
    deviation: Annotated[float, Field(gt=0)] | Literal["learned"] = Field(
        default="learned", description="of a pixel, where 0 is black and 1 is white"
    )

    def build(self) -> GaussianPixels:
        """Build the likelihood."""
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
    channels: int = Field(default=1, ge=1, description="of the pictures: 1 gray, 3 colour, 4 colour and alpha")
    size: int = Field(default=28, ge=1, description="pixels on a side of all its pictures")
    latent: int = Field(default=20, ge=1, description="numbers in a code")
    body: BodyConfig = MLPBody()  # of encoder and decoder
    likelihood: LikelihoodConfig = Bernoulli()
    beta: float = Field(
        default=1.0,
        ge=0,
        description="weight of the KL divergence; above 1, codes carry less, in more independent numbers",
    )
    importance_samples: int = Field(
        default=50, ge=1, description="draws for each held-out picture, to estimate its likelihood"
    )
    adam: Adam = Adam(lr=1e-3, beta1=0.9)

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the images."""
        return {"channels": self.channels}

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        return f"model.size is {self.size}" if size != self.size else self.body.size_problem(size)

    def translator(self) -> "VAE":
        """Build encoder and decoder."""
        return VAE(self)

    def recipe(self) -> "VAERecipe":
        """Build encoder and decoder with their loss."""
        return VAERecipe(self)


class Evidence(NamedTuple):
    """Estimates of the evidence of each image by draws from its posterior, in nats.

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
        likelihood: The likelihood of an image, given the decoder's output.
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
        """Reconstruct (B, channels, size, size) in [-1, 1], in the same range."""
        return self.likelihood.to_image(self.decode_raw(self.encode(image)))

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        """Make images (B, channels, size, size) in [-1, 1] from (B, latent); labels are ignored."""
        return self.likelihood.to_image(self.decode_raw(latent))

    def encode(self, image: Tensor) -> Tensor:
        """Encode (B, channels, size, size) in [-1, 1] to the mean of their posterior, (B, latent)."""
        mean, _ = self.encode_posterior(image)
        return mean

    def encode_posterior(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance of q(z|x), (B, latent) float32 each."""
        mean, log_variance = self.encoder(from_zero(image), zero_labels(image)).float().chunk(2, dim=1)
        return mean, log_variance

    def decode_raw(self, latent: Tensor) -> Tensor:
        """Decode (B, latent) to the parameters of the likelihood, (B, channels, size, size)."""
        raw: Tensor = self.decoder(latent, zero_labels(latent))
        return raw

    def estimate_evidence(self, image: Tensor, draws: int = 1) -> Evidence:
        """Estimate the evidence of images (B, channels, size, size) by `draws` codes each."""
        mean, log_variance = self.encode_posterior(image)
        deviation = torch.exp(0.5 * log_variance)
        likelihoods, ratios = [], []
        for _ in range(draws):
            noise = torch.randn_like(mean)
            latent = mean + deviation * noise
            likelihoods.append(self.likelihood(self.decode_raw(latent), image))
            # log p(z) - log q(z|x), whose normalizing constants cancel.
            ratios.append(0.5 * (noise.square() + log_variance - latent.square()).sum(1))
        likelihood = torch.stack(likelihoods)
        return Evidence(-likelihood.mean(0), kl_to_prior(mean, log_variance), likelihood + torch.stack(ratios))


class VAERecipe(Recipe[Pictures, VAE]):
    """The training of a VAE."""

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
        """Return one Adam for both networks."""
        return {"vae": self.config.adam.of(self.model)}

    def trunks(self) -> dict[Trunk, nn.Module]:
        """Return the encoder except its last layer."""
        return {"encoder": self.model.encoder.trunk}

    def updates(self, batch: Pictures, step: int) -> Iterator[Update]:
        """Yield equation 10 of the paper with one draw, averaged over the batch, with its KL term times beta."""
        evidence = self.model.estimate_evidence(batch.image)
        reconstruction, kl = evidence.reconstruction.mean(), evidence.kl.mean()
        losses = {"reconstruction": reconstruction, "kl": self.config.beta * kl}
        yield Update("vae", losses, {"nll_bound": reconstruction + kl})

    def preview(self, model: VAE, batch: Pictures) -> list[Preview]:
        """Return reconstructions and their originals, and images made from the prior."""
        samples = generate_batch(model, model.draw(len(batch.image)), batch.label)
        return [
            Preview(None, translate_batch(model, batch.image), batch.image),
            Preview(None, samples, real=batch.image),
        ]

    def validate(self, model: VAE, batch: Pictures) -> dict[str, Tensor]:
        """Return upper bounds of -log p(x) in nats, for beta 1, from `importance_samples` draws per image.

        `nll_bound` is -ELBO, the sum of `reconstruction` and `kl`; `iwae_bound` is -log of the mean importance weight,
        in expectation at most as large, and nearer to -log p(x).
        """
        with evaluating(model):
            reconstruction, kl, log_weights = model.estimate_evidence(batch.image, self.config.importance_samples)
            return {
                "nll_bound": reconstruction + kl,
                "reconstruction": reconstruction,
                "kl": kl,
                "iwae_bound": -importance_bound(log_weights),
            }


def kl_to_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(μ, σ²) ‖ N(0, 1)) of (B, n) independent numbers, in nats: (B,)."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)


def importance_bound(log_weights: Tensor) -> Tensor:
    """Return the logarithm of each image's mean weight, (B,), from (draws, B) logarithms: Burda et al., equation 8."""
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))
