"""What a computation needs is set while it runs, and restored however it ends."""

import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from datasets.errors import UserError
from translate.hardware import (
    DeviceWarning,
    Numerics,
    choose_device,
    device_problem,
    free_memory,
    keep_random_state,
    memory_ran_out,
    native_bfloat16,
    resolve_numerics,
    run_within,
    seed_draws,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def flags() -> tuple[object, ...]:
    cuda = torch.backends.cuda
    cudnn: Any = torch.backends.cudnn  # an object in a module's place, with more attributes than the module
    newer = [cuda.matmul, cudnn.conv, cudnn.rnn] if hasattr(cuda.matmul, "fp32_precision") else []  # since torch 2.9
    return (*(part.fp32_precision for part in newer), cudnn.benchmark)


def test_resolving_changes_nothing() -> None:
    torch.set_num_threads(2)
    before = flags()
    assert resolve_numerics(CPU, training=False) == Numerics("fp32", "contiguous", 2)
    assert resolve_numerics(GPU, training=False, threads=1) == Numerics("fp32", "channels_last", 1)
    assert resolve_numerics(CPU, training=True, precision="bf16", layout="channels_last").precision == "bf16"
    assert torch.get_num_threads() == 2
    assert flags() == before


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_threads_are_the_computations_and_then_the_hosts(error: type[BaseException] | None) -> None:
    torch.set_num_threads(2)
    with pytest.raises(error) if error else run_nothing(), Numerics("fp32", "contiguous", 1).active(CPU):
        assert torch.get_num_threads() == 1
        if error:
            raise error
    assert torch.get_num_threads() == 2


@contextmanager
def run_nothing() -> Iterator[None]:
    yield


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_a_gpu_computes_with_tf32_in_training_only_and_then_by_the_hosts_flags(allowed: bool, precision: str) -> None:
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark
    try:
        cudnn.allow_tf32 = allowed
        torch.set_float32_matmul_precision(precision)
        hosts = flags()
        for training in (True, False):
            with Numerics("fp32", "contiguous", 1).active(GPU, training=training):
                assert (cuda.matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark) == (training,) * 3
            assert flags() == hosts
            assert (cudnn.allow_tf32, torch.get_float32_matmul_precision()) == (allowed, precision)
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32, cudnn.benchmark = before[1:]


NEWER_FLAGS = """
import torch
from translate.hardware import Numerics
cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
read = lambda: (cuda.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision)
unset = read()
with Numerics("fp32", "contiguous", 1).active(torch.device("cuda")):
    pass
assert read() == unset, (read(), unset)
cuda.fp32_precision = "tf32"
hosts = read()
for training, expected in ((True, "tf32"), (False, "ieee")):
    with Numerics("fp32", "contiguous", 1).active(torch.device("cuda"), training=training):
        assert read()[:2] == (expected, expected), read()
    assert read() == hosts, (read(), hosts)
"""


@pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="torch has these since 2.9")
def test_a_host_that_uses_torchs_newer_flags_gets_them_back() -> None:
    subprocess.run([sys.executable, "-c", NEWER_FLAGS], check=True)  # the two kinds of flags are not to be mixed


def test_between_items_the_process_is_the_hosts() -> None:
    torch.set_num_threads(2)
    seen: list[int] = []

    def compute() -> Generator[int, None, None]:
        try:
            for index in range(9):
                seen.append(torch.get_num_threads())
                yield index
        finally:
            seen.append(10 * torch.get_num_threads())

    items = run_within(lambda: Numerics("fp32", "contiguous", 1).active(CPU), compute())
    for index in items:
        assert torch.get_num_threads() == 2
        if index == 3:
            break
    items.close()
    assert seen == [1, 1, 1, 1, 10]  # also what is done when nobody wants more
    assert torch.get_num_threads() == 2
    assert list(run_within(lambda: Numerics("fp32", "contiguous", 1).active(CPU), (i for i in range(3)))) == [0, 1, 2]


def test_an_error_between_items_is_the_callers() -> None:
    def compute() -> Generator[int, None, None]:
        yield 1
        raise UserError("the disk is full")

    items = run_within(run_nothing, compute())
    assert next(items) == 1
    with pytest.raises(UserError, match="the disk is full"):
        next(items)


def test_random_numbers_go_on_as_if_nothing_had_been_drawn() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with keep_random_state(CPU):
        seed_draws(5, CPU)
        first = torch.rand(4)
    assert torch.equal(torch.rand(4), expected)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(4), first)


def test_what_this_machine_does_not_have_is_a_sentence() -> None:
    with pytest.raises(
        UserError, match="`device` tpu: this machine has none; choose auto, cpu, cuda, cuda:N, xpu or mps"
    ):
        choose_device("tpu")
    with pytest.raises(UserError, match="`precision` fp8: unknown; choose auto, fp32, bf16, fp16"):
        resolve_numerics(CPU, training=False, precision="fp8")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An NVIDIA card of capability 7.5 that torch was not built for: it is there, and the first kernel fails."""
    message = "CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors might be ..."

    def ones(*shape: int, device: Any = None) -> Any:
        raise RuntimeError(message)

    module = SimpleNamespace(
        is_available=lambda: True,
        get_device_capability=lambda device: (7, 5) if torch.device(device).index is None else (8, 6),
        is_bf16_supported=lambda **_: pytest.fail("it asks the current GPU"),
    )
    absent = SimpleNamespace(is_available=lambda: False)
    monkeypatch.setattr(torch, "get_device_module", lambda device: module if "cuda" in str(device) else absent)
    for name, value in vars(module).items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch, "ones", ones)
    monkeypatch.setattr(torch, "empty", lambda *shape, device: None)
    device_problem.cache_clear()
    yield module
    device_problem.cache_clear()


@pytest.mark.usefixtures("card")
def test_a_card_that_torch_was_not_built_for_computes_nothing() -> None:
    with pytest.warns(DeviceWarning, match=r"the CPU computes, since .* the device cuda: CUDA error: no kernel image"):
        assert choose_device("auto") == CPU
    with pytest.raises(UserError, match=r"`device` cuda: this torch cannot use it: CUDA error: no kernel image .*cpu$"):
        choose_device("cuda")
    with pytest.raises(UserError, match="`device` meta: this torch cannot use it"):
        choose_device("meta")


@pytest.mark.usefixtures("card")
def test_cards_without_bfloat16_train_in_float16_and_each_card_is_asked_for_itself() -> None:
    assert not native_bfloat16(GPU)
    assert native_bfloat16(torch.device("cuda:1"))
    assert resolve_numerics(GPU, training=True).precision == "fp16"
    assert resolve_numerics(torch.device("cuda:1"), training=True).precision == "bf16"
    assert resolve_numerics(GPU, training=False).precision == "fp32"


def test_float16_is_computed_in_float16() -> None:
    layer = torch.nn.Linear(2, 2)
    with Numerics("fp16", "contiguous", 1).autocast(CPU):
        assert layer(torch.ones(1, 2)).dtype == torch.float16


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of its memory")
def test_the_free_memory_is_what_can_still_be_allocated() -> None:
    with open("/proc/meminfo", encoding="ascii") as lines:
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    assert free_memory(CPU) == pytest.approx(available, rel=0.2)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), True),
        (
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried 9 bytes"),
            True,
        ),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB, other allocations: 1 GB)"), True),
        (RuntimeError("Invalid buffer size: 20.00 GiB"), True),
        (RuntimeError("HIP error: out of memory"), True),
        (RuntimeError("shapes do not fit"), False),
        (OSError("can't allocate memory"), False),
    ],
)
def test_a_lack_of_memory_is_told_from_other_errors(error: BaseException, expected: bool) -> None:
    assert memory_ran_out(error) is expected
