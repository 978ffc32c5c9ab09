"""What a machine has, what works on it, how fast, and what `auto` will therefore choose."""

import importlib.metadata
import platform
import statistics
import sys
import time
from typing import Any

import torch

from models.networks.generators import ResNetConfig, UNetConfig
from translate import __version__
from translate.hardware import Numerics, choose_device, resolve_numerics, free_memory, native_bfloat16

PACKAGES = ("torch", "opencv-python-headless", "pillow", "tifffile", "kornia", "albumentations")
DEPTH = 8  # of the U-Net that speeds are measured with
SIZE = 256  # pixels on a side of the pictures that speeds are measured with
ROUNDS = 3


def examine_machine(device_name: str = "auto") -> dict[str, Any]:
    """All findings, as plain data."""
    device = choose_device(device_name)
    capability = torch.backends.cpu.get_cpu_capability()
    return {
        "translate": __version__,
        "python": sys.version.split()[0],
        "system": platform.system(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "devices": _devices(),
        "cpu": f"{torch.get_num_threads()} threads, {capability}",
        "free_memory_gib": round(free_memory(device) / 2**30, 1),
        "measured_on": str(device),
        "milliseconds": _speeds(device),
        "auto": _choices(device),
    }


def _devices() -> list[str]:
    cuda = [f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def _speeds(device: torch.device) -> dict[str, dict[str, float | str]]:
    """Milliseconds a picture, for each network, precision and layout; interleaved, so that they compare."""
    ways = [(precision, layout) for precision in ("fp32", "bf16") for layout in ("contiguous", "channels_last")]
    results: dict[str, dict[str, float | str]] = {}
    for name, config in (("unet_256", UNetConfig(depth=DEPTH, dropout=0)), ("resnet_9", ResNetConfig())):
        network = config.build(3, 3).to(device).eval()
        times: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
        failed: dict[tuple[str, str], str] = {}
        for round_number in range(ROUNDS + 1):
            for way in ways:
                if way in failed:
                    continue
                numerics = Numerics(*way, threads=torch.get_num_threads())
                try:
                    elapsed = _time(network, numerics, device)
                except RuntimeError as error:
                    failed[way] = f"does not work: {str(error).splitlines()[0]}"
                    continue
                if round_number:  # the first round warms up
                    times[way].append(elapsed)
        results[name] = {
            " ".join(way): failed.get(way) or round(1000 * statistics.median(times[way]), 1) for way in ways
        }
    return results


@torch.inference_mode()
def _time(network: torch.nn.Module, numerics: Numerics, device: torch.device) -> float:
    settled = numerics.place_network(network, device)
    image = numerics.place_batch(torch.zeros(1, 3, SIZE, SIZE), device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    with numerics.autocast(device):
        settled(image)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def _choices(device: torch.device) -> dict[str, str]:
    training = resolve_numerics(device, training=True)
    native = native_bfloat16(device)
    why = "bfloat16 is multiplied in hardware here" if native else "bfloat16 is not multiplied in hardware here"
    inference = (
        "bf16 for models that agree with fp32 to 50 dB on the probe pictures, fp32 for all others" if native else "fp32"
    )
    layout_why = "tensor cores want channels last" if training.layout == "channels_last" else "fused Adam wants it here"
    return {
        "device": f"{choose_device('auto')}",
        "training precision": f"{training.precision}: {why}",
        "training layout": f"{training.layout}: {layout_why}",
        "inference precision": f"{inference}: {why}",
        "threads": f"{training.threads}: torch's own choice",
    }
