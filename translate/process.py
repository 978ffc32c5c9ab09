"""Set up the process of the command line.

A library must not change the process of the program that imports it, so nothing but `translate.cli.main`, and worker
processes that this program starts for itself, calls this. It does not import torch, which takes seconds.
"""

import ctypes
import os
import sys
import warnings

_usual_format = warnings.formatwarning
# Parameters of mallopt(3), from glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


def configure_process() -> None:
    """Silence what libraries write to the terminal on their own, and keep freed memory for the next step."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of oddities in metadata, which it reads all the same
    warnings.formatwarning = _format_warning
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Make glibc keep the memory that tensors free; return whether that was possible.

    By default glibc returns blocks of more than 32 MiB to the system at once, and the system clears every page again
    when the next step asks for as much: a third of a U-Net's training step on a CPU was spent on that. Threads other
    than the first get heaps of their own, which return everything above 64 MiB whatever the thresholds say, so threads
    that start later share one heap.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False  # another C library, without these parameters
    settings = ((M_MMAP_THRESHOLD, 1 << 30), (M_TRIM_THRESHOLD, -1), (M_ARENA_MAX, 1))
    return all(libc.mallopt(parameter, value) for parameter, value in settings)


def _format_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return a warning of this package as a sentence for people, and any other with its place in the code."""
    if category.__module__.startswith("translate."):
        return f"note: {message}\n"
    return _usual_format(message, category, filename, lineno, line)
