"""How far networks see, of which it is known; and that tiles with the measured margin fit together."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.contract import Translator
from models.networks.upscalers import CompactConfig
from models.srgan import SRGANConfig
from translate.exchange.receptive_field import measure_margin, measure_tiling


class Layers(Translator):
    """Any layers, as a translator of gray images."""

    channels_in = channels_out = 1

    def __init__(self, *layers: nn.Module, scale: int = 1, multiple: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.scale, self.multiple = scale, multiple

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        output: Tensor = self.layers(image)
        return output


class Windows(nn.Module):
    """The mean of each window of 4 pixels; incomplete windows are completed by reflection."""

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        padded = F.pad(image, (0, -width % 4, 0, -height % 4), mode="reflect")
        return F.interpolate(F.avg_pool2d(padded, 4), scale_factor=4)[..., :height, :width]


class GlobalMean(nn.Module):
    """Subtracts the mean of the image."""

    def forward(self, image: Tensor) -> Tensor:
        return image - image.mean(dim=(2, 3), keepdim=True)


def convolve(kernel: int) -> nn.Conv2d:
    return nn.Conv2d(1, 1, kernel, padding="same")


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Layers(nn.Identity()), (1, 0)),
        (Layers(convolve(3), nn.ReLU(), convolve(5), convolve(3)), (1, 4)),
        (Layers(nn.MaxPool2d(7, stride=1, padding=3)), (1, 3)),  # which one pixel of 49 decides
        (Layers(nn.Conv2d(1, 4, (1, 9), padding="same"), nn.PixelShuffle(2), scale=2), (1, 4)),
        (Layers(nn.Conv2d(1, 1, 2, stride=2), nn.Upsample(scale_factor=2), multiple=2), (2, 0)),
        (Layers(convolve(3), Windows()), (4, 4)),  # its windows are no multiple that it states
        (Layers(convolve(3), GlobalMean()), None),
        (Layers(nn.InstanceNorm2d(1)), None),
    ],
)
def test_the_reach_is_found(network, expected):
    torch.manual_seed(0)
    assert measure_tiling(network) == expected


@pytest.mark.parametrize("scale", [2, 3])
def test_a_known_networks_margin_is_found(scale):
    network = SRGANConfig(scale=scale, generator=CompactConfig(depth=3, width=4), pixel_steps=None).translator()
    assert measure_margin(network, network.multiple) == network.margin


def test_a_network_that_sees_further_than_is_worth_it_has_no_margin():
    assert measure_margin(Layers(nn.AvgPool2d((1, 1001), stride=1, padding=(0, 500))), 1) == 500
    assert measure_margin(Layers(nn.AvgPool2d((1, 1201), stride=1, padding=(0, 600))), 1) is None
