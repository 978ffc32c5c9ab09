"""Pictures within other data: find where they end, and overwrite them."""

import re

# A JPEG's first marker and the start of the next one. Some makers change the very first byte of the previews in their
# notes (Minolta), hence the dot.
_JPEG = re.compile(rb".\xd8\xff[\xc0-\xcf\xdb\xdd\xe0-\xef\xfe]", re.DOTALL)
_PNG = re.compile(rb"\x89PNG\r\n\x1a\n")
# The base64 of a JPEG or a PNG; 100 characters are less than any picture has.
_BASE64 = re.compile(rb"(?:/9j/|iVBORw0KGgo)(?:[0-9A-Za-z+/=\s]|&#x[aA];){96,}+")
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # within the coded pixels: no padding, no restart
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


def find_jpeg_end(data: bytes, start: int = 0) -> int | None:
    """Return the position behind the JPEG stream that begins at `start`; None if none begins there.

    A stream that is cut off ends with the data.
    """
    position, scans = start + 2, 0
    while position + 2 <= len(data):
        marker = data[position + 1]
        if data[position] != 0xFF or marker < 0xC0:
            break
        if marker == _END_OF_IMAGE:
            return position + 2 if scans else None
        if marker == 0xFF:  # a byte that fills
            position += 1
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if length < 2:
            break
        position += 2 + length
        if marker == _START_OF_SCAN:
            scans += 1
            following = _NEXT_MARKER.search(data, position)
            if following is None:
                return len(data)
            position = following.start()
    return min(position, len(data)) if scans else None


def blank_pictures(data: bytes) -> bytes:
    """Return data of the same length in which every JPEG and PNG, as bytes or as base64, is overwritten."""
    result = bytearray(data)
    position = 0
    while (found := _JPEG.search(data, position)) is not None:
        end = find_jpeg_end(data, found.start())
        position = found.start() + 1 if end is None else end
        if end is not None:
            result[found.start() : end] = bytes(end - found.start())
    for found in _PNG.finditer(data):
        end = data.find(b"IEND", found.end())
        end = len(data) if end < 0 else end + 8
        result[found.start() : end] = bytes(len(result[found.start() : end]))
    for found in _BASE64.finditer(data):
        result[found.start() : found.end()] = b" " * len(found[0])
    return bytes(result)
