"""Fills the holes of `fills.py` in an environment of its own, which has NumPy and one of two methods.

    PYTHON tests/benchmarks/fills_peers.py GIVEN RESULT

GIVEN is an .npz with `truth` (N, H, W, 3) and `hole` (N, H, W); RESULT gets `name`, `filled` and `seconds`.
"""

import importlib
import sys
import time
from typing import Any

import numpy as np

try:
    cv2: Any = importlib.import_module("cv2")
    cv2.setNumThreads(1)
    NAME = "FSR, fast"
except ImportError:
    patch_match: Any = importlib.import_module("patchmatch.patch_match")
    NAME = "PatchMatch"


def fill(truth: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Return a filled picture; what the hole held is not shown to the method."""
    blank = np.ascontiguousarray(np.where(hole[..., None], np.uint8(0), truth))
    if NAME == "PatchMatch":
        return np.asarray(patch_match.inpaint(blank, hole.astype(np.uint8) * 255))
    filled = np.zeros_like(blank)
    cv2.xphoto.inpaint(blank, (~hole).astype(np.uint8) * 255, filled, cv2.xphoto.INPAINT_FSR_FAST)
    return np.where(hole[..., None], filled, truth)


def main(given: str, result: str) -> None:
    """Fill all pictures."""
    with np.load(given) as problems:
        pairs = list(zip(problems["truth"], problems["hole"], strict=True))
    made, seconds = [], []
    for truth, hole in pairs:
        began = time.process_time()
        made.append(fill(truth, hole))
        seconds.append(time.process_time() - began)
    np.savez(result, name=NAME, filled=made, seconds=seconds)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
