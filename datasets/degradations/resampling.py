"""Pictures made smaller the way super-resolution is measured: bicubic, antialiased, with MATLAB's kernel.

Keys 1981, doi:10.1109/TASSP.1981.1163711, with a = -0.5, stretched by the scale; beyond its border a picture goes on
as in a mirror that repeats the border's pixels. OpenCV's and Pillow's bicubic are other kernels or other borders, and
their figures cannot be compared with published ones.
"""

import functools

import numpy as np

from datasets.pixels import Floats


def cubic(distance: Floats) -> Floats:
    """Keys' kernel with a = -0.5 at distances in output pixels: 1 at 0, 0 from 2 on."""
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.asarray(np.where(x <= 1, near, np.where(x < 2, far, 0)), np.float32)


def shrink(pixels: Floats, scale: int) -> Floats:
    """(H, W, C) floats to (H / scale, W / scale, C), H and W multiples of `scale`."""
    reach = reach_of(scale)
    return shrink_inside(np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric"), scale)


def shrink_inside(pixels: Floats, scale: int) -> Floats:
    """As `shrink`, of pixels that already have `reach_of(scale)` pixels more on every side than is asked for."""
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(pixels, 5 * scale, axis)
        picked = windows[::scale] if axis == 0 else windows[:, ::scale]
        pixels = np.einsum("hwck,k->hwc", picked, taps_of(scale))
    return pixels


def reach_of(scale: int) -> int:
    """How many pixels around a picture have a part in it once it is shrunk, at most."""
    return 2 * scale


@functools.cache
def taps_of(scale: int) -> Floats:
    """Weights of the 5 * scale pixels around an output pixel: its own `scale`, and twice as many on each side."""
    distances = (np.arange(5 * scale) - (5 * scale - 1) / 2) / scale
    weights = cubic(distances.astype(np.float32))
    return np.asarray(weights / weights.sum(), np.float32)
