"""The pictures in an EXIF block: its thumbnail, and the previews that its directories and makers' notes contain.

Their bytes are overwritten where they lie, since the notes of camera makers hold offsets.
"""

import struct
from collections.abc import Iterator

from datasets.codecs.blocks.directories import Directory, Layout, read_directory, read_layout, read_whole_numbers
from datasets.codecs.blocks.pictures import blank_pictures

_EXIF, _GPS, _INTEROPERABILITY, _SUB_DIRECTORIES = 0x8769, 0x8825, 0xA005, 0x014A
# Where a picture begins, and how long it is: its strips, its tiles, or the whole as one JPEG.
_PLACES = ((0x0111, 0x0117), (0x0144, 0x0145), (0x0201, 0x0202))
_MOST_DIRECTORIES = 32  # chosen by hand: a block has 2 to 5, and a damaged one may run in circles


def blank_previews(block: bytes) -> bytes:
    """Return an EXIF block of the same length in which no byte of a thumbnail or a preview is left."""
    layout = read_layout(block)
    if layout is None:
        return blank_pictures(block)
    result, kept = bytearray(block), list[tuple[int, int]]()
    for directory, describes_file in _find_directories(block, layout):
        kept.append((directory.start, directory.end))
        if describes_file:
            kept += [(entry.start, entry.end) for entry in directory.entries.values()]
            continue
        for places, lengths in _PLACES:
            starts = read_whole_numbers(block, layout, directory.entries.get(places))
            sizes = read_whole_numbers(block, layout, directory.entries.get(lengths))
            for start, size in zip(starts, sizes, strict=False):
                end = min(start + size, len(block))
                result[start:end] = bytes(max(0, end - start))
    for start, end in kept:  # which the places in a damaged block may overlap
        result[start:end] = block[start:end]
    return blank_pictures(bytes(result))


def _find_directories(block: bytes, layout: Layout) -> Iterator[tuple[Directory, bool]]:
    """Yield the directories of a block, and whether each describes the file; the others describe more pictures."""
    waiting, seen = [(layout.first, True)], set[int]()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        start, describes_file = waiting.pop()
        if start in seen or not start:
            continue
        seen.add(start)
        try:
            directory = read_directory(block, layout, start)
        except struct.error:
            continue
        yield directory, describes_file
        for tag in (_EXIF, _GPS, _INTEROPERABILITY) if describes_file else ():
            waiting += [(place, True) for place in read_whole_numbers(block, layout, directory.entries.get(tag))]
        below = read_whole_numbers(block, layout, directory.entries.get(_SUB_DIRECTORIES))
        waiting += [(place, False) for place in (directory.following, *below)]
