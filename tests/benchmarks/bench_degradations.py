"""Degradations of a batch: picture by picture on one thread, as trainings on a CPU do it, and all at once on a device.

    python tests/benchmarks/bench_degradations.py [DEVICE]

The batch is 16 squares of 256 x 256 cut out of scikit-image's photographs. On a CPU, the default, both ways have one
thread and are timed by the processor's clock, so that it may be busy; on another device by the wall's.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import cv2
import skimage.data
import torch
from measure import commit, compare
from torch import Tensor

from datasets.augment import CropConfig, Cropper
from datasets.degradations.batches import BATCHED, degrade_batch, recolour_batch, shrink_batch
from datasets.degradations.degrade import DegradationName, degrade
from datasets.degradations.resampling import kernel_reach, shrink_padded
from datasets.pixels import Floats, to_floats, to_tensor
from translate.hardware import choose_device

BATCH, SIDE, SCALE = 16, 256, 4
ROUNDS = 7

Way = Callable[[], object]


def operations(device: torch.device) -> Iterator[tuple[str, Way, Way]]:
    """Yield each operation's name, how one thread does it, and how the device does."""
    pictures, seeds = squares(SIDE), range(BATCH)
    images = stack(pictures, device)
    for name in BATCHED:
        yield (
            name,
            one_by_one(pictures, partial(_degrade, name), device),
            partial(_degrade_all, name, images),
        )
    cropper = Cropper(CropConfig(jitter=0.3), training=True)
    yield (
        "colour changes",
        one_by_one(pictures, cropper.recolour, device),
        lambda: wait(recolour_batch(images, torch.stack([cropper.draw_colours(seed) for seed in seeds]))),
    )
    around = squares(SIDE + 2 * kernel_reach(SCALE))
    large = stack(around, device)
    yield (
        f"bicubic reduction, ×{SCALE}",
        one_by_one(around, lambda picture, seed: shrink_padded(picture, SCALE), device),
        lambda: wait(shrink_batch(large, SCALE)),
    )


def squares(side: int) -> list[Floats]:
    """Return a batch of squares, as the threads have them."""
    photographs = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()]
    corners = [(top, left) for top in (0, 24) for left in (0, 100)]
    return [to_floats(photo[top : top + side, left : left + side]) for top, left in corners for photo in photographs]


def one_by_one(pictures: Sequence[Floats], change: Callable[[Floats, int], Floats], device: torch.device) -> Way:
    """Return what changes the pictures, each with a seed of its own, and brings them to the device."""
    return lambda: stack([change(picture, seed) for seed, picture in enumerate(pictures)], device)


def _degrade(name: DegradationName, picture: Floats, seed: int) -> Floats:
    return degrade(picture, name, None, seed)


def _degrade_all(name: DegradationName, images: Tensor) -> Tensor:
    return wait(degrade_batch(images, name, None, range(len(images))))


def stack(pictures: Sequence[Floats], device: torch.device) -> Tensor:
    """Return the pictures as a batch on the device, once it is there."""
    return wait(torch.stack([to_tensor(picture) for picture in pictures]).to(device))


def wait(result: Tensor) -> Tensor:
    """Return a result, once it is computed."""
    if result.device.type != "cpu":
        torch.accelerator.synchronize(result.device)
    return result


def main() -> None:
    """Print a table."""
    device = choose_device(sys.argv[1] if len(sys.argv) > 1 else "cpu")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    print(f"{commit()}, {device.type}, batch {BATCH}, {SIDE}², one thread\n")
    print("| operation | on the thread | in a batch | ratio |\n|---|---|---|---|")
    for name, thread, whole in operations(device):
        result = compare(name, thread, whole, ROUNDS, alike=True, clock=clock)
        print(f"| {name} | {1000 * result.peers:.1f} ms | {1000 * result.ours:.1f} ms | {result.ratio:.2f}× |")


if __name__ == "__main__":
    main()
