"""What this machine computes with: device, precision, memory layout and threads.

Nothing here changes the process for good: what a computation needs is set by `Numerics.active` and restored when the
computation is done.
"""

import functools
import os
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import psutil
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datasets.devices import move
from datasets.errors import UserError, suggest
from translate.gpu_flags import gpu_flags

N = TypeVar("N", bound=nn.Module)
T = TypeVar("T")

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
LAYOUTS = ("contiguous", "channels_last")
ACCELERATORS = ("cuda", "xpu", "mps")  # in the order in which `auto` tries them
TENSOR_CORES = (7, 0)  # the first compute capability (Volta) on which float16 is faster than float32
# What errors say, in lower case, where memory did not suffice: of torch's allocators on CPUs (Linux, Windows), CUDA and
# MPS, of cuDNN and cuBLAS, and of Metal for a tensor larger than any buffer.
MEMORY_MESSAGES = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "_alloc_failed",
    "allocation_failed",
    "invalid buffer size",
)


class DeviceWarning(UserWarning):
    """Another device computes than the one that was to be expected; the message says why."""


@dataclass(frozen=True)
class Numerics:
    """How a computation is carried out, with nothing left to `auto`.

    Attributes:
        precision: "fp32", "bf16" or "fp16".
        layout: "contiguous" or "channels_last".
        threads: Threads that compute on a CPU; the last bits of a result depend on it.
    """

    precision: str
    layout: str
    threads: int

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout as a torch constant."""
        return torch.channels_last if self.layout == "channels_last" else torch.contiguous_format

    @contextmanager
    def active(self, device: torch.device, *, training: bool = False) -> Iterator[None]:
        """Compute with this number of threads, and on a GPU with TF32 in training only; then restore the process."""
        before = torch.get_num_threads()
        _set_threads(self.threads)
        try:
            with gpu_flags(training=training) if device.type == "cuda" else nullcontext():
                yield
        finally:
            _set_threads(before)

    @contextmanager
    def autocast(self, device: torch.device) -> Iterator[None]:
        """Compute in this precision on `device`."""
        dtype = torch.float16 if self.precision == "fp16" else torch.bfloat16
        with torch.autocast(device.type, dtype, enabled=self.precision != "fp32"):
            yield

    def place_network(self, network: N, device: torch.device) -> N:
        """Move a network to `device`, in this layout; return it."""
        return network.to(device).to(memory_format=self.memory_format)

    def place_batch(self, image: Tensor, device: torch.device) -> Tensor:
        """Return a batch (B, C, H, W) on `device`, in this layout."""
        return move(image, device, self.memory_format)


def choose_device(name: str) -> torch.device:
    """Return the device called `name`: auto, cpu, cuda, cuda:1, xpu, mps.

    `auto` is the first accelerator that computes, else the CPU; a `DeviceWarning` says so of one that does not compute,
    such as a card that is older than this build of torch supports.

    Raises:
        UserError: This machine has no such device, or torch cannot compute on it.
    """
    if name == "auto":
        for kind in ACCELERATORS:
            if _is_available(kind):
                problem = device_problem(kind)
                if problem is None:
                    return torch.device(kind)
                warnings.warn(
                    f"the CPU computes, since this torch cannot use the device {kind}: {problem}",
                    DeviceWarning,
                    stacklevel=2,
                )
        return torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        hint = "; did you mean cuda?" if name.lower() in ("gpu", "nvidia") else ""
        raise UserError(
            f"`device` {name}: this machine has none; choose auto, cpu, cuda, cuda:N, xpu or mps{hint}"
        ) from None
    problem = device_problem(name)
    if problem is not None:
        raise UserError(f"`device` {name}: this torch cannot use it: {problem}; choose auto or cpu")
    return device


@functools.cache
def device_problem(name: str) -> str | None:
    """Return why a device computes nothing, None if it computes: a convolution is tried, once a process.

    A card may be there and yet be older than all that torch, or cuDNN, was built for.
    """
    try:
        ones = torch.ones(1, 1, 3, 3, device=name)
        F.conv2d(ones, ones).item()
    except (RuntimeError, NotImplementedError) as error:
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return None


def synchronize(device: torch.device) -> None:
    """Wait until `device` has computed all that it was given."""
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()


def _is_available(kind: str) -> bool:
    return bool(torch.backends.mps.is_available() if kind == "mps" else torch.get_device_module(kind).is_available())


def resolve_numerics(
    device: torch.device, *, training: bool, precision: str = "auto", layout: str = "auto", threads: int | str = "auto"
) -> Numerics:
    """Replace every `auto` by what suits `device`; change nothing.

    bfloat16 is chosen where the hardware multiplies it natively, and for training only: whether inference may use it
    depends on the model (`translate.inference.precision`). GPUs that lack it and have tensor cores train in float16.
    channels_last mostly pays on GPUs; training in it on CPUs is mostly slower, since fused Adam has to clone gradients
    that come back contiguous. `translate.training.layouts` measures it on GPUs.

    Raises:
        UserError: There is no such precision.
    """
    if precision not in PRECISIONS:
        near = suggest(precision, PRECISIONS)
        hint = f"; {near}" if near.endswith("?") else ""
        raise UserError(f"`precision` {precision}: unknown; choose {', '.join(PRECISIONS)}{hint}")
    if precision == "auto":
        precision = _fastest_precision(device) if training else "fp32"
    if layout == "auto":
        layout = "channels_last" if device.type == "cuda" else "contiguous"
    return Numerics(precision, layout, torch.get_num_threads() if threads == "auto" else int(threads))


def run_within(
    context: Callable[[], AbstractContextManager[None]], items: Generator[T, None, None]
) -> Generator[T, None, None]:
    """Yield from `items`, each computed within a new `context()`, which is left before the item is handed over.

    So whoever iterates finds the process as it was, between the items too.
    """
    try:
        while True:
            with context():
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item
    finally:
        with context():
            items.close()


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed what is drawn on the host and on `device`.

    `torch.manual_seed` would also queue a seed for every kind of accelerator that might be used later, with a stack
    trace each: a third of a millisecond, in steps that may take five.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "mps":
        torch.mps.manual_seed(seed)
    elif device.type != "cpu":
        module = torch.get_device_module(device)
        with module.device(device):
            module.manual_seed(seed)


@contextmanager
def keep_random_state(device: torch.device) -> Iterator[None]:
    """Restore the state of torch's default generators, of the host and of `device`, afterwards."""
    module = None if device.type == "cpu" else torch.get_device_module(device)
    place = () if device.type in ("cpu", "mps") else (device,)
    host, own = torch.get_rng_state(), module and module.get_rng_state(*place)
    try:
        yield
    finally:
        torch.set_rng_state(host)
        if module is not None:
            module.set_rng_state(own, *place)


def native_bfloat16(device: torch.device) -> bool:
    """Return whether `device` multiplies bfloat16 in hardware, so that it is faster and not only smaller."""
    if device.type == "cuda":
        if torch.version.hip:
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        return torch.cuda.get_device_capability(device) >= (8, 0)  # Ampere; `is_bf16_supported` asks the current GPU
    if device.type == "xpu":
        return True  # all GPUs that torch supports there
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):  # in newer versions of torch
        capability = torch.cpu.get_capabilities()
        return bool(capability.get("avx512_bf16") or capability.get("amx_bf16") or capability.get("bf16"))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def _fastest_precision(device: torch.device) -> str:
    """Return the precision that a training on `device` is fastest in."""
    if native_bfloat16(device):
        return "bf16"
    has_tensor_cores = device.type == "cuda" and torch.cuda.get_device_capability(device) >= TENSOR_CORES
    return "fp16" if has_tensor_cores else "fp32"


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be allocated on `device`, as far as the system knows."""
    if device.type in ("cuda", "xpu"):
        free: int = torch.get_device_module(device).mem_get_info(device)[0]
        return free
    available = int(psutil.virtual_memory().available)  # includes what caches would give back
    if device.type == "mps":  # part of the same memory, of which Metal gives away so much
        return min(available, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return available


def describe_machine(device: torch.device) -> dict[str, str | int]:
    """Return what speed depends on, without names of people or hosts."""
    return {
        "device": device_name(device),
        "torch": str(torch.__version__),
        "cores": os.cpu_count() or 1,
    }


def device_name(device: torch.device) -> str:
    """Return the product's name of a GPU, or else the kind of device."""
    if device.type in ("cuda", "xpu"):
        return str(torch.get_device_module(device).get_device_name(device))
    return device.type


def memory_ran_out(error: BaseException) -> bool:
    """Return whether an exception says that memory, the host's or a device's, did not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error).lower() for said in MEMORY_MESSAGES)


def _set_threads(count: int) -> None:
    if torch.get_num_threads() != count:  # setting it also resets every thread that starts later
        torch.set_num_threads(count)
