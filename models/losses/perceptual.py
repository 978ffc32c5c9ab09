"""Perceptual losses: how similar two images look to VGG-19, by its features and by their style.

Johnson, Alahi, Fei-Fei 2016, arXiv:1603.08155; the layers and weights of Ledig et al. 2017, arXiv:1609.04802 (SRGAN),
of Wang et al. 2018, arXiv:1809.00219 (ESRGAN), and of Liu et al. 2018, arXiv:1804.07723 (partial convolutions). Style:
Gatys, Ecker, Bethge 2015, arXiv:1508.06576.

The losses are given their feature network, the first layers of VGG-19; `models.published` loads it.

Differs from the papers:
- Partial convolutions were trained with VGG-16; the first three groups of VGG-19 have one more convolution, in the
  third.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ContentName = Literal["vgg22", "vgg54", "vgg54-before-activation"]

POOLED = (5, 10, 19)  # layers of VGG-19 up to each of its first three poolings
# Statistics of ImageNet's images in [0, 1], by which torchvision's weights expect their input to be normalized.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Content(NamedTuple):
    """Which features a content loss compares, and how.

    Attributes:
        layers: How many layers of VGG-19 compute them.
        squared: Whether differences are squared; otherwise their absolute values are taken.
        weight: Factor of the loss.
    """

    layers: int
    squared: bool
    weight: float


# vggI,J is the J-th convolution before the I-th pooling. SRGAN divides its features by 12.75 before it squares.
CONTENTS: dict[ContentName, Content] = {
    "vgg22": Content(9, True, 12.75**-2),
    "vgg54": Content(36, True, 12.75**-2),
    "vgg54-before-activation": Content(35, False, 1.0),
}


class ContentLoss(nn.Module):
    """The mean difference between features of two images.

    Args:
        content: Which features are compared, and how.
        trunk: The first `content.layers` layers of VGG-19.
    """

    def __init__(self, content: Content, trunk: nn.Sequential) -> None:
        super().__init__()
        self.content = content
        self.trunk = trunk

    def features(self, image: Tensor) -> Tensor:
        """Compute features (B, C, H / 2^k, W / 2^k) of images (B, 3, H, W) in [-1, 1]."""
        features: Tensor = self.trunk(normalize(image))
        return features

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar, of images (B, 3, H, W) in [-1, 1]; gradients flow into `output` only."""
        with torch.no_grad():
            expected = self.features(target)
        difference = F.mse_loss if self.content.squared else F.l1_loss
        return self.content.weight * difference(self.features(output).float(), expected.float())


class FeatureLosses(nn.Module):
    """Differences of features and of their style after the first three poolings (Liu et al. 2018, equations 3 to 5).

    Args:
        trunk: VGG-19 up to its third pooling, `POOLED[-1]` layers.
    """

    def __init__(self, trunk: nn.Sequential) -> None:
        super().__init__()
        self.trunk = trunk

    def features(self, image: Tensor) -> list[Tensor]:
        """Compute features (B, C, H / 2^k, W / 2^k), k from 1 to 3, of images (B, 3, H, W) in [-1, 1]."""
        values, features = normalize(image), []
        for number, layer in enumerate(self.trunk, 1):
            values = layer(values)
            if number in POOLED:
                features.append(values.float())
        return features

    def forward(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean absolute differences of features and of their Gram matrices, each summed over the three poolings.

        Images are (B, 3, H, W) in [-1, 1], losses are scalars; gradients flow into `output` only.
        """
        with torch.no_grad():
            expected = self.features(target)
        pairs = list(zip(self.features(output), expected, strict=True))
        perceptual = torch.stack([F.l1_loss(one, other) for one, other in pairs]).sum()
        style = torch.stack([F.l1_loss(gram(one), gram(other)) for one, other in pairs]).sum()
        return perceptual, style


def normalize(image: Tensor) -> Tensor:
    """Normalize (B, 3, H, W) in [-1, 1] by ImageNet's statistics: each channel gets mean 0 and deviation 1 over it."""
    mean, deviation = (image.new_tensor(values).reshape(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return ((image + 1) / 2 - mean) / deviation


def gram(features: Tensor) -> Tensor:
    """Return products of the channels of (B, C, H, W), averaged over channels and places: (B, C, C)."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])
