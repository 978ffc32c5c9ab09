"""The house's own networks, told the time of a diffusion or a flow: pix2pix's U-Net, and a perceptron for points."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.blocks import Norm, Upsampling
from models.backbones.time_embedding import TimeEmbedding
from models.backbones.unet import UNet


class TimedUNet(nn.Module):
    """Pix2pix's U-Net whose encoders are shifted by the time: quick on a CPU, and free of attention.

    From images (B, channels_in, H, W) and times (B,) in [0, 1] to (B, channels_out, H, W), unbounded.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        depth: Number of halvings; at least 2.
        width: Channels of the outermost level.
        norm: On every level except the outermost, and not in the innermost encoder.
        dropout: Probability of a zero, in training.
        upsampling: How decoders double the size.
        classes: Number of classes; 0: labels are ignored.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        margin: How many pixels away an output pixel can see; None: norms see the whole image.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        depth: int = 8,
        width: int = 64,
        norm: Norm = "instance",
        dropout: float = 0.0,
        upsampling: Upsampling = "transposed",
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.time = TimeEmbedding(2 * width, 4 * width, classes)
        self.unet = UNet(
            channels_in,
            channels_out,
            depth=depth,
            width=width,
            norm=norm,
            dropout=dropout,
            upsampling=upsampling,
            embedded=4 * width,
            bounded=False,
        )
        self.multiple, self.minimum = self.unet.multiple, self.unet.minimum
        self.margin = None if self.unet.global_norm else self.unet.margin

    def forward(self, image: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Compute (B, channels_out, H, W); H and W are multiples of `multiple`."""
        output: Tensor = self.unet(image, F.silu(self.time(time, label)))
        return output


class TimedMLP(nn.Module):
    """Dense layers that are each shifted by the time, for points and for images of one size.

    From (B, channels_in, size, size) and times (B,) in [0, 1] to (B, channels_out, size, size), unbounded.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        size: Height and width of the images, in pixels; 1 for points.
        hidden: Units of each layer, in order.
        classes: Number of classes; 0: labels are ignored.
    """

    multiple = 1
    minimum = 1
    margin: int | None = None

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        size: int,
        hidden: Sequence[int] = (128, 128, 128),
        classes: int = 0,
    ) -> None:
        super().__init__()
        features = hidden[0]
        self.shape = (channels_out, size, size)
        self.time = TimeEmbedding(2 * (features // 2), features, classes)
        inputs = [channels_in * size * size, *hidden[:-1]]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(inputs, hidden, strict=True))
        self.shifts = nn.ModuleList(nn.Linear(features, units) for units in hidden)
        self.last = nn.Linear(hidden[-1], channels_out * size * size)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, image: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Compute (B, channels_out, size, size)."""
        embedded = self.time(time, label)
        numbers = image.flatten(1)
        for layer, shift in zip(self.layers, self.shifts, strict=True):
            numbers = F.silu(layer(numbers) + shift(embedded))
        output: Tensor = self.last(numbers).unflatten(1, self.shape)
        return output
