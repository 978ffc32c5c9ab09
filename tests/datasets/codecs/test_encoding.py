"""How files are coded: as their sources were, or as asked."""

import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, JpegImagePlugin

from datasets.codecs import images
from datasets.codecs.images import Picture, SaveOptions


@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize(("quality", "progressive"), [(40, False), (88, True)])
def test_jpeg_keeps_its_tables_sampling_and_scan(tmp_path, quality, sampling, progressive, smooth, save, roundtrip):
    path = save(tmp_path / "a.jpg", smooth(40, 56, 3), quality=quality, subsampling=sampling, progressive=progressive)
    target, notes = roundtrip(path)
    with Image.open(path) as before, Image.open(target) as after:
        assert isinstance(before, JpegImagePlugin.JpegImageFile)
        assert isinstance(after, JpegImagePlugin.JpegImageFile)
        assert after.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(after) == sampling
        assert ("progressive" in after.info) == progressive
        assert np.abs(np.asarray(before).astype(int) - np.asarray(after)).mean() < 2
    assert not notes
    assert abs(target.stat().st_size / path.stat().st_size - 1) < 0.1


def test_jpeg_quality_is_as_asked_or_95(tmp_path, smooth, save, roundtrip):
    def tables(path):
        with Image.open(path) as image:
            assert isinstance(image, JpegImagePlugin.JpegImageFile)
            return image.quantization

    path = save(tmp_path / "a.jpg", smooth(40, 56, 3), quality=40)
    expected = {quality: tables(save(tmp_path / "b.jpg", smooth(40, 56, 3), quality=quality)) for quality in (70, 95)}
    assert tables(roundtrip(path, SaveOptions(quality=70))[0]) == expected[70]
    target, _ = roundtrip(save(tmp_path / "c.png", smooth(40, 56, 3)), SaveOptions(format="jpeg"))
    assert tables(target) == expected[95]
    images.write_picture(Picture(smooth(40, 56, 1)[:, :, None]), tmp_path / "born.jpg")
    assert tables(tmp_path / "born.jpg")[0] == expected[95][0]


def test_progressive_jpeg_of_noise_is_written_all_the_same(tmp_path, capfd, noise, save):
    path = save(tmp_path / "a.jpg", noise(300, 300, 3) // 128 * 255, quality=95, subsampling=0)
    picture = images.read_picture(path)
    assert picture.origin is not None
    notes = images.write_picture(
        replace(picture, origin=replace(picture.origin, jpeg_progressive=True)), tmp_path / "b.jpg"
    )
    assert images.read_picture(tmp_path / "b.jpg").width == 300
    assert notes == ("progressive JPEG became baseline",)
    assert capfd.readouterr() == ("", "")


def test_jpeg_of_gray_and_of_colour_change_places(tmp_path, smooth, save, roundtrip):
    gray = save(tmp_path / "gray.jpg", smooth(40, 56), quality=80)
    colour = save(tmp_path / "colour.jpg", smooth(40, 56, 3), quality=80)
    target, _ = roundtrip(gray, change=lambda picture: replace(picture, pixels=picture.pixels.repeat(3, 2)))
    assert images.read_header(target).channels == 3
    target, _ = roundtrip(colour, change=lambda picture: replace(picture, pixels=picture.pixels[:, :, :1]))
    assert images.read_header(target).channels == 1


def webp_coding(path):
    data = path.read_bytes()
    return "lossless" if b"VP8L" in data[:64] else "lossy"


@pytest.mark.parametrize("alpha", [False, True])
def test_webp_stays_lossless_or_lossy_of_about_the_same_quality(tmp_path, alpha, smooth, save, roundtrip):
    array = smooth(64, 80, 4 if alpha else 3)
    array[:30, :30, 3:] = 0
    lossless = save(tmp_path / "a.webp", array, lossless=True, exact=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    target, _ = roundtrip(lossless)
    assert webp_coding(target) == "lossless"
    assert np.array_equal(images.read_picture(target).pixels, array[:, :, :3])  # also under full transparency
    target, _ = roundtrip(lossless, SaveOptions(quality=60))
    assert webp_coding(target) == "lossy"
    for quality in (25, 60, 92):
        path = save(tmp_path / f"{quality}.webp", array, quality=quality)
        target, _ = roundtrip(path)
        assert webp_coding(target) == "lossy"
        assert abs(target.stat().st_size / path.stat().st_size - 1) < 0.25
        picture = images.read_picture(path)
        assert picture.origin is not None
        assert picture.origin.webp_quality is not None
        assert abs(picture.origin.webp_quality - quality) <= 4
        assert np.abs(images.read_picture(target).pixels.astype(int) - picture.pixels).mean() < 6


def tiff_compression(path):
    with Image.open(path) as image:
        return image.info["compression"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("code", "name"), [(1, "raw"), (5, "tiff_lzw"), (8, "tiff_adobe_deflate"), (32773, "packbits")]
)
def test_tiff_keeps_its_compression(tmp_path, dtype, channels, code, name, noise, roundtrip):
    array = noise(300, 70, channels, dtype=dtype)  # more than one strip
    array[:60] = 7
    data = cv2.imencode(".tif", array[:, :, [2, 1, 0, 3][:channels] if channels > 1 else [0]], [259, code])[1]
    path = tmp_path / "a.tif"
    path.write_bytes(data.tobytes())
    picture = images.read_picture(path)
    assert np.array_equal(picture.pixels, array[:, :, :3])
    assert picture.pixels.flags.writeable
    target, notes = roundtrip(path)
    assert tiff_compression(target) == name
    again = images.read_picture(target)
    assert np.array_equal(again.pixels, array[:, :, :3])
    assert again.pixels.dtype == dtype
    if channels == 4:
        assert again.alpha is not None
        assert np.array_equal(again.alpha, array[:, :, 3])
    assert not notes
    if name in {"raw", "tiff_adobe_deflate"}:  # and for another library
        assert np.array_equal(tifffile.imread(target).reshape(array.shape), array)


@pytest.mark.parametrize("compression", ["jpeg", "group4"])
def test_a_compression_that_tiff_does_not_keep_is_noted(tmp_path, compression, smooth, roundtrip):
    image = Image.fromarray(smooth(40, 56, 3)).convert("1" if compression == "group4" else "RGB")
    image.save(tmp_path / "a.tif", compression=compression)
    target, notes = roundtrip(tmp_path / "a.tif")
    assert tiff_compression(target) == "tiff_adobe_deflate"
    assert any(compression in note for note in notes)


def test_metadata_too_long_for_jpeg_is_noted(tmp_path, smooth, save, roundtrip, xmp):
    long = xmp + b" " * 70_000
    target, notes = roundtrip(save(tmp_path / "a.webp", smooth(20, 30, 3), xmp=long), SaveOptions(format="jpeg"))
    assert [note.split(":")[0] for note in notes] == ["XMP was dropped"]
    assert b"xmpmeta" not in target.read_bytes()


def test_exif_that_fills_its_jpeg_segment_is_kept(tmp_path, smooth, save, roundtrip):
    exif = Image.Exif()
    exif[0x010E] = "a lake" * 10_900
    assert 65_400 < len(exif.tobytes()) < 65_533
    target, notes = roundtrip(save(tmp_path / "a.jpg", smooth(20, 30, 3), exif=exif, progressive=True))
    with Image.open(target) as image:
        assert image.getexif()[0x010E] == "a lake" * 10_900
    assert not notes


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_bmp_keeps_its_dpi(tmp_path, mode, smooth, roundtrip):
    data = cv2.imencode(".bmp", smooth(20, 30, len(mode)))[1].tobytes()
    (tmp_path / "a.bmp").write_bytes(data[:38] + struct.pack("<ii", 11811, 11811) + data[46:])
    target, _ = roundtrip(tmp_path / "a.bmp")
    with Image.open(target) as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_recompress_degrades_by_quality(smooth):
    for shape in ((40, 50, 1), (40, 50, 3)):
        array = smooth(*shape).reshape(shape)
        errors = [np.abs(images.recompress(array, quality).astype(int) - array).mean() for quality in (95, 10)]
        assert images.recompress(array, 50).shape == shape
        assert 0 < errors[0] < errors[1]
