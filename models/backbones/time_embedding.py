"""How a network is told the time of a diffusion or a flow: sinusoids of it, and two dense layers.

Ho, Jain, Abbeel 2020, arXiv:2006.11239, appendix B, after the positions of Vaswani et al. 2017, arXiv:1706.03762.
"""

import math

import torch
from torch import Tensor, nn

# The sinusoids are made for Ho et al.'s 1000 integer steps, which here are the times from 0 to 1.
STEPS = 1000.0
LONGEST = 10_000.0  # ratio of the slowest sinusoid's period to the fastest one's, of Vaswani et al.


def sinusoids(time: Tensor, count: int) -> Tensor:
    """Return sines and cosines of times (B,) in [0, 1] at `count` / 2 frequencies each: (B, count) float32."""
    half = count // 2
    exponents = torch.arange(half, device=time.device, dtype=torch.float32) / max(half - 1, 1)
    angles = STEPS * time.float()[:, None] * torch.exp(-math.log(LONGEST) * exponents)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class TimeEmbedding(nn.Module):
    """From times (B,) in [0, 1], and labels (B,) if there are classes, to (B, features).

    A class is a learned vector that is added to the embedded time (Dhariwal, Nichol 2021, arXiv:2105.05233). Label
    `classes`, one beyond the last, stands for no class, as guidance without a classifier needs it (Ho, Salimans 2022,
    arXiv:2207.12598).

    Args:
        width: Number of sinusoids; must be even.
        features: Numbers in the output.
        classes: Number of classes; 0: labels are ignored.
    """

    def __init__(self, width: int, features: int, classes: int = 0) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(width, features), nn.SiLU(), nn.Linear(features, features))
        self.classes = nn.Embedding(classes + 1, features) if classes else None

    def forward(self, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Embed times, and labels if there are classes."""
        embedded: Tensor = self.layers(sinusoids(time, self.width))
        return embedded if self.classes is None or label is None else embedded + self.classes(label)
