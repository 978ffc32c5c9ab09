"""The tags of EXIF blocks and TIFF files that describe a picture rather than its pixels."""

import struct
from typing import NamedTuple

from datasets.codecs.blocks.directories import (
    RATIONAL,
    UNDEFINED,
    Tags,
    Values,
    rational,
    read_directory,
    read_layout,
    read_tags,
    read_whole_numbers,
    shorts,
)

_EXIF, _GPS, _INTEROPERABILITY, _IPTC = 0x8769, 0x8825, 0xA005, 0x83BB
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
# Names, makers, dates, words, ratings, IPTC.
_DESCRIPTIVE = frozenset(
    {269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, _IPTC, *range(40091, 40096)}
)


class Description(NamedTuple):
    """Descriptive tags: of the main directory, and of the Exif and GPS directories by the tags that point there."""

    main: Tags
    below: dict[int, Tags]
    complete: bool  # no directory was damaged


def read_description(block: bytes) -> Description:
    """Return the descriptive tags of an EXIF block or a TIFF file, as far as they can be read."""
    layout = read_layout(block)
    below: dict[int, Tags] = {}
    if layout is None:
        return Description({}, below, not block)
    try:
        directory = read_directory(block, layout, layout.first)
        main = read_tags(block, layout, directory, _DESCRIPTIVE)
        if _IPTC in main:  # bytes that some writers call numbers
            entry = directory.entries[_IPTC]
            main[_IPTC] = Values(UNDEFINED, block[entry.start : entry.end])
    except struct.error:
        return Description({}, below, False)
    complete = True
    for tag in (_EXIF, _GPS):
        for start in read_whole_numbers(block, layout, directory.entries.get(tag))[:1]:
            try:
                below[tag] = read_tags(block, layout, read_directory(block, layout, start))
                below[tag].pop(_INTEROPERABILITY, None)  # points to a directory that says nothing of the picture
            except struct.error:
                complete = False
    return Description(main, below, complete)


def read_resolution(block: bytes) -> tuple[float, float] | None:
    """Return the dots per inch that an EXIF block states, across and down, or None."""
    layout = read_layout(block)
    if layout is None:
        return None
    try:
        directory = read_directory(block, layout, layout.first)
    except struct.error:
        return None
    tags = read_tags(block, layout, directory, frozenset({X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT}))
    unit = tags.get(RESOLUTION_UNIT, shorts(2))
    scale = {shorts(2): 1.0, shorts(3): 2.54}.get(unit, 0.0)  # inches, centimetres
    found = []
    for tag in (X_RESOLUTION, Y_RESOLUTION):
        kind, data = tags.get(tag, (0, b""))
        top, bottom = struct.unpack("<II", data) if kind == RATIONAL and len(data) == 8 else (0, 1)
        found.append(scale * top / bottom if bottom else 0.0)
    return (found[0], found[1]) if all(0 < value < 65535 for value in found) else None


def state_resolution(dpi: tuple[float, float]) -> Tags:
    """Return the tags that state dots per inch, across and down."""
    return {X_RESOLUTION: rational(dpi[0]), Y_RESOLUTION: rational(dpi[1]), RESOLUTION_UNIT: shorts(2)}
