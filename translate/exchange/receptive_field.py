"""Measure how far an image-to-image network sees, for networks of which nobody says so."""

import torch
from torch import Tensor

from models.apply import evaluating
from models.contract import Translator
from translate.inference.tiles import round_up

# Pixels of the strips that are tried: an output pixel that sees more than half of the last is taken to see everything,
# since tiles with such margins would cost more than they save.
LENGTHS = (256, 1024)
THICKNESS = 16  # of a strip, in pixels, at least; windows of attention are mostly 8
LARGEST_MULTIPLE = 64  # that is tried; published windows are at most 32 pixels wide
TOLERANCE = 1e-4  # between a whole and its part, in values from -1 to 1: a hundredth of a level of 8 bits


def measure_tiling(translator: Translator) -> tuple[int, int] | None:
    """Return the multiple and the margin with which tiles of a network fit together; None if none was found.

    A few pixels are made NaN, which spreads to every output that depends on them, whatever the weights are. Then a part
    of a strip of noise must give what the whole gives. Networks that divide images into windows may need tiles that
    begin at larger multiples than the network states.
    """
    multiple = translator.multiple
    while multiple <= max(LARGEST_MULTIPLE, translator.multiple):
        margin = measure_margin(translator, multiple)
        if margin is None:
            return None
        if _parts_fit(translator, multiple, margin):
            return multiple, margin
        multiple *= 2
    return None


def measure_margin(translator: Translator, multiple: int) -> int | None:
    """Return how far, in pixels, what is in a block of `multiple` pixels spreads along rows and columns.

    None if it reaches the ends of the longest strip.
    """
    margins = []
    for upright in (False, True):
        for length in LENGTHS:
            margin = _spread(translator, multiple, length, upright=upright)
            if margin is not None:
                break
        if margin is None:
            return None
        margins.append(margin)
    return max(margins)


def _spread(translator: Translator, multiple: int, length: int, *, upright: bool) -> int | None:
    """Return how far NaN in the middle block of a strip of about `length` pixels spreads; None if up to an end."""
    strip = _draw_strip(translator, multiple, round_up(length, multiple))
    middle = strip.shape[-1] // 2 // multiple * multiple
    strip[..., middle : middle + multiple] = torch.nan
    spoilt = _run(translator, strip, upright=upright).isnan().any(dim=2).any(dim=1)[0]
    blocks = spoilt.reshape(-1, multiple * translator.scale).any(dim=1).nonzero()
    if not len(blocks):
        return 0
    first, last, own = int(blocks.min()), int(blocks.max()), middle // multiple
    if first == 0 or last == strip.shape[-1] // multiple - 1:
        return None
    return multiple * max(own - first, last - own)


def _parts_fit(translator: Translator, multiple: int, margin: int) -> bool:
    """Return whether parts of a strip give what the whole gives there, at any start that is a multiple."""
    margin = round_up(margin, multiple)
    inner = round_up(max(4 * multiple, THICKNESS, translator.minimum), multiple)
    strip = _draw_strip(translator, multiple, 2 * margin + inner + 4 * multiple)
    for upright in (False, True):
        whole = _run(translator, strip, upright=upright)
        for start in (multiple, 3 * multiple):
            part = _run(translator, strip[..., start : start + 2 * margin + inner], upright=upright)
            scale = translator.scale
            expected = whole[..., scale * (start + margin) : scale * (start + margin + inner)]
            found = part[..., scale * margin : scale * (margin + inner)]
            if not torch.allclose(found, expected, rtol=0, atol=TOLERANCE):
                return False
    return True


def _draw_strip(translator: Translator, multiple: int, length: int) -> Tensor:
    """Draw noise (1, C, h, length), h as small as the network takes; the same numbers each time."""
    thickness = round_up(max(THICKNESS, translator.minimum), multiple)
    draws = torch.Generator().manual_seed(0)
    return 2 * torch.rand(1, translator.channels_in, thickness, length, generator=draws) - 1


def _run(translator: Translator, strip: Tensor, *, upright: bool) -> Tensor:
    """Translate a strip (1, C, h, w), turned upright if asked for; the output lies again."""
    with evaluating(translator):
        output: Tensor = translator(strip.transpose(2, 3).contiguous() if upright else strip)
    return output.transpose(2, 3) if upright else output
