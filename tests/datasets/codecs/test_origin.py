"""What a file holds beside its pixels is read, and written again."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from datasets.codecs import images
from datasets.codecs.images import SaveOptions


def enlarged(picture):
    return replace(
        picture,
        pixels=picture.pixels.repeat(2, 0).repeat(2, 1),
        alpha=None if picture.alpha is None else picture.alpha.repeat(2, 0).repeat(2, 1),
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_metadata_is_kept_and_states_the_new_size(tmp_path, suffix, smooth, save, icc_profile, roundtrip, xmp):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a lake"
    exif.get_ifd(0x8769).update({0xA002: 11, 0xA003: 12, 0x9003: "2024:05:06 07:08:09", 0x829A: 0.5})
    options = {"exif": exif.tobytes(), "dpi": (300, 300), "icc_profile": icc_profile(b"RGB ")}
    array = smooth(20, 30, 3)
    if suffix == ".png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    elif suffix == ".tif":
        exif[700] = xmp
        options["exif"] = exif.tobytes()
    else:
        options["xmp"] = xmp
    target, notes = roundtrip(save(tmp_path / f"a{suffix}", array, **options), change=enlarged)
    assert not notes
    with Image.open(target) as image:
        assert image.size == (40, 60)
        found = image.getexif()
        assert found[0x010E] == "a lake"
        assert found.get(0x0112, 1) == 1
        assert {0xA002: 40, 0xA003: 60, 0x9003: "2024:05:06 07:08:09", 0x829A: 0.5}.items() <= found.get_ifd(
            0x8769
        ).items()
        written = image.info["xmp"]
        for part in (b'tiff:Orientation="1"', b'ImageWidth="40"', b'PixelXDimension="40"', b"PixelYDimension>60<"):
            assert part in written
        assert image.info["icc_profile"] == icc_profile(b"RGB ")
        if suffix != ".webp":
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_xmp_without_exif_turns_nothing_and_stays(tmp_path, smooth, save, roundtrip, xmp):
    target, _ = roundtrip(save(tmp_path / "a.jpg", smooth(20, 30, 3), xmp=xmp))
    assert images.read_header(target).width == 30
    with Image.open(target) as image:
        assert b'tiff:Orientation="6"' in image.info["xmp"]


def test_png_text_and_colour_chunks_are_kept(tmp_path, noise, save, roundtrip):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a lake")
    info.add_text("workflow", "é" * 2_000_000, zip=True)
    info.add_itxt("Author", "Анна")
    info.add(b"gAMA", struct.pack(">I", 100000))
    for dtype in (np.uint8, np.uint16):
        path = save(tmp_path / "a.png", noise(20, 30, dtype=dtype), pnginfo=info)
        target, notes = roundtrip(path)
        with Image.open(target) as image:
            image.load()
            assert isinstance(image, PngImagePlugin.PngImageFile)
            assert image.text == {"Title": "a lake", "workflow": "é" * 2_000_000, "Author": "Анна"}
            assert image.info["gamma"] == 1.0
            assert image.mode == ("L" if dtype == np.uint8 else "I;16")
        assert not notes
    _, notes = roundtrip(path, SaveOptions(format="tiff"))
    assert notes == ("a colour profile was made from PNG's colour chunks", "PNG text was dropped: TIFF holds none")


def test_png_exif_is_found_behind_the_pixels_and_in_old_text(tmp_path, noise, save, png_chunk, roundtrip):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a lake"
    block = exif.tobytes()[6:]
    buffer = io.BytesIO()
    Image.fromarray(noise(20, 30, 3)).save(buffer, "PNG")
    data = buffer.getvalue()
    (tmp_path / "late.png").write_bytes(data[:-12] + png_chunk(b"eXIf", block) + data[-12:])
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block) + 6:8}\n{(b'Exif' + bytes(2) + block).hex()}\n")
    save(tmp_path / "old.png", noise(20, 30, 3), pnginfo=info)
    for name in ("late.png", "old.png"):
        header = images.read_header(tmp_path / name)
        assert (header.width, header.height) == (20, 30)
        target, _ = roundtrip(tmp_path / name)
        with Image.open(target) as image:
            assert image.size == (20, 30)
            assert dict(image.getexif()) == {0x0112: 1, 0x010E: "a lake"}
            assert isinstance(image, PngImagePlugin.PngImageFile)
            assert not image.text


def test_jpeg_comment_and_iptc_are_kept(tmp_path, smooth, save, roundtrip):
    keyword = b"\x1c\x02\x19\x00\x04lake"
    block = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(keyword)) + keyword + b"\0"
    extra = b"\xff\xed" + struct.pack(">H", len(block) + 2) + block
    path = save(tmp_path / "a.jpg", smooth(20, 30, 3), extra=extra, comment=b"by the sea")
    target, notes = roundtrip(path)
    with Image.open(target) as image:
        assert image.info["photoshop"][0x0404] == keyword
        assert image.info["comment"] == b"by the sea"
    assert not notes


def test_a_preview_behind_a_jpeg_is_dropped_with_a_note(tmp_path, smooth):
    first, second = Image.fromarray(smooth(20, 30, 3)), Image.fromarray(smooth(10, 15, 3))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    picture = images.read_picture(tmp_path / "a.jpg")
    assert picture.origin is not None
    assert (picture.width, picture.origin.format) == (30, "JPEG")
    assert "dropped" in picture.origin.notes[0]
