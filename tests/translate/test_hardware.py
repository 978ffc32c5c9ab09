"""What a computation needs is set while it runs, and restored however it ends."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from datasets.errors import UserError
from translate.hardware import (
    Numerics,
    choose_device,
    keep_random_state,
    memory_ran_out,
    resolve_numerics,
    run_within,
    seed_draws,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def flags() -> tuple[object, ...]:
    cuda = torch.backends.cuda
    cudnn: Any = torch.backends.cudnn  # an object in a module's place, with more attributes than the module
    return cuda.matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision, cudnn.benchmark


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
@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_a_gpus_flags_are_the_computations_and_then_the_hosts(allowed: bool, precision: str) -> None:
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    before = cuda.matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    try:
        cudnn.allow_tf32 = allowed
        torch.set_float32_matmul_precision(precision)
        hosts = flags()
        for training in (True, False):
            with Numerics("fp32", "contiguous", 1).active(GPU, training=training):
                assert cuda.matmul.allow_tf32
                assert cudnn.allow_tf32
                assert cudnn.benchmark is training
            assert flags() == hosts
            assert (cudnn.allow_tf32, torch.get_float32_matmul_precision()) == (allowed, precision)
    finally:
        cuda.matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before


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
    with pytest.raises(UserError, match="`device` tpu: this machine has none; choose auto, cpu, cuda, cuda:N or mps"):
        choose_device("tpu")
    with pytest.raises(UserError, match="`precision` fp8: unknown; choose auto, fp32, bf16"):
        resolve_numerics(CPU, training=False, precision="fp8")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), True),
        (RuntimeError("shapes do not fit"), False),
        (OSError("can't allocate memory"), False),
    ],
)
def test_a_lack_of_memory_is_told_from_other_errors(error: BaseException, expected: bool) -> None:
    assert memory_ran_out(error) is expected
