"""Terms of a critic's loss that bound its gradient with respect to images.

Gradient penalty: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017, arXiv:1704.00028.
DRAGAN's penalty: Kodali, Abernethy, Hays, Kira 2017, arXiv:1705.07215.
R1: Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406.

Each is computed in float32, under autocast too: a second derivative in half precision is mostly rounding error. None is
weighted. A critic of patches is differentiated as the sum of its score map, so the size of the map enters. A critic
under a penalty should have no batch norm, by which the gradient of one example would depend on the others.

Differs from the paper:
- R1 is ½ E‖∇f‖² without the paper's γ; some code leaves the ½ out as well.
"""

from collections.abc import Callable

import torch
from torch import Tensor

BATCH_NORM_PROBLEM = (
    "model.{penalty}: a penalty is on the gradient of each example, and with batch norm a score depends on the other "
    "examples of its batch too; set model.discriminator.norm to instance or none, or model.{penalty} to 0"
)


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Return E(‖∇f(x̂)‖₂ - 1)² at x̂ = εx + (1-ε)G, with ε uniform in [0, 1) per example: Gulrajani et al., equation 3.

    Args:
        critic: A function from (B, ...) to scores of any shape.
        real: Examples (B, ...).
        fake: Examples (B, ...) of the same shape; no gradient flows into them.

    Returns:
        A float32 scalar that can be differentiated with respect to the critic's parameters.
    """
    real, fake = real.detach().float(), fake.detach().float()
    epsilon = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
    gradient = _compute_gradient(critic, epsilon * real + (1 - epsilon) * fake)
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=1)
    return ((norm - 1) ** 2).mean()


def dragan(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Return E(‖∇f(x + αδ)‖₂ - 1)² around real examples: Kodali et al., section 2.3 and its code.

    δ is half the standard deviation of the batch times a number for each value, and α a number for each example, both
    uniform in [0, 1).

    Args:
        critic: A function from (B, ...) to scores of any shape.
        real: Examples (B, ...).

    Returns:
        A float32 scalar that can be differentiated with respect to the critic's parameters.
    """
    real = real.detach().float()
    noise = 0.5 * real.std() * torch.rand_like(real)
    alpha = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
    norm: Tensor = torch.linalg.vector_norm(_compute_gradient(critic, real + alpha * noise), dim=1)
    return ((norm - 1) ** 2).mean()


def r1(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Return ½ E‖∇f(x)‖² on real examples: Mescheder et al., equation 9, for γ = 1.

    Args:
        critic: A function from (B, ...) to scores of any shape.
        real: Examples (B, ...).

    Returns:
        A float32 scalar that can be differentiated with respect to the critic's parameters.
    """
    return 0.5 * (_compute_gradient(critic, real.detach().float()) ** 2).sum(dim=1).mean()


def _compute_gradient(critic: Callable[[Tensor], Tensor], examples: Tensor) -> Tensor:
    """Return the gradient of the sum of all scores with respect to the examples, flattened to (B, n).

    A compiled critic is run as if it were not: torch cannot differentiate compiled code twice.
    """
    examples.requires_grad_()
    with torch.autocast(examples.device.type, enabled=False), torch.compiler.set_stance("force_eager"):
        scores = critic(examples)
        (gradient,) = torch.autograd.grad(scores.sum(), examples, create_graph=True)
    return gradient.flatten(start_dim=1)
