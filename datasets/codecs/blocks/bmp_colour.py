"""What the header of a BMP file states of colours: an ICC profile within the file, or primaries and a gamma.

Microsoft, BITMAPV4HEADER and BITMAPV5HEADER.
"""

import struct

from datasets.codecs.blocks.colour import state_colours
from datasets.codecs.blocks.icc import build_profile

_HEADER = 14  # where the information header begins
_CALIBRATED, _EMBEDDED = 0, 0x4D424544


def read_bmp_profile(data: bytes) -> bytes | None:
    """Return the profile of a BMP file, or one made from what its header states; None: sRGB, or nothing is stated."""
    if len(data) < _HEADER + 124:
        return None
    size, space = (struct.unpack_from("<I", data, place)[0] for place in (_HEADER, _HEADER + 56))
    if size >= 124 and space == _EMBEDDED:
        start, length = struct.unpack_from("<II", data, _HEADER + 112)
        profile = data[_HEADER + start :][:length]
        return profile if len(profile) == length and profile[36:40] == b"acsp" else None
    if size < 108 or space != _CALIBRATED:
        return None
    numbers = struct.unpack_from("<9i3I", data, _HEADER + 60)
    ends = [numbers[0:3], numbers[3:6], numbers[6:9]]  # XYZ of red, green and blue
    white = tuple(map(sum, zip(*ends, strict=True)))
    if not all(sum(end) > 0 for end in ends) or not numbers[10]:
        return None
    points = [(end[0] / sum(end), end[1] / sum(end)) for end in (white, *ends)]
    stated = state_colours(points, 65536 / numbers[10])  # one gamma: that of green
    return None if stated is None or stated.colours is None else build_profile(stated.colours, 3)
