"""The doctor's findings are of this machine."""

import json
import subprocess
import sys

import torch


def test_the_doctor_measures_and_says_what_auto_will_choose() -> None:
    command = [sys.executable, "-m", "translate", "doctor", "--device", "cpu", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    findings = json.loads(told.stdout)
    assert findings["packages"]["torch"] == torch.__version__.split("+")[0]
    assert "cpu" in findings["devices"]
    for network in ("unet_256", "resnet_9"):
        times = findings["milliseconds"][network]
        assert set(times) == {f"{p} {layout}" for p in ("fp32", "bf16") for layout in ("contiguous", "channels_last")}
        assert all(isinstance(value, float) and value > 1 for value in times.values())
    assert findings["auto"]["training precision"].split(":")[0] in ("fp32", "bf16")
    assert findings["free_memory_gib"] > 0.1
