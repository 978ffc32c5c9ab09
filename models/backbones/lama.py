"""LaMa's generator: residual blocks that see the whole image at once, by convolutions of its Fourier transform.

Suvorov, Logacheva, Mashikhin, Remizova, Ashukha, Silvestrov, Kong, Goka, Park, Lempitsky 2022, arXiv:2109.07161; fast
Fourier convolutions: Chi, Jiang, Mu 2020 (NeurIPS). Widths and layers are those of the authors' code; 18 blocks are its
"big" model, 9 its "Fourier" one.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HALVINGS = 3
GLOBAL_FRACTION = 3 / 4  # of a block's channels, which see the whole image; as in the authors' models
STEP = 1 << HALVINGS


class LaMa(nn.Module):
    """Fills holes: from images (B, 3, H, W) in [-1, 1] and masks (B, 1, H, W), 1 in the hole, to one image.

    Sides that are no multiples of 8 are padded at the right and the bottom, by repeating the image backwards from its
    last pixel on, as the authors do.

    Args:
        blocks: Residual blocks.
        width: Channels of the first layer; the blocks have 8 times as many.

    Attributes:
        minimum: H and W must be at least this many pixels, so that the smallest layer can reflect its border.
    """

    multiple = 1
    minimum = 2 * STEP
    margin = None  # its Fourier transforms span the image
    only_size = None

    def __init__(self, *, blocks: int = 18, width: int = 64) -> None:
        super().__init__()
        widths = [width << halving for halving in range(HALVINGS + 1)]
        self.first = _build_layer(nn.Conv2d(4, width, 7, padding=3, padding_mode="reflect", bias=False))
        self.down = nn.Sequential(
            *(
                _build_layer(_convolution(narrow, wide, stride=2))
                for narrow, wide in itertools.pairwise(widths[:HALVINGS])
            )
        )
        self.split = Split(widths[-2], widths[-1])
        self.blocks = nn.ModuleList(ResidualBlock(widths[-1]) for _ in range(blocks))
        self.up = nn.Sequential(
            *(
                _build_layer(nn.ConvTranspose2d(wide, narrow, 3, stride=2, padding=1, output_padding=1))
                for wide, narrow in itertools.pairwise(reversed(widths))
            )
        )
        self.last = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor]:
        """Return the full image, as a tuple; what `image` contains in the hole is ignored."""
        height, width = image.shape[-2:]
        known = (image + 1) / 2 * (1 - mask)  # the network works in [0, 1]
        features = self.down(self.first(_pad(torch.cat([known, mask], dim=1))))
        local, whole = self.split(features)
        for block in self.blocks:
            local, whole = block(local, whole)
        output = torch.sigmoid(self.last(self.up(torch.cat([local, whole], dim=1))))
        return (2 * output[..., :height, :width] - 1,)


class Split(nn.Module):
    """Halve (B, C, H, W) features and split them into local ones and those that are to see the whole image."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        local, whole = _split_channels(channels_out)
        self.to_local = _convolution(channels_in, local, stride=2)
        self.to_whole = _convolution(channels_in, whole, stride=2)
        self.norm_local, self.norm_whole = nn.BatchNorm2d(local), nn.BatchNorm2d(whole)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, C' / 4, H / 2, W / 2) local features and (B, 3 C' / 4, H / 2, W / 2) others."""
        return F.relu(self.norm_local(self.to_local(features))), F.relu(self.norm_whole(self.to_whole(features)))


class ResidualBlock(nn.Module):
    """Two fast Fourier convolutions whose output is added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = FourierConvolution(channels), FourierConvolution(channels)

    def forward(self, local: Tensor, whole: Tensor) -> tuple[Tensor, Tensor]:
        """Add to both kinds of features."""
        added_local, added_whole = self.second(*self.first(local, whole))
        return local + added_local, whole + added_whole


class FourierConvolution(nn.Module):
    """A fast Fourier convolution: four ways between local features and those that see the whole image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        local, whole = _split_channels(channels)
        self.local_to_local, self.local_to_whole = _convolution(local, local), _convolution(local, whole)
        self.whole_to_local, self.whole_to_whole = _convolution(whole, local), SpectralTransform(whole)
        self.norm_local, self.norm_whole = nn.BatchNorm2d(local), nn.BatchNorm2d(whole)

    def forward(self, local: Tensor, whole: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve both kinds of features, which keep their shapes."""
        to_local = self.local_to_local(local) + self.whole_to_local(whole)
        to_whole = self.local_to_whole(local) + self.whole_to_whole(whole)
        return F.relu(self.norm_local(to_local)), F.relu(self.norm_whole(to_whole))


class SpectralTransform(nn.Module):
    """Let every place of (B, C, H, W) depend on every other, at half the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.narrow = _build_layer(nn.Conv2d(channels, half, 1, bias=False))
        self.spectrum = _build_layer(nn.Conv2d(2 * half, 2 * half, 1, bias=False))
        self.widen = nn.Conv2d(half, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Convolve, and add the convolution of the spectrum."""
        narrow = self.narrow(features)
        # In float32: half precision has no Fourier transform of most sizes, and a spectrum's mean dwarfs its details.
        with torch.autocast(narrow.device.type, enabled=False):
            seen = self._convolve_spectrum(narrow.float())
        widened: Tensor = self.widen(narrow + seen.to(narrow.dtype))
        return widened

    def _convolve_spectrum(self, features: Tensor) -> Tensor:
        """Convolve the real and imaginary parts of each frequency of (B, C, H, W), which are neighbouring channels."""
        spectrum = torch.view_as_real(torch.fft.rfft2(features, norm="ortho"))  # (B, C, H, W / 2 + 1, 2)
        convolved = self.spectrum(spectrum.permute(0, 1, 4, 2, 3).flatten(1, 2))
        parts = convolved.unflatten(1, (-1, 2)).permute(0, 1, 3, 4, 2).contiguous()
        seen: Tensor = torch.fft.irfft2(torch.view_as_complex(parts), s=features.shape[-2:], norm="ortho")
        return seen


def _split_channels(channels: int) -> tuple[int, int]:
    """Return how many of so many channels are local, and how many see the whole image."""
    whole = int(GLOBAL_FRACTION * channels)
    return channels - whole, whole


def _convolution(channels_in: int, channels_out: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, padding_mode="reflect", bias=False)


def _build_layer(convolution: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """Build a convolution with its norm and its activation."""
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU())


def _pad(image: Tensor) -> Tensor:
    """Pad (B, C, H, W), H and W at least 7, to multiples of 8: after its last pixel come the last, the last but one…"""
    down, right = (-side % STEP for side in image.shape[-2:])
    if down:
        image = torch.cat([image, image[..., -down:, :].flip(-2)], dim=-2)
    return torch.cat([image, image[..., -right:].flip(-1)], dim=-1) if right else image
