"""Discriminators that score every patch of an image: that of pix2pix and CycleGAN, and SN-PatchGAN.

Isola, Zhu, Zhou, Efros 2017, arXiv:1611.07004. `layers` 3 is the 70x70 PatchGAN, 1 the 16x16, 5 the 286x286, 0 the
PixelGAN, which sees colours only. SN-PatchGAN: Yu et al. 2018, arXiv:1806.03589 (DeepFill v2).

Differs from the paper:
- Instance norm by default, as in CycleGAN (arXiv:1703.10593).
- It returns logits; the loss applies the sigmoid, if there is one.
- `spectral=True` normalizes every weight (Miyato et al. 2018, arXiv:1802.05957).
- Under batch norm the pixel discriminator's last convolution has no bias, as in the authors' PyTorch code.
"""

import itertools

from torch import Tensor, nn

from models.backbones.blocks import Norm, apply_spectral_norm, build_norm, initialize_weights, needs_bias


class PatchDiscriminator(nn.Module):
    """Scores of patches: from (B, channels, H, W) to logits (B, 1, h, w), one per patch.

    Args:
        channels: Channels of the input; a condition is concatenated to the image.
        layers: Number of convolutions that halve the size; with 0, a score sees a single pixel.
        width: Channels of the first convolution; they double with each further one, up to eight times.
        norm: After every convolution except the first and the last.
        spectral: Whether weights are spectrally normalized.

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
        # Backwards from a score: two convolutions of stride 1 see 7 pixels, and each of stride 2 turns n into 2n + 2.
        self.receptive_field = 9 * 2**layers - 2 if layers else 1
        # The two convolutions of stride 1 take away a pixel each, and no norm may be left with a single pixel.
        self.minimum = 3 * 2**layers if layers else 2
        self.layers = (
            _build_patch_layers(channels, layers, width, norm) if layers else _build_pixel_layers(channels, width, norm)
        )
        initialize_weights(self)
        if spectral:
            apply_spectral_norm(self)

    def forward(self, image: Tensor) -> Tensor:
        """Score the patches of (B, channels, H, W)."""
        scores: Tensor = self.layers(image)
        return scores


def _build_patch_layers(channels: int, layers: int, width: int, norm: Norm) -> nn.Sequential:
    """Build 4x4 convolutions: `layers` of stride 2, then two of stride 1."""
    modules: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    widths = [width * min(2**layer, 8) for layer in range(layers + 1)]
    for layer in range(1, layers + 1):
        stride = 2 if layer < layers else 1
        modules += [
            nn.Conv2d(widths[layer - 1], widths[layer], 4, stride=stride, padding=1, bias=needs_bias(norm)),
            build_norm(norm, widths[layer]),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*modules, nn.Conv2d(widths[-1], 1, 4, stride=1, padding=1))


def _build_pixel_layers(channels: int, width: int, norm: Norm) -> nn.Sequential:
    """Build three 1x1 convolutions."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(width, 2 * width, 1, bias=needs_bias(norm)),
        build_norm(norm, 2 * width),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(2 * width, 1, 1, bias=needs_bias(norm)),
    )


class SNPatchDiscriminator(nn.Module):
    """Scores of patches that are so large that each sees most of a hole: from (B, channels, H, W) to (B, C, h, w).

    Every channel of every place of the last features is a score. All weights are spectrally normalized.

    Args:
        channels: Channels of the input; DeepFill concatenates image and mask.
        layers: Number of 5x5 convolutions that halve the size.
        width: Channels of the first convolution; they double up to four times.
    """

    def __init__(self, channels: int, *, layers: int = 6, width: int = 64) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        widths = [channels, *(width * min(2**layer, 4) for layer in range(layers))]
        for channels_in, channels_out in itertools.pairwise(widths):
            modules += [nn.Conv2d(channels_in, channels_out, 5, stride=2, padding=2), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*modules)
        initialize_weights(self, gain=None)
        apply_spectral_norm(self)

    def forward(self, image: Tensor) -> Tensor:
        """Score the patches of (B, channels, H, W)."""
        scores: Tensor = self.layers(image)
        return scores
