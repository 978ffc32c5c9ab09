"""What `auto` means for inference: the precision and memory layout of a model, and how many pictures form a batch."""

import logging
import math
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from models.apply import translate_batch
from models.contract import Translator
from translate.hardware import LAYOUTS, PRECISIONS, Numerics, native_bfloat16
from translate.remembered import recall, remember, remembered_file

# dB between bfloat16 and float32, on each probe, for bfloat16 to be used: an error of 0.8 of 255 levels, root mean
# square, which rounding to 8 bits mostly hides. A trained network with instance norms measured 57 dB on a photograph.
AGREEMENT = 50.0
# Standard deviation of a picture in [-1, 1], 2.5 of 255 levels, below which a norm divides by almost nothing; on a flat
# gray the same network measured 14 dB.
FLAT = 0.02
PROBE_SIZE = 256  # pixels on a side of the output, of a model that takes any size
ROUNDS = 4  # of each layout; the first warms up
BATCHES = (1, 4, 8)  # sizes tried with the first pictures of a kind: a U-Net gains most at 8, a ResNet at 1 or 4
TRIES = 3  # of each size, since the first warm up, and may do so at the same time

LOG = logging.getLogger(__name__)


def is_flat(image: Tensor) -> bool:
    """Return whether a picture (C, H, W) in [-1, 1] has so little contrast that bfloat16 cannot be trusted with it."""
    return float(image[..., ::2, ::2].std(correction=0)) < FLAT  # every fourth pixel suffices


def build_probes(channels: int, size: int = PROBE_SIZE) -> dict[str, Tensor]:
    """Return the pictures (1, channels, size, size) that precisions are compared on, the same on every machine.

    They are a picture with a photograph's statistics (contrast falls with frequency, some hard edges), the same at
    night, a gradient, and a nearly flat picture.
    """
    draws = np.random.default_rng(0)
    frequencies = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    spectrum = np.fft.rfft2(draws.standard_normal((channels, size, size))) / np.maximum(frequencies, 1 / size)
    photograph = np.fft.irfft2(spectrum, (size, size))
    photograph[:, size // 4 : 5 * size // 8, 5 * size // 16 : 25 * size // 32] *= -0.7  # an object with edges
    photograph = np.clip(0.35 * photograph / photograph.std(), -1, 1)
    ramp = np.linspace(-1, 1, size)[None, None] * np.ones((channels, size, 1))
    pictures = {
        "photograph": photograph,
        "night": photograph * 0.2 - 0.8,
        "gradient": ramp,
        "near-flat": photograph * 0.005,
    }
    return {name: torch.from_numpy(picture.astype(np.float32))[None] for name, picture in pictures.items()}


def bf16_agreement(translator: Translator, numerics: Numerics, device: torch.device) -> dict[str, float]:
    """Return the agreement of bfloat16 with float32 on each probe, as a PSNR in dB."""
    agreement = {}
    for name, picture in _probes_for(translator).items():
        outputs = [
            _run(translator, replace(numerics, precision=precision), device, picture) for precision in ("fp32", "bf16")
        ]
        # Known pixels around a hole are returned unchanged, so only the hole counts.
        fraction = float(picture[:, 3].mean()) if translator.fills_holes else 1.0
        error = float((outputs[0] - outputs[1]).square().mean()) / fraction / 4
        agreement[name] = float("-inf") if math.isnan(error) else 100.0 if error == 0 else -10 * math.log10(error)
    return agreement


def choose_inference(translator: Translator, digest: str, numerics: Numerics, device: torch.device) -> Numerics:
    """Return the fastest precision that changes nothing visible, and the fastest layout in it.

    They are chosen among those that the network computes in, and measured once for each model and machine, and
    remembered in the user's cache folder. The near-flat probe
    does not count, since flat pictures are always computed in float32.
    """
    path = remembered_file(digest, numerics.threads, device)
    known = recall(path)
    if known.get("precision") in PRECISIONS[1:] and known.get("layout") in LAYOUTS:
        return replace(numerics, precision=known["precision"], layout=known["layout"])
    LOG.info("measuring how this machine computes the model fastest; this happens once for a model and machine")
    can_halve = native_bfloat16(device) and "bf16" in translator.precisions
    agreement = bf16_agreement(translator, numerics, device) if can_halve else {}
    agrees = agreement and all(value >= AGREEMENT for name, value in agreement.items() if name != "near-flat")
    chosen = replace(numerics, precision="bf16" if agrees else "fp32")
    milliseconds = measure_layouts(translator, chosen, device)
    chosen = replace(chosen, layout=min(milliseconds, key=lambda layout: milliseconds[layout]))
    record = {"precision": chosen.precision, "layout": chosen.layout, "agreement": agreement, "ms": milliseconds}
    remember(path, record)
    return chosen


def measure_layouts(translator: Translator, numerics: Numerics, device: torch.device) -> dict[str, float]:
    """Return the milliseconds of the photograph probe in each layout: the fastest of several interleaved runs.

    A network that computes in one layout only is not measured.
    """
    picture = _probes_for(translator)["photograph"]
    times: dict[str, list[float]] = {layout: [] for layout in translator.layouts}
    if len(times) == 1:
        return dict.fromkeys(times, 0.0)
    for _ in range(ROUNDS):
        for layout in times:
            candidate = replace(numerics, layout=layout)
            candidate.place_network(translator, device)
            began = time.perf_counter()
            _run(translator, candidate, device, picture)
            times[layout].append(1000 * (time.perf_counter() - began))
    return {layout: min(measured[1:]) for layout, measured in times.items()}


class BatchChoice:
    """Finds how many pictures of a kind are computed fastest at once, on the pictures themselves.

    Attributes:
        fixed: The number that was asked for; None: to be found.
        candidates: The numbers that are tried.
    """

    def __init__(self, fixed: int | None, pictures: int) -> None:
        """`pictures` is how many there are in all: with few, nothing is tried."""
        self.fixed = fixed
        self.candidates = BATCHES if fixed is None and pictures >= 4 * sum(BATCHES) else (1,)
        self._tried: Counter[tuple[tuple[object, ...], int]] = Counter()
        self._best: dict[tuple[tuple[object, ...], int], float] = {}  # seconds a picture

    @property
    def largest(self) -> int:
        """The largest number that `next` returns."""
        return self.fixed or max(self.candidates)

    def next(self, kind: tuple[object, ...]) -> int:
        """Return how many pictures of a kind to take now."""
        if self.fixed is not None:
            return self.fixed
        for size in self.candidates:
            if self._tried[kind, size] < TRIES:
                self._tried[kind, size] += 1
                return size
        # A trial may still be running on another worker.
        return min(self.candidates, key=lambda size: self._best.get((kind, size), math.inf))

    def learn(self, kind: tuple[object, ...], size: int, seconds: float) -> None:
        """Record how long a batch took."""
        self._best[kind, size] = min(seconds / size, self._best.get((kind, size), math.inf))


def _probes_for(translator: Translator) -> dict[str, Tensor]:
    size = translator.only_size or -(-PROBE_SIZE // translator.scale)  # large upscalers take seconds for more
    pictures = build_probes(translator.channels_in, size)
    if translator.fills_holes:
        for picture in pictures.values():
            picture[:, 3] = 0
            picture[:, 3, size // 3 : 2 * size // 3, size // 3 : 2 * size // 3] = 1
    return pictures


def _run(translator: Translator, numerics: Numerics, device: torch.device, picture: Tensor) -> Tensor:
    with numerics.autocast(device):
        return translate_batch(translator, numerics.place_batch(picture, device)).float().cpu()
