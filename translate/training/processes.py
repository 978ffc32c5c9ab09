"""Distributed training: several processes that train one model, started by `torchrun`."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from datasets.errors import UserError
from translate.hardware import DeviceWarning

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes of a training, seen from one of them; a training in one process has size 1.

    Attributes:
        rank: Index of this process.
        size: Number of processes.
        device: Where this process computes.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and messages."""
        return self.rank == 0

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over all processes, in place, with a single all-reduce."""
        originals = list(tensors)
        if self.size == 1 or not originals:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in originals])
        dist.all_reduce(flat)
        flat /= self.size
        for tensor, mean in zip(originals, torch.split(flat, [tensor.numel() for tensor in originals]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def total(self, numbers: Tensor) -> Tensor:
        """Return the sum over all processes; `numbers` may be overwritten."""
        if self.size > 1:
            dist.all_reduce(numbers)
        return numbers

    def gather(self, value: T) -> list[T]:
        """Return the values of all processes, ordered by rank; every process gets the whole list."""
        gathered = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(gathered, value)
        return gathered

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Return, for each flag, whether it is set in any process; every process gets the same answer."""
        if self.size == 1:
            return flags
        answers = torch.tensor(flags, dtype=torch.float32, device=self.device)
        dist.all_reduce(answers, op=dist.ReduceOp.MAX)
        return tuple(map(bool, answers.tolist()))

    def wait(self) -> None:
        """Wait until every process has reached this call."""
        self.any(False)


def join_world(device: torch.device) -> World:
    """Return the world that `torchrun` describes in the environment, or a world of one process.

    Several processes train on CUDA GPUs, one each, or else on the CPU, of which a `DeviceWarning` says why: torch has
    no way to average between Apple's or Intel's GPUs, and on Windows, which has no NCCL, none between CUDA GPUs.

    Raises:
        UserError: There are more processes on this machine than GPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World(device=device)
    rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    if device.type != "cpu" and not (device.type == "cuda" and dist.is_nccl_available()):
        reason = "has no NCCL" if device.type == "cuda" else f"cannot average between {device.type} devices"
        message = f"all {size} processes compute on the CPU, since this torch {reason}"
        warnings.warn(message, DeviceWarning, stacklevel=2)
        device = torch.device("cpu")
    if device.type == "cuda":
        if local >= torch.cuda.device_count():
            raise UserError(f"{local + 1} processes were started here, and there are {torch.cuda.device_count()} GPUs")
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return World(rank, size, device)


def leave_world(world: World, code: int) -> None:
    """End this process with an exit code, if it trained together with others, all of which are done.

    It ends at once, without an orderly teardown: the threads of torch's gloo backend can abort that, and `torchrun`
    would take the finished training for a failed one.
    """
    if world.size > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def share_batch_norm(recipe: nn.Module, world: World) -> nn.Module:
    """Replace the batch norms in `recipe` by ones that take their statistics over all processes; return it.

    Raises:
        UserError: There are batch norms on CPUs, where torch has no `SyncBatchNorm`.
    """
    has_batch_norm = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in recipe.modules())
    if world.size == 1 or not has_batch_norm:
        return recipe
    if world.device.type != "cuda":
        raise UserError("norm batch needs GPUs when several processes train together; choose norm instance")
    convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
    return convert(recipe)
