"""The doctor's findings are of this machine."""

import pytest
import torch

from translate import doctor


def test_the_doctor_measures_and_says_what_auto_will_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SIZE", 32)  # the real networks, on a thumbnail
    monkeypatch.setattr(doctor, "DEPTH", 5)
    monkeypatch.setattr(doctor, "ROUNDS", 1)
    findings = doctor.examine_machine("cpu")
    assert findings["packages"]["torch"] == torch.__version__.split("+")[0]
    assert "cpu" in findings["devices"]
    for network in ("unet_256", "resnet_9"):
        times = findings["milliseconds"][network]
        assert set(times) == {f"{p} {layout}" for p in ("fp32", "bf16") for layout in ("contiguous", "channels_last")}
        assert all(isinstance(value, float) and value > 0 for value in times.values())
    assert findings["auto"]["training precision"].split(":")[0] in ("fp32", "bf16")
    assert findings["free_memory_gib"] > 0.1
