"""Checkpoints as others publish them, filled by a rule that anyone can repeat, and what their authors' code makes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "translate"


@pytest.fixture
def fill() -> Callable[[Shapes], dict[str, Tensor]]:
    """Returns tensors of these shapes; each is drawn from a hash of its name."""
    return fill_shapes


def fill_shapes(shapes: Shapes) -> dict[str, Tensor]:
    return {name: _draw(name, shape) for name, shape in shapes.items()}


def _draw(name: str, shape: tuple[int, ...]) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    draws = np.random.RandomState(crc32(name.encode())).standard_normal(shape)
    if len(shape) >= 2:
        draws /= np.sqrt(draws[0].size)
    elif name.endswith("running_var"):
        draws = 1 + 0.1 * np.abs(draws)
    elif name.endswith(("running_mean", "bias")):
        draws = 0.1 * draws
    else:
        draws = 1 + 0.1 * draws
    return torch.as_tensor(draws, dtype=torch.float32)
