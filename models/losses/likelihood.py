"""How well a decoder's raw output explains an image: log-likelihoods in nats, and errors, one per image.

Everything is measured on pixels x in [0, 1], summed over all pixels and channels of an image, in float32.

- Cross-entropy: -Σ x log p + (1-x) log(1-p), with p = σ(raw). For pixels that are 0 or 1 this is -log of a Bernoulli
  likelihood. As is usual, grays are not binarised at random: then it is a loss whose least value is the entropy of the
  grays instead of 0, and it cannot be compared with results on binarised images, such as the papers' on MNIST.
- Gaussian: -log of a density over [0, 1] of each pixel, around (raw + 1) / 2. A density may exceed 1, so a
  likelihood may be positive.

One nat is 1 / log 2 = 1.4427 bits.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIRST_DEVIATION = 0.5  # first value of a learned deviation, on the scale [0, 1]


def from_zero(image: Tensor) -> Tensor:
    """Convert images in [-1, 1] to [0, 1]."""
    return (image + 1) / 2


def cross_entropy(raw: Tensor, image: Tensor) -> Tensor:
    """Return the cross-entropy of (B, C, H, W) logits against images in [-1, 1], in nats: (B,)."""
    nats = F.binary_cross_entropy_with_logits(raw.float(), from_zero(image.float()), reduction="none")
    return nats.flatten(1).sum(1)


def squared_error(raw: Tensor, image: Tensor) -> Tensor:
    """Return Σ (x - x̂)² of (B, C, H, W) images in [-1, 1], on the scale [0, 1]: (B,)."""
    return (raw.float() - image.float()).square().flatten(1).sum(1) / 4


class BernoulliPixels(nn.Module):
    """The likelihood of independent pixels that are 0 or 1."""

    def to_image(self, raw: Tensor) -> Tensor:
        """Return the expected image, in [-1, 1]."""
        return 2 * torch.sigmoid(raw) - 1

    def forward(self, raw: Tensor, image: Tensor) -> Tensor:
        """Return log p(image | raw) in nats, (B,)."""
        return -cross_entropy(raw, image)


class GaussianPixels(nn.Module):
    """The likelihood of independent pixels, normally distributed with one common deviation.

    Args:
        deviation: The deviation, on the scale [0, 1].
        learned: Whether it is trained, starting from that value.
    """

    def __init__(self, deviation: float, *, learned: bool) -> None:
        super().__init__()
        self.log_deviation = nn.Parameter(torch.tensor(math.log(deviation)), requires_grad=learned)

    def to_image(self, raw: Tensor) -> Tensor:
        """Return the expected image, in [-1, 1]."""
        return raw.clamp(-1, 1)

    def forward(self, raw: Tensor, image: Tensor) -> Tensor:
        """Return log p(image | raw) in nats, (B,)."""
        constant = self.log_deviation + 0.5 * math.log(2 * math.pi)
        exponent = 0.5 * squared_error(raw, image) * torch.exp(-2 * self.log_deviation)
        return -exponent - image[0].numel() * constant


Likelihood = BernoulliPixels | GaussianPixels
