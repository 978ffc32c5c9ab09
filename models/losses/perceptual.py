"""How alike two pictures look to VGG-19: losses on its features, and on how these go together.

Johnson, Alahi, Fei-Fei 2016, arXiv:1603.08155; the layers and weights of Ledig et al. 2017, arXiv:1609.04802 (SRGAN),
of Wang et al. 2018, arXiv:1809.00219 (ESRGAN), and of Liu et al. 2018, arXiv:1804.07723 (partial convolutions). Style:
Gatys, Ecker, Bethge 2015, arXiv:1508.06576. The network: Simonyan, Zisserman 2014, arXiv:1409.1556.

Its weights, learned on ImageNet, are not part of this program. They are those that torchvision publishes: downloaded
once into torch's own folder, and looked for there, so a machine without a network is served by copying one file.

Differs from the papers:
- Partial convolutions were trained by VGG-16; the first three groups of VGG-19 have one convolution more, in the third.
"""

from pathlib import Path
from typing import Literal, NamedTuple
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datasets.errors import UserError

ContentName = Literal["vgg22", "vgg54", "vgg54-before-activation"]

WEIGHTS = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
# Channels of the convolutions; 0 halves the picture.
LAYOUT = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)
POOLED = (5, 10, 19)  # layers up to the first three halvings
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures in [0, 1]


class _Content(NamedTuple):
    layers: int  # of the trunk
    squared: bool
    weight: float


# vggI,J is the J-th convolution before the I-th halving. SRGAN divides its features by 12.75 before it squares.
CONTENTS: dict[ContentName, _Content] = {
    "vgg22": _Content(9, True, 12.75**-2),
    "vgg54": _Content(36, True, 12.75**-2),
    "vgg54-before-activation": _Content(35, False, 1.0),
}


class ContentLoss(nn.Module):
    """The mean difference between features of two pictures; VGG's own weights do not learn.

    Raises:
        UserError: The weights are not there and cannot be had.
    """

    def __init__(self, name: ContentName) -> None:
        super().__init__()
        self.content = CONTENTS[name]
        self.trunk = published_trunk(self.content.layers, "the content loss", "--set model.pixel_steps=null")

    def features(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] to (B, C, H / 2^k, W / 2^k)."""
        features: Tensor = self.trunk(normalised(picture))
        return features

    def forward(self, made: Tensor, truth: Tensor) -> Tensor:
        """The loss, a scalar, of (B, 3, H, W) pictures in [-1, 1]; gradients flow into `made` alone."""
        with torch.no_grad():
            wanted = self.features(truth)
        difference = F.mse_loss if self.content.squared else F.l1_loss
        return self.content.weight * difference(self.features(made).float(), wanted.float())


class FeatureLosses(nn.Module):
    """Differences after the first three halvings, of features and of their style; VGG's own weights do not learn.

    Raises:
        UserError: The weights are not there and cannot be had.
    """

    def __init__(self) -> None:
        super().__init__()
        remedy = "--set model.perceptual_weight=0 --set model.style_weight=0"
        self.trunk = published_trunk(POOLED[-1], "the perceptual loss", remedy)

    def features(self, picture: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [-1, 1] to (B, C, H / 2^k, W / 2^k), k from 1 to 3."""
        values, found = normalised(picture), []
        for number, layer in enumerate(self.trunk, 1):
            values = layer(values)
            if number in POOLED:
                found.append(values.float())
        return found

    def forward(self, made: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Mean absolute differences of features, and of their Gram matrices, summed over the three; scalars both.

        Pictures are (B, 3, H, W) in [-1, 1]; gradients flow into `made` alone.
        """
        with torch.no_grad():
            wanted = self.features(truth)
        found = list(zip(self.features(made), wanted, strict=True))
        perceptual = torch.stack([F.l1_loss(one, other) for one, other in found]).sum()
        style = torch.stack([F.l1_loss(gram(one), gram(other)) for one, other in found]).sum()
        return perceptual, style


def normalised(picture: Tensor) -> Tensor:
    """(B, 3, H, W) in [-1, 1] as VGG was taught: each channel with mean 0 and deviation 1 over ImageNet."""
    mean, deviation = (picture.new_tensor(values).reshape(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return ((picture + 1) / 2 - mean) / deviation


def gram(features: Tensor) -> Tensor:
    """Which channels of (B, C, H, W) go together: products, averaged over places and channels, (B, C, C)."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def published_trunk(layers: int, needed_by: str, remedy: str) -> nn.Sequential:
    """The first layers of VGG-19 with the published weights, which do not learn.

    Raises:
        UserError: The weights are not there and cannot be had: `needed_by` needs them, and `remedy` does without.
    """
    trunk = vgg19_trunk(layers)
    trunk.load_state_dict(_weights(set(trunk.state_dict()), needed_by, remedy))
    return trunk.requires_grad_(False).eval()


def vgg19_trunk(layers: int) -> nn.Sequential:
    """The first `layers` of VGG-19's convolutions, activations and halvings, with weights freshly drawn."""
    trunk: list[nn.Module] = []
    channels = 3
    for width in LAYOUT:
        if width:
            trunk += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            trunk.append(nn.MaxPool2d(2))
    return nn.Sequential(*trunk[:layers])


def _weights(wanted: set[str], needed_by: str, remedy: str) -> dict[str, Tensor]:
    """The published tensors of these names, from torch's folder or else from the network."""
    place = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS.rsplit("/", 1)[1]
    try:
        published = torch.hub.load_state_dict_from_url(WEIGHTS, map_location="cpu", progress=False, weights_only=True)
        return {name: published[f"features.{name}"] for name in wanted}
    except (URLError, OSError):
        raise UserError(
            f"{needed_by} needs VGG-19's weights, which are not at {place} and cannot be downloaded: copy "
            f"{WEIGHTS} there, or train by the pixel loss alone, with {remedy}"
        ) from None
    except (RuntimeError, KeyError, EOFError):
        raise UserError(f"{place}: is damaged or holds other weights than VGG-19's; delete it") from None
