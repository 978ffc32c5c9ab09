"""Invertible layers, whose logarithm of the Jacobian's determinant is known: the parts of Glow.

Kingma, Dhariwal 2018, arXiv:1807.03039, table 1; the coupling is RealNVP's: Dinh, Sohl-Dickstein, Bengio 2017,
arXiv:1605.08803. Each layer maps (B, C, H, W) to the same number of values and back.

Differs from the papers:
- The scale of a coupling is σ(s + 2), as in Glow's code, not exp(s).
- The 1x1 convolution keeps its plain matrix and not its LU decomposition: with few channels the determinant is cheap.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn

SMALLEST_DEVIATION = 1e-6  # of the values that set a norm's scale: constant channels would give an infinite one


class ActNorm(nn.Module):
    """A scale and a shift of each channel, set by the first batch so that its channels have mean 0 and deviation 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.is_set: Tensor
        self.register_buffer("is_set", torch.zeros(()))  # a tensor, so that it is saved with the weights

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scaled values and the logarithm of the determinant, (B,)."""
        if self.training and not self.is_set:
            self.set_by(maps)
        determinant = self.log_scale.sum() * maps.shape[2] * maps.shape[3]
        return (maps + self.shift) * self.log_scale.exp(), determinant.expand(len(maps))

    def inverse(self, maps: Tensor) -> Tensor:
        """Return what `forward` maps to `maps`."""
        return maps * torch.exp(-self.log_scale) - self.shift

    @torch.no_grad()
    def set_by(self, maps: Tensor) -> None:
        """Set scale and shift by a batch, of all processes together."""
        values = maps.transpose(0, 1).flatten(1)
        mean, square = _average_over_processes(torch.stack([values.mean(1), values.square().mean(1)]))
        deviation = (square - mean.square()).clamp(min=SMALLEST_DEVIATION**2).sqrt()
        self.shift.copy_(-mean.view_as(self.shift))
        self.log_scale.copy_(-deviation.log().view_as(self.log_scale))
        self.is_set.fill_(1)


def _average_over_processes(values: Tensor) -> Tensor:
    """Return the mean of tensors of one shape over the processes of a distributed training, which must agree."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return values
    distributed.all_reduce(values)
    return values / distributed.get_world_size()


class ChannelMix(nn.Module):
    """An invertible 1x1 convolution, at first a random rotation of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels))
        nn.init.orthogonal_(self.weight)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mixed channels and the logarithm of the determinant, (B,)."""
        determinant = torch.linalg.slogdet(self.weight).logabsdet * maps.shape[2] * maps.shape[3]
        return F.conv2d(maps, self.weight[:, :, None, None]), determinant.expand(len(maps))

    def inverse(self, maps: Tensor) -> Tensor:
        """Return what `forward` maps to `maps`."""
        return F.conv2d(maps, torch.linalg.inv(self.weight)[:, :, None, None])


class Coupling(nn.Module):
    """Half of the channels scale and shift the other half, by a small network; at first nearly nothing changes."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.kept, self.changed = channels // 2, channels - channels // 2
        last = nn.Conv2d(width, 2 * self.changed, 3, padding=1)
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(
            nn.Conv2d(self.kept, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), last
        )

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coupled values and the logarithm of the determinant, (B,)."""
        kept, changed = torch.split(maps, [self.kept, self.changed], dim=1)
        log_scale, shift = self._effect(kept)
        return torch.cat([kept, (changed + shift) * log_scale.exp()], 1), log_scale.flatten(1).sum(1)

    def inverse(self, maps: Tensor) -> Tensor:
        """Return what `forward` maps to `maps`."""
        kept, changed = torch.split(maps, [self.kept, self.changed], dim=1)
        log_scale, shift = self._effect(kept)
        return torch.cat([kept, changed * torch.exp(-log_scale) - shift], 1)

    def _effect(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.layers(kept).float().chunk(2, dim=1)
        return F.logsigmoid(log_scale + 2), shift


class FlowStep(nn.Module):
    """A norm, a mix of channels and a coupling: figure 2a of Glow."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm, self.mix, self.coupling = ActNorm(channels), ChannelMix(channels), Coupling(channels, width)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values and the logarithm of the determinant, (B,)."""
        maps, by_norm = self.norm(maps)
        maps, by_mix = self.mix(maps)
        maps, by_coupling = self.coupling(maps)
        return maps, by_norm + by_mix + by_coupling

    def inverse(self, maps: Tensor) -> Tensor:
        """Return what `forward` maps to `maps`."""
        return self.norm.inverse(self.mix.inverse(self.coupling.inverse(maps)))


class FlowLevel(nn.Module):
    """Several steps, one after the other."""

    def __init__(self, channels: int, width: int, steps: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(FlowStep(channels, width) for _ in range(steps))

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values and the logarithm of the determinant, (B,)."""
        total = maps.new_zeros(len(maps))
        for step in self.steps:
            maps, determinant = step(maps)
            total = total + determinant
        return maps, total

    def inverse(self, maps: Tensor) -> Tensor:
        """Return what `forward` maps to `maps`."""
        for step in reversed(self.steps):
            maps = cast(FlowStep, step).inverse(maps)
        return maps
