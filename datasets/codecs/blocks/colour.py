"""What the numbers of a picture mean where no ICC profile says it: PNG chunks, and the code points of ITU-T H.273."""

import struct
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from datasets.codecs.blocks.icc import Colours, Curve, Point, build_matrix

D65, _DCI, _C = (0.3127, 0.3290), (0.314, 0.351), (0.310, 0.316)
SRGB_CURVE = Curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # IEC 61966-2-1
SRGB = Colours("sRGB", D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06), SRGB_CURVE)
ADOBE_RGB = Colours("Adobe RGB", D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06), Curve(563 / 256))

# ITU-T H.273 (07/2024), table 2: white, red, green, blue.
_PRIMARIES: Mapping[int, tuple[str, Point, Point, Point, Point]] = {
    1: ("BT.709", *SRGB[1:5]),
    4: ("BT.470 M", _C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: ("BT.601 625", D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: ("BT.601 525", D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: ("SMPTE 240M", D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    8: ("generic film", _C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: ("BT.2020", D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ("DCI-P3", _DCI, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: ("Display P3", D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: ("EBU 3213-E", D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
_TELEVISION = Curve(1 / 0.45, 1 / 1.0993, 0.0993 / 1.0993, 1 / 4.5, 0.0813)
# The same, table 3.
_CURVES: Mapping[int, Curve] = {
    **dict.fromkeys((1, 6, 11, 12, 14, 15), _TELEVISION),
    4: Curve(2.2),
    5: Curve(2.8),
    7: Curve(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913),
    8: Curve(1.0),
    13: SRGB_CURVE,
    17: Curve(2.6),
}
HDR = {16: "PQ", 18: "HLG"}
_FALLBACK_GAMMA = 0.45455  # which files of sRGB state for readers that know no better (PNG, third edition, 11.3.2.5)
_SAME_GAMMA = 0.05  # relative: libpng's own threshold for gammas that make no difference
_SAME_POINT = 0.002  # a unit in the third place, to which primaries are published, and rounding


class Stated(NamedTuple):
    """What chunks state: colours other than sRGB, or the name of a curve of HDR, or sRGB, which is neither."""

    colours: Colours | None = None
    hdr: str | None = None


def read_chunks(chunks: Mapping[bytes, bytes], *, profile: bool = False) -> Stated | None:
    """Return what PNG's colour chunks state; None where they do not count, or say nothing that is known.

    `profile`: there is an ICC profile too, which all chunks but cICP give way to (PNG, third edition, 4.3).
    """
    code_points = chunks.get(b"cICP", b"")
    if len(code_points) == 4:
        stated = _read_code_points(*code_points)
        if stated is not None:
            return stated
    if profile:
        return None
    if b"sRGB" in chunks:
        return Stated()
    return _read_gamma(chunks.get(b"gAMA"), chunks.get(b"cHRM"))


def _read_code_points(primaries: int, transfer: int, matrix: int, full_range: int) -> Stated | None:
    if transfer in HDR:
        return Stated(hdr=HDR[transfer])
    if primaries not in _PRIMARIES or transfer not in _CURVES or matrix != 0:
        return None
    name, white, red, green, blue = _PRIMARIES[primaries]
    curve = _CURVES[transfer]
    if not full_range:
        curve = curve._replace(low=16 / 255, high=235 / 255)
    name = name if transfer == 13 else f"{name}, transfer {transfer}"
    return _except_srgb(Colours(name, white, red, green, blue, curve))


def _read_gamma(gamma: bytes | None, chromaticities: bytes | None) -> Stated | None:
    exponent = struct.unpack(">I", gamma)[0] / 100000 if gamma and len(gamma) == 4 else 0
    points = struct.unpack(">8I", chromaticities) if chromaticities and len(chromaticities) == 32 else None
    if points is None:
        return state_colours(None, exponent)
    pairs = [(x / 100000, y / 100000) for x, y in zip(points[::2], points[1::2], strict=True)]
    return state_colours(pairs, exponent)


def state_colours(points: list[Point] | None, exponent: float) -> Stated | None:
    """Return what primaries (white, red, green, blue) and a gamma as in gAMA mean; None: neither can be used."""
    white, red, green, blue = points or SRGB[1:5]
    like_srgb = abs(exponent / _FALLBACK_GAMMA - 1) <= _SAME_GAMMA
    same_points = np.allclose([white, red, green, blue], SRGB[1:5], atol=_SAME_POINT, rtol=0)
    if exponent <= 0:
        if points is None:
            return None
        curve = SRGB_CURVE
    else:
        curve = SRGB_CURVE if like_srgb and same_points else Curve(1 / exponent)
    name = f"primaries and gamma {1 / exponent:.4g}" if exponent > 0 else "primaries"
    colours = Colours(name, white, red, green, blue, curve)
    return _except_srgb(colours) if _is_usable(colours) else None


def _except_srgb(colours: Colours) -> Stated:
    same = np.allclose(colours[1:5], SRGB[1:5], atol=_SAME_POINT, rtol=0) and colours.curve == SRGB_CURVE
    return Stated() if same else Stated(colours)


def _is_usable(colours: Colours) -> bool:
    """Return whether colours can be converted: finite, of an area, with a white that has a Y."""
    if not all(y > 0 and 0 <= x <= 1 and y <= 1 for x, y in colours[1:5]) or not 0.1 <= colours.curve.gamma <= 10:
        return False
    try:
        matrix = build_matrix(colours)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(matrix).all() and abs(np.linalg.det(matrix)) > 1e-6)
