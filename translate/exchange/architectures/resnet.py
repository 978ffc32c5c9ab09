"""The residual generator of CycleGAN, pix2pix and CUT, as their authors' PyTorch code names it: one row of layers."""

import re
from dataclasses import dataclass

import torch

from models.networks.generators import ResNetConfig
from models.pix2pix import Pix2PixConfig
from translate.exchange.architectures.contract import (
    ArchitectureError,
    ImportOptions,
    Recognized,
    Tensors,
    adapt_norms,
    choose_norm,
    move,
)

BLOCK = re.compile(r"model\.(\d+)\.conv_block\.")
FILTERS = {3: (1.0, 2.0, 1.0), 4: (1.0, 3.0, 3.0, 1.0)}  # of blurred halving and doubling


@dataclass(frozen=True)
class _Layout:
    """Which variant of the network a checkpoint is of."""

    blocks: int
    dropout: bool
    blurred_down: bool
    blurred_up: bool

    def modules(self) -> dict[str, str]:
        """Return the names of our layers by those of the published ones, which count borders as layers."""
        names = {"model.1": "encoder.0", "model.2": "encoder.1"}
        step = 4 if self.blurred_down else 3
        for index in range(2):
            for layer in range(2):
                names[f"model.{4 + index * step + layer}"] = f"encoder.{3 + index * step + layer}"
        first = 4 + 2 * step
        second = 6 if self.dropout else 5
        for block in range(self.blocks):
            inside = {1: 0, 2: 1, second: 4, second + 1: 5}
            for theirs, ours in inside.items():
                names[f"model.{first + block}.conv_block.{theirs}"] = f"blocks.{block}.layers.{ours}"
        start, step = first + self.blocks, 4 if self.blurred_up else 3
        for index in range(2):
            for layer in range(step - 1):
                names[f"model.{start + index * step + layer}"] = f"decoder.{index * step + layer}"
        names[f"model.{start + 2 * step + 1}"] = f"decoder.{2 * step}"
        return names

    def norms(self) -> list[str]:
        """Return the names of our norms."""
        down, up = 4 if self.blurred_down else 3, 4 if self.blurred_up else 3
        encoder = ["encoder.1", "encoder.4", f"encoder.{4 + down}"]
        inside = [f"blocks.{block}.layers.{layer}" for block in range(self.blocks) for layer in (1, 5)]
        return [*encoder, *inside, *(f"decoder.{index * up + up - 2}" for index in range(2))]


def recognize_resnet(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize the residual generator of CycleGAN, pix2pix and CUT."""
    first = tensors.get("model.1.weight")
    blocks = sorted({int(match[1]) for match in map(BLOCK.match, tensors) if match})
    if first is None or first.ndim != 4 or not blocks:
        return None
    layout = _find_layout(tensors, blocks)
    modules = layout.modules()
    ours, left = move({name: each for name, each in tensors.items() if not _is_binomial(name, each)}, modules)
    norm = choose_norm(tensors, "model.2", options)
    last = max(int(name.split(".")[1]) for name in tensors)
    config = ResNetConfig(
        blocks=layout.blocks,
        width=len(first),
        norm=norm,
        dropout=0.5 if layout.dropout else 0.0,
        downsampling="blurred" if layout.blurred_down else "strided",
        upsampling="blurred" if layout.blurred_up else "transposed",
    )
    kind = "CUT's ResNet" if layout.blurred_down or layout.blurred_up else "CycleGAN's ResNet"
    return Recognized(
        Pix2PixConfig(channels_in=first.shape[1], channels_out=len(tensors[f"model.{last}.weight"]), generator=config),
        {f"generator.{name}": tensor for name, tensor in adapt_norms(ours, layout.norms(), norm).items()} | left,
        f"{kind} of {layout.blocks} blocks ({'instance' if norm == 'instance' else 'batch'} norm)",
        trained_size=256 if layout.blocks > 6 else 128,
    )


def _find_layout(tensors: Tensors, blocks: list[int]) -> _Layout:
    second = {int(name.split(".")[3]) for name in tensors if name.startswith(f"model.{blocks[0]}.conv_block.")}
    if blocks[0] not in (10, 12) or 1 not in second or not second & {5, 6}:
        raise ArchitectureError(
            "looks like the ResNet of CycleGAN, but its layers are numbered otherwise; only reflected borders are known"
        )
    behind = f"model.{blocks[-1] + 1}.weight"  # a transposed convolution, or else the filter of a blur
    first = f"model.{blocks[0]}.conv_block"
    dropout = f"{first}.6.weight" in tensors and tensors[f"{first}.6.weight"].ndim == 4
    return _Layout(len(blocks), dropout, blocks[0] == 12, behind not in tensors)


def _is_binomial(name: str, tensor: torch.Tensor) -> bool:
    """Return whether a tensor is the filter of a blur that the network has without one."""
    if not name.endswith(".filt") or tensor.ndim != 4 or tensor.shape[-1] not in FILTERS:
        return False
    taps = torch.tensor(FILTERS[tensor.shape[-1]])
    expected = torch.outer(taps, taps) / taps.sum() ** 2 * (4 if len(taps) == 4 else 1)
    return bool(torch.allclose(tensor.float(), expected.expand_as(tensor), atol=1e-3))
