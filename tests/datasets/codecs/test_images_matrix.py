"""Every way a picture can be stored in a file, times the eight ways a camera can have been held."""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from datasets.codecs import images

WIDTH, HEIGHT = 23, 16
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ARTIST = "Ada"


@dataclass(frozen=True)
class Cell:
    format: str
    mode: str

    @property
    def suffix(self):
        return {"JPEG": ".jpg", "TIFF": ".tif"}.get(self.format, "." + self.format.lower())

    @property
    def deep(self):
        return "16" in self.mode

    @property
    def channels(self):
        return 3 if any(word in self.mode for word in ("RGB", "CMYK", "P")) else 1

    @property
    def alpha(self):
        return self.mode.startswith(("LA", "RGBA")) or "-" in self.mode


CELLS = [
    *(Cell("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
    *(Cell("PNG", mode) for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "P-index", "P-bytes", "L-key", "RGB-key")),
    *(Cell("PNG", mode) for mode in ("L16", "LA16", "RGB16", "RGBA16", "L16-key", "RGB16-key")),
    *(Cell("WEBP", mode) for mode in ("RGB", "RGBA")),
    *(Cell("TIFF", mode) for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "CMYK")),
    *(Cell("TIFF", mode) for mode in ("L16", "L16BE", "RGB16", "RGB16BE", "RGBA16")),
    *(Cell("BMP", mode) for mode in ("1", "L", "RGB", "P", "RGBA")),
]
GRID = [(cell, turn) for cell in CELLS for turn in (range(1, 9) if cell.format != "BMP" else [1])]


def drawing(cell):
    """Upright pixels (H, W, C) and alpha (H, W) or None: smooth, and like none of its own reflections."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] / np.array([[[HEIGHT]], [[WIDTH]]])
    planes = np.stack([(0.1 + 0.8 * columns), 0.9 - 0.7 * rows, 0.2 + 0.3 * rows + 0.4 * columns], 2)
    if cell.mode.startswith("P"):  # four colours
        planes = np.stack([columns > 0.3, rows > 0.6, np.zeros_like(rows)], 2) * 0.8 + 0.1
    if cell.mode == "1":
        planes = np.repeat((columns * rows > 0.2)[:, :, None], 3, 2) * 1.0
    most = 65535 if cell.deep else 255
    pixels = np.rint(planes[:, :, : cell.channels] * most).astype(np.uint16 if cell.deep else np.uint8)
    if not cell.alpha:
        return pixels, None
    if "-" not in cell.mode:
        return pixels, np.rint((0.2 + 0.5 * columns * rows) * most).astype(pixels.dtype)
    hidden = 128 if cell.mode == "P-bytes" else 0
    return pixels, np.where((pixels == pixels[-1, -1]).all(2), hidden, most).astype(pixels.dtype)


def stored(upright, turn):
    """The array as a file of that EXIF orientation holds it, from the words of the standard."""
    height, width = upright.shape[:2]
    shape = (height, width) if turn < 5 else (width, height)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    sources = {
        1: (rows, columns),
        2: (rows, width - 1 - columns),
        3: (height - 1 - rows, width - 1 - columns),
        4: (height - 1 - rows, columns),
        5: (columns, rows),
        6: (columns, width - 1 - rows),
        7: (height - 1 - columns, width - 1 - rows),
        8: (height - 1 - columns, rows),
    }
    return upright[sources[turn]]


def exif_of(turn):
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = turn, ARTIST
    exif.get_ifd(0x8769).update({0xA002: 999, 0xA003: 998})
    exif.get_ifd(0x8825).update({0x001D: "2024:05:06"})
    return exif.tobytes()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def deep_png(samples, key, turn):
    """A 16-bit PNG: OpenCV's, or by hand where it writes none, with what it does not write put in."""
    channels = samples.shape[2]
    if channels == 2:
        head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, 4, 0, 0, 0)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    else:
        data = cv2.imencode(".png", samples[:, :, [2, 1, 0, 3][:channels] if channels > 1 else [0]])[1].tobytes()
    extra = chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(PROFILE)) + chunk(b"eXIf", exif_of(turn)[6:])
    if key is not None:
        extra += chunk(b"tRNS", key.astype(">u2").tobytes())
    return data[:33] + extra + data[33:]


def deep_tiff(samples, alpha, turn, order):
    extras = ["unassalpha"] if alpha else None
    tags = [(274, "H", 1, turn, True), (315, "s", 0, ARTIST, True), (34675, "B", len(PROFILE), PROFILE, True)]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        samples.squeeze(),
        photometric="rgb" if samples.shape[2] > 2 else "minisblack",
        extrasamples=extras,
        byteorder=order,
        extratags=tags,
        metadata=None,
    )
    return buffer.getvalue()


def file_of(cell, turn):
    """The bytes of a file, written by other libraries, that holds the drawing, turned."""
    upright, opacity = drawing(cell)
    pixels, alpha = stored(upright, turn), None if opacity is None else stored(opacity, turn)
    key = pixels[stored(np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH), turn) == HEIGHT * WIDTH - 1][0]
    samples = pixels if alpha is None or "-" in cell.mode else np.dstack([pixels, alpha])
    if cell.deep and cell.format == "TIFF":
        return deep_tiff(samples, alpha is not None, turn, ">" if "BE" in cell.mode else "<")
    if cell.deep:
        return deep_png(samples, key if "-" in cell.mode else None, turn)
    if cell == Cell("BMP", "RGBA"):
        return cv2.imencode(".bmp", samples[:, :, [2, 1, 0, 3]])[1].tobytes()
    image = Image.fromarray(samples.squeeze())
    options: dict[str, Any] = {"exif": exif_of(turn), "icc_profile": PROFILE} if cell.format != "BMP" else {}
    if cell.mode.startswith("P"):
        image = image.quantize(4)
        y, x = np.argwhere((pixels == key).all(2))[0]
        hidden = image.getpixel((int(x), int(y)))
        assert isinstance(hidden, int)
        alphas = bytes(128 if index == hidden else 255 for index in range(hidden + 1))
        options |= {"P-index": {"transparency": hidden}, "P-bytes": {"transparency": alphas}}.get(cell.mode, {})
    elif cell.mode.endswith("-key"):
        options["transparency"] = tuple(int(n) for n in key) if len(key) == 3 else int(key[0])
    elif cell.mode in {"1", "CMYK"}:
        image = image.convert(cell.mode)
    by_format: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 97, "subsampling": 0},
        "WEBP": {"lossless": True, "exact": True},
    }
    options |= by_format.get(cell.format, {})
    buffer = io.BytesIO()
    image.save(buffer, cell.format, **options)
    return buffer.getvalue()


def same(found, expected, cell):
    if expected is None:
        return found is None
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return False
    tolerance = 6 if cell.format == "JPEG" else 2 if cell.mode == "CMYK" else 0
    return np.abs(found.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize(("cell", "turn"), GRID, ids=[f"{cell.format}-{cell.mode}-{turn}" for cell, turn in GRID])
def test_a_file_comes_back_as_it_went_in(tmp_path: Path, cell, turn):
    source, target = tmp_path / f"source{cell.suffix}", tmp_path / f"target{cell.suffix}"
    source.write_bytes(file_of(cell, turn))
    pixels, alpha = drawing(cell)

    header = images.read_header(source)
    expected = (WIDTH, HEIGHT, cell.channels, 16 if cell.deep else 8, cell.alpha, cell.format)
    assert (header.width, header.height, header.channels, header.depth, header.alpha, header.format) == expected
    picture = images.read_picture(source)
    assert (picture.width, picture.height, picture.channels, picture.depth) == expected[:4]
    assert same(picture.pixels, pixels, cell)
    assert same(picture.alpha, alpha, cell)
    assert picture.origin is not None
    assert bool(picture.origin.notes) == (cell.mode in {"1", "P", "P-index", "P-bytes", "CMYK"})

    written = images.write_picture(picture, target)
    again = images.read_picture(target)
    assert same(again.pixels, picture.pixels, cell)
    assert same(again.alpha, alpha, cell)
    assert cell.format == "JPEG" or np.array_equal(again.pixels, picture.pixels)
    if cell.format == "BMP":
        return
    with Image.open(target) as image:
        assert image.format == cell.format
        exif = image.getexif()
        assert exif.get(0x0112, 1) == 1
        assert exif[0x013B] == ARTIST
        if not (cell.deep and cell.format == "TIFF"):
            assert exif.get_ifd(0x8825)[0x001D] == "2024:05:06"
            assert [exif.get_ifd(0x8769)[tag] for tag in (0xA002, 0xA003)] == [WIDTH, HEIGHT]
        fits = cell.channels == 3 and cell.mode != "CMYK"  # the profile is one for RGB
        assert image.info.get("icc_profile") == (PROFILE if fits else None)
    assert bool(written) == (cell.channels == 1)


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_drawing_is_turned_as_others_turn_it(turn):
    """Guards the tests' own idea of the eight orientations with Pillow's."""
    pixels, _ = drawing(Cell("PNG", "RGB"))
    with Image.open(io.BytesIO(file_of(Cell("PNG", "RGB"), turn))) as image:
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(image)), pixels)
