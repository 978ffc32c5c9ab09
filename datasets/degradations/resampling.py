"""Pictures made smaller as super-resolution is measured: bicubic and antialiased, like MATLAB's imresize.

Keys 1981, doi:10.1109/TASSP.1981.1163711, with a = -0.5, stretched by the scale; beyond its border a picture is
mirrored, the border's pixels repeated. OpenCV's and Pillow's bicubic have other kernels or other borders, and metrics
measured with them cannot be compared with published ones.

The kernel is that of `models.baselines.bicubic`, which enlarges. There torch evaluates it on whatever device a model is
on; here NumPy does, on the threads that read, without torch's own threads. For equal arguments the two differ by the
rounding of float32 (under 1e-6), and are not bit-equal, so neither can replace the other.
"""

import functools

import numpy as np

from datasets.pixels import Floats


def cubic_kernel(distance: Floats) -> Floats:
    """Return Keys' kernel with a = -0.5 at distances in output pixels: 1 at 0, and 0 from 2 on."""
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.asarray(np.where(x <= 1, near, np.where(x < 2, far, 0)), np.float32)


def shrink(pixels: Floats, scale: int) -> Floats:
    """Return (H, W, C) floats as (H / scale, W / scale, C); H and W have to be multiples of `scale`."""
    reach = kernel_reach(scale)
    return shrink_padded(np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric"), scale)


def shrink_padded(pixels: Floats, scale: int) -> Floats:
    """Return (H + 2r, W + 2r, C) floats as (H / scale, W / scale, C), where r = `kernel_reach(scale)`.

    Like `shrink` for a part of a picture, whose surroundings are given and not mirrored.
    """
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(pixels, 5 * scale, axis)
        strided = windows[::scale] if axis == 0 else windows[:, ::scale]
        pixels = np.einsum("hwck,k->hwc", strided, kernel_taps(scale))
    return pixels


def kernel_reach(scale: int) -> int:
    """Return how many pixels beyond an area count for the area when it is shrunk."""
    return 2 * scale


@functools.cache
def kernel_taps(scale: int) -> Floats:
    """Return the weights of the 5 · scale pixels that make one: those it covers, and twice as many on each side."""
    distances = (np.arange(5 * scale) - (5 * scale - 1) / 2) / scale
    weights = cubic_kernel(distances.astype(np.float32))
    return np.asarray(weights / weights.sum(), np.float32)
