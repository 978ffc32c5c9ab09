"""Flags of the process that GPUs compute by: TF32, and cuDNN's choice of algorithms."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch


@contextmanager
def gpu_flags(*, training: bool) -> Iterator[None]:
    """Allow TF32 in matrix products and convolutions in training only, where cuDNN also measures its algorithms.

    TF32 has the digits of float16, and pictures of 16 bits, among others, are promised float32.
    """
    cudnn = cast(Any, torch.backends.cudnn)
    parts: list[Any] = [torch.backends.cuda.matmul, *(getattr(cudnn, name, None) for name in ("conv", "rnn"))]
    newer = [part for part in parts if hasattr(part, "fp32_precision")]  # flags that torch has since 2.9
    before, benchmark = [part.fp32_precision for part in newer], cudnn.benchmark
    cudnn.benchmark = training
    try:
        older = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    except RuntimeError:  # the host uses the newer flags, which must not be mixed with these
        older = None
        for part in newer:
            part.fp32_precision = "tf32" if training else "ieee"
    else:
        _allow_tf32("high" if training else "highest", training)
    try:
        yield
    finally:
        if older is not None:
            _allow_tf32(*older)
        for part, value in zip(newer, before, strict=True):
            part.fp32_precision = value
        cudnn.benchmark = benchmark


def _allow_tf32(matmul: str, convolutions: bool) -> None:
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = convolutions
