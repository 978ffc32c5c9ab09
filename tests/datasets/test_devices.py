"""Copies to a device are waited for, unless the source is pinned and the device reads it in order."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from datasets.contract import Paired, to_device
from datasets.devices import move
from translate.hardware import Numerics

ROOT = Path(__file__).parents[2]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `Tensor.to` was asked for; nothing is moved."""
    calls: list[dict[str, Any]] = []

    def to(tensor: Tensor, device: torch.device, **settings: Any) -> Tensor:
        calls.append(settings)
        return tensor

    monkeypatch.setattr(Tensor, "to", to)
    return calls


@pytest.mark.parametrize(
    ("device", "pinned", "overlaps"),
    [("mps", False, False), ("xpu", True, False), ("cuda", False, False), ("cuda", True, True)],
)
def test_only_pinned_memory_is_copied_to_a_cuda_gpu_while_the_host_goes_on(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, device: str, pinned: bool, overlaps: bool
) -> None:
    monkeypatch.setattr(Tensor, "is_pinned", lambda tensor: pinned)
    image, place = torch.zeros(1, 3, 2, 2), torch.device(device)
    move(image, place)
    to_device(Paired(image, image), place)
    Numerics("fp32", "channels_last", 1).place_batch(image, place)
    assert [settings["non_blocking"] for settings in asked] == [overlaps] * 4
    assert asked[-1]["memory_format"] is torch.channels_last


def test_no_other_code_decides_that_a_copy_may_overlap() -> None:
    files = [path for room in ("translate", "models", "datasets") for path in (ROOT / room).rglob("*.py")]
    assert [path.name for path in files if "non_blocking=" in path.read_text(encoding="utf-8")] == ["devices.py"]
