"""What this machine computes with: device, precision, layout, threads; the one place that decides."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from datasets.errors import UserError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # mallopt(3)

N = TypeVar("N", bound=nn.Module)

PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class Numerics:
    """How a computation is carried out, with nothing left to `auto`."""

    precision: str  # "fp32" | "bf16"
    layout: str  # "contiguous" | "channels_last"
    threads: int

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout, as torch calls it."""
        return torch.channels_last if self.layout == "channels_last" else torch.contiguous_format

    @contextmanager
    def autocast(self, device: torch.device) -> Iterator[None]:
        """Compute in this precision on `device`."""
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            yield

    def settle(self, network: N, device: torch.device) -> N:
        """A network on `device`, in this layout."""
        return network.to(device).to(memory_format=self.memory_format)

    def place(self, image: Tensor, device: torch.device) -> Tensor:
        """A batch of pictures on `device`, in this layout."""
        return image.to(device, memory_format=self.memory_format, non_blocking=True)


def choose_device(name: str) -> torch.device:
    """The device called `name`: auto, cpu, cuda, cuda:1, mps.

    Raises:
        UserError: There is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise UserError(f"--device {name}: there is none here; choose auto, cpu, cuda, cuda:N or mps") from None
    return device


def choose_numerics(
    device: torch.device, *, training: bool, precision: str = "auto", layout: str = "auto", threads: int | str = "auto"
) -> Numerics:
    """Fill in what was left to `auto`, and set this process's threads.

    bfloat16 is chosen where the hardware multiplies it natively, and for training only: whether an
    inference may use it depends on the model. channels_last pays on GPUs; on CPUs training in it is
    slower, since fused Adam has to clone gradients that come back contiguous.

    Raises:
        UserError: There is no such precision.
    """
    if precision not in PRECISIONS:
        raise UserError(f"--precision {precision}: there is none such; choose {', '.join(PRECISIONS)}")
    if precision == "auto":
        precision = "bf16" if training and native_bfloat16(device) else "fp32"
    if layout == "auto":
        layout = "channels_last" if device.type == "cuda" else "contiguous"
    if device.type == "cpu":
        keep_freed_memory()
    count = torch.get_num_threads() if threads == "auto" else int(threads)
    torch.set_num_threads(count)
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = training
    return Numerics(precision, layout, count)


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed what is drawn on the host and on `device`.

    `torch.manual_seed` also leaves a seed for every kind of accelerator that might be used later, with a stack trace
    each: a third of a millisecond, of steps that take five.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.manual_seed(seed)


def keep_freed_memory() -> bool:
    """Let the allocator keep what tensors free, for the next step to use; whether it could be told to.

    glibc gives blocks of more than 32 MiB back to the system at once, and the system clears every page
    anew when the next step asks for as much: a third of a U-Net's training step went there. Other threads than the
    first would get heaps of their own, which give back all above 64 MiB whatever they are told; so those that begin
    later are kept to one.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False  # another C library has other ways
    told = ((M_MMAP_THRESHOLD, 1 << 30), (M_TRIM_THRESHOLD, -1), (M_ARENA_MAX, 1))
    return all(libc.mallopt(what, value) for what, value in told)


def native_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 in hardware, so that it is faster and not only smaller."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capability = torch.cpu.get_capabilities()
        return bool(capability.get("avx512_bf16") or capability.get("amx_bf16") or capability.get("bf16"))
    return False


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken on `device`, as far as the system tells."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:  # Linux; counts what caches would give back
            facts = dict(line.split(":") for line in lines)
        return int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 4 * 2**30


def describe_machine(device: torch.device) -> dict[str, str | int]:
    """What figures of speed depend on, without names of people or hosts."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "torch": str(torch.__version__),
        "cores": os.cpu_count() or 1,
    }


def memory_ran_out(error: BaseException) -> bool:
    """Whether an exception says that memory, the host's or a device's, was not enough."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
