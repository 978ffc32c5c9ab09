"""The U-Net of pix2pix: halved down to a single pixel and doubled back, with a skip connection at every size.

Isola, Zhu, Zhou, Efros 2017, arXiv:1611.07004, after Ronneberger, Fischer, Brox 2015, arXiv:1505.04597.
`depth` 8 is the paper's network for images of 256², `depth` 7 is for 128².

Differs from the paper:
- Instance norm by default. The paper tests its batch norm with the statistics of the one test image, which is instance
  norm with a learned scale and shift; here `eval()` computes what `train()` does.
- Dropout is in the three decoder levels above the innermost one, as in the authors' PyTorch code; their Torch code has
  it in the innermost three. Below depth 6 there are no such levels, hence no dropout.
- `upsampling="resize"` replaces transposed convolutions.
"""

import torch
from torch import Tensor, nn

from models.backbones.blocks import (
    Norm,
    Upsampling,
    build_norm,
    build_upsampling,
    initialize_weights,
    is_global,
    needs_bias,
)


class UNet(nn.Module):
    """An image-to-image U-Net: (B, channels_in, H, W) to (B, channels_out, H, W) in [-1, 1].

    Level l, from 0, halves the size and has width * min(2**l, 8) channels; its decoder doubles the size again.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        depth: Number of halvings; at least 2.
        width: Channels of the outermost level.
        norm: On every level except the outermost, and not in the innermost encoder, where a single pixel may be left.
        dropout: Probability of a zero, in training.
        upsampling: How decoders double the size.
        embedded: Numbers in an embedding, of a time for example, that shifts every encoder's output; 0: there is none.
        bounded: Whether a tanh ends the network.

    Attributes:
        multiple: H and W must be multiples of this many pixels.
        minimum: H and W must be at least this many pixels.
        margin: How many pixels away, on each side, an output pixel can see, norms aside.
        global_norm: Whether its norms take their statistics over the whole image.
    """

    def __init__(
        self,
        channels_in: int = 3,
        channels_out: int = 3,
        *,
        depth: int = 8,
        width: int = 64,
        norm: Norm = "instance",
        dropout: float = 0.5,
        upsampling: Upsampling = "transposed",
        embedded: int = 0,
        bounded: bool = True,
    ) -> None:
        super().__init__()
        if depth < 2:
            raise ValueError(f"depth must be at least 2, not {depth}")
        self.multiple = self.minimum = 2**depth
        # A decoder sees [(a - 1) // 2, (b + 1) // 2] where its output is [a, b], whichever the upsampling; an encoder
        # sees [2a - 1, 2b + 2]. Of 2**depth places of an output pixel, this is the worst on each side.
        self.margin = 3 * (2**depth - 1)
        self.global_norm = is_global(norm)
        widths = [width * min(2**level, 8) for level in range(depth)]
        innermost = depth - 1
        dropping = range(max(4, innermost - 3), innermost)
        self.encoder = nn.ModuleList(
            _build_down(
                channels,
                widths[level],
                norm=norm if 0 < level < innermost else "none",
                bias=needs_bias(norm),
                activation=level > 0,
            )
            for level, channels in enumerate([channels_in, *widths[:-1]])
        )
        self.decoder = nn.ModuleList(  # the innermost first, as they run
            _build_up(
                widths[level] if level == innermost else 2 * widths[level],
                widths[level - 1] if level else channels_out,
                norm=norm if level else "none",
                bias=needs_bias(norm) or level == 0,
                upsampling=upsampling,
                dropout=dropout if level in dropping else 0.0,
            )
            for level in reversed(range(depth))
        )
        initialize_weights(self, gain=None if norm == "none" else 0.02)
        self.shifts = nn.ModuleList(nn.Linear(embedded, channels) for channels in widths if embedded)
        self.bounded = bounded

    def forward(self, image: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Translate (B, channels_in, H, W), H and W multiples of `multiple`, with an embedding (B, embedded)."""
        levels: list[Tensor] = []
        for level, down in enumerate(self.encoder):
            image = down(image)
            if embedding is not None:
                image = image + self.shifts[level](embedding)[:, :, None, None]
            levels.append(image)
        image = levels.pop()
        for up in self.decoder:
            image = up(image)
            if levels:
                image = torch.cat([levels.pop(), image], dim=1)
        return torch.tanh(image) if self.bounded else image


def _build_down(channels_in: int, channels_out: int, *, norm: Norm, bias: bool, activation: bool) -> nn.Module:
    """Build an encoder from (B, channels_in, H, W) to (B, channels_out, H / 2, W / 2)."""
    # Not in place: its input is the output of the level above, which that level's decoder needs unchanged.
    before = [nn.LeakyReLU(0.2)] if activation else []
    convolution = nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1, bias=bias)
    return nn.Sequential(*before, convolution, build_norm(norm, channels_out))


def _build_up(
    channels_in: int, channels_out: int, *, norm: Norm, bias: bool, upsampling: Upsampling, dropout: float
) -> nn.Module:
    """Build a decoder from (B, channels_in, H, W) to (B, channels_out, 2H, 2W)."""
    return nn.Sequential(
        nn.ReLU(inplace=True),  # its input is a new concatenation, or the innermost level, which nothing else reads
        build_upsampling(channels_in, channels_out, kernel=4, upsampling=upsampling, bias=bias),
        build_norm(norm, channels_out),
        *([nn.Dropout(dropout)] if dropout else []),
    )
