"""Adversarial losses: what a discriminator and a generator minimise against each other.

f is the discriminator's logit or the critic's score, before any sigmoid σ; x is real, G fake; E is the mean over all
examples and, for a discriminator of patches, all patches.

| name           | discriminator                       | generator        | paper                                   |
|----------------|-------------------------------------|------------------|-----------------------------------------|
| minimax        | -E log σ(f(x)) - E log(1-σ(f(G)))   | E log(1-σ(f(G))) | Goodfellow et al. 2014, arXiv:1406.2661 |
| non-saturating | as minimax                          | -E log σ(f(G))   | the same, section 3                     |
| least-squares  | ½E(f(x)-1)² + ½E f(G)²              | ½E(f(G)-1)²      | Mao et al. 2016, arXiv:1611.04076       |
| hinge          | E max(0, 1-f(x)) + E max(0, 1+f(G)) | -E f(G)          | Lim, Ye 2017, arXiv:1705.02894          |
| wasserstein    | E f(G) - E f(x)                     | -E f(G)          | Arjovsky et al. 2017, arXiv:1701.07875  |

Any of them becomes relativistic (average; Jolicoeur-Martineau 2018, arXiv:1807.00734) with f(x) - E f(G) and
f(G) - E f(x) in place of f(x) and f(G); the generator then minimises the discriminator's loss with the two exchanged.

Implementations differ in a ½: least squares here has Mao's. CycleGAN's code has the same discriminator term, as it
halves the sum of both squares, but no ½ for the generator, whose term is then twice this one. Pix2pix halves the
discriminator's cross-entropy, DeepFill the discriminator's hinge: such factors belong to a recipe, as do clipped
weights and penalties.

Differs from the papers:
- The first two are computed from logits as softplus, which neither overflows nor loses small probabilities.
- Means, and differences from them, are computed in float32 at least: in half precision a loss would have three digits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

AdversarialName = Literal["minimax", "non-saturating", "least-squares", "hinge", "wasserstein"]


@dataclass(frozen=True)
class Adversarial:
    """A pair of losses, both scalars; scores may have any shape.

    Attributes:
        discriminator: A function of the scores of real and of fake examples.
        generator: A function of the scores of fake examples.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def _widen(values: Tensor) -> Tensor:
    """Convert to float32, unless the values are wider already."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _mean(values: Tensor) -> Tensor:
    return values.mean(dtype=torch.promote_types(values.dtype, torch.float32))


def _cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    return _mean(F.softplus(-real)) + _mean(F.softplus(fake))  # -log σ(f) = softplus(-f), -log(1-σ(f)) = softplus(f)


MINIMAX = Adversarial(
    discriminator=_cross_entropy,
    generator=lambda fake: -_mean(F.softplus(fake)),
)
NON_SATURATING = Adversarial(
    discriminator=_cross_entropy,
    generator=lambda fake: _mean(F.softplus(-fake)),
)
LEAST_SQUARES = Adversarial(
    discriminator=lambda real, fake: 0.5 * _mean((real - 1) ** 2) + 0.5 * _mean(fake**2),
    generator=lambda fake: 0.5 * _mean((fake - 1) ** 2),
)
HINGE = Adversarial(
    discriminator=lambda real, fake: _mean(F.relu(1 - real)) + _mean(F.relu(1 + fake)),
    generator=lambda fake: -_mean(fake),
)
WASSERSTEIN = Adversarial(
    discriminator=lambda real, fake: _mean(fake) - _mean(real),
    generator=lambda fake: -_mean(fake),
)

ADVERSARIAL: dict[AdversarialName, Adversarial] = {
    "minimax": MINIMAX,
    "non-saturating": NON_SATURATING,
    "least-squares": LEAST_SQUARES,
    "hinge": HINGE,
    "wasserstein": WASSERSTEIN,
}


def relativistic(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Subtract from the scores of each kind the mean score of the other kind (Jolicoeur-Martineau 2018, section 4.1).

    Scores may have any shape; the result is float32 at least. A 0-d float32 mean does not widen half-precision scores,
    so they are converted first.
    """
    real, fake = _widen(real), _widen(fake)
    return real - fake.mean(), fake - real.mean()


def fraction_right(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Return how often a discriminator scores a real patch above the fake one at the same place; 0.5 is chance."""
    return (real_scores > fake_scores).float().mean()
