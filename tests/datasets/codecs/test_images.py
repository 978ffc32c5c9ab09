"""What is kept of a picture file beside its pixels, what is converted when asked, and how files appear."""

import hashlib
import io
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, JpegImagePlugin, PngImagePlugin
from pydantic import ValidationError

from datasets.codecs import images
from datasets.codecs import metadata
from datasets.codecs.images import Picture, PictureError, SaveOptions

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" tiff:ImageWidth="1" '
    b'exif:PixelXDimension="1"><exif:PixelYDimension>1</exif:PixelYDimension></rdf:Description></x:xmpmeta>'
)


def noise(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def smooth(*shape):
    return cv2.GaussianBlur(noise(*shape), (0, 0), 4)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def icc(space, gamma=1.0):
    """A small ICC profile: a display with the sRGB primaries, or gray, or a press that prints black only."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"

    def xyz(*values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    white = (0.9642, 1.0, 0.8249)
    text = b"desc\0\0\0\0\0\0\0\x05test\0" + b"\0" * 78
    tags = {b"desc": text, b"wtpt": xyz(*white), b"cprt": b"text\0\0\0\0none\0\0\0\0"}
    pcs = b"XYZ "
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    elif space == b"CMYK":
        identity = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
        cells = b"".join(bytes([0 if corner % 2 else 255, 128, 128]) for corner in range(16))  # black counts fastest
        pcs, steps = b"Lab ", bytes(range(256))
        tags[b"A2B0"] = b"mft1\0\0\0\0\x04\x03\x02\0" + identity + steps * 4 + cells + steps * 3
    else:
        primaries = {b"r": (0.4360, 0.2225, 0.0139), b"g": (0.3851, 0.7169, 0.0971), b"b": (0.1431, 0.0606, 0.7139)}
        for name, values in primaries.items():
            tags |= {name + b"XYZ": xyz(*values), name + b"TRC": curve}
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(data))
        body += data
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    head = struct.pack(">I4sI4s4s4s", 128 + len(table + body), b"test", 0x02100000, kind, space, pcs)
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + xyz(*white)[8:] + b"\0" * 48
    return head + table + body


def roundtrip(path, options=None, change=lambda picture: picture):
    """Read, change, write beside; the new path and all notes."""
    picture = images.read_picture(path)
    target = path.with_name("target" + images.choose_suffix(path, options or SaveOptions()))
    notes = images.write_picture(change(picture), target, options or SaveOptions())
    return target, picture.origin.notes + notes


def enlarged(picture):
    return replace(
        picture,
        pixels=picture.pixels.repeat(2, 0).repeat(2, 1),
        alpha=None if picture.alpha is None else picture.alpha.repeat(2, 0).repeat(2, 1),
    )


# -- codings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize(("quality", "progressive"), [(40, False), (88, True)])
def test_jpeg_keeps_its_tables_sampling_and_scan(tmp_path, quality, sampling, progressive):
    path = save(tmp_path / "a.jpg", smooth(40, 56, 3), quality=quality, subsampling=sampling, progressive=progressive)
    target, notes = roundtrip(path)
    with Image.open(path) as before, Image.open(target) as after:
        assert after.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(after) == sampling
        assert ("progressive" in after.info) == progressive
        assert np.abs(np.asarray(before).astype(int) - np.asarray(after)).mean() < 2
    assert not notes
    assert abs(target.stat().st_size / path.stat().st_size - 1) < 0.1


def test_jpeg_quality_is_as_asked_or_95(tmp_path):
    def tables(path):
        with Image.open(path) as image:
            return image.quantization

    path = save(tmp_path / "a.jpg", smooth(40, 56, 3), quality=40)
    expected = {quality: tables(save(tmp_path / "b.jpg", smooth(40, 56, 3), quality=quality)) for quality in (70, 95)}
    assert tables(roundtrip(path, SaveOptions(quality=70))[0]) == expected[70]
    target, _ = roundtrip(save(tmp_path / "c.png", smooth(40, 56, 3)), SaveOptions(format="jpeg"))
    assert tables(target) == expected[95]
    images.write_picture(Picture(smooth(40, 56, 1)[:, :, None]), tmp_path / "born.jpg")
    assert tables(tmp_path / "born.jpg")[0] == expected[95][0]


def test_progressive_jpeg_of_noise_is_written_all_the_same(tmp_path, capfd):
    path = save(tmp_path / "a.jpg", noise(300, 300, 3) // 128 * 255, quality=95, subsampling=0)
    picture = images.read_picture(path)
    notes = images.write_picture(
        replace(picture, origin=replace(picture.origin, jpeg_progressive=True)), tmp_path / "b.jpg"
    )
    assert images.read_picture(tmp_path / "b.jpg").width == 300
    assert notes == ("progressive JPEG became baseline",)
    assert capfd.readouterr() == ("", "")


def test_jpeg_of_gray_and_of_colour_change_places(tmp_path):
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
def test_webp_stays_lossless_or_lossy_of_about_the_same_quality(tmp_path, alpha):
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
def test_tiff_keeps_its_compression(tmp_path, dtype, channels, code, name):
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
        assert np.array_equal(again.alpha, array[:, :, 3])
    assert not notes
    if name in {"raw", "tiff_adobe_deflate"}:  # and to a reader of another house
        assert np.array_equal(tifffile.imread(target).reshape(array.shape), array)


@pytest.mark.parametrize("compression", ["jpeg", "group4"])
def test_tiff_says_which_compression_it_does_not_keep(tmp_path, compression):
    image = Image.fromarray(smooth(40, 56, 3)).convert("1" if compression == "group4" else "RGB")
    image.save(tmp_path / "a.tif", compression=compression)
    target, notes = roundtrip(tmp_path / "a.tif")
    assert tiff_compression(target) == "tiff_adobe_deflate"
    assert any(compression in note for note in notes)


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
def test_16_bit_tiff_is_read_however_it_lies(tmp_path, options, turn):
    array = noise(30, 40, 3, dtype=np.uint16)
    held = np.moveaxis(array, -1, 0) if "planarconfig" in options else array
    tags = [(274, "H", 1, turn, True)]
    tifffile.imwrite(tmp_path / "a.tif", held, photometric="rgb", metadata=None, extratags=tags, **options)
    expected = array if turn == 1 else np.rot90(array, -1)
    assert np.array_equal(images.read_picture(tmp_path / "a.tif").pixels, expected)


def test_16_bit_tiff_where_white_is_zero_and_where_alpha_is_multiplied_in(tmp_path):
    gray = noise(30, 40, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "white.tif", gray, photometric="miniswhite", metadata=None)
    assert np.array_equal(images.read_picture(tmp_path / "white.tif").pixels[:, :, 0], 65535 - gray)

    straight, alpha = noise(30, 40, 3, dtype=np.uint16), noise(30, 40, 1, dtype=np.uint16, seed=1) | 0x8000
    held = np.rint(straight * (alpha / 65535)).astype(np.uint16)
    together = np.dstack([held, alpha])
    tifffile.imwrite(tmp_path / "a.tif", together, photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    picture = images.read_picture(tmp_path / "a.tif")
    assert np.abs(picture.pixels.astype(int) - straight).max() <= 1
    assert np.array_equal(picture.alpha, alpha[:, :, 0])


def test_16_bit_png_is_read_interlaced(tmp_path):
    array = noise(13, 11, 3, dtype=np.uint16)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [array[top::down, left::right] for top, left, down, right in passes]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for part in parts for row in part)
    data = chunk(b"IHDR", struct.pack(">IIBBBBB", 11, 13, 16, 2, 0, 0, 1)) + chunk(b"IDAT", zlib.compress(rows))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b""))
    assert np.array_equal(images.read_picture(tmp_path / "a.png").pixels, array)


def test_16_bit_png_is_read_with_chunks_that_others_stumble_over(tmp_path, capfd):
    array = noise(30, 40, 3, dtype=np.uint16)
    data = cv2.imencode(".png", array[:, :, ::-1])[1].tobytes()
    bad = chunk(b"iCCP", b"x\0\0" + zlib.compress(b"not a profile"))
    (tmp_path / "a.png").write_bytes(data[:33] + bad + data[33:])
    assert np.array_equal(images.read_picture(tmp_path / "a.png").pixels, array)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("bits", "step"), [(1, 255), (2, 85), (4, 17)])
def test_png_of_few_bits_finds_its_transparent_gray(tmp_path, bits, step):
    values = np.arange(16).reshape(2, 8) % 2**bits
    held = [np.packbits(((row[:, None] >> np.arange(bits)[::-1]) & 1).astype(np.uint8)).tobytes() for row in values]
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 2, bits, 0, 0, 0, 0))
    data += chunk(b"tRNS", struct.pack(">H", 1)) + chunk(b"IDAT", zlib.compress(b"\0" + held[0] + b"\0" + held[1]))
    (tmp_path / "a.png").write_bytes(data + chunk(b"IEND", b""))
    picture = images.read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.pixels[:, :, 0], values * step)
    assert np.array_equal(picture.alpha, np.where(values == 1, 0, 255))


def test_palette_of_grays_becomes_gray(tmp_path):
    image = Image.fromarray(noise(8, 8) // 64).copy()
    image = Image.frombytes("P", (8, 8), image.tobytes())
    image.putpalette([0, 0, 0, 9, 9, 9, 200, 200, 200, 255, 255, 255])
    image.save(tmp_path / "a.png")
    target, notes = roundtrip(tmp_path / "a.png")
    assert images.read_header(tmp_path / "a.png").channels == images.read_header(target).channels == 1
    assert np.array_equal(images.read_picture(target).pixels[:, :, 0], np.asarray(image.convert("L")))
    assert notes == ("the palette became gray",)


# -- metadata --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_metadata_is_kept_and_tells_the_new_size(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a lake"
    exif.get_ifd(0x8769).update({0xA002: 11, 0xA003: 12, 0x9003: "2024:05:06 07:08:09", 0x829A: 0.5})
    options = {"exif": exif.tobytes(), "dpi": (300, 300), "icc_profile": icc(b"RGB ")}
    array = smooth(20, 30, 3)
    if suffix == ".png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    elif suffix == ".tif":
        exif[700] = XMP
        options["exif"] = exif.tobytes()
    else:
        options["xmp"] = XMP
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
        xmp = image.info["xmp"]
        for part in (b'tiff:Orientation="1"', b'ImageWidth="40"', b'PixelXDimension="40"', b"PixelYDimension>60<"):
            assert part in xmp
        assert image.info["icc_profile"] == icc(b"RGB ")
        if suffix != ".webp":
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_xmp_without_exif_turns_nothing_and_stays(tmp_path):
    target, _ = roundtrip(save(tmp_path / "a.jpg", smooth(20, 30, 3), xmp=XMP))
    assert images.read_header(target).width == 30
    with Image.open(target) as image:
        assert b'tiff:Orientation="6"' in image.info["xmp"]


def test_exif_keeps_makers_notes_in_place_and_loses_its_stale_thumbnail(tmp_path):
    note = b"offsets in here must not move"
    entries = [(0x0112, 3, 1, struct.pack(">HH", 3, 0)), (0x8769, 4, 1, struct.pack(">I", 38))]
    block = b"MM\0*\0\0\0\x08" + struct.pack(">H", 2)
    block += b"".join(struct.pack(">HHI", *entry[:3]) + entry[3] for entry in entries) + struct.pack(">I", 200)
    block += struct.pack(">HHHII", 1, 0x927C, 7, len(note), 60) + b"\0" * 4
    block = block.ljust(60, b"\0") + note
    block = block.ljust(200, b"\0") + struct.pack(">HHHIHHI", 1, 0x0103, 3, 1, 6, 0, 0)
    target, _ = roundtrip(save(tmp_path / "a.jpg", smooth(20, 30, 3), exif=b"Exif\0\0" + block))
    with Image.open(target) as image:
        found = image.info["exif"][6:]
    expected = bytearray(block)
    expected[19] = 1  # the orientation
    expected[34:38] = bytes(4)  # the way to the thumbnail
    assert found == bytes(expected)


def test_png_text_and_colour_chunks_are_kept(tmp_path):
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
            assert image.text == {"Title": "a lake", "workflow": "é" * 2_000_000, "Author": "Анна"}
            assert image.info["gamma"] == 1.0
            assert image.mode == ("L" if dtype == np.uint8 else "I;16")
        assert not notes
    _, notes = roundtrip(path, SaveOptions(format="tiff"))
    assert notes == ("PNG text was dropped: TIFF holds none",)


def test_png_exif_is_found_behind_the_pixels_and_in_old_text(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a lake"
    block = exif.tobytes()[6:]
    data = io.BytesIO()
    Image.fromarray(noise(20, 30, 3)).save(data, "PNG")
    data = data.getvalue()
    (tmp_path / "late.png").write_bytes(data[:-12] + chunk(b"eXIf", block) + data[-12:])
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
            assert not image.text


def test_jpeg_comment_and_iptc_are_kept(tmp_path):
    keyword = b"\x1c\x02\x19\x00\x04lake"
    block = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(keyword)) + keyword + b"\0"
    extra = b"\xff\xed" + struct.pack(">H", len(block) + 2) + block
    path = save(tmp_path / "a.jpg", smooth(20, 30, 3), extra=extra, comment=b"by the sea")
    target, notes = roundtrip(path)
    with Image.open(target) as image:
        assert image.info["photoshop"][0x0404] == keyword
        assert image.info["comment"] == b"by the sea"
    assert not notes


def test_metadata_too_long_for_jpeg_is_said(tmp_path):
    long = XMP + b" " * 70_000
    target, notes = roundtrip(save(tmp_path / "a.webp", smooth(20, 30, 3), xmp=long), SaveOptions(format="jpeg"))
    assert [note.split(":")[0] for note in notes] == ["XMP was dropped"]
    assert b"xmpmeta" not in target.read_bytes()


def test_exif_that_fills_its_jpeg_segment_is_kept(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "a lake" * 10_900
    assert 65_400 < len(exif.tobytes()) < 65_533
    target, notes = roundtrip(save(tmp_path / "a.jpg", smooth(20, 30, 3), exif=exif, progressive=True))
    with Image.open(target) as image:
        assert image.getexif()[0x010E] == "a lake" * 10_900
    assert not notes


def test_strip_drops_what_tells_of_people_and_keeps_colours(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "Ada"
    for suffix in (".jpg", ".png", ".webp", ".tif"):
        options = {"exif": exif, "icc_profile": icc(b"RGB ")}
        path = save(tmp_path / f"a{suffix}", smooth(20, 30, 3), **options, **({} if suffix == ".tif" else {"xmp": XMP}))
        target, _ = roundtrip(path, SaveOptions(metadata="strip"))
        assert b"Ada" not in target.read_bytes()
        assert b"xmpmeta" not in target.read_bytes()
        with Image.open(target) as image:
            assert image.size == (20, 30)
            assert image.info["icc_profile"] == icc(b"RGB ")


def test_jpeg_with_a_preview_behind_it_is_read_and_said(tmp_path):
    first, second = Image.fromarray(smooth(20, 30, 3)), Image.fromarray(smooth(10, 15, 3))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    picture = images.read_picture(tmp_path / "a.jpg")
    assert (picture.width, picture.origin.format) == (30, "JPEG")
    assert "dropped" in picture.origin.notes[0]


# -- conversions -----------------------------------------------------------------------------------


def test_profile_that_does_not_fit_is_dropped_and_said(tmp_path):
    path = save(tmp_path / "a.png", smooth(20, 30), icc_profile=icc(b"GRAY", 2.2))
    target, notes = roundtrip(path)
    with Image.open(target) as image:
        assert (image.mode, image.info["icc_profile"], notes) == ("L", icc(b"GRAY", 2.2), ())
    target, notes = roundtrip(path, change=lambda picture: replace(picture, pixels=picture.pixels.repeat(3, 2)))
    with Image.open(target) as image:
        assert (image.mode, "icc_profile" in image.info, len(notes)) == ("RGB", False, 1)
    target, notes = roundtrip(path, SaveOptions(format="webp"))
    with Image.open(target) as image:
        assert ("icc_profile" in image.info, len(notes)) == (False, 1)
    target, notes = roundtrip(path, SaveOptions(format="bmp"))
    assert notes == ("colour profile was dropped: BMP holds none",)


@pytest.mark.parametrize("space", [b"RGB ", b"GRAY"])
def test_colours_are_converted_to_srgb(tmp_path, space):
    array = smooth(20, 30, 3) if space == b"RGB " else smooth(20, 30)
    path = save(tmp_path / "a.png", array, icc_profile=icc(space, 1.0))
    target, _ = roundtrip(path, SaveOptions(color="srgb"))
    linear = array / 255
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    with Image.open(target) as image:
        assert "icc_profile" not in image.info
        assert np.abs(np.asarray(image) - expected).max() < 2
    deep = replace(images.read_picture(path), pixels=images.read_picture(path).pixels.astype(np.uint16))
    with pytest.raises(PictureError, match="16"):
        images.write_picture(deep, tmp_path / "deep.png", SaveOptions(color="srgb"))


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_goes_through_its_profile(tmp_path, suffix):
    inks = np.zeros((16, 32, 4), np.uint8)
    inks[:, :16, 0] = 255  # cyan, which this press does not print
    inks[:, 16:, 3] = 255
    Image.fromarray(inks, "CMYK").save(tmp_path / f"a{suffix}", icc_profile=icc(b"CMYK"))
    picture = images.read_picture(tmp_path / f"a{suffix}")
    assert picture.pixels[:, :14].min() > 250
    assert picture.pixels[:, 18:].max() < 5
    assert picture.origin.notes == ("CMYK was converted to sRGB through its profile",)
    target, _ = roundtrip(tmp_path / f"a{suffix}")
    assert images.read_header(target).channels == 3
    assert b"prtrCMYK" not in target.read_bytes()


@pytest.mark.parametrize(("name", "held"), [("jpeg", ".jpg"), ("webp", ".webp"), ("bmp", ".bmp")])
def test_16_bits_become_8_where_a_format_has_no_more_and_it_is_said(tmp_path, name, held):
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    target, notes = roundtrip(save(tmp_path / "a.png", ramp), SaveOptions(format=name, quality=95))
    assert target.suffix == held
    assert len(notes) == 1
    assert notes[0].startswith("16 bits became 8")
    assert np.abs(images.read_picture(target).pixels[:, :, 0] - ramp / 257).max() < (0.51 if name == "bmp" else 4)


def test_every_8_bit_value_survives_16_bits():
    deep = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16, 1)
    assert np.array_equal(images._to_8_bits(deep).ravel(), np.arange(256))


def test_alpha_where_a_format_has_none(tmp_path):
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


@pytest.mark.parametrize("format", ["png", "tiff", "webp", "bmp"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [False, True])
def test_pictures_born_in_memory_are_written_to_every_format(tmp_path, format, channels, dtype, alpha):
    picture = Picture(noise(9, 12, channels, dtype=dtype), noise(9, 12, dtype=dtype, seed=1) if alpha else None)
    path = tmp_path / f"a.{format}"
    images.write_picture(picture, path)
    found = images.read_picture(path)
    assert (found.alpha is not None) == alpha
    assert found.depth == (picture.depth if format in {"png", "tiff"} else 8)
    if format == "webp":
        return  # lossy, and noise
    shift = 257 if found.depth < picture.depth else 1
    expected = np.broadcast_to(np.rint(picture.pixels / shift), found.pixels.shape)
    assert np.array_equal(found.pixels, expected)
    if alpha:
        assert np.array_equal(found.alpha, np.rint(picture.alpha / shift))


def test_background_and_quality_are_checked():
    for wrong in ({"background": "no colour"}, {"background": "#11223344"}, {"quality": 0}, {"quality": 101}):
        with pytest.raises(ValidationError):
            SaveOptions(**wrong)


def test_suffixes():
    keep, tiff, jpeg = SaveOptions(), SaveOptions(format="tiff"), SaveOptions(format="jpeg")
    assert images.choose_suffix(Path("a.JPEG"), keep) == ".JPEG"
    assert images.choose_suffix(Path("a.JPEG"), jpeg) == ".JPEG"
    assert images.choose_suffix(Path("a.png"), jpeg) == ".jpg"
    assert images.choose_suffix(Path("a.png"), tiff) == ".tif"
    assert not images.SUFFIXES & images.UNSUPPORTED.keys()


def test_content_and_name_agree_once_written(tmp_path):
    save(tmp_path / "a.jpg", smooth(20, 30, 3), format="PNG")
    target, notes = roundtrip(tmp_path / "a.jpg")
    assert images.read_header(tmp_path / "a.jpg").format == "PNG"
    assert images.read_header(target).format == "JPEG"
    assert "content is PNG" in notes[0]
    with pytest.raises(PictureError, match="agree"):
        images.write_picture(images.read_picture(target), tmp_path / "b.png", SaveOptions(format="jpeg"))
    with pytest.raises(PictureError, match="suffix"):
        images.write_picture(images.read_picture(target), tmp_path / "b.txt")


# -- how files appear ------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", sorted(images.SUFFIXES - {".jfif", ".jpe", ".dib"}))
def test_same_picture_same_bytes(tmp_path, suffix):
    picture = Picture(smooth(20, 30, 3))
    images.write_picture(picture, tmp_path / f"a{suffix}")
    images.write_picture(picture, tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(PictureError, match=r"a\.png: No space left"):
        images.write_picture(Picture(smooth(20, 30, 3)), path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_many_threads_at_once(tmp_path):
    arrays = [noise(40, 50, 3, dtype=dtype, seed=seed) for seed in range(12) for dtype in (np.uint8, np.uint16)]

    def work(number):
        path = tmp_path / f"{number}{('.png', '.tif')[number % 3 == 0]}"
        images.write_picture(Picture(arrays[number]), path)
        return hashlib.sha256(images.read_picture(path).pixels.tobytes()).digest()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(len(arrays))))
    assert found == [hashlib.sha256(array.tobytes()).digest() for array in arrays]


def test_recompress_degrades_by_quality():
    for shape in ((40, 50, 1), (40, 50, 3)):
        array = smooth(*shape).reshape(shape)
        errors = [np.abs(images.recompress(array, quality).astype(int) - array).mean() for quality in (95, 10)]
        assert images.recompress(array, 50).shape == shape
        assert 0 < errors[0] < errors[1]


def test_size_tags_grow_where_the_size_outgrows_them():
    block = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0100, 3, 1, 9, 0, 0)
    assert metadata.read_number(metadata.patch_numbers(block, {0x0100: 65535}), 0x0100) == 65535
    assert metadata.read_number(metadata.patch_numbers(block, {0x0100: 65536}), 0x0100) == 65536


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_bmp_keeps_its_dpi(tmp_path, mode):
    data = cv2.imencode(".bmp", smooth(20, 30, len(mode)))[1].tobytes()
    (tmp_path / "a.bmp").write_bytes(data[:38] + struct.pack("<ii", 11811, 11811) + data[46:])
    target, _ = roundtrip(tmp_path / "a.bmp")
    with Image.open(target) as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_a_picture_is_checked_at_birth():
    black = Picture(np.zeros((4, 4, 3), np.uint8))
    assert black in [black]
    assert black not in [Picture(black.pixels)]  # told apart by identity: comparing arrays has no one answer
    for wrong in (np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match="pixels must be"):
            Picture(wrong)
    with pytest.raises(ValueError, match="alpha"):
        Picture(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint16))
