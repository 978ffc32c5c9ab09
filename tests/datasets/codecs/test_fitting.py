"""What of a picture a format can hold, and the notes on the rest."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from datasets.codecs import images
from datasets.codecs.fitting import _to_8_bits
from datasets.codecs.images import Picture, PictureError, SaveOptions


def test_profile_that_does_not_fit_is_dropped_with_a_note(tmp_path, smooth, save, icc_profile, roundtrip):
    path = save(tmp_path / "a.png", smooth(20, 30), icc_profile=icc_profile(b"GRAY", 2.2))
    target, notes = roundtrip(path)
    with Image.open(target) as image:
        assert (image.mode, image.info["icc_profile"], notes) == ("L", icc_profile(b"GRAY", 2.2), ())
    target, notes = roundtrip(path, change=lambda picture: replace(picture, pixels=picture.pixels.repeat(3, 2)))
    with Image.open(target) as image:
        assert (image.mode, "icc_profile" in image.info, len(notes)) == ("RGB", False, 1)
    target, notes = roundtrip(path, SaveOptions(format="webp"))
    with Image.open(target) as image:
        assert ("icc_profile" in image.info, len(notes)) == (False, 1)
    target, notes = roundtrip(path, SaveOptions(format="bmp"))
    assert notes == ("colour profile was dropped: BMP holds none",)


@pytest.mark.parametrize("space", [b"RGB ", b"GRAY"])
def test_colours_are_converted_to_srgb(tmp_path, space, smooth, save, icc_profile, roundtrip):
    array = smooth(20, 30, 3) if space == b"RGB " else smooth(20, 30)
    path = save(tmp_path / "a.png", array, icc_profile=icc_profile(space, 1.0))
    target, _ = roundtrip(path, SaveOptions(color="srgb"))
    linear = array / 255
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    with Image.open(target) as image:
        assert "icc_profile" not in image.info
        assert np.abs(np.asarray(image) - expected).max() < 2
    deep = replace(images.read_picture(path), pixels=images.read_picture(path).pixels.astype(np.uint16))
    with pytest.raises(PictureError, match="16"):
        images.write_picture(deep, tmp_path / "deep.png", SaveOptions(color="srgb"))


@pytest.mark.parametrize(("name", "suffix"), [("jpeg", ".jpg"), ("webp", ".webp"), ("bmp", ".bmp")])
def test_16_bits_become_8_with_a_note_where_a_format_has_no_more(tmp_path, name, suffix, save, roundtrip):
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    target, notes = roundtrip(save(tmp_path / "a.png", ramp), SaveOptions(format=name, quality=95))
    assert target.suffix == suffix
    assert len(notes) == 1
    assert notes[0].startswith("16 bits became 8")
    assert np.abs(images.read_picture(target).pixels[:, :, 0] - ramp / 257).max() < (0.51 if name == "bmp" else 4)


def test_every_8_bit_value_survives_16_bits():
    deep = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16, 1)
    assert np.array_equal(_to_8_bits(deep).ravel(), np.arange(256))


def test_alpha_where_a_format_has_none(tmp_path, smooth, save, roundtrip):
    array = np.zeros((8, 8, 4), np.uint8)
    array[:, :4] = (200, 100, 0, 255)
    array[:, 4:] = (255, 0, 0, 51)
    path = save(tmp_path / "a.png", array)
    with pytest.raises(PictureError, match=r"alpha.*background"):
        roundtrip(path, SaveOptions(format="jpeg"))
    target, _ = roundtrip(path, SaveOptions(format="jpeg", background="#0000ff", quality=100))
    found = images.read_picture(target).pixels.astype(int)
    assert np.abs(found[0, 0] - (200, 100, 0)).max() <= 3
    assert np.abs(found[0, 7] - (51, 0, 204)).max() <= 3
    array[:, :, 3] = 255
    target, notes = roundtrip(save(path, array), SaveOptions(format="jpeg"))
    assert not notes
    gray = np.dstack([smooth(8, 8), np.full((8, 8), 128, np.uint8)])
    assert (
        images.read_header(roundtrip(save(path, gray), SaveOptions(format="jpeg", background="white"))[0]).channels == 1
    )
    assert images.read_header(roundtrip(path, SaveOptions(format="jpeg", background="red"))[0]).channels == 3


@pytest.mark.parametrize("format", ["png", "tiff", "webp", "bmp", "jxl", "jp2", "j2k"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [False, True])
def test_pictures_made_in_memory_are_written_to_every_format(tmp_path, format, channels, dtype, alpha, noise):
    picture = Picture(noise(9, 12, channels, dtype=dtype), noise(9, 12, dtype=dtype, seed=1) if alpha else None)
    path = tmp_path / f"a.{format}"
    images.write_picture(picture, path)
    found = images.read_picture(path)
    assert (found.alpha is not None) == alpha
    assert found.depth == (8 if format in {"webp", "bmp"} else picture.depth)
    if format == "webp":
        return  # lossy, and noise
    shift = 257 if found.depth < picture.depth else 1
    expected = np.broadcast_to(np.rint(picture.pixels / shift), found.pixels.shape)
    assert np.array_equal(found.pixels, expected)
    if alpha:
        assert found.alpha is not None
        assert picture.alpha is not None
        assert np.array_equal(found.alpha, np.rint(picture.alpha / shift))


def test_strip_drops_personal_data_and_keeps_colours(tmp_path, smooth, save, icc_profile, roundtrip, xmp):
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "Ada"
    for suffix in (".jpg", ".png", ".webp", ".tif"):
        options = {"exif": exif, "icc_profile": icc_profile(b"RGB ")}
        path = save(tmp_path / f"a{suffix}", smooth(20, 30, 3), **options, **({} if suffix == ".tif" else {"xmp": xmp}))
        target, _ = roundtrip(path, SaveOptions(metadata="strip"))
        assert b"Ada" not in target.read_bytes()
        assert b"xmpmeta" not in target.read_bytes()
        with Image.open(target) as image:
            assert image.size == (20, 30)
            assert image.info["icc_profile"] == icc_profile(b"RGB ")
