"""Move tensors to the device that computes."""

import torch
from torch import Tensor


def move(tensor: Tensor, device: torch.device, memory_format: torch.memory_format = torch.preserve_format) -> Tensor:
    """Return the tensor on `device`; a copy from pinned memory to a CUDA GPU overlaps with computation.

    Every other copy is waited for. Apple's GPUs read the source after the call has returned, and the source may be
    gone by then: what arrives would be another tensor's numbers.
    """
    overlaps = device.type == "cuda" and tensor.is_pinned()
    return tensor.to(device, memory_format=memory_format, non_blocking=overlaps)
