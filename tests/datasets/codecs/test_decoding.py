"""Unusual files whose pixels are read all the same."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from datasets.codecs import images


@pytest.mark.parametrize(
    "options",
    [
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "compression": "deflate"},
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"byteorder": ">", "compression": "deflate", "predictor": True},
    ],
)
@pytest.mark.parametrize("turn", [1, 6])
def test_16_bit_tiff_is_read_however_it_lies(tmp_path, options, turn, noise):
    array = noise(30, 40, 3, dtype=np.uint16)
    stored = np.moveaxis(array, -1, 0) if "planarconfig" in options else array
    tags = [(274, "H", 1, turn, True)]
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", metadata=None, extratags=tags, **options)
    expected = array if turn == 1 else np.rot90(array, -1)
    assert np.array_equal(images.read_picture(tmp_path / "a.tif").pixels, expected)


def test_16_bit_tiff_where_white_is_zero_and_where_alpha_is_multiplied_in(tmp_path, noise):
    gray = noise(30, 40, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "white.tif", gray, photometric="miniswhite", metadata=None)
    assert np.array_equal(images.read_picture(tmp_path / "white.tif").pixels[:, :, 0], 65535 - gray)

    straight, alpha = noise(30, 40, 3, dtype=np.uint16), noise(30, 40, 1, dtype=np.uint16, seed=1) | 0x8000
    stored = np.rint(straight * (alpha / 65535)).astype(np.uint16)
    together = np.dstack([stored, alpha])
    tifffile.imwrite(tmp_path / "a.tif", together, photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    picture = images.read_picture(tmp_path / "a.tif")
    assert np.abs(picture.pixels.astype(int) - straight).max() <= 1
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, alpha[:, :, 0])


def test_16_bit_png_is_read_interlaced(tmp_path, noise, png_chunk):
    array = noise(13, 11, 3, dtype=np.uint16)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [array[top::down, left::right] for top, left, down, right in passes]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for part in parts for row in part)
    data = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 11, 13, 16, 2, 0, 0, 1)) + png_chunk(b"IDAT", zlib.compress(rows))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data + png_chunk(b"IEND", b""))
    assert np.array_equal(images.read_picture(tmp_path / "a.png").pixels, array)


def test_16_bit_png_is_read_with_chunks_that_others_stumble_over(tmp_path, capfd, noise, png_chunk):
    array = noise(30, 40, 3, dtype=np.uint16)
    data = cv2.imencode(".png", array[:, :, ::-1])[1].tobytes()
    bad = png_chunk(b"iCCP", b"x\0\0" + zlib.compress(b"not a profile"))
    (tmp_path / "a.png").write_bytes(data[:33] + bad + data[33:])
    assert np.array_equal(images.read_picture(tmp_path / "a.png").pixels, array)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("bits", "step"), [(1, 255), (2, 85), (4, 17)])
def test_png_of_few_bits_finds_its_transparent_gray(tmp_path, bits, step, png_chunk):
    values = np.arange(16).reshape(2, 8) % 2**bits
    rows = [np.packbits(((row[:, None] >> np.arange(bits)[::-1]) & 1).astype(np.uint8)).tobytes() for row in values]
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 2, bits, 0, 0, 0, 0))
    data += png_chunk(b"tRNS", struct.pack(">H", 1)) + png_chunk(
        b"IDAT", zlib.compress(b"\0" + rows[0] + b"\0" + rows[1])
    )
    (tmp_path / "a.png").write_bytes(data + png_chunk(b"IEND", b""))
    picture = images.read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.pixels[:, :, 0], values * step)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, np.where(values == 1, 0, 255))


def test_palette_of_grays_becomes_gray(tmp_path, noise, roundtrip):
    image = Image.fromarray(noise(8, 8) // 64).copy()
    image = Image.frombytes("P", (8, 8), image.tobytes())
    image.putpalette([0, 0, 0, 9, 9, 9, 200, 200, 200, 255, 255, 255])
    image.save(tmp_path / "a.png")
    target, notes = roundtrip(tmp_path / "a.png")
    assert images.read_header(tmp_path / "a.png").channels == images.read_header(target).channels == 1
    assert np.array_equal(images.read_picture(target).pixels[:, :, 0], np.asarray(image.convert("L")))
    assert notes == ("the palette became gray",)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_goes_through_its_profile(tmp_path, suffix, icc_profile, roundtrip):
    inks = np.zeros((16, 32, 4), np.uint8)
    inks[:, :16, 0] = 255  # cyan, which this press does not print
    inks[:, 16:, 3] = 255
    Image.fromarray(inks, "CMYK").save(tmp_path / f"a{suffix}", icc_profile=icc_profile(b"CMYK"))
    picture = images.read_picture(tmp_path / f"a{suffix}")
    assert picture.pixels[:, :14].min() > 250
    assert picture.pixels[:, 18:].max() < 5
    assert picture.origin is not None
    assert picture.origin.notes == ("CMYK was converted to sRGB through its profile",)
    target, _ = roundtrip(tmp_path / f"a{suffix}")
    assert images.read_header(target).channels == 3
    assert b"prtrCMYK" not in target.read_bytes()
