"""What this machine computes with: device, precision, memory layout and threads.

Nothing here changes the process for good: what a computation needs is set by `Numerics.active` and restored when the
computation is done.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from datasets.errors import UserError

N = TypeVar("N", bound=nn.Module)
T = TypeVar("T")

PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class Numerics:
    """How a computation is carried out, with nothing left to `auto`.

    Attributes:
        precision: "fp32" or "bf16".
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
        """Compute with this number of threads, and on a GPU with TF32; restore what the process had afterwards."""
        before = torch.get_num_threads()
        _set_threads(self.threads)
        try:
            with _fast_gpu(benchmark=training) if device.type == "cuda" else nullcontext():
                yield
        finally:
            _set_threads(before)

    @contextmanager
    def autocast(self, device: torch.device) -> Iterator[None]:
        """Compute in this precision on `device`."""
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            yield

    def place_network(self, network: N, device: torch.device) -> N:
        """Move a network to `device`, in this layout; return it."""
        return network.to(device).to(memory_format=self.memory_format)

    def place_batch(self, image: Tensor, device: torch.device) -> Tensor:
        """Return a batch (B, C, H, W) on `device`, in this layout."""
        return image.to(device, memory_format=self.memory_format, non_blocking=True)


def choose_device(name: str) -> torch.device:
    """Return the device called `name`: auto, cpu, cuda, cuda:1, mps.

    Raises:
        UserError: This machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise UserError(f"`device` {name}: this machine has none; choose auto, cpu, cuda, cuda:N or mps") from None
    return device


def resolve_numerics(
    device: torch.device, *, training: bool, precision: str = "auto", layout: str = "auto", threads: int | str = "auto"
) -> Numerics:
    """Replace every `auto` by what suits `device`; change nothing.

    bfloat16 is chosen where the hardware multiplies it natively, and for training only: whether inference may use it
    depends on the model (`translate.inference.precision`). channels_last pays on GPUs; training in it on CPUs is
    slower, since fused Adam has to clone gradients that come back contiguous.

    Raises:
        UserError: There is no such precision.
    """
    if precision not in PRECISIONS:
        raise UserError(f"`precision` {precision}: unknown; choose {', '.join(PRECISIONS)}")
    if precision == "auto":
        precision = "bf16" if training and native_bfloat16(device) else "fp32"
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
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def keep_random_state(device: torch.device) -> Iterator[None]:
    """Restore the state of torch's default generators, of the host and of `device`, afterwards."""
    host = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    mps = torch.mps.get_rng_state() if device.type == "mps" else None
    try:
        yield
    finally:
        torch.set_rng_state(host)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, device)
        if mps is not None:
            torch.mps.set_rng_state(mps)


def native_bfloat16(device: torch.device) -> bool:
    """Return whether `device` multiplies bfloat16 in hardware, so that it is faster and not only smaller."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capability = torch.cpu.get_capabilities()
        return bool(capability.get("avx512_bf16") or capability.get("amx_bf16") or capability.get("bf16"))
    return False


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be allocated on `device`, as far as the system knows."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:  # Linux; includes what caches would give back
            facts = dict(line.split(":") for line in lines)
        return int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 4 * 2**30


def describe_machine(device: torch.device) -> dict[str, str | int]:
    """Return what speed depends on, without names of people or hosts."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "torch": str(torch.__version__),
        "cores": os.cpu_count() or 1,
    }


def memory_ran_out(error: BaseException) -> bool:
    """Return whether an exception says that memory, the host's or a device's, did not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _set_threads(count: int) -> None:
    if torch.get_num_threads() != count:  # setting it also resets every thread that starts later
        torch.set_num_threads(count)


@contextmanager
def _fast_gpu(*, benchmark: bool) -> Iterator[None]:
    """Use TF32 in matrix products and convolutions; let cuDNN measure its algorithms if `benchmark`."""
    matmul, cudnn = torch.backends.cuda.matmul, cast(Any, torch.backends.cudnn)
    before = matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision, cudnn.benchmark
    cudnn.benchmark = benchmark
    try:
        older = matmul.allow_tf32, cudnn.allow_tf32
    except RuntimeError:  # the host uses torch's newer flags, which must not be mixed with these
        older = None
        matmul.fp32_precision = cudnn.conv.fp32_precision = "tf32"
    else:
        _set_tf32(True, True)
    try:
        yield
    finally:
        if older is not None:
            _set_tf32(*older)
        matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision, cudnn.benchmark = before


def _set_tf32(matmul: bool, cudnn: bool) -> None:
    # Only what differs: setting a flag also forgets a precision of "medium".
    if torch.backends.cuda.matmul.allow_tf32 != matmul:
        torch.backends.cuda.matmul.allow_tf32 = matmul
    if torch.backends.cudnn.allow_tf32 != cudnn:
        torch.backends.cudnn.allow_tf32 = cudnn
