"""What is exported: a translator that takes and returns [0, 1], and pads and crops by itself."""

from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn

from models.contract import Domain, Translator


class Portable(nn.Module):
    """A translator for one domain: from (B, channels_in, H, W) in [0, 1] to (B, channels_out, scale * H, scale * W).

    The output is clamped to [0, 1]. An inpainter's fourth channel is the mask, 1 in holes and 0 elsewhere.

    Args:
        translator: The network, in evaluation mode.
        domain: What it translates to.
        pads: Whether it pads images to a size that the network takes, and crops the output.
        half: Whether it computes in float16; input and output are float32 all the same.
    """

    def __init__(self, translator: Translator, domain: Domain, *, pads: bool, half: bool = False) -> None:
        super().__init__()
        self.translator = deepcopy(translator).half() if half else translator
        self.domain, self.computes_in_half = domain, half
        self.pads = pads and (translator.multiple > 1 or translator.minimum > 1)

    def forward(self, image: Tensor) -> Tensor:
        """Translate images; `translate_batch` does the same in [-1, 1]."""
        height, width = image.shape[-2:]
        if self.translator.fills_holes:
            signed = torch.cat([2 * image[:, :3] - 1, image[:, 3:]], dim=1)
        else:
            signed = 2 * image - 1
        if self.computes_in_half:
            signed = signed.half()
        if self.pads:
            signed = self._pad(self._pad(signed, 2), 3)
        output: Tensor = self.translator(signed, cast(int, self.domain))
        if self.pads:
            output = _crop(_crop(output, 2, height * self.translator.scale), 3, width * self.translator.scale)
        return ((output.float() + 1) / 2).clamp(0, 1)

    def _pad(self, image: Tensor, axis: int) -> Tensor:
        """Pad an axis at its end as `models.apply.pad` does: by reflection, and then by repeating the last pixel.

        The image is indexed, since the width of a reflection depends on the size, which exporters do not know.
        """
        side = image.shape[axis]
        place = torch.arange(self._padded(side), device=image.device)
        place = torch.where(place < side, place, (2 * (side - 1) - place).clamp(min=0))
        return image.index_select(axis, place)

    def _padded(self, side: Any) -> Any:
        """Return the size that the network takes for a side: a number, what torch.export makes of it, or a tensor."""
        multiple, minimum = self.translator.multiple, self.translator.minimum
        if isinstance(side, Tensor):  # while tracing
            side = side.clamp(min=minimum)
        elif minimum > 1:
            side = torch.sym_max(side, minimum)
        count = (side + multiple - 1) // multiple
        if torch.compiler.is_exporting() and not isinstance(side, int):
            # A number of its own instead of this expression, with which torch would compute for ten times as long.
            count = torch.full((), count, dtype=torch.int64).item()
            torch._check(count >= max(1, -(-minimum // multiple)))
        return count * multiple


def _crop(image: Tensor, axis: int, side: int) -> Tensor:
    """Keep the first pixels of an axis; by index, since a slice's memory layout would depend on the size."""
    return image.index_select(axis, torch.arange(side, device=image.device))
