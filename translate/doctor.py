"""A report on this machine: what it has, what works on it, how fast, and what `auto` will choose."""

import importlib.metadata
import platform
import statistics
import sys
import time
from typing import Any

import torch

from models.networks.generators import ResNetConfig, UNetConfig
from translate import __version__
from translate.hardware import Numerics, choose_device, free_memory, native_bfloat16, resolve_numerics

PACKAGES = ("torch", "torchvision", "opencv-python-headless", "pillow", "tifffile", "kornia", "albumentations")
# Speeds are measured with the networks and the size of the Pix2Pix and CycleGAN papers.
DEPTH = 8  # of the U-Net
SIZE = 256  # side of the images, in pixels
ROUNDS = 3  # whose median counts, so that one that is disturbed does not


def examine_machine(device_name: str = "auto") -> dict[str, Any]:
    """Return all findings as plain data.

    Raises:
        UserError: This machine has no such device.
    """
    device = choose_device(device_name)
    capability = torch.backends.cpu.get_cpu_capability()
    return {
        "translate": __version__,
        "python": sys.version.split()[0],
        "system": platform.system(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "devices": _list_devices(),
        "cpu": f"{torch.get_num_threads()} threads, {capability}",
        "free_memory_gib": round(free_memory(device) / 2**30, 1),
        "measured_on": str(device),
        "milliseconds": _measure_speeds(device),
        "auto": _describe_choices(device),
    }


def _list_devices() -> list[str]:
    cuda = [f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def _measure_speeds(device: torch.device) -> dict[str, dict[str, float | str]]:
    """Return milliseconds an image for each network, precision and layout; interleaved, so that they are comparable."""
    choices = [(precision, layout) for precision in ("fp32", "bf16") for layout in ("contiguous", "channels_last")]
    results: dict[str, dict[str, float | str]] = {}
    for name, config in (("unet_256", UNetConfig(depth=DEPTH, dropout=0)), ("resnet_9", ResNetConfig())):
        network = config.build(3, 3).to(device).eval()
        times: dict[tuple[str, str], list[float]] = {choice: [] for choice in choices}
        failed: dict[tuple[str, str], str] = {}
        for round_number in range(ROUNDS + 1):
            for choice in choices:
                if choice in failed:
                    continue
                numerics = Numerics(*choice, threads=torch.get_num_threads())
                try:
                    elapsed = _time(network, numerics, device)
                except RuntimeError as error:
                    failed[choice] = f"does not work: {str(error).splitlines()[0]}"
                    continue
                if round_number:  # the first round warms up
                    times[choice].append(elapsed)
        results[name] = {
            " ".join(choice): failed.get(choice) or round(1000 * statistics.median(times[choice]), 1)
            for choice in choices
        }
    return results


@torch.inference_mode()
def _time(network: torch.nn.Module, numerics: Numerics, device: torch.device) -> float:
    network = numerics.place_network(network, device)
    image = numerics.place_batch(torch.zeros(1, 3, SIZE, SIZE), device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    with numerics.autocast(device):
        network(image)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def _describe_choices(device: torch.device) -> dict[str, str]:
    training = resolve_numerics(device, training=True)
    native = native_bfloat16(device)
    why = f"this hardware {'multiplies' if native else 'does not multiply'} bfloat16"
    inference = (
        "bf16 for models that agree with fp32 to 50 dB on probe images, fp32 for all others" if native else "fp32"
    )
    layout_why = "faster on tensor cores" if training.layout == "channels_last" else "faster with fused Adam here"
    return {
        "device": f"{choose_device('auto')}",
        "training precision": f"{training.precision}: {why}",
        "training layout": f"{training.layout}: {layout_why}",
        "inference precision": f"{inference}: {why}",
        "threads": f"{training.threads}: torch's default",
    }
