"""TIFF directories, which EXIF blocks and TIFF files consist of: read, and built anew with every type as it was.

Pillow reads and writes them too, but guesses the types within the Exif directory, so that comments become numbers, and
replaces letters that are not ASCII.
"""

import struct
from fractions import Fraction
from typing import NamedTuple

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
# TIFF's types: bytes of a value, and of the number that a byte order turns around.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = _SIZES | {5: 4, 10: 4}
_WHOLE = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


class Layout(NamedTuple):
    """How a block stores its directories: TIFF 6.0, or BigTIFF."""

    order: str  # "<" or ">"
    number: str  # struct formats: the number of entries, and offsets
    offset: str
    entry: int  # bytes of one
    first: int  # where the main directory begins


class Entry(NamedTuple):
    """An entry of a directory: its type, the number of values, and where these begin and end."""

    kind: int
    values: int
    start: int
    end: int


class Directory(NamedTuple):
    """A directory: where it begins and ends, its entries by tag, and where the next one begins, 0 for none."""

    start: int
    end: int
    entries: dict[int, Entry]
    following: int


class Values(NamedTuple):
    """The values of a tag: their type, and their bytes, little-endian."""

    kind: int
    data: bytes


Tags = dict[int, Values]


def read_layout(block: bytes) -> Layout | None:
    """Return how a TIFF block is laid out; None where it is none."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 16:
        return None
    big = struct.unpack_from(order + "H", block, 2)[0] == 43
    first = struct.unpack_from(order + ("Q" if big else "I"), block, 8 if big else 4)[0]
    return Layout(order, "Q", "Q", 20, first) if big else Layout(order, "H", "I", 12, first)


def read_directory(block: bytes, layout: Layout, start: int) -> Directory:
    """Return the directory of a TIFF block that begins at `start`; raises struct.error where it is cut off.

    Entries of unknown types, and with values outside of the block, are left out.
    """
    order, room = layout.order, struct.calcsize(layout.offset)
    if start > len(block):
        raise struct.error("a directory outside of the block")
    (count,) = struct.unpack_from(order + layout.number, block, start)
    first = start + struct.calcsize(layout.number)
    end = first + layout.entry * count
    following = struct.unpack_from(order + layout.offset, block, end)[0] if end + room <= len(block) else 0
    entries: dict[int, Entry] = {}
    for position in range(first, min(end, len(block) - layout.entry + 1), layout.entry):
        tag, kind, values = struct.unpack_from(order + "HH" + layout.offset, block, position)
        length = _SIZES.get(kind, 0) * values
        place = position + 4 + room
        if length > room:
            (place,) = struct.unpack_from(order + layout.offset, block, place)
        if length and place + length <= len(block):
            entries.setdefault(tag, Entry(kind, values, place, place + length))
    return Directory(start, end + room, entries, following)


def read_whole_numbers(block: bytes, layout: Layout, entry: Entry | None) -> tuple[int, ...]:
    """Return the values of an entry of whole numbers; none for another one."""
    if entry is None or entry.kind not in _WHOLE:
        return ()
    return struct.unpack_from(f"{layout.order}{entry.values}{_WHOLE[entry.kind]}", block, entry.start)


def read_tags(block: bytes, layout: Layout, directory: Directory, tags: frozenset[int] | None = None) -> Tags:
    """Return the values of those of `tags` that a directory has; None: of all.

    What exceeds the bytes of the whole block, as the overlaps in a damaged one can, is left out.
    """
    found: Tags = {}
    room = len(block)
    for tag, entry in directory.entries.items():
        room -= entry.end - entry.start
        if (tags is None or tag in tags) and room >= 0:
            data = block[entry.start : entry.end]
            found[tag] = Values(entry.kind, data if layout.order == "<" else _turn(data, _NUMBERS[entry.kind]))
    return found


def _turn(data: bytes, size: int) -> bytes:
    """Return numbers of `size` bytes in the other byte order."""
    turned = bytearray(data)
    for place in range(size):
        turned[place::size] = data[size - 1 - place :: size]
    return bytes(turned)


def shorts(*numbers: int) -> Values:
    """Return 16-bit numbers as values of a tag."""
    return Values(SHORT, struct.pack(f"<{len(numbers)}H", *numbers))


def longs(*numbers: int) -> Values:
    """Return 32-bit numbers as values of a tag."""
    return Values(LONG, struct.pack(f"<{len(numbers)}I", *numbers))


def rational(number: float) -> Values:
    """Return a positive number as a fraction; at most 65535, so that both its parts have 32 bits."""
    fraction = Fraction(number).limit_denominator(2**16)
    return Values(RATIONAL, struct.pack("<II", fraction.numerator, fraction.denominator))


def build_block(main: Tags, below: dict[int, Tags]) -> bytes:
    """Return a little-endian TIFF block: a main directory, and the directories to which its tags `below` point."""
    pointers = {tag: longs(0) for tag, tags in below.items() if tags}
    main_size = len(_build_directory(main | pointers, 8))
    position, bodies = 8 + main_size, []
    for tag in pointers:
        pointers[tag] = longs(position)
        bodies.append(_build_directory(below[tag], position))
        position += len(bodies[-1])
    return b"".join([b"II*\0\x08\0\0\0", _build_directory(main | pointers, 8), *bodies])


def _build_directory(tags: Tags, start: int) -> bytes:
    """Return a directory that begins at `start`, followed by its values."""
    position = start + 2 + 12 * len(tags) + 4
    entries, values = [], []
    for tag, (kind, data) in sorted(tags.items()):
        count = len(data) // _SIZES[kind]
        if len(data) <= 4:
            entries.append(struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0"))
        else:
            entries.append(struct.pack("<HHII", tag, kind, count, position))
            values.append(data + b"\0" * (len(data) % 2))
            position += len(values[-1])
    return b"".join([struct.pack("<H", len(tags)), *entries, bytes(4), *values])


def add_tags(block: bytes, tags: Tags) -> bytes | None:
    """Return a TIFF block with more or other tags in its main directory; None: it is damaged, or a BigTIFF.

    The directory moves to the end, and nothing else moves, since the notes of camera makers hold offsets.
    """
    layout = read_layout(block)
    if layout is None or layout.entry != 12:
        return None
    order, first = layout.order, layout.first
    try:
        directory = read_directory(block, layout, first)
    except struct.error:
        return None
    if directory.end > len(block):
        return None
    places = range(first + 2, directory.end - 4, 12)
    entries = {struct.unpack_from(order + "H", block, place)[0]: block[place : place + 12] for place in places}
    result = bytearray(block + b"\0" * (len(block) % 2))
    for tag, (kind, data) in tags.items():
        data = data if order == "<" else _turn(data, _NUMBERS[kind])
        value = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(order + "I", len(result))
        entries[tag] = struct.pack(order + "HHI", tag, kind, len(data) // _SIZES[kind]) + value
        result += data if len(data) > 4 else b""
    struct.pack_into(order + "I", result, 4, len(result))
    result += struct.pack(order + "H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries))
    return bytes(result + struct.pack(order + "I", directory.following))
