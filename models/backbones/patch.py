"""Discriminators that judge every patch of a picture, not the picture: that of pix2pix and CycleGAN, and SN-PatchGAN.

Isola, Zhu, Zhou, Efros 2017, arXiv:1611.07004. `layers` 3 is the 70x70 PatchGAN, 1 the 16x16, 5 the 286x286, 0 the
PixelGAN, which sees colours only. SN-PatchGAN: Yu et al. 2018, arXiv:1806.03589 (DeepFill v2).

Differs from the paper:
- Instance norm by default, as in CycleGAN (arXiv:1703.10593).
- It returns logits; the objective brings the sigmoid, if it has one.
- `spectral=True` normalises every weight (Miyato et al. 2018, arXiv:1802.05957).
- Under batch norm the pixel discriminator's last convolution has no bias, as in the authors' PyTorch code.
"""

from torch import Tensor, nn

from models.backbones.blocks import Norm, initialize_weights, needs_bias, normalisation, normalise_spectrally


class PatchDiscriminator(nn.Module):
    """Scores of patches: (B, channels, H, W) to logits (B, 1, h, w), one for each patch.

    Args:
        channels: Channels of what it judges; a condition is concatenated to the picture.
        layers: Convolutions that halve the size; 0 looks at single pixels.
        width: Channels of the first convolution; they double with each further one, up to eight times.
        norm: After every convolution but the first and the last.
        spectral: Whether weights are spectrally normalised.

    Attributes:
        receptive_field: Side, in pixels, of the patch behind one score: 1, 16, 34, 70, 142, 286, ...
        minimum: H and W must be at least this many pixels.
    """

    def __init__(
        self,
        channels: int,
        *,
        layers: int = 3,
        width: int = 64,
        norm: Norm = "instance",
        spectral: bool = False,
    ) -> None:
        super().__init__()
        # From the score back: two convolutions of stride 1 see 7 pixels, and each of stride 2 turns n into 2n + 2.
        self.receptive_field = 9 * 2**layers - 2 if layers else 1
        # The two of stride 1 take a pixel each, and no norm may be left with a single one.
        self.minimum = 3 * 2**layers if layers else 2
        self.layers = _patches(channels, layers, width, norm) if layers else _pixels(channels, width, norm)
        initialize_weights(self)
        if spectral:
            normalise_spectrally(self)

    def forward(self, image: Tensor) -> Tensor:
        """Judge (B, channels, H, W)."""
        scores: Tensor = self.layers(image)
        return scores


def _patches(channels: int, layers: int, width: int, norm: Norm) -> nn.Sequential:
    """4x4 convolutions: `layers` of stride 2, then two of stride 1."""
    modules: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    widths = [width * min(2**layer, 8) for layer in range(layers + 1)]
    for layer in range(1, layers + 1):
        stride = 2 if layer < layers else 1
        modules += [
            nn.Conv2d(widths[layer - 1], widths[layer], 4, stride=stride, padding=1, bias=needs_bias(norm)),
            normalisation(norm, widths[layer]),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*modules, nn.Conv2d(widths[-1], 1, 4, stride=1, padding=1))


def _pixels(channels: int, width: int, norm: Norm) -> nn.Sequential:
    """Three 1x1 convolutions."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(width, 2 * width, 1, bias=needs_bias(norm)),
        normalisation(norm, 2 * width),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(2 * width, 1, 1, bias=needs_bias(norm)),
    )


class SNPatchDiscriminator(nn.Module):
    """Scores of patches that overlap so far that each sees most of a hole: (B, channels, H, W) to (B, C, h, w).

    Every channel of every place of the last features is a score. All weights are spectrally normalised.

    Args:
        channels: Channels of what it judges; DeepFill concatenates picture and mask.
        layers: 5x5 convolutions that halve the size.
        width: Channels of the first; they double up to four times.
    """

    def __init__(self, channels: int, *, layers: int = 6, width: int = 64) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        taken = channels
        for layer in range(layers):
            given = width * min(2**layer, 4)
            modules += [nn.Conv2d(taken, given, 5, stride=2, padding=2), nn.LeakyReLU(0.2)]
            taken = given
        self.layers = nn.Sequential(*modules)
        initialize_weights(self, gain=None)
        normalise_spectrally(self)

    def forward(self, image: Tensor) -> Tensor:
        """Judge (B, channels, H, W)."""
        scores: Tensor = self.layers(image)
        return scores
