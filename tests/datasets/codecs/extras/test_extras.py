"""HEIC, camera RAW, JPEG XL and JPEG 2000: files by other programs and of our own, and libraries that are missing."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from datasets.codecs import images
from datasets.codecs.formats import EXTRA_OF, SUFFIXES_OF
from datasets.codecs.images import Picture, PictureError, SaveOptions

FILES = Path(__file__).parents[3] / "fixtures" / "pictures"
Y, X = np.mgrid[:32, :48]
RGB = np.dstack([5 * X, 8 * Y, np.full_like(X, 128)])
ALPHA = np.where(X < 24, 255, 64)


@pytest.mark.parametrize(
    ("name", "channels", "depth", "alpha", "tolerance"),
    [
        ("rgb.heic", 3, 8, False, 8),
        ("alpha.heic", 3, 8, True, 8),
        ("deep.heic", 3, 16, False, 8),
        ("gray.heic", 1, 8, False, 3),
        ("alpha.jxl", 3, 8, True, 0),
        ("deep.jxl", 3, 16, False, 0),
        ("gray.jxl", 1, 8, False, 0),
        ("lossy.jxl", 3, 8, False, 16),
        ("deep.jp2", 3, 16, False, 0),
        ("alpha.jp2", 3, 8, True, 0),
        ("gray.j2k", 1, 8, False, 0),
    ],
)
def test_files_by_the_codecs_own_tools(tmp_path, name, channels, depth, alpha, tolerance):
    header, picture = images.read_header(FILES / name), images.read_picture(FILES / name)
    assert (header.width, header.height) == (picture.width, picture.height) == (48, 32)
    assert (header.channels, header.depth, header.alpha) == (channels, depth, alpha)
    assert (picture.channels, picture.depth, picture.alpha is not None) == (channels, depth, alpha)
    step = 257 if depth == 16 else 1
    assert np.abs(picture.pixels / step - RGB[:, :, :channels]).max() <= tolerance
    if picture.alpha is not None:
        assert np.abs(picture.alpha.astype(int) - ALPHA).max() <= min(tolerance, 2)
    assert picture.origin is not None
    assert (header.format, picture.origin.notes) == (picture.origin.format, ())
    for suffix in (".png", ".tif"):
        images.write_picture(picture, tmp_path / f"a{suffix}")
        assert np.array_equal(images.read_picture(tmp_path / f"a{suffix}").pixels, picture.pixels)


def test_what_a_file_turns_itself_is_turned_once(tmp_path):
    picture = images.read_picture(FILES / "turned.jxl")
    header = images.read_header(FILES / "turned.jxl")
    assert (header.width, header.height) == (32, 48) == (picture.width, picture.height)
    assert np.abs(picture.pixels - np.rot90(RGB, -1)).max() < 12
    assert (images.read_picture(FILES / "exif.heic").width, images.read_header(FILES / "exif.heic").width) == (48, 48)
    for name in ("turned.jxl", "exif.heic"):
        images.write_picture(images.read_picture(FILES / name), tmp_path / "a.jpg")
        with Image.open(tmp_path / "a.jpg") as image:
            assert (image.getexif()[315], image.getexif().get(274, 1)) == ("Ada", 1)


def test_what_is_dropped_is_said_and_what_is_not_read_is_refused():
    for name, note in (
        ("two.heic", "dropped: other pictures in the file"),
        ("profile.jxl", "dropped: the colour profile"),
    ):
        origin = images.read_picture(FILES / name).origin
        assert origin is not None
        assert [found for found in origin.notes if found.startswith(note)]
    with pytest.raises(PictureError, match="animated JPEG XL"):
        images.read_header(FILES / "moving.jxl")


@pytest.mark.parametrize("name", ["rgb.heic", "turned.jxl", "lossy.jxl", "alpha.jp2", "gray.j2k"])
def test_damaged_files_are_one_sentence(tmp_path, name, capfd):
    data = (FILES / name).read_bytes()
    for length in (20, len(data) // 2):
        (tmp_path / name).write_bytes(data[:length])
        with pytest.raises(PictureError, match=r"is a damaged or cut-off [^\n]+: restore it from its source$"):
            images.read_picture(tmp_path / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["rgb.heic", "deep.jxl", "lossy.jxl", "deep.jp2", "gray.j2k"])
def test_content_counts_and_not_the_name(tmp_path, name):
    (tmp_path / "a.png").write_bytes((FILES / name).read_bytes())
    picture = images.read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.pixels, images.read_picture(FILES / name).pixels)
    assert picture.origin is not None
    assert "its name says PNG and its content is" in picture.origin.notes[-1]


@pytest.mark.parametrize("suffix", [".jxl", ".jp2"])
def test_metadata_survives_the_way_there_and_back(tmp_path, suffix, smooth, save, icc_profile, xmp, roundtrip):
    exif = Image.Exif()
    exif[315], exif[274] = "Ada", 6
    path = save(tmp_path / "a.png", smooth(20, 30, 3), exif=exif, icc_profile=icc_profile(b"RGB ", 2.2))
    picture = images.read_picture(path)
    assert picture.origin is not None
    picture = replace(picture, origin=replace(picture.origin, xmp=xmp))
    notes = images.write_picture(picture, tmp_path / f"a{suffix}")
    again = images.read_picture(tmp_path / f"a{suffix}")
    assert np.array_equal(again.pixels, picture.pixels)
    assert again.origin is not None
    assert picture.origin is not None
    assert again.origin.exif == picture.origin.exif
    assert again.origin.xmp is not None
    assert b'tiff:ImageWidth="20"' in again.origin.xmp
    if suffix == ".jp2":
        assert (again.origin.icc, notes) == (picture.origin.icc, ())
    else:
        assert [note for note in notes if "colour profile" in note]


def test_jpeg_xl_is_as_lossy_as_its_source(tmp_path, smooth, save):
    array = smooth(64, 64, 3)
    sizes = {}
    for name in ("a.png", "a.jpg"):
        target = tmp_path / f"{name}.jxl"
        images.write_picture(images.read_picture(save(tmp_path / name, array)), target)
        sizes[name] = target.stat().st_size
    assert np.array_equal(images.read_picture(tmp_path / "a.png.jxl").pixels, array)
    assert sizes["a.jpg"] < sizes["a.png"]
    images.write_picture(images.read_picture(tmp_path / "a.png"), tmp_path / "b.jxl", SaveOptions(quality=30))
    assert (tmp_path / "b.jxl").stat().st_size < sizes["a.jpg"]
    with pytest.raises(PictureError, match="suffix"):
        images.write_picture(Picture(array), tmp_path / "a.heic")


def camera_file(path, orientation=1):
    """A DNG of a gray wedge under light in which red is half as strong as green, and blue six tenths."""
    y, x = np.mgrid[:64, :96]
    light = np.array([[0.5, 1.0], [1.0, 0.6]])[y % 2, x % 2]
    matrix = [32404, -15371, -4985, -9693, 18760, 416, 556, -2040, 10572]  # from XYZ to linear sRGB
    tags = [
        (274, "H", 1, orientation, True),
        (271, "s", 0, "Maker", True),
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, (0, 1, 1, 2), True),
        (50706, "B", 4, (1, 4, 0, 0), True),
        (50708, "s", 0, "Maker Model", True),
        (50717, "H", 1, 4095, True),
        (50721, "2i", 9, [part for value in matrix for part in (value, 10000)], True),
        (50728, "2I", 3, (5, 10, 10, 10, 6, 10), True),
        (50778, "H", 1, 21, True),
    ]
    mosaic = ((500 + 30 * x) * light).astype(np.uint16)
    tifffile.imwrite(path, mosaic, photometric="cfa", metadata=None, extratags=tags, software=False)
    return path


@pytest.mark.parametrize("turn", [1, 6])
def test_camera_raw_is_developed_with_the_cameras_white_balance(tmp_path, turn):
    path = camera_file(tmp_path / "a.dng", turn)
    header, picture = images.read_header(path), images.read_picture(path)
    assert (header.width, header.height) == (picture.width, picture.height) == ((96, 64) if turn == 1 else (64, 96))
    assert (header.channels, header.depth, picture.depth) == (3, 16, 16)
    wedge = picture.pixels if turn == 1 else np.rot90(picture.pixels)
    middle = wedge[30, 4:-4].astype(int)
    assert np.abs(middle - middle[:, :1]).max() < 300  # gray, of 65535
    assert (np.diff(middle[:80:8, 1]) > 1000).all()
    assert picture.origin is not None
    assert picture.origin.notes == ("developed from camera RAW with the camera's white balance",)
    images.write_picture(picture, tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as image:
        assert (image.getexif()[271], image.getexif().get(274, 1)) == ("Maker", 1)


def test_what_is_no_camera_raw_or_not_named_so(tmp_path):
    tifffile.imwrite(tmp_path / "a.nef", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(PictureError, match="is a damaged camera RAW file, or of an unknown camera"):
        images.read_header(tmp_path / "a.nef")
    camera_file(tmp_path / "a.tif")
    with pytest.raises(PictureError, match=r"is a camera RAW file, whatever its name says: rename it to \.dng"):
        images.read_header(tmp_path / "a.tif")


WITHOUT = """
import sys
for name in ("pi_heif", "rawpy", "imagecodecs"):
    sys.modules[name] = None
from pathlib import Path
from datasets.codecs.images import PictureError, SaveOptions, read_picture
from datasets.storage.listing import find_pictures
for name in sys.argv[2:]:
    try:
        read_picture(Path(sys.argv[1], name))
    except PictureError as error:
        print(error)
print(*(f"{path} {kind}" for path, kind in find_pictures(Path(sys.argv[1])).unsupported), sep=", ")
try:
    SaveOptions(format="jxl")
except Exception as error:
    print(error)
"""


def test_without_the_libraries_one_sentence_says_how_to_get_them(tmp_path):
    camera_file(tmp_path / "a.dng")
    for name in ("rgb.heic", "deep.jxl", "deep.jp2", "gray.j2k"):
        (tmp_path / name).write_bytes((FILES / name).read_bytes())
        (tmp_path / f"{name}.png").write_bytes((FILES / name).read_bytes())
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 3), np.uint16), photometric="rgb", compression="zstd")
    names = ["a.dng", "rgb.heic", "deep.jxl", "deep.jp2", "gray.j2k", "rgb.heic.png", "deep.jxl.png", "gray.j2k.png"]
    names.append("a.tif")
    done = subprocess.run([sys.executable, "-c", WITHOUT, tmp_path, *names], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    packages = {"dng": ("rawpy", "raw"), "hei": ("pi-heif", "heic")}
    for name, line in zip(names, lines, strict=False):
        package, extra = packages.get(name.split(".")[1][:3], ("imagecodecs", "codecs"))
        assert line.startswith(f"{tmp_path / name}: ")
        assert f"cannot be read without {package}: get it with pip install {package} (the extra [{extra}])" in line
    kinds = "a.dng camera RAW, deep.jp2 JPEG 2000, deep.jxl JPEG XL, gray.j2k JPEG 2000, rgb.heic HEIC"
    assert "is a TIFF of 16-bit RGB and compression zstd, which cannot be read" in lines[len(names) - 1]
    assert lines[len(names)] == kinds
    assert "jxl cannot be written without imagecodecs" in done.stdout
    assert done.stderr == ""


def test_the_extras_are_installed_wherever_these_tests_run():
    assert EXTRA_OF.keys() <= SUFFIXES_OF.keys()


def test_float_and_many_channel_jpeg_2000_is_named(tmp_path):
    import imagecodecs

    data = imagecodecs.jpeg2k_encode(np.zeros((16, 16), np.int16), codecformat="jp2", level=0, reversible=True)
    (tmp_path / "a.jp2").write_bytes(data)
    with pytest.raises(PictureError, match="signed channels, which are not read"):
        images.read_header(tmp_path / "a.jp2")
    floats = imagecodecs.jpegxl_encode(np.zeros((16, 16, 3), np.float32), lossless=True)
    (tmp_path / "a.jxl").write_bytes(floats)
    with pytest.raises(PictureError, match="floating-point pixels"):
        images.read_header(tmp_path / "a.jxl")


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("suffix", [".jp2", ".jxl"])
def test_samples_of_ten_and_twelve_bits_fill_sixteen(tmp_path, bits, suffix):
    import imagecodecs

    values = np.arange(2**bits, dtype=np.uint16).reshape(32, -1)
    if suffix == ".jp2":
        data = imagecodecs.jpeg2k_encode(values, codecformat="jp2", level=0, reversible=True, bitspersample=bits)
    else:
        data = imagecodecs.jpegxl_encode(values, lossless=True, bitspersample=bits)
    (tmp_path / f"a{suffix}").write_bytes(data)
    found = images.read_picture(tmp_path / f"a{suffix}").pixels[:, :, 0]
    assert np.abs(found - values * (65535 / (2**bits - 1))).max() <= 1
