"""Colours without an ICC profile: kept in PNG, converted on request, and made into a profile elsewhere."""

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms

from datasets.codecs import images
from datasets.codecs.blocks.colour import SRGB as SRGB_COLOURS
from datasets.codecs.blocks.icc import build_profile
from datasets.codecs.images import PictureError, SaveOptions

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
P3_CICP, PQ_CICP, SRGB_CICP = b"\x0c\x0d\0\x01", b"\x09\x10\0\x01", b"\x01\x0d\0\x01"
P3_CHRM = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
LINEAR = struct.pack(">I", 100000)
MDCV, CLLI = bytes(range(24)), bytes(range(8))
ICCP = b"p\0\0" + zlib.compress(SRGB.tobytes())
PATCH = (200, 60, 30)  # well inside of P3


@pytest.fixture
def write_png(tmp_path, png_chunk):
    """`write_png(chunks, shape=(8, 12, 3), dtype=np.uint8)`: a PNG of one colour with these chunks."""

    def write(chunks, shape=(8, 12, 3), dtype=np.uint8):
        array = np.broadcast_to(np.array(PATCH[: shape[2]], dtype), shape)
        buffer = io.BytesIO()
        Image.fromarray(np.squeeze(array)).save(buffer, "PNG")
        data = buffer.getvalue()
        path = tmp_path / "a.png"
        path.write_bytes(data[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + data[33:])
        return path

    return write


def chunks_of(path):
    data, position, found = path.read_bytes(), 8, {}
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        assert name not in found or name == b"IDAT"
        found[name] = data[position + 8 : position + 8 + length]
        position += 12 + length
    return found


P3_TO_SRGB = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
ADOBE_TO_SRGB = np.array([[1.39836, -0.39836, 0], [0, 1, 0], [0, -0.04293, 1.04293]])


def convert(pixel, light, matrix=P3_TO_SRGB):
    """A pixel in sRGB, by the published matrix from its primaries to those of sRGB."""
    linear = (matrix @ [light(value / 255) for value in pixel]).clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255


def srgb_light(value):
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


ALL = [(b"cICP", PQ_CICP), (b"iCCP", ICCP), (b"mDCV", MDCV), (b"cLLI", CLLI), (b"gAMA", LINEAR), (b"cHRM", P3_CHRM)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("chunks", [ALL, [(b"sRGB", b"\0"), (b"gAMA", LINEAR)], [(b"cICP", P3_CICP)]])
def test_every_colour_chunk_stays_from_png_to_png(write_png, roundtrip, chunks, dtype):
    if dtype == np.uint16:
        chunks = [chunk for chunk in chunks if chunk[0] != b"iCCP"]  # whose profile is one for RGB
    target, notes = roundtrip(write_png(chunks, (8, 12, 3 if dtype == np.uint8 else 1), dtype))
    assert notes == ()
    found = chunks_of(target)
    assert {name: data for name, data in chunks if name != b"iCCP"}.items() <= found.items()
    with Image.open(target) as image:
        assert (image.info.get("icc_profile") is None) == (b"iCCP" not in dict(chunks))


@pytest.mark.parametrize(
    ("chunks", "light"),
    [
        ([(b"cICP", P3_CICP)], srgb_light),
        ([(b"gAMA", LINEAR), (b"cHRM", P3_CHRM)], lambda value: value),
        ([(b"gAMA", struct.pack(">I", 45455)), (b"cHRM", P3_CHRM)], lambda value: value**2.2),
        ([(b"cICP", P3_CICP), (b"iCCP", ICCP)], srgb_light),  # cICP counts first
    ],
)
def test_colours_are_converted_to_srgb_by_what_the_chunks_say(write_png, roundtrip, chunks, light):
    path = write_png(chunks)
    target, notes = roundtrip(path, SaveOptions(color="srgb"))
    assert notes == ()
    assert not set(chunks_of(target)) & {b"cICP", b"gAMA", b"cHRM", b"iCCP", b"mDCV"}
    expected = convert(PATCH, light)
    assert images.read_picture(target).pixels[3, 4] == pytest.approx(expected, abs=1)
    # Elsewhere a profile says it, by which Little CMS converts to the same.
    for format in ("webp", "tiff", "jpeg"):
        target, notes = roundtrip(path, SaveOptions(format=format, quality=None if format == "tiff" else 100))
        assert notes == ("a colour profile was made from PNG's colour chunks",)
        with Image.open(target) as image:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
            converted = ImageCms.profileToProfile(image.convert("RGB"), profile, SRGB)
            tolerance = {"webp": 8, "tiff": 1, "jpeg": 5}[format]
            assert np.asarray(converted)[3, 4] == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("format", ["png", "webp", "tiff", "jpeg", "bmp"])
def test_gray_becomes_srgb_or_has_a_profile(write_png, roundtrip, format):
    path = write_png([(b"gAMA", LINEAR)], (8, 12, 1))
    target, _ = roundtrip(path, SaveOptions(color="srgb"))
    expected = (1.055 * (200 / 255) ** (1 / 2.4) - 0.055) * 255
    assert images.read_picture(target).pixels[0, 0, 0] == pytest.approx(expected, abs=1)
    target, notes = roundtrip(path, SaveOptions(format=format))
    with Image.open(target) as image:
        profile = image.info.get("icc_profile")
        if format in {"png", "bmp"}:
            assert profile is None
            assert notes == (() if format == "png" else ("colour profile was dropped: BMP holds none",))
        else:
            space = b"RGB " if format == "webp" else b"GRAY"
            assert profile is not None
            assert profile[16:20] == space
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), SRGB, outputMode="RGB"
            )
            assert np.asarray(converted)[3, 4] == pytest.approx([expected] * 3, abs=3)


@pytest.mark.parametrize("chunks", [[(b"sRGB", b"\0")], [(b"gAMA", struct.pack(">I", 45455))], [(b"cICP", SRGB_CICP)]])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_srgb_already_needs_neither(write_png, roundtrip, chunks, dtype):
    path = write_png(chunks, (8, 12, 1), dtype)
    for options in (SaveOptions(format="tiff"), SaveOptions(color="srgb")):
        target, notes = roundtrip(path, options)
        assert notes == ()
        with Image.open(target) as image:
            assert "icc_profile" not in image.info
        assert np.array_equal(images.read_picture(target).pixels, images.read_picture(path).pixels)


def test_hdr_is_refused_or_noted(write_png, roundtrip):
    for chunks in (ALL[:1], ALL):
        path = write_png(chunks)
        with pytest.raises(PictureError, match=r"HDR colours \(PQ\).*`color`"):
            roundtrip(path, SaveOptions(color="srgb"))
        target, notes = roundtrip(path, SaveOptions(format="jpeg"))
        assert len(notes) == 1
        assert "HDR colours (PQ) was dropped" in notes[0]
        with Image.open(target) as image:
            assert image.info.get("icc_profile") == (SRGB.tobytes() if chunks == ALL else None)


def test_a_profile_of_hdr_is_refused_too(tmp_path, roundtrip):
    profile = build_profile(SRGB_COLOURS, 3)
    named = profile.replace(b"cprt", b"cicp", 1)  # where the copyright was, there is
    place = int.from_bytes(named[named.find(b"cicp") + 4 :][:4], "big")
    named = named[:place] + b"cicp\0\0\0\0\x09\x12\0\x01" + named[place + 12 :]
    Image.new("RGB", (8, 8)).save(tmp_path / "a.webp", icc_profile=named)
    with pytest.raises(PictureError, match=r"HDR colours \(HLG\)"):
        roundtrip(tmp_path / "a.webp", SaveOptions(color="srgb"))
    target, notes = roundtrip(tmp_path / "a.webp", SaveOptions(format="jpeg"))
    with Image.open(target) as image:
        assert (image.info["icc_profile"], notes) == (named, ())


def test_code_points_that_are_not_known_are_noted(write_png, roundtrip):
    for options in (SaveOptions(format="tiff"), SaveOptions(color="srgb")):
        _, notes = roundtrip(write_png([(b"cICP", b"\x63\x63\0\x01")]), options)
        assert notes == ("its cICP names colours that are not known, and was ignored",)


def test_deep_colours_are_not_converted_but_refused(write_png, roundtrip):
    path = write_png([(b"gAMA", LINEAR)], (8, 12, 1), np.uint16)
    with pytest.raises(PictureError, match="16"):
        roundtrip(path, SaveOptions(color="srgb"))


def test_a_picture_that_gained_colour_keeps_its_curve(write_png, roundtrip):
    path = write_png([(b"gAMA", LINEAR)], (8, 12, 1))
    target, _ = roundtrip(
        path, SaveOptions(format="tiff"), change=lambda picture: replace(picture, pixels=picture.pixels.repeat(3, 2))
    )
    with Image.open(target) as image:
        assert image.info["icc_profile"][16:20] == b"RGB "


def test_adobe_rgb_of_cameras_is_honoured(tmp_path, roundtrip):
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: 0xFFFF, 0xA005: {1: "R03"}})
    image = Image.new("RGB", (16, 16), (200, 100, 50))
    image.save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    target, notes = roundtrip(tmp_path / "a.jpg", SaveOptions(color="srgb"))
    assert len(notes) == 1
    assert "Adobe RGB" in notes[0]
    expected = convert((200, 100, 50), lambda value: value ** (563 / 256), ADOBE_TO_SRGB)
    assert images.read_picture(target).pixels[8, 8] == pytest.approx(expected, abs=3)
    with Image.open(target) as image:
        assert "icc_profile" not in image.info
        assert image.getexif().get_ifd(0x8769)[0xA001] == 1
    target, _ = roundtrip(tmp_path / "a.jpg", SaveOptions(format="png", metadata="strip"))
    with Image.open(target) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert profile.profile.profile_description == "Adobe RGB"


def test_xmp_names_no_other_colours_afterwards(tmp_path, smooth, save, icc_profile, roundtrip):
    packet = (
        b'<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:ColorSpace="65535" '
        b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:ICCProfile="Display P3" photoshop:City="Rom"/>'
    )
    path = save(tmp_path / "a.jpg", smooth(20, 30, 3), xmp=packet, icc_profile=icc_profile(b"RGB "))
    for options, parts in ((None, (b'"65535"', b"Display P3")), (SaveOptions(color="srgb"), (b'exif:ColorSpace="1"',))):
        target, _ = roundtrip(path, options)
        with Image.open(target) as image:
            assert all(part in image.info["xmp"] for part in (*parts, b'City="Rom"'))
            assert (b"Display P3" in image.info["xmp"]) == (options is None)
