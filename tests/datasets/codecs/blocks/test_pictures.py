"""Pictures within other data are found whole and overwritten."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.blocks.pictures import blank_pictures, find_jpeg_end


def picture(format="JPEG", **options):
    buffer = io.BytesIO()
    array = np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8)
    Image.fromarray(array).save(buffer, format, **options)
    return buffer.getvalue()


NESTED = picture(exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + picture())
JPEGS = [picture(), picture(progressive=True), picture(restart_marker_rows=1), picture(comment=b"a"), NESTED]


@pytest.mark.parametrize("data", JPEGS)
def test_a_jpeg_ends_where_it_ends(data):
    assert find_jpeg_end(data) == len(data)
    assert find_jpeg_end(b"ab" + data + b"\xff\xd8 more", 2) == len(data) + 2
    assert find_jpeg_end(data[:-2]) == len(data) - 2
    assert find_jpeg_end(data[:100]) is None  # no pixels yet


@pytest.mark.parametrize("data", [*JPEGS, picture("PNG"), b"\x00" + picture()[1:]])
def test_pictures_are_overwritten_and_what_surrounds_them_stays(data):
    result = blank_pictures(b"before" + data + b"after" + data)
    assert result == b"before" + bytes(len(data)) + b"after" + bytes(len(data))


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_base64_is_overwritten_by_blanks(format):
    coded = base64.encodebytes(picture(format))
    assert blank_pictures(b'"a": "' + coded + b'"') == b'"a": "' + b" " * len(coded) + b'"'


def test_other_data_stay():
    noise = np.random.default_rng(0).bytes(300_000)
    for data in (b"", b"\xff\xd8\xff", b"/9j/ a path", b"\xff\xd8\xff\xe0\x00\x00", noise, noise.hex().encode()):
        assert blank_pictures(data) == data
