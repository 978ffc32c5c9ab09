"""ICC profiles for colours that a file states by numbers: primaries, a white point and a curve.

Profiles of version 4 (ICC.1:2022): one matrix and one curve for RGB, or one curve for gray.
"""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
"""CIE 1931 x and y."""

_D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ of the profile connection space (ICC.1:2022, 7.2.16)
# Cone responses for the adaptation to another white (Bradford; ICC.1:2022, annex E).
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_SAMPLES = 4096  # of a curve that no formula describes; the largest number that all readers take


class Curve(NamedTuple):
    """From a sample in [0, 1] to light: (a · x + b) ** gamma from d on, c · x below it.

    `low` and `high` are the samples of black and white; beyond them it is as dark or as light as there.
    """

    gamma: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    low: float = 0.0
    high: float = 1.0

    def to_light(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the light, in [0, 1], of samples in [0, 1]."""
        x = np.clip((samples - self.low) / (self.high - self.low), 0, 1)
        return np.where(x >= self.d, np.maximum(self.a * x + self.b, 0) ** self.gamma, self.c * x)


class Colours(NamedTuple):
    """What the numbers of a picture mean."""

    name: str
    white: Point
    red: Point
    green: Point
    blue: Point
    curve: Curve


def build_matrix(colours: Colours) -> NDArray[np.float64]:
    """Return the matrix (3, 3) from linear RGB to XYZ, whose Y of white is 1, before any adaptation.

    Raises:
        numpy.linalg.LinAlgError: The primaries lie on one line.
    """
    primaries = np.stack([_to_xyz(point) for point in (colours.red, colours.green, colours.blue)], axis=1)
    return primaries * np.linalg.solve(primaries, _to_xyz(colours.white))


def _to_xyz(point: Point) -> NDArray[np.float64]:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def build_profile(colours: Colours, channels: int) -> bytes:
    """Return an ICC profile for 1 (gray) or 3 channels (RGB).

    Raises:
        numpy.linalg.LinAlgError: The primaries lie on one line.
    """
    white = _to_xyz(colours.white)
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    tags = {
        b"desc": _build_text(colours.name),
        b"cprt": _build_text("No copyright, use freely"),
        b"wtpt": _build_xyz(_D50),
        b"chad": b"sf32" + bytes(4) + _to_fixed(adaptation),
    }
    curve = _build_curve(colours.curve)
    if channels == 1:
        tags[b"kTRC"] = curve
    else:
        matrix = adaptation @ build_matrix(colours)
        tags |= {name: _build_xyz(matrix[:, place]) for place, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _build_file(b"GRAY" if channels == 1 else b"RGB ", tags)


def read_profile_code_points(profile: bytes) -> bytes:
    """Return the code points of ITU-T H.273 that a profile names (ICC.1:2022, 9.2.17), four as in cICP, or none."""
    place = profile.find(b"cicp", 132)
    if place < 0 or place + 12 > len(profile):
        return b""
    (start,) = struct.unpack_from(">I", profile, place + 4)
    data = profile[start : start + 12]
    return data[8:] if data.startswith(b"cicp") else b""


def _build_file(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}  # equal tags share their bytes
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        if data not in places:
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, places[data], len(data))
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x04400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"  # one date, so that equal colours give equal bytes
    return head.ljust(68, b"\0") + _to_fixed(_D50) + bytes(48) + table + body


def _to_fixed(numbers: NDArray[np.float64]) -> bytes:
    """Return numbers as ICC's s15Fixed16."""
    return np.rint(numbers * 65536).astype(">i4").tobytes()


def _build_xyz(numbers: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _to_fixed(numbers)


def _build_text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded


def _build_curve(curve: Curve) -> bytes:
    if curve.low == 0 and curve.high == 1:
        if curve[1:5] == (1, 0, 0, 0):
            return b"para" + bytes(4) + struct.pack(">HH", 0, 0) + _to_fixed(np.array([curve.gamma]))
        return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + _to_fixed(np.array(curve[:5]))
    light = np.rint(curve.to_light(np.linspace(0, 1, _SAMPLES)) * 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", _SAMPLES) + light.tobytes()
