"""Pairs that do not match by name or size, are one picture twice, or are shifted against each other."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.storage.likeness import Lookalikes
from datasets.storage.names import stem_of
from translate.evaluation.data_check.facts import Facts
from translate.evaluation.data_check.findings import Finding, Layout
from translate.inference.input_kind import centre_luma

# Of the correlation of gradients, at most 1, and how many times that of the pair as it lies, and of any other shift, it
# is: patterns that repeat, such as windows, have several. No pair of the facades, right to 3 pixels, reaches them.
CLEAR_PEAK, CLEARER, UNRIVALLED = 0.2, 2.0, 1.5
SMALLEST_SHIFT = 4.0  # pixels; labels are drawn by hand, and not to the pixel
NEAR = 4  # pixels around a peak that belong to it
MOST_CHECKED = 2000  # pairs whose shift is measured: each takes two more decodings


def find_pair_problems(facts: Sequence[Facts], layout: Layout) -> list[Finding]:
    """Return pairs that cannot be used, or that are one picture twice."""
    if layout.kind not in ("pairs", "high-resolution"):
        return []
    sides = [by_stem(facts, side) for side in layout.folders]
    findings = [*_find_lonely(sides, layout), *_find_lonely(sides[::-1], layout, reverse=True)]
    for stem, one in sides[0].items():
        other = sides[1].get(stem)
        if other is None or one.problem is not None or other.problem is not None:
            continue
        sizes = f"{one.width}x{one.height} and {other.width}x{other.height}"
        names = (one.name, other.name)
        if layout.kind == "pairs" and (one.width, one.height) != (other.width, other.height):
            findings.append(Finding("pair of unlike sizes", names, f"differ in size: {sizes}", "error", names))
        elif one.digest == other.digest and layout.kind == "pairs":
            message = "source and target are the same picture"
            findings.append(Finding("pair of one picture", names, message, "warning", names))
    return findings


def by_stem(facts: Sequence[Facts], side: str) -> dict[str, Facts]:
    """Return the pictures of one side of pairs, by their paths within it without suffix."""
    inside = [one for one in facts if PurePosixPath(one.name).parts[0] == side]
    return {stem_of(PurePosixPath(one.name).relative_to(side)): one for one in inside}


def _find_lonely(sides: Sequence[Mapping[str, Facts]], layout: Layout, *, reverse: bool = False) -> Iterator[Finding]:
    folder = layout.folders[0 if reverse else 1]
    free = [stem for stem in sides[1] if stem not in sides[0]]
    lookalikes = Lookalikes(free)
    for stem, one in sides[0].items():
        if stem not in sides[1]:
            near = lookalikes.find(stem)
            meant = f"; {sides[1][near].name} looks like it" if near is not None else ""
            message = f"has no partner in {folder}{meant}"
            yield Finding("no partner", (one.name,), message, "error", (one.name,))


def find_shift(source: NDArray[np.float32], target: NDArray[np.float32]) -> tuple[float, float] | None:
    """Return by how many pixels (right, down) the target lies beside the source, (H, W) luma each; None: unclear.

    Gradient magnitudes are correlated, since the two sides mostly differ in colour.
    """
    if source.shape != target.shape or min(source.shape) < 32:
        return None
    one, other = (_whiten(luma) for luma in (source, target))
    correlation = np.fft.irfft2(np.conj(np.fft.rfft2(one)) * np.fft.rfft2(other), s=one.shape)
    down, right = (int(index) for index in np.unravel_index(int(correlation.argmax()), correlation.shape))
    peak, still = float(correlation[down, right]), float(correlation[0, 0])
    around = np.ix_(
        *(np.arange(at - NEAR, at + NEAR + 1) % side for at, side in zip((down, right), one.shape, strict=True))
    )
    correlation[around] = 0
    rival = max(float(correlation.max()), still, 1e-6)
    height, width = one.shape
    shift = (float(right - width * (right > width // 2)), float(down - height * (down > height // 2)))
    far = SMALLEST_SHIFT <= max(map(abs, shift)) <= min(height, width) / 4
    clear = peak >= CLEAR_PEAK and peak >= CLEARER * still and peak >= UNRIVALLED * rival
    return shift if far and clear else None


def _whiten(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return windowed gradient magnitudes of unit length without their mean."""
    smooth = cv2.GaussianBlur(luma, (0, 0), 1)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    magnitude = np.hypot(across, down)
    coarse = magnitude - cv2.GaussianBlur(magnitude, (0, 0), 4)  # so that where much is going on does not count
    window = np.outer(np.hanning(luma.shape[0]), np.hanning(luma.shape[1]))
    values = coarse * window
    result: NDArray[np.float32] = (values / max(float(np.linalg.norm(values)), 1e-9)).astype(np.float32)
    return result


def find_shifted(root: Path, pairs: Sequence[tuple[str, str]]) -> Iterator[Finding | None]:
    """Yield what is to be said about each pair of files: a warning if it is shifted, or None."""
    from datasets.codecs.images import read_picture
    from datasets.storage.threads import ordered_map

    def measure(pair: tuple[str, str]) -> Finding | None:
        source, target = (centre_luma(read_picture(root / name)) for name in pair)
        shift = find_shift(source, target)
        if shift is None:
            return None
        words = [f"{abs(shift[0]):.0f} pixels to the {'right' if shift[0] > 0 else 'left'}"] if shift[0] else []
        words += [f"{abs(shift[1]):.0f} pixels {'down' if shift[1] > 0 else 'up'}"] if shift[1] else []
        return Finding("shifted pair", pair, f"the target seems to lie {' and '.join(words)} of the source")

    yield from ordered_map(measure, pairs[:MOST_CHECKED], threads=2, ahead=16)
