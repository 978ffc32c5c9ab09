"""Blocks that image networks share: normalization, upsampling, initialization, spectral normalization.

Instance norm: Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022. Batch norm: Ioffe, Szegedy 2015, arXiv:1502.03167.
Upsampling by resizing: Odena, Dumoulin, Olah 2016, doi:10.23915/distill.00003.
Initialization: Radford, Metz, Chintala 2015, arXiv:1511.06434.
Spectral normalization: Miyato, Kataoka, Koyama, Yoshida 2018, arXiv:1802.05957.

Differs from the paper:
- Instance norm keeps no running statistics: `eval()` computes what `train()` does. "instance" learns no scale and no
  shift; "instance-affine" does, and so computes what batch norm does with the statistics of one picture.
- Resizing is followed by one 3x3 convolution that pads with zeros, as the transposed convolution does.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

Norm = Literal["instance", "instance-affine", "batch", "none"]
Upsampling = Literal["transposed", "resize"]

POWER_ITERATIONS = 15  # of a clamped weight's first estimate; as many as torch's own spectral norm does


def build_norm(norm: Norm, channels: int) -> nn.Module:
    """Build the norm of (B, channels, H, W); "none" is an identity, so that later layers keep their index."""
    match norm:
        case "instance":
            return nn.InstanceNorm2d(channels)
        case "instance-affine":
            return nn.InstanceNorm2d(channels, affine=True)
        case "batch":
            return nn.BatchNorm2d(channels)
        case "none":
            return nn.Identity()


def needs_bias(norm: Norm) -> bool:
    """Return whether a convolution before `norm` has a bias.

    Batch norm has a bias of its own, and so has an instance norm that learns one. Plain instance norm subtracts any
    bias, but published weights have one.
    """
    return norm in ("instance", "none")


def is_global(norm: Norm) -> bool:
    """Return whether `norm` takes its statistics over the whole picture."""
    return norm in ("instance", "instance-affine")


def build_upsampling(
    channels_in: int, channels_out: int, *, kernel: Literal[3, 4], upsampling: Upsampling, bias: bool
) -> nn.Module:
    """Build a layer from (B, channels_in, H, W) to (B, channels_out, 2H, 2W).

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        kernel: Kernel size of the transposed convolution: 4 in pix2pix and DCGAN, 3 in CycleGAN.
        upsampling: "transposed", as in the papers; or "resize", nearest neighbour and a 3x3 convolution, which leaves
            no checkerboard and costs 2.25 times the multiplications of kernel 4 and 4 times those of kernel 3.
        bias: Whether the convolution has a bias.
    """
    if upsampling == "transposed":
        # 2H = (H - 1) * 2 - 2 * padding + kernel + output_padding
        return nn.ConvTranspose2d(
            channels_in, channels_out, kernel, stride=2, padding=1, output_padding=4 - kernel, bias=bias
        )
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=bias),
    )


class PiecewiseLinear(nn.Module):
    """LeakyReLU, (B, ...) to the same shape, for critics under a gradient penalty.

    Values and gradients are equal to LeakyReLU's to the last bit. Its second derivative is zero wherever it exists, and
    autograd knows it here: the penalty is not differentiated through what the critic computed on the way to its
    gradient, which would take two fifths of its time (measured).
    """

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, values: Tensor) -> Tensor:
        """Multiply negative values by the slope."""
        return values * torch.where(values.detach() > 0, 1.0, self.slope).to(values.dtype)


@torch.no_grad()
def initialize_weights(network: nn.Module, gain: float | None = 0.02) -> None:
    """Initialize the weights of `network` in place, as DCGAN, pix2pix and CycleGAN do.

    | tensor                                         | values       |
    |------------------------------------------------|--------------|
    | weight of (transposed) convolutions and linear | N(0, gain²)  |
    | their bias                                     | 0            |
    | weight of batch norms                          | N(1, gain²)  |
    | their bias                                     | 0            |
    | everything else                                | unchanged    |

    With `gain` None, weights are N(0, 2 / fan-in) instead (He, Zhang, Ren, Sun 2015, arXiv:1502.01852): without a norm
    that restores it, N(0, 0.02²) shrinks the signal from layer to layer until nothing is learned.

    Raises:
        ValueError: A weight is already spectrally normalized and could not be written.
    """
    for layer in network.modules():
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError("initialize a network before its weights are spectrally normalized")
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if gain is None:
                nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
            else:
                nn.init.normal_(layer.weight, 0.0, gain)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, gain or 0.0)
            nn.init.zeros_(layer.bias)


def apply_spectral_norm(network: nn.Module) -> None:
    """Divide the weight of every convolution and linear layer by its largest singular value, from now on.

    Each forward pass in training does one power iteration; `eval()` does none.
    """
    for layer in list(network.modules()):  # a list, since parametrizing adds modules
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            spectral_norm(layer)


def clamp_spectral_norm(network: nn.Module, cap: float) -> None:
    """Keep the largest singular value of the weight of every convolution and linear layer at `cap` or below.

    A weight below the cap is left as it is, where spectral normalization would enlarge it.
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            parametrize.register_parametrization(layer, "weight", SpectralClamp(layer.weight, cap))


class SpectralClamp(nn.Module):
    """W / max(1, σ(W) / cap), with W as a matrix with one row per output channel (per input channel if transposed).

    σ is estimated as in Miyato et al. 2018, algorithm 1: one power iteration per forward pass in training, none in
    `eval()`.
    """

    def __init__(self, weight: Tensor, cap: float) -> None:
        super().__init__()
        self.cap = cap
        self.register_buffer("left", F.normalize(torch.randn(len(weight)), dim=0))
        self.left: Tensor
        for _ in range(POWER_ITERATIONS):
            self.left = self._iterate(weight.detach().flatten(1))[0]

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight to compute with."""
        matrix = weight.flatten(1)
        left, right = self._iterate(matrix.detach()) if self.training else self._singular_vectors(matrix.detach())
        if self.training:
            self.left = left
        sigma = left @ (matrix @ right)
        return weight / (sigma / self.cap).clamp(min=1)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return what to store when a weight is assigned: the weight itself."""
        return weight

    @torch.no_grad()
    def _singular_vectors(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Return the current estimate of the first left singular vector, and the right one that belongs to it."""
        return self.left, F.normalize(self.left @ matrix, dim=0)

    @torch.no_grad()
    def _iterate(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Return both first singular vectors after one power iteration."""
        _, right = self._singular_vectors(matrix)
        return F.normalize(matrix @ right, dim=0), right
