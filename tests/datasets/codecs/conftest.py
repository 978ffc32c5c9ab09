"""What tests of picture files share: pixels, colour profiles, and files that are read and written again."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from datasets.codecs import images
from datasets.codecs.images import SaveOptions

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" tiff:ImageWidth="1" '
    b'exif:PixelXDimension="1"><exif:PixelYDimension>1</exif:PixelYDimension></rdf:Description></x:xmpmeta>'
)


@pytest.fixture(scope="session")
def xmp():
    """An XMP packet with an orientation and sizes."""
    return XMP


@pytest.fixture(scope="session")
def noise():
    """`noise(*shape, dtype=np.uint8, seed=0)`: random pixels."""
    return _noise


def _noise(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.fixture(scope="session")
def smooth():
    """`smooth(*shape)`: random pixels, blurred, so that lossy formats keep them well."""
    return lambda *shape: cv2.GaussianBlur(_noise(*shape), (0, 0), 4)


@pytest.fixture(scope="session")
def save():
    """`save(path, array, **options)`: write a picture with Pillow; returns the path."""

    def write(path: Path, array, **options) -> Path:
        Image.fromarray(array).save(path, **options)
        return path

    return write


@pytest.fixture(scope="session")
def png_chunk():
    """`png_chunk(name, data)`: a chunk of a PNG file."""
    return lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.fixture(scope="session")
def icc_profile():
    """`icc_profile(space, gamma=1.0)`: an ICC profile of b"RGB ", b"GRAY" or b"CMYK"."""
    return _icc_profile


def _icc_profile(space, gamma=1.0):
    """A small ICC profile: a display with the sRGB primaries, or gray, or a press that prints black only."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"

    def xyz(*values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    white = (0.9642, 1.0, 0.8249)
    text = b"desc\0\0\0\0\0\0\0\x05test\0" + b"\0" * 78
    tags = {b"desc": text, b"wtpt": xyz(*white), b"cprt": b"text\0\0\0\0none\0\0\0\0"}
    pcs = b"XYZ "
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    elif space == b"CMYK":
        identity = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
        cells = b"".join(bytes([0 if corner % 2 else 255, 128, 128]) for corner in range(16))  # black counts fastest
        pcs, steps = b"Lab ", bytes(range(256))
        tags[b"A2B0"] = b"mft1\0\0\0\0\x04\x03\x02\0" + identity + steps * 4 + cells + steps * 3
    else:
        primaries = {b"r": (0.4360, 0.2225, 0.0139), b"g": (0.3851, 0.7169, 0.0971), b"b": (0.1431, 0.0606, 0.7139)}
        for name, values in primaries.items():
            tags |= {name + b"XYZ": xyz(*values), name + b"TRC": curve}
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(data))
        body += data
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    head = struct.pack(">I4sI4s4s4s", 128 + len(table + body), b"test", 0x02100000, kind, space, pcs)
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + xyz(*white)[8:] + b"\0" * 48
    return head + table + body


@pytest.fixture(scope="session")
def roundtrip():
    """`roundtrip(path, options=None, change=…)`: read, change, write beside; returns the new path and all notes."""

    def run(path, options=None, change=lambda picture: picture):
        picture = images.read_picture(path)
        assert picture.origin is not None
        target = path.with_name("target" + images.choose_suffix(path, options or SaveOptions()))
        notes = images.write_picture(change(picture), target, options or SaveOptions())
        return target, picture.origin.notes + notes

    return run
