"""What `auto` means for an inference: precision and layout of a model, and how many pictures go at once."""

import contextlib
import json
import math
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.errors import UserError
from models.apply import translate_batch
from models.contract import Translator
from translate.files import write_text
from translate.hardware import Numerics, describe_machine, native_bfloat16

AGREEMENT = 50.0  # dB between bfloat16 and float32, on each probe, for bfloat16 to be used
FLAT = 0.02  # standard deviation, of a picture in [-1, 1], below which a norm divides by almost nothing
PROBE = 256  # pixels on a side, where a model takes any
BATCHES = (1, 4, 8)  # tried with the first pictures of a size
TRIES = 3  # of each: the first ones warm up, and may do so side by side
LAYOUTS = ("contiguous", "channels_last")


def is_flat(image: Tensor) -> bool:
    """Whether a (C, H, W) picture in [-1, 1] has so little contrast that bfloat16 cannot be trusted with it."""
    return float(image[..., ::2, ::2].std(correction=0)) < FLAT  # every fourth pixel tells as much


def probes(channels: int, size: int = PROBE) -> dict[str, Tensor]:
    """Pictures (1, channels, size, size) that a precision is judged by: the same on every machine.

    A photograph's statistics (contrast falling with frequency, some hard edges), the same at night,
    a gradient, and a picture that is nearly flat.
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
    """Agreement in dB between bfloat16 and float32 on each probe."""
    agreement = {}
    for name, picture in _probes_of(translator).items():
        outputs = [
            _run(translator, replace(numerics, precision=precision), device, picture) for precision in ("fp32", "bf16")
        ]
        # What is known around a hole comes back as it was, and says nothing.
        share = float(picture[:, 3].mean()) if translator.fills_holes else 1.0
        error = float((outputs[0] - outputs[1]).square().mean()) / share / 4
        agreement[name] = float("-inf") if error != error else 100.0 if error == 0 else -10 * float(np.log10(error))
    return agreement


def choose_inference(translator: Translator, digest: str, numerics: Numerics, device: torch.device) -> Numerics:
    """The fastest precision that changes nothing a person could see, and the fastest layout in it.

    Measured once for a model and a machine, then known. The near-flat probe does not count: flat
    pictures are always computed in float32.
    """
    machine = "-".join(str(value) for value in describe_machine(device).values()).replace(" ", "_").replace("/", "_")
    remembered = _cache_folder() / f"{digest}-{machine}-{numerics.threads}.json"
    try:
        known = json.loads(remembered.read_text(encoding="utf-8"))
        return replace(numerics, precision=known["precision"], layout=known["layout"])
    except (OSError, ValueError, KeyError):
        pass  # never measured, or damaged
    agreement = bf16_agreement(translator, numerics, device) if native_bfloat16(device) else {}
    bears = agreement and all(value >= AGREEMENT for name, value in agreement.items() if name != "near-flat")
    chosen = replace(numerics, precision="bf16" if bears else "fp32")
    milliseconds = layout_speeds(translator, chosen, device)
    chosen = replace(chosen, layout=min(milliseconds, key=lambda layout: milliseconds[layout]))
    told = {"precision": chosen.precision, "layout": chosen.layout, "agreement": agreement, "ms": milliseconds}
    # A cache that cannot be written is no reason to fail.
    with contextlib.suppress(UserError, OSError):
        remembered.parent.mkdir(parents=True, exist_ok=True)
        write_text(remembered, json.dumps(told))
    return chosen


def layout_speeds(translator: Translator, numerics: Numerics, device: torch.device) -> dict[str, float]:
    """Milliseconds of the photograph probe in each layout, interleaved, the faster of three each."""
    picture = _probes_of(translator)["photograph"]
    times: dict[str, list[float]] = {layout: [] for layout in LAYOUTS}
    for _ in range(4):
        for layout in LAYOUTS:
            laid_out = replace(numerics, layout=layout)
            laid_out.place_network(translator, device)
            began = time.perf_counter()
            _run(translator, laid_out, device, picture)
            times[layout].append(1000 * (time.perf_counter() - began))
    return {layout: min(taken[1:]) for layout, taken in times.items()}  # the first warms up


class BatchChoice:
    """Finds how many pictures at once are fastest, for each size, on the pictures themselves."""

    def __init__(self, fixed: int | None, pictures: int) -> None:
        self.fixed = fixed
        # Where there is little to gain, there is nothing to try.
        self.candidates = BATCHES if fixed is None and pictures >= 4 * sum(BATCHES) else (1,)
        self._tried: Counter[tuple[tuple[object, ...], int]] = Counter()
        self._best: dict[tuple[tuple[object, ...], int], float] = {}  # seconds a picture

    @property
    def largest(self) -> int:
        """The most that may be asked for."""
        return self.fixed or max(self.candidates)

    def next(self, shape: tuple[object, ...]) -> int:
        """How many pictures of a shape to take now."""
        if self.fixed is not None:
            return self.fixed
        for size in self.candidates:
            if self._tried[shape, size] < TRIES:
                self._tried[shape, size] += 1
                return size
        # What was tried may still be under way, when others are computed beside it.
        return min(self.candidates, key=lambda size: self._best.get((shape, size), math.inf))

    def learn(self, shape: tuple[object, ...], size: int, seconds: float) -> None:
        """Note how long a batch took."""
        self._best[shape, size] = min(seconds / size, self._best.get((shape, size), math.inf))


def _probes_of(translator: Translator) -> dict[str, Tensor]:
    size = translator.only_size or PROBE
    pictures = probes(translator.channels_in, size)
    if translator.fills_holes:
        for picture in pictures.values():
            picture[:, 3] = 0
            picture[:, 3, size // 3 : 2 * size // 3, size // 3 : 2 * size // 3] = 1
    return pictures


def _run(translator: Translator, numerics: Numerics, device: torch.device, picture: Tensor) -> Tensor:
    with numerics.autocast(device):
        return translate_batch(translator, numerics.place_batch(picture, device)).float().cpu()


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or str(Path.home() / ".cache")
    return Path(base) / "translate"
