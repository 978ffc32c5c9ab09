"""Terms of a critic's loss that keep its gradient with respect to pictures in bounds.

Gradient penalty: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017, arXiv:1704.00028.
DRAGAN's penalty: Kodali, Abernethy, Hays, Kira 2017, arXiv:1705.07215.
R1: Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406.

Each is computed in float32, under autocast too: a second derivative in half precision is mostly rounding. Each is
unweighted. A critic of patches is differentiated as the sum of its score map, so the size of the map enters. A critic
under a penalty should have no batch norm: a gradient for one example would flow through the others.

Differs from the paper:
- R1 is ½ E‖∇f‖² without the paper's γ; some code leaves the ½ out as well.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """E(‖∇f(x̂)‖₂ - 1)² at x̂ = εx + (1-ε)G, ε uniform in [0, 1), one for each example: Gulrajani et al., eq. 3.

    Args:
        critic: From (B, ...) to scores of any shape.
        real: (B, ...).
        fake: (B, ...), of the same shape; no gradient reaches whoever made it.

    Returns:
        A float32 scalar that can be differentiated by the critic's parameters.
    """
    real, fake = real.detach().float(), fake.detach().float()
    share = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
    gradient = _gradient(critic, share * real + (1 - share) * fake)
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=1)
    return ((norm - 1) ** 2).mean()


def dragan(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """E(‖∇f(x + αδ)‖₂ - 1)² around real examples: Kodali et al., section 2.3 and its code.

    δ is ½ the standard deviation of the batch times a uniform number for each value; α is uniform, one an example.

    Args:
        critic: From (B, ...) to scores of any shape.
        real: (B, ...).

    Returns:
        A float32 scalar that can be differentiated by the critic's parameters.
    """
    real = real.detach().float()
    noise = 0.5 * real.std() * torch.rand_like(real)
    share = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
    norm: Tensor = torch.linalg.vector_norm(_gradient(critic, real + share * noise), dim=1)
    return ((norm - 1) ** 2).mean()


def r1(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """½ E‖∇f(x)‖² on real examples: Mescheder et al., eq. 9, for γ = 1.

    Args:
        critic: From (B, ...) to scores of any shape.
        real: (B, ...).

    Returns:
        A float32 scalar that can be differentiated by the critic's parameters.
    """
    return 0.5 * (_gradient(critic, real.detach().float()) ** 2).sum(dim=1).mean()


def _gradient(critic: Callable[[Tensor], Tensor], examples: Tensor) -> Tensor:
    """The gradient of the sum of all scores, (B, everything else)."""
    examples.requires_grad_()
    with torch.autocast(examples.device.type, enabled=False):
        scores = critic(examples)
        (gradient,) = torch.autograd.grad(scores.sum(), examples, create_graph=True)
    return gradient.flatten(start_dim=1)
