"""Files that are not what they seem: each is one sentence with its name, and nothing on the terminal."""

import io
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from datasets.codecs import images
from datasets.codecs.images import Picture, PictureError


def encoded(format, array=None, **options):
    array = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8) if array is None else array
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format, **options)
    return buffer.getvalue()


def deep(suffix):
    return cv2.imencode(suffix, np.random.default_rng(0).integers(0, 65535, (64, 64, 3), np.uint16))[1].tobytes()


def tiff(array, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, metadata=None, **options)
    return buffer.getvalue()


def frames(format):
    buffer = io.BytesIO()
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    first.save(buffer, format, save_all=True, append_images=[second])
    return buffer.getvalue()


GOOD = {
    "a.jpg": encoded("JPEG"),
    "a.png": encoded("PNG"),
    "a.webp": encoded("WEBP"),
    "a.tif": encoded("TIFF"),
    "a.bmp": encoded("BMP"),
    "deep.png": deep(".png"),
    "deep.tif": deep(".tif"),
    "planes.tif": tiff(np.ones((3, 64, 64), np.uint16), photometric="rgb", planarconfig="separate", compression="zlib"),
}
FLAT = np.ones((8, 8), np.uint16)
HOSTILE = {
    "empty.png": (b"", "empty"),
    "text.png": (b"hello, I am a text", "not a picture"),
    "text.jpg": (b"<html>404</html>", "web page"),
    "signature.png": (b"\x89PNG\r\n\x1a\n", "damaged"),
    "animation.gif": (frames("GIF"), "animated"),
    "gif.png": (frames("GIF"), "animated"),
    "animated.png": (frames("PNG"), "animated"),
    "animated.webp": (frames("WEBP"), "animated"),
    "pages.tif": (frames("TIFF"), "2 pages"),
    "phone.jpg": (b"\0\0\0\x18ftypheic" + bytes(50), "HEIC"),
    "phone.heic": (b"\0\0\0\x18ftypheic" + bytes(50), "damaged or cut-off HEIC"),
    "camera.nef": (encoded("TIFF"), "RAW"),
    "lab.tif": (tiff(np.ones((8, 8, 3), np.uint8), photometric="cielab"), "Lab"),
    "float.tif": (tiff(np.ones((8, 8), np.float32)), "32-bit floating-point gray"),
    "signed.tif": (tiff(np.ones((8, 8), np.int16)), "signed"),
    "float_rgb.tif": (tiff(np.ones((8, 8, 3), np.float32), photometric="rgb"), "32-bit floating-point RGB"),
    "float16_rgb.tif": (tiff(np.ones((8, 8, 3), np.float16), photometric="rgb"), "16-bit floating-point RGB"),
    "deep_rgb.tif": (tiff(np.ones((8, 8, 3), np.uint32), photometric="rgb"), "32-bit RGB"),
    "bands.tif": (
        tiff(np.ones((8, 8, 5), np.uint8), photometric="minisblack", planarconfig="contig"),
        "5 bands of gray",
    ),
    "camera.tif": (tiff(FLAT, photometric="cfa"), "camera RAW"),
    "cmyk16.tif": (tiff(np.dstack([FLAT] * 4), photometric="separated"), "16-bit CMYK"),
    "cut_raw16.tif": (tiff(np.ones((64, 64, 3), np.uint16), photometric="rgb")[:5000], "damaged"),
    **{f"cut_{name}": (data[: len(data) // 2], "damaged") for name, data in GOOD.items()},
    **{f"short_{name}": (data[:-40], "damaged") for name, data in GOOD.items() if name not in {"a.bmp"}},
    "noise.png": (GOOD["deep.png"][:500] + bytes(200) + GOOD["deep.png"][700:], "damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_a_sentence(tmp_path, name, capfd):
    data, reason = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(PictureError) as caught:
        images.read_picture(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert reason in message.removeprefix(f"{path}: ")
    assert "\n" not in message
    assert caught.value.exit_code == 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("code", "damage"),  # of the three, only deflate (8) has a checksum
    [*((code, damage) for code in (5, 8, 32773) for damage in ("cut", "short")), (8, "overwritten")],
)
def test_compressed_tiff_whose_directory_survives_is_refused(tmp_path, dtype, code, damage, capfd):
    path = tmp_path / "a.tif"
    array = np.random.default_rng(0).integers(0, 255, (300, 70, 3)).astype(dtype)
    path.write_bytes(cv2.imencode(".tif", array, [cv2.IMWRITE_TIFF_COMPRESSION, code])[1].tobytes())
    images.write_picture(images.read_picture(path), path)  # ours begins with its directory
    data, middle = path.read_bytes(), path.stat().st_size // 2
    ends = {"cut": data[:middle], "short": data[:-30], "overwritten": data[:middle] + bytes(99) + data[middle + 99 :]}
    path.write_bytes(ends[damage])
    with pytest.raises(PictureError, match=r"a\.tif: is a damaged"):
        images.read_picture(path)
    assert capfd.readouterr() == ("", "")


def test_missing_folder_pipe_and_forbidden(tmp_path, monkeypatch):
    with pytest.raises(PictureError, match=r"gone\.png: there is no such file"):
        images.read_picture(tmp_path / "gone.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(PictureError, match=r"folder\.png: is a folder"):
        images.read_picture(tmp_path / "folder.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(PictureError, match="pipe"):
            images.read_picture(tmp_path / "pipe.png")
    (tmp_path / "a.png").write_bytes(GOOD["a.png"])

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(PictureError, match=r"a\.png: access is denied"):
        images.read_picture(tmp_path / "a.png")


def test_header_needs_the_head_alone(tmp_path):
    for name in ("a.jpg", "a.png", "deep.png", "a.bmp"):
        path = tmp_path / name
        path.write_bytes(GOOD[name][: len(GOOD[name]) // 2])
        header = images.read_header(path)
        assert (header.width, header.height, header.depth) == (64, 64, 16 if "deep" in name else 8)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "JPEG"])
def test_pixel_limit_holds_before_anything_is_decoded(tmp_path, format):
    path = tmp_path / f"bomb.{format.lower()}"
    Image.new("1" if format != "JPEG" else "L", (20000, 10000)).save(
        path, format
    )  # above Pillow's own warning and its own error
    with pytest.raises(PictureError, match=r"20000 × 10000 pixels, and the limit is 100,000,000"):
        images.read_picture(path, limit=100_000_000)
    assert images.read_header(path).width == 20000


@pytest.mark.parametrize(("suffix", "side"), [(".jpg", 65501), (".webp", 16384)])
def test_too_large_for_the_format(tmp_path, suffix, side, capfd):
    path = tmp_path / f"wide{suffix}"
    with pytest.raises(PictureError, match=f"{side} × 1 pixels are more than"):
        images.write_picture(Picture(np.zeros((1, side, 3), np.uint8)), path)
    images.write_picture(Picture(np.zeros((1, side - 1, 3), np.uint8)), path)
    assert images.read_header(path).width == side - 1
    assert capfd.readouterr() == ("", "")


def test_too_many_bytes_for_the_format(tmp_path):
    vast = Picture(np.broadcast_to(np.uint16(0), (30_000, 30_000, 3)))  # a view: it takes no memory
    with pytest.raises(PictureError, match="more than the 4 GB that TIFF holds"):
        images.write_picture(vast, tmp_path / "a.tif")


def test_no_folder_to_write_to(tmp_path):
    with pytest.raises(PictureError, match=r"a\.png: there is no such file or folder"):
        images.write_picture(Picture(np.zeros((2, 2, 3), np.uint8)), tmp_path / "none" / "a.png")


@pytest.mark.filterwarnings("ignore:::PIL")  # as the module itself asks, which the tests' own filters override
@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0" + b"II*\0\x08\0\0\0" + b"\xff" * 60],
)
def test_damaged_exif_does_no_harm(tmp_path, exif):
    for suffix in (".jpg", ".png", ".webp"):
        path = tmp_path / f"a{suffix}"
        Image.new("RGB", (8, 4)).save(path, exif=exif)
        picture = images.read_picture(path)
        for target in (".jpg", ".png", ".webp", ".tif"):
            images.write_picture(picture, tmp_path / f"out{target}")
            assert images.read_header(tmp_path / f"out{target}").width == 8


def test_the_libraries_write_nothing_to_the_terminal(tmp_path):
    """In a process of its own, where warnings are not errors but written to the terminal."""
    for name, (data, _) in HOSTILE.items():
        (tmp_path / name).write_bytes(data)
    program = (
        "import sys\nfrom pathlib import Path\nfrom datasets.codecs import images\n"
        "from translate.process import configure_process\nconfigure_process()\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: images.read_picture(path)\n"
        "    except images.PictureError as error: print(path.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.split() == sorted(HOSTILE)
