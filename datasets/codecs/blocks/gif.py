"""The blocks of a GIF file: CompuServe's GIF89a."""

import struct

_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B


def measure_gif_canvas(data: bytes) -> tuple[int, int]:
    """Return the width and the height that hold the screen and all frames, which may reach beyond it.

    A frame of 20 bytes may state 65535 pixels a side, and decoders make the whole picture as large.
    """
    width = height = 0
    try:
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        position = 13 + _table_size(flags)
        while data[position] != _END:
            kind = data[position]
            if kind not in (_EXTENSION, _IMAGE):
                position += 1  # decoders look for the next block behind damage
                continue
            if kind == _IMAGE:
                left, top, columns, rows, flags = struct.unpack_from("<4HB", data, position + 1)
                width, height = max(width, left + columns), max(height, top + rows)
                position += 11 + _table_size(flags)  # with the smallest size of a code
            else:
                position += 2
            while data[position]:
                position += 1 + data[position]
            position += 1
    except (struct.error, IndexError):
        pass
    return width, height


def _table_size(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
