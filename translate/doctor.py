"""A report on this machine: what it has, what works on it, how fast, what `auto` will choose, and what to install."""

import importlib.metadata
import os
import platform
import shutil
import statistics
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from models.networks.generators import ResNetConfig, UNetConfig
from translate import __version__
from translate.hardware import (
    Numerics,
    choose_device,
    device_name,
    device_problem,
    free_memory,
    native_bfloat16,
    resolve_numerics,
    synchronize,
)

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "tifffile", "kornia", "albumentations")
OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
# What each extra of pyproject.toml installs.
EXTRAS = {
    "codecs": ("imagecodecs",),
    "demo": ("scikit-image",),
    "export": ("ncnn", "onnx", "onnxruntime", "onnxscript", "openvino", "pnnx"),
    "heic": ("pi-heif",),
    "hub": ("huggingface-hub",),
    "judge": ("imagehash", "lpips", "torch-fidelity", "torchmetrics"),
    "raw": ("rawpy",),
    "zoo": ("spandrel",),
}
# Where PyTorch offers its builds; the README has the whole table.
INDEX = "https://download.pytorch.org/whl"
INSTALL = "pip install --force-reinstall torch torchvision"
# Speeds are measured with the networks and the size of the Pix2Pix and CycleGAN papers.
DEPTH = 8  # of the U-Net
SIZE = 256  # side of the images, in pixels
ROUNDS = 3  # whose median counts, so that one that is disturbed does not
SECONDS = 5.0  # after which no further round of a network begins: a slow machine is known to be slow after one


def examine_machine(name: str = "auto") -> Iterator[tuple[str, Any]]:
    """Yield the findings as plain data, one section after the other, as they are found.

    Raises:
        UserError: This machine has no such device, or torch cannot compute on it.
    """
    yield "translate", __version__
    yield "python", sys.version.split()[0]
    yield "system", f"{platform.system()} {platform.machine()}"
    yield "packages", _list_packages()
    yield "extras", _list_extras()
    yield "torch build", describe_build()
    yield "devices", _list_devices()
    yield "advice", _find_advice()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the list of devices has said it
        device = choose_device(name)
    yield "cpu", f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    yield "free memory in GiB", round(free_memory(device) / 2**30, 1)
    yield "auto", _describe_choices(device)
    for network, config in (("U-Net", UNetConfig(depth=DEPTH, dropout=0)), ("ResNet", ResNetConfig())):
        title = f"milliseconds a picture of {SIZE}x{SIZE}, {network} on {device}"
        yield title, _measure_speeds(config.build(3, 3).to(device).eval(), device)


def describe_build() -> str:
    """Return what this build of torch computes on beside the CPU."""
    if torch.version.hip:
        return f"ROCm {torch.version.hip}, for AMD's GPUs"
    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}, for NVIDIA's GPUs"
    if torch.xpu._is_compiled():
        return "XPU, for Intel's GPUs"
    return "Metal, for Apple's GPUs" if torch.backends.mps.is_built() else "CPU only"


def _list_packages() -> dict[str, str]:
    found = {name: _version(name) for name in PACKAGES}
    opencv = {name: _version(name) for name in OPENCV}
    installed = {name: version for name, version in opencv.items() if version != "missing"}
    return found | (installed or {"opencv": "missing"})


def _list_extras() -> dict[str, str]:
    """Return for each extra the versions of its packages, or which are missing and how to get them."""
    found = {}
    for extra, packages in EXTRAS.items():
        versions = {package: _version(package) for package in packages}
        missing = [package for package, version in versions.items() if version == "missing"]
        found[extra] = ", ".join(f"{package} {version}" for package, version in versions.items())
        if missing:
            found[extra] = f"missing: {', '.join(missing)}; type `pip install {' '.join(missing)}`"
    return found


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _list_devices() -> dict[str, str]:
    """Return for each device its name, and whether torch can compute on it."""
    counts = {"cuda": torch.cuda.device_count(), "xpu": torch.xpu.device_count()}
    names = [f"{kind}:{index}" for kind, count in counts.items() for index in range(count)]
    names += ["mps"] if torch.backends.mps.is_available() else []
    devices = {"cpu": "works"}
    for name in names:
        problem = device_problem(name)
        works = "works" if problem is None else f"does not work: {problem}"
        devices[name] = f"{device_name(torch.device(name))}, {works}"
    return devices


def _find_advice() -> list[str]:
    """Return what to change in this installation: sentences with what to type."""
    advice = []
    if sum(_version(name) != "missing" for name in OPENCV) > 1:
        advice.append(
            f"several packages of OpenCV overwrite one another: type `pip uninstall -y {' '.join(OPENCV)}`, "
            "and then install one of them"
        )
    problem = _torchvision_problem()
    if problem is not None:
        index = "" if torch.version.cuda or torch.version.hip else f" --index-url {INDEX}/cpu"
        advice.append(
            f"torchvision {_version('torchvision')} does not work beside torch {_version('torch')} ({problem}), and "
            f"content losses and metrics need it: install both from one place: type `{INSTALL}{index}`"
        )
    if any(device_problem(name) is None for name in _list_devices() if name != "cpu"):
        return advice
    vendor, built_for = _find_gpu(), torch.version.cuda or torch.version.hip
    if vendor == "NVIDIA" and not torch.version.cuda:
        index = f" --index-url {INDEX}/cu130" if platform.system() == "Windows" else ""
        advice.append(f"an NVIDIA GPU lies idle, since this torch is not built for it: type `{INSTALL}{index}`")
    elif vendor == "AMD" and not torch.version.hip:
        advice.append(
            f"an AMD GPU lies idle, since this torch is not built for it: type `{INSTALL} --index-url {INDEX}/rocm6.4`"
        )
    elif vendor is not None:
        advice.append(
            f"the {vendor} GPU does not compute: {_driver_message()}; update its driver, or for an older one "
            f"type `{INSTALL} --index-url {INDEX}/cu126`"
        )
    elif built_for:
        advice.append(
            "there is no GPU here, and this torch is a large one for GPUs; a tenth of its size does the same: type "
            f"`{INSTALL} --index-url {INDEX}/cpu`"
        )
    return advice


def _torchvision_problem() -> str | None:
    """Return why torchvision cannot be imported, as one of another build than torch's cannot; None if it can."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return None


def _find_gpu() -> str | None:
    """Return whose GPU has a driver on this machine, whatever torch knows of it."""
    library = Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32" / "nvcuda.dll"
    if shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists() or library.exists():
        return "NVIDIA"
    return "AMD" if Path("/dev/kfd").exists() else None


def _driver_message() -> str:
    """Return why torch finds no GPU, in the words of its driver."""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return str(error).split(". ")[0].strip()
    problems = [device_problem(f"cuda:{index}") for index in range(torch.cuda.device_count())]
    return next((problem for problem in problems if problem), "torch does not say why")


def _measure_speeds(network: torch.nn.Module, device: torch.device) -> dict[str, float | str]:
    """Return milliseconds a picture for each precision and layout; interleaved, so that they are comparable."""
    fast = ["bf16"] if native_bfloat16(device) else ["fp16"] if device.type != "cpu" else []
    choices = [(precision, layout) for precision in ("fp32", *fast) for layout in ("contiguous", "channels_last")]
    times: dict[tuple[str, str], list[float]] = {choice: [] for choice in choices}
    failed: dict[tuple[str, str], str] = {}
    began = time.perf_counter()
    for round_number in range(ROUNDS + 1):
        if round_number > 1 and time.perf_counter() - began > SECONDS:
            break
        for choice in choices:
            if choice in failed:
                continue
            try:
                elapsed = _time(network, Numerics(*choice, threads=torch.get_num_threads()), device)
            except RuntimeError as error:
                failed[choice] = f"does not work: {str(error).splitlines()[0]}"
                continue
            if round_number:  # the first round warms up
                times[choice].append(elapsed)
    return {
        " ".join(choice): failed.get(choice) or round(1000 * statistics.median(times[choice]), 1) for choice in choices
    }


@torch.inference_mode()
def _time(network: torch.nn.Module, numerics: Numerics, device: torch.device) -> float:
    network = numerics.place_network(network, device)
    image = numerics.place_batch(torch.zeros(1, 3, SIZE, SIZE), device)
    synchronize(device)
    began = time.perf_counter()
    with numerics.autocast(device):
        network(image)
    synchronize(device)
    return time.perf_counter() - began


def _describe_choices(device: torch.device) -> dict[str, str]:
    training = resolve_numerics(device, training=True)
    native = native_bfloat16(device)
    why = f"this hardware {'multiplies' if native else 'does not multiply'} bfloat16"
    inference = (
        "bf16 for models that agree with fp32 to 50 dB on probe images, fp32 for all others" if native else "fp32"
    )
    return {
        "device": str(device),
        "training precision": f"{training.precision}: {why}",
        "training layout": training.layout
        if device.type == "cpu"
        else f"{training.layout}, unless the other is measured to be faster",
        "inference precision": f"{inference}: {why}",
        "threads": f"{training.threads}: torch's default",
    }
