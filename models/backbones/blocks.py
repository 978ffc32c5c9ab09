"""What image networks share: norms, up-sampling, initialisation, spectral normalisation.

Instance norm: Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022. Batch norm: Ioffe, Szegedy 2015, arXiv:1502.03167.
Up-sampling by resizing: Odena, Dumoulin, Olah 2016, doi:10.23915/distill.00003.
Initialisation: Radford, Metz, Chintala 2015, arXiv:1511.06434.
Spectral normalisation: Miyato, Kataoka, Koyama, Yoshida 2018, arXiv:1802.05957.

Differs from the paper:
- Instance norm neither learns a scale and a shift nor keeps running statistics: `eval()` computes what `train()` does.
- Resizing is followed by one 3x3 convolution whose border is zeros, as the transposed convolution's is.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

Norm = Literal["instance", "batch", "none"]
Upsampling = Literal["transposed", "resize"]


def normalisation(norm: Norm, channels: int) -> nn.Module:
    """The norm of (B, channels, H, W); "none" is the identity, so that a layer's place does not depend on it."""
    match norm:
        case "instance":
            return nn.InstanceNorm2d(channels)
        case "batch":
            return nn.BatchNorm2d(channels)
        case "none":
            return nn.Identity()


def needs_bias(norm: Norm) -> bool:
    """Whether a convolution before `norm` has a bias.

    Batch norm brings its own. Instance norm subtracts any, yet published weights have one.
    """
    return norm != "batch"


def upsample(
    channels_in: int, channels_out: int, *, kernel: Literal[3, 4], upsampling: Upsampling, bias: bool
) -> nn.Module:
    """(B, channels_in, H, W) to (B, channels_out, 2H, 2W).

    Args:
        channels_in: Channels it takes.
        channels_out: Channels it makes.
        kernel: Of the transposed convolution: 4 in pix2pix and DCGAN, 3 in CycleGAN.
        upsampling: "transposed", as the papers have it; "resize" doubles by nearest neighbour and convolves 3x3,
            which leaves no checkerboard, at 2.25 times the multiplications of kernel 4 and 4 times those of kernel 3.
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
    """LeakyReLU, (B, ...) to the same, for critics under a gradient penalty.

    Values and gradients are LeakyReLU's to the last bit. Its second derivative is zero wherever there is one, and here
    autograd knows it: a penalty is not differentiated through what the critic computed on the way to its gradient,
    which takes two fifths of the time.
    """

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Multiply negative values by the slope."""
        return values * torch.where(values.detach() > 0, 1.0, self.slope).to(values.dtype)


@torch.no_grad()
def initialize_weights(network: nn.Module, gain: float | None = 0.02) -> None:
    """Draw the first weights of `network` in place, as DCGAN, pix2pix and CycleGAN do.

    | tensor                                         | values       |
    |------------------------------------------------|--------------|
    | weight of (transposed) convolutions and linear | N(0, gain²)  |
    | their bias                                     | 0            |
    | weight of batch norms                          | N(1, gain²)  |
    | their bias                                     | 0            |
    | anything else                                  | left alone   |

    With `gain` None, weights are N(0, 2 / fan-in) instead (He, Zhang, Ren, Sun 2015, arXiv:1502.01852): where no norm
    restores it, N(0, 0.02²) shrinks the signal from layer to layer until nothing is learned.

    Raises:
        ValueError: A weight is already spectrally normalised; it could not be written.
    """
    for layer in network.modules():
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError("initialise a network before its weights are normalised")
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


def normalise_spectrally(network: nn.Module) -> None:
    """Divide every convolution's and linear layer's weight by its largest singular value, from now on.

    One power iteration a forward in training, none in `eval()`.
    """
    for layer in list(network.modules()):  # a list, since normalising adds modules
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            spectral_norm(layer)


def clamp_spectrally(network: nn.Module, cap: float) -> None:
    """Keep the largest singular value of every convolution's and linear layer's weight at `cap` or below, from now on.

    A weight below the cap is left as it is, where spectral normalisation would enlarge it.
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            parametrize.register_parametrization(layer, "weight", SpectralClamp(layer.weight, cap))


class SpectralClamp(nn.Module):
    """W / max(1, σ(W) / cap), with W as a matrix of one row an output channel (or input, where transposed).

    σ is estimated as in Miyato et al. 2018, algorithm 1: one power iteration a forward in training, none in `eval()`;
    the estimate starts from 15.
    """

    def __init__(self, weight: Tensor, cap: float) -> None:
        super().__init__()
        self.cap = cap
        self.register_buffer("left", F.normalize(torch.randn(len(weight)), dim=0))
        self.left: Tensor
        for _ in range(15):
            self.left = self._iterated(weight.detach().flatten(1))[0]

    def forward(self, weight: Tensor) -> Tensor:
        """The weight to compute with."""
        matrix = weight.flatten(1)
        left, right = self._iterated(matrix.detach()) if self.training else self._right(matrix.detach())
        if self.training:
            self.left = left
        sigma = left @ (matrix @ right)
        return weight / (sigma / self.cap).clamp(min=1)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What to keep when a weight is assigned: itself."""
        return weight

    @torch.no_grad()
    def _right(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        return self.left, F.normalize(self.left @ matrix, dim=0)

    @torch.no_grad()
    def _iterated(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        _, right = self._right(matrix)
        return F.normalize(matrix @ right, dim=0), right
