"""What lies behind the picture in a file is named by its kind."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.blocks.trailing import OTHER, PICTURES, describe_segments, describe_trailing, find_trailing
from datasets.codecs.blocks.xmp import CREDENTIALS, GAIN_MAP, VIDEO

FILM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\x03\xe8mdat" + bytes(range(256))
SAMSUNG = b"\0\0\x01\x0aMotionPhoto_Data" + FILM + b"SEFH" + bytes(20) + b"SEFT"


def picture(format, **options):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8)).save(buffer, format, **options)
    return buffer.getvalue()


GAIN = picture("JPEG", xmp=b'<a xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"/>')
ISO = picture("JPEG", extra=b"\xff\xe2" + struct.pack(">H", 40) + b"urn:iso:std:iso:ts:21496:-1\0".ljust(38, b"\0"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("trailing", "kinds"),
    [
        (b"", []),
        (bytes(100), []),
        (b"\r\n", []),
        (FILM, [VIDEO]),
        (SAMSUNG, [VIDEO]),
        (picture("JPEG"), [PICTURES]),
        (bytes(10) + picture("JPEG") + FILM, [VIDEO, PICTURES]),
        (GAIN, [GAIN_MAP]),
        (ISO + picture("JPEG"), [GAIN_MAP, PICTURES]),
        (b"SEFH" + bytes(20) + b"SEFT", [OTHER]),
    ],
)
def test_what_lies_behind_is_named(format, trailing, kinds):
    found = find_trailing(format, picture(format) + trailing)
    assert found in {trailing, b""}
    assert [*describe_trailing(found)] == kinds


def test_segments_that_are_not_kept_are_named():
    photoshop = b"Photoshop 3.0\0" + b"8BIM\x07\xd0\0\0" + struct.pack(">I", 26) + bytes(26)
    segments = [
        b"JFIF\0",
        b"urn:iso:std:iso:ts:21496:-1\0ab",
        b"JP\0\x01\0\0\0\x01 jumb c2pa",
        photoshop,
        b"FLIR\0\x01",
    ]
    assert [*describe_segments(segments)] == [GAIN_MAP, CREDENTIALS, "Photoshop paths", "the thermal data (FLIR)"]
