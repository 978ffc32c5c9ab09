"""A program that uses every public function, and prints what that changed in its process, as JSON.

    python host_program.py PICTURES MODEL SAMPLER

PICTURES is a folder of PNG files in which one has 16 bits a sample, and a TIFF of 16-bit planes; MODEL translates, and
SAMPLER makes pictures from noise. The host's settings differ from those that the package computes with.
"""

import ctypes
import importlib.util
import json
import logging
import os
import random
import signal
import sys
import threading
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import scipy.special  # noqa: F401 - adds a filter of warnings when it is imported, which is its own affair
import torch
import torch.utils.checkpoint  # which kornia imports; of torch 2.6 it brings sympy, which adds a filter of its own
from PIL import Image, ImageFile, PngImagePlugin


class Blocks(ctypes.Structure):
    """What mallinfo2(3) returns; `hblks` is the number of blocks outside the heap."""

    _names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    _fields_ = [(name, ctypes.c_size_t) for name in _names]


def maps_large_blocks() -> bool | None:
    """Whether 64 MiB are taken from the system and given back to it, as glibc does by default; None: no glibc."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return None
    libc.mallinfo2.restype = Blocks
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    before = libc.mallinfo2().hblks
    block = libc.malloc(64 << 20)
    mapped = libc.mallinfo2().hblks > before
    libc.free(block)
    return bool(mapped)


def threads_of_a_new_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


def record() -> dict[str, Any]:
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    numpys = np.random.get_state(legacy=False)
    loggers = [logging.getLogger(name) for name in (None, "PIL", "tifffile", "torch")]
    return {
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "tf32": (cuda.matmul.allow_tf32, cudnn.allow_tf32, torch.get_float32_matmul_precision()),
        "cudnn": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic),
        "torch": (torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "torch's modes": (torch.is_autocast_enabled("cpu"), torch.are_deterministic_algorithms_enabled()),
        "random numbers": (random.getstate(), numpys["state"]["key"].tolist(), torch.get_rng_state().tolist()),
        "allocator": maps_large_blocks(),
        "pillow": (Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, ImageFile.LOAD_TRUNCATED_IMAGES),
        "warnings": ([str(item) for item in warnings.filters], warnings.showwarning),
        "logging": [(log.level, log.disabled, log.propagate, len(log.handlers)) for log in loggers],
        "opencv": (cv2.getNumThreads(), opencv_messages.getLogLevel(), cv2.ocl.useOpenCL(), cv2.useOptimized()),
        "environment": dict(os.environ),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.displayhook),
        "process": (os.getcwd(), sys.path[:], sys.argv[:], sys.getrecursionlimit(), sys.stdout, sys.stderr),
    }


opencv_messages: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging  # OpenCV 4, and 5
# What reading and writing pictures changes for all threads, and gives back when the last of them has finished.
SHARED = ("pillow", "logging", "opencv")


class Watch:
    """Compares the process with what it was, and remembers the first change of each kind."""

    def __init__(self) -> None:
        self.before = record()
        self.changes: dict[str, str] = {}

    def look(self, when: str, *, working: bool = False) -> None:
        """Note what has changed, except for what is `SHARED` while threads of the package still read or write files."""
        for name, value in record().items():
            if value != self.before[name] and name not in self.changes and not (working and name in SHARED):
                self.changes[name] = f"{when}: {self.before[name]!r} became {value!r}"[:2000]


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("user_script", Path(__file__).with_name("user_script.py"))
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def be_different() -> None:
    """Have settings that the package would not choose."""
    torch.set_num_threads(2)
    torch.manual_seed(7)
    Image.MAX_IMAGE_PIXELS = 10_000_000
    opencv_messages.setLogLevel(3)  # warnings
    signal.signal(signal.SIGINT, lambda number, frame: None)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def use_everything(watch: Watch, folder: Path, model: Path, sampler: Path) -> None:
    script = load_script()
    import translate
    from translate.hardware import resolve_numerics

    for name in translate.__all__:
        getattr(translate, name)
    watch.look("importing")
    loaded = translate.load_model(model, device="cpu", threads=1)
    watch.look("load_model")
    path = min(folder.glob("*.png"))
    translate.write_picture(script.translate_pictures(loaded, path), Path("translated.png"))
    watch.look("a model's call")
    script.enlarge_and_fill(path, translate.read_picture(path))
    watch.look("pictures in memory")
    for outcome in script.run_folders(loaded, folder):
        assert outcome.status != "failed", outcome
        watch.look(f"a folder, after {outcome.name}", working=True)
    for outcome in script.sample(translate.load_sampler(sampler, device="cpu", threads=1)):
        assert outcome.status == "ok", outcome
        watch.look(f"samples, after {outcome.name}", working=True)
    import torch._dynamo  # by any optimizer of torch; it sets a variable and adds filters of its own

    watch.before = record()
    for progress in script.train(folder):
        watch.look(f"step {progress.step} of a training", working=True)
    watch.look("all")
    gpu = torch.device("cuda")  # its flags can be set without one
    with resolve_numerics(gpu, training=True, precision="fp32", threads=1).active(gpu, training=True):
        assert torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cudnn.benchmark
    watch.look("computing on a GPU")


def main() -> None:
    be_different()
    watch = Watch()
    use_everything(watch, *map(Path, sys.argv[1:4]))
    living = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    print(json.dumps({"changes": watch.changes, "living": living, "new thread": threads_of_a_new_thread()}))


if __name__ == "__main__":
    main()
