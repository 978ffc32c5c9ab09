"""What files are by their content, whatever their names say."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from datasets.codecs import images
from datasets.codecs.formats import EXTRA_OF, SUFFIXES_OF
from datasets.codecs.images import PictureError
from datasets.codecs.kinds import describe_unreadable, identify

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8))


def saved(format, image=PICTURE, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def boxes(major, *compatible, content=b""):
    brands = major + bytes(4) + b"".join(compatible)
    return struct.pack(">I4s", 8 + len(brands), b"ftyp") + brands + content


OTHER_PICTURES = {
    "a Netpbm file": [saved("PPM"), b"P1\n1 1\n0", b"P7\nWIDTH 1\n", b"Pf\n1 1\n-1.0\n"],
    "an icon file": [saved("ICO")],
    "a QOI file": [saved("QOI")],
    "a Targa file": [
        saved("TGA"),
        saved("TGA")[:-26],  # of the first version, without a footer
        saved("TGA", compression="tga_rle")[:-26],
        saved("TGA", PICTURE.convert("L")),
        saved("TGA", PICTURE.quantize(16))[:-26],
    ],
    "a DirectDraw (DDS) file": [saved("DDS")],
    "a Photoshop file": [b"8BPS\0\1"],
    "a PDF file": [saved("PDF")],
    "an SVG file": [b'<svg xmlns="x">', b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n<svg>'],
    "an AVIF file": [
        saved("AVIF"),
        boxes(b"avif"),
        boxes(b"avis", b"msf1"),
        boxes(b"mif1", b"miaf", b"avif"),
        boxes(b"mif1", b"miaf", content=b"\0\0\0\x15infe\2\0\0\0\0\1\0\0av01\0"),
    ],
    "a JPEG XR file": [b"II\xbc\x01" + bytes(20)],
    "an OpenEXR file": [b"v/1\1" + bytes(20)],
    "a Radiance HDR file": [b"#?RADIANCE\n"],
    "a FITS file": [b"SIMPLE  =                    T"],
    "a DICOM file": [bytes(128) + b"DICM" + bytes(9)],
}
NO_PICTURES = {
    "is empty": b"",
    "is text, and not a picture": b"hello, I am a text",
    "is a web page": b"<!DOCTYPE html><html>404</html>",
    "is a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "is a zip archive": b"PK\3\4" + bytes(30),
    "is filled with zeros": bytes(1000),
    "is a film": boxes(b"isom", b"mp42"),
    "is sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "is not a picture": b"\x93\x94\x95" * 40,
}


def cases():
    named = [(name, data) for name, files in OTHER_PICTURES.items() for data in files]
    return [*((f"is {name}, whatever its name says: convert", data) for name, data in named), *NO_PICTURES.items()]


@pytest.mark.parametrize(("sentence", "data"), cases())
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_what_is_not_read_is_named(tmp_path, sentence, data, suffix, capfd):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    with pytest.raises(PictureError) as caught:
        images.read_picture(path)
    assert str(caught.value).removeprefix(f"{path}: ").startswith(sentence)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("brands", "format"),
    [
        ([b"heic", b"mif1"], "HEIC"),
        ([b"mif1", b"heic"], "HEIC"),
        ([b"msf1", b"hevc"], "HEIC"),
        ([b"heix"], "HEIC"),
        ([b"crx ", b"isom"], "RAW"),
    ],
)
def test_brands_of_boxes_are_told_apart(brands, format):
    assert identify(io.BytesIO(boxes(*brands))) == (format, True)


@pytest.mark.parametrize("format", sorted(SUFFIXES_OF.keys() - EXTRA_OF.keys()))
def test_what_is_read_is_damaged_where_only_its_beginning_is_left(format):
    assert describe_unreadable(io.BytesIO(saved(format)[:64])).startswith("is a damaged")


@pytest.mark.parametrize("beginning", [b"\xff\x0a", b"\0\0\0\x0cJXL \r\n", b"\xff\x4f\xff\x51", b"FUJIFILMCCD-RAW"])
def test_pictures_of_the_extras_are_never_called_no_picture(beginning):
    assert identify(io.BytesIO(beginning + bytes(100))).name in EXTRA_OF
