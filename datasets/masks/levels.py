"""How bright the pixels of a mask are, and which of them are meant as the hole."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.codecs.images import Picture
from datasets.codecs.origin import Origin
from datasets.masks.drawing import Mask

FEW = 8  # levels that a note lists; chosen by hand, more than label maps mostly have
# Chosen by hand: a weaker level than this is rather a label's number than a brush of low opacity.
WEAKEST_BRUSH = 32
SMALL_PART = 0.01  # of the picture, that a note about levels leaves out: the smooth borders of strokes

# Photographs have levels between black and white nearly everywhere, and there noise or many colours. Measured on
# scikit-image's photographs (levels 0.7 or more, noise 0.06 or more) and on strokes that were blurred (noise 0) or
# saved as JPEG (levels 0.1 at most).
BETWEEN = 0.45
NOISE = 0.05
NOISE_LEVELS = 2  # by which a pixel differs from the mean of its neighbours twice over
MANY_COLOURS = 100  # of 4,096
SEEN = 3_000_000  # samples of a picture that are looked at, since more tell no more


@dataclass(frozen=True, eq=False)
class Levels:
    """How bright each pixel of a mask is.

    Attributes:
        values: (H, W), uint8 or uint16.
        highest: The level of white.
        lossy: Whether small differences may come from compression.
        notes: For the user.
    """

    values: NDArray[np.uint8 | np.uint16]
    highest: int
    lossy: bool = False
    notes: tuple[str, ...] = ()

    def find_holes(self, threshold: int | None = None) -> tuple[Mask, tuple[str, ...]]:
        """Return the mask (H, W), True in the hole, and notes; `threshold`, of 255, is the brightest that is none."""
        if threshold is not None:
            holes: Mask = self.values > threshold * self.highest // 255
            return holes, self.notes
        counts = np.bincount(self.values.ravel())
        present = np.flatnonzero(counts)
        cut, note = self._choose_cut(counts, present)
        holes = self.values > cut
        if note is None and holes.any() and not self.lossy and 2 < len(present) <= FEW:
            left_out = [level for level in present if 0 < level <= cut and counts[level] > SMALL_PART * holes.size]
            if left_out:
                note = (
                    f"the mask has the levels {self._name(present)}, and those up to {self._name([left_out[-1]])} are "
                    "not taken for the hole; `mask_threshold` 0 takes all but black"
                )
        if not holes.any() and present[-1]:
            levels = f", and its levels are {self._name(present)}" if len(present) <= FEW else ""
            half = max(self._scale(present[-1]) // 2, 0)
            note = (
                f"the brightest level of its mask is {self._scale(present[-1])} of 255, and above 127 is hole{levels}; "
                f"`mask_threshold` {half} takes what is brighter than {half}"
            )
        return holes, self.notes + (() if note is None else (note,))

    def _choose_cut(self, counts: NDArray[np.intp], present: NDArray[np.intp]) -> tuple[int, str | None]:
        """Return the brightest level that is no hole, and a note where that is a guess."""
        brightest, half = int(present[-1]), self.highest // 2
        if self.lossy:
            return half, None
        if brightest == 1:
            return 0, None
        if len(present) == 2:
            darker = int(present[0])
            plain = darker <= half < brightest
            return darker, None if plain else f"its mask has the levels {self._name(present)}: the brighter is the hole"
        strong = counts[round(0.9 * brightest) :].sum()
        if self._scale(brightest) >= WEAKEST_BRUSH and brightest <= half and strong > counts[1:].sum() / 2:
            shown = self._scale(brightest)
            return brightest // 2, f"the brightest level of its mask is {shown} of 255: above {shown // 2} is the hole"
        return half, None

    def _scale(self, level: int | np.intp) -> int:
        """Return a level of 255, and of those above 0 none as 0."""
        return max(int(level) * 255 // self.highest, int(level > 0))

    def _name(self, levels: "NDArray[np.intp] | list[np.intp]") -> str:
        names = [str(self._scale(level)) for level in levels]
        return " and ".join([", ".join(names[:-1]), names[-1]]) if names[1:] else names[0]


def show_levels(picture: Picture) -> Levels:
    """Return how bright each pixel of a picture is: the highest of its channels, less where it is transparent.

    Where all that can be seen has one colour, as strokes on a layer of their own have, it is the alpha that counts.
    White has the highest level of the depth; in 16 bits it has 255 if no level is above that.
    """
    pixels, alpha = picture.pixels, picture.alpha
    lossy = _is_lossy(picture.origin)
    highest = int(np.iinfo(pixels.dtype).max)
    values = functools.reduce(np.maximum, np.moveaxis(pixels, 2, 0))
    notes: tuple[str, ...] = ()
    if alpha is not None and alpha.min() < alpha.max():
        visible = pixels[alpha > 0]
        if (visible == visible[0]).all():
            values = alpha
            if (alpha > highest // 2).mean() > 0.5:
                notes = (
                    "its mask has one colour and transparent parts, and the opaque part is the hole; `mask_invert` "
                    "takes the transparent part",
                )
        else:
            values = (values.astype(np.uint32) * alpha // highest).astype(values.dtype)
    elif alpha is not None:
        values = np.where(alpha > highest // 2, values, 0).astype(values.dtype)
    if picture.depth == 16 and values.max() <= 255:
        highest = 255
    return Levels(values, highest, lossy, notes)


def is_photograph(picture: Picture) -> bool:
    """Return whether a picture looks like a photograph, whole or with parts erased, and not like a mask."""
    pixels = picture.pixels if picture.depth == 8 else (picture.pixels >> 8).astype(np.uint8)
    alpha = picture.alpha
    if alpha is not None and alpha.min() < alpha.max():
        return bool(np.count_nonzero(np.bincount(pixels.max(2)[alpha > 0])) > FEW**2)
    step = 1 + pixels.size // SEEN
    rows, columns = pixels[::step], pixels[:, ::step].swapaxes(0, 1)  # neighbours in them are neighbours in the picture
    brightest = rows.max(2)
    if min(pixels.shape[:2]) < 3 or ((brightest >= 16) & (brightest < 240)).mean() < BETWEEN:
        return False
    if pixels.shape[2] == 3:
        packed = np.bitwise_or.reduce((rows >> 4).astype(np.uint16) << np.array([0, 4, 8], np.uint16), axis=2)
        if np.count_nonzero(np.bincount(packed.ravel())) > MANY_COLOURS:
            return True
    noisy = [
        (np.abs(part[:, 2:] - 2 * part[:, 1:-1] + part[:, :-2]).max(2) > NOISE_LEVELS).mean()
        for part in (rows.astype(np.int16), columns.astype(np.int16))
    ]
    return bool(np.mean(noisy) >= NOISE and np.count_nonzero(np.bincount(brightest.ravel())) > FEW)


def _is_lossy(origin: Origin | None) -> bool:
    return origin is not None and (origin.format == "JPEG" or origin.webp_quality is not None)
