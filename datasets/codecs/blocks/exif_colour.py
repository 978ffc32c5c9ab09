"""What the tags of EXIF blocks and TIFF files state of colours where there is no ICC profile."""

import struct
from collections.abc import Callable, Iterator

import numpy as np

from datasets.codecs.blocks.colour import ADOBE_RGB, SRGB, state_colours
from datasets.codecs.blocks.directories import (
    RATIONAL,
    SHORT,
    Entry,
    Layout,
    read_directory,
    read_layout,
    read_whole_numbers,
)
from datasets.codecs.blocks.icc import Colours

_EXIF, _INTEROPERABILITY = 0x8769, 0xA005
_TRANSFER, _WHITE, _PRIMARIES = 0x012D, 0x013E, 0x013F
_COLOUR_SPACE, _GAMMA = 0xA001, 0xA500
_INDEX = 1  # of the interoperability rules: R98 is sRGB, R03 Adobe RGB (DCF 2.0)
_UNCALIBRATED, _ADOBE = 0xFFFF, 2  # of the colour space; 2 is in no standard, and common


def read_tagged_colours(block: bytes) -> Colours | None:
    """Return the colours that an EXIF block or a TIFF file states; None: sRGB, or nothing that can be used."""
    layout = read_layout(block)
    if layout is None:
        return None
    found = dict(_find_entries(block, layout))
    space = next(iter(read_whole_numbers(block, layout, found.get((_EXIF, _COLOUR_SPACE)))), None)
    index = found.get((_INTEROPERABILITY, _INDEX))
    rules = b"" if index is None else block[index.start : index.end]
    if space == _ADOBE or (space == _UNCALIBRATED and rules.startswith(b"R03")):
        return ADOBE_RGB
    white = _read_fractions(block, layout, found.get((0, _WHITE)))
    primaries = _read_fractions(block, layout, found.get((0, _PRIMARIES)))
    if space == 1 or len(white) != 2 or len(primaries) != 6:
        return None
    gamma = _read_fractions(block, layout, found.get((_EXIF, _GAMMA))) or [2.2]  # TIFF 6.0, section 20
    points = [(white[0], white[1]), *zip(primaries[::2], primaries[1::2], strict=True)]
    stated = state_colours(points, 1 / gamma[0] if gamma[0] > 0 else 0)
    return None if stated is None else stated.colours


def state_srgb(block: bytes) -> bytes:
    """Return an EXIF block of the same length whose tags on colours, as far as it has them, state sRGB."""
    layout = read_layout(block)
    if layout is None:
        return block
    result = bytearray(block)
    for place, entry in _find_entries(block, layout):
        write = _SRGB_VALUES.get(place)
        if write is not None:
            data = write(layout.order, entry)
            result[entry.start : entry.start + len(data)] = data
    return bytes(result)


def _pack_fractions(order: str, entry: Entry, *values: float) -> bytes:
    if (entry.kind, entry.values) != (RATIONAL, len(values)):
        return b""
    return b"".join(struct.pack(order + "II", round(value * 10000), 10000) for value in values)


def _pack_curve(order: str, entry: Entry) -> bytes:
    """Return the table of the transfer function, which is stored once or for each of three channels."""
    if entry.kind != SHORT:
        return b""
    repeats = 3 if entry.values % 3 == 0 else 1
    light = SRGB.curve.to_light(np.linspace(0, 1, entry.values // repeats))
    return np.rint(light * 65535).astype(order + "u2").tobytes() * repeats


_SRGB_VALUES: dict[tuple[int, int], Callable[[str, Entry], bytes]] = {
    (_EXIF, _COLOUR_SPACE): lambda order, entry: struct.pack(order + "H", 1) if entry.kind == SHORT else b"",
    (_EXIF, _GAMMA): lambda order, entry: _pack_fractions(order, entry, 2.2),
    (_INTEROPERABILITY, _INDEX): lambda order, entry: b"R98\0" if entry.end - entry.start == 4 else b"",
    (0, _WHITE): lambda order, entry: _pack_fractions(order, entry, *SRGB.white),
    (0, _PRIMARIES): lambda order, entry: _pack_fractions(order, entry, *SRGB.red, *SRGB.green, *SRGB.blue),
    (0, _TRANSFER): _pack_curve,
}


def _read_fractions(block: bytes, layout: Layout, entry: Entry | None) -> list[float]:
    if entry is None or entry.kind != RATIONAL:
        return []
    numbers = struct.unpack_from(f"{layout.order}{2 * entry.values}I", block, entry.start)
    return [top / bottom if bottom else 0.0 for top, bottom in zip(numbers[::2], numbers[1::2], strict=True)]


def _find_entries(block: bytes, layout: Layout) -> Iterator[tuple[tuple[int, int], Entry]]:
    """Yield the entries of the main, the Exif and the interoperability directory: (directory, tag), 0 for the main."""
    start, name = layout.first, 0
    for following in (_EXIF, _INTEROPERABILITY, 0):
        try:
            entries = read_directory(block, layout, start).entries
        except struct.error:
            return
        yield from (((name, tag), entry) for tag, entry in entries.items())
        places = read_whole_numbers(block, layout, entries.get(following))
        if not places:
            return
        start, name = places[0], following
