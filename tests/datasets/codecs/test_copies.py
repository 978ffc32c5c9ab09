"""No file that is written shows the old picture anywhere, and each says what was dropped."""

import base64
import io
import re
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from datasets.codecs import images
from datasets.codecs.blocks.directories import Values, build_block
from datasets.codecs.images import SaveOptions

GREEN = (0, 200, 0)  # of the picture; all copies are red


def red_jpeg(**options):
    buffer = io.BytesIO()
    array = np.zeros((32, 48, 3), np.uint8)
    array[4:28, 10:40] = (248, 0, 0)
    Image.fromarray(array).save(buffer, "JPEG", **options)
    return buffer.getvalue()


RED = red_jpeg()
RAW_RED = bytes((248, 0, 0)) * 400
CODED = base64.b64encode(RED).decode()
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + RED


def tiff_block(order, thumbnail, raw):
    """An EXIF block with a thumbnail, compressed or `raw`, and with a preview within the maker's notes."""
    note = b"MAKER\0" + red_jpeg(quality=60)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    main = struct.pack(order + "HHHIII", 1, 0x8769, 4, 1, 30, 60)
    exif = struct.pack(order + "HHHIII", 1, 0x927C, 7, len(note), 200 + len(thumbnail), 0)
    tags = (0x0111, 0x0117) if raw else (0x0201, 0x0202)
    second = struct.pack(order + "HHHIIHHIII", 2, tags[0], 4, 1, 200, tags[1], 4, 1, len(thumbnail), 0)
    return ((head + main).ljust(30, b"\0") + exif).ljust(60, b"\0") + second.ljust(140, b"\0") + thumbnail + note


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/" dc:source="a lake"><xmp:Thumbnails><rdf:Alt>'
    f'<rdf:li rdf:parseType="Resource"><xmpGImg:image>{CODED}</xmpGImg:image></rdf:li>'
    "</rdf:Alt></xmp:Thumbnails></rdf:Description></rdf:RDF></x:xmpmeta>"
).encode()
PHOTOSHOP = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 28 + len(RED)) + bytes(28) + RED + b"\0" * (len(RED) % 2)
IPTC = b"\x1c\x02\x19\x00\x04lake" + b"\x1c\x02\xca" + struct.pack(">H", len(RED)) + RED


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def iptc_segment():
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0" * (len(IPTC) % 2)
    return segment(0xED, b"Photoshop 3.0\0" + block + PHOTOSHOP)


def extended_segments():
    guid = b"0123456789ABCDEF0123456789ABCDEF"
    link = b'<rdf:Description xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="' + guid + b'" rdf:about=""/>'
    main = re.sub(rb"<rdf:Description.*</rdf:Description>", link, XMP)
    extension = XMP.replace(b"xmp:Thumbnails", b"dc:anything")
    head = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", len(extension), 0)
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + main) + segment(0xE1, head + extension)


def save(format, behind=b"", text=(), **options):
    buffer = io.BytesIO()
    if text:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        for key, value in text:
            options["pnginfo"].add_text(key, value, zip=len(value) > 3000)
    Image.new("RGB", (96, 64), GREEN).save(buffer, format, **options)
    return buffer.getvalue() + behind


def raw_profile(kind, data):
    lines = "\n".join(data.hex()[place : place + 72] for place in range(0, 2 * len(data), 72))
    return f"Raw profile type {kind}", f"\n{kind}\n{len(data):8}\n{lines}\n"


def tiff_with(tag, kind, data):
    """A TIFF with one more tag, whose bytes lie at its end."""
    plain = bytearray(save("TIFF"))
    (start,) = struct.unpack_from("<I", plain, 4)
    (count,) = struct.unpack_from("<H", plain, start)
    entries = [bytes(plain[place : place + 12]) for place in range(start + 2, start + 2 + 12 * count, 12)]
    size = {1: 1, 4: 4, 7: 1}[kind]
    entries.append(struct.pack("<HHII", tag, kind, len(data) // size, len(plain)))
    plain += data + bytes(len(data) % 2)
    struct.pack_into("<I", plain, 4, len(plain))
    return bytes(plain) + struct.pack("<H", count + 1) + b"".join(sorted(entries)) + bytes(4)


def exifs(order="<"):
    return {"compressed": tiff_block(order, RED, raw=False), "raw": tiff_block(order, RAW_RED, raw=True)}


FILES = {
    **{f"exif-{kind}.jpg": save("JPEG", exif=b"Exif\0\0" + block) for kind, block in exifs().items()},
    **{f"exif-{kind}.png": save("PNG", exif=block) for kind, block in exifs(">").items()},
    **{f"exif-{kind}.webp": save("WEBP", exif=b"Exif\0\0" + block) for kind, block in exifs().items()},
    "maker.tif": save("TIFF", exif=exifs()["compressed"]),
    "xmp.jpg": save("JPEG", xmp=XMP),
    "xmp.png": save("PNG", text=[("XML:com.adobe.xmp", XMP.decode())]),
    "xmp.webp": save("WEBP", xmp=XMP),
    "xmp.tif": tiff_with(700, 1, XMP),
    "extended.jpg": save("JPEG", extra=extended_segments()),
    "jfxx.jpg": save("JPEG", extra=segment(0xE0, b"JFXX\0\x10" + RED)),
    "photoshop.jpg": save("JPEG", extra=iptc_segment()),
    "photoshop.tif": tiff_with(34377, 1, PHOTOSHOP),
    "iptc.tif": tiff_with(33723, 7, IPTC),
    "below.tif": tiff_with(330, 4, struct.pack("<2I", 8, 8)),
    "comment.jpg": save("JPEG", comment=b"data:image/jpeg;base64," + CODED.encode()),
    "text.png": save("PNG", text=[("Thumbnail", CODED), ("Title", "a lake")]),
    "text-exif.png": save("PNG", text=[raw_profile("exif", b"Exif\0\0" + exifs()["compressed"])]),
    "text-app1.png": save("PNG", text=[raw_profile("APP1", b"Exif\0\0" + exifs()["raw"])]),
    "text-xmp.png": save("PNG", text=[raw_profile("xmp", XMP)]),
    "text-8bim.png": save("PNG", text=[raw_profile("8bim", PHOTOSHOP)]),
    "behind.jpg": save("JPEG", behind=RED),
    "film.jpg": save("JPEG", behind=FILM),
    "film.png": save("PNG", behind=FILM),
    "film.webp": save("WEBP", behind=FILM),
}
NOTES = {
    "xmp": "the thumbnail in XMP",
    "extended": "the thumbnail in XMP",
    "text": "a picture in PNG text",
    "text-xmp": "the thumbnail in XMP",
    "text-8bim": "a picture in PNG text",
    "behind": "the pictures behind the first one",
    "film": "the video of the motion photo",
    "below": "smaller pictures within the TIFF",
    "photoshop.tif": "Photoshop resources",
}


def find_red(data):
    """Whether any JPEG or run of pixels in the data, as bytes, base64 or hexadecimal, shows red."""
    lines = data.replace(b"\n", b"")
    blocks = [data]
    for digits in re.findall(rb"[0-9a-f]{200,}", lines):
        blocks += [bytes.fromhex(digits[shift:][: (len(digits) - shift) // 2 * 2].decode()) for shift in (0, 1)]
    for text in [*blocks]:
        blocks += [base64.b64decode(part + b"===") for part in re.findall(rb"[0-9A-Za-z+/]{100,}", text)]
    for block in blocks:
        if RAW_RED[:90] in block:
            return True
        for place in (found.start() for found in re.finditer(rb"\xff\xd8\xff", block)):
            try:
                with Image.open(io.BytesIO(block[place:])) as image:
                    pixels = np.asarray(image.convert("RGB")).astype(int)
            except OSError:
                continue
            if (pixels[:, :, 0] > pixels[:, :, 1] + 100).any():
                return True
    return False


def uncompressed(path):
    """A file's bytes, and what the text chunks of a PNG say."""
    data = path.read_bytes()
    with Image.open(path) as image:
        image.load()
        return data + "".join(str(value) for value in getattr(image, "text", {}).values()).encode()


@pytest.mark.parametrize("name", FILES)
def test_no_copy_of_the_old_picture_is_left(tmp_path, name, roundtrip):
    path = tmp_path / name
    path.write_bytes(FILES[name])
    assert find_red(uncompressed(path)) or name == "below.tif"
    expected = NOTES.get(name, NOTES.get(name.split(".")[0]))
    for format in ("keep", "jpeg", "png", "webp", "tiff"):
        target, notes = roundtrip(path, SaveOptions(format=format))
        assert not find_red(uncompressed(target))
        said = [note for note in notes if note.startswith("dropped: ")]
        assert [expected in note for note in said] == ([] if expected is None else [True])
        if format == "keep" and name not in {"comment.jpg"} and "lake" in str(FILES[name]):
            assert b"lake" in uncompressed(target)


def test_extended_xmp_stays_and_is_split_where_jpeg_needs_it(tmp_path, roundtrip):
    long = XMP.replace(b"a lake", b"a lake " * 20_000)
    (tmp_path / "a.webp").write_bytes(save("WEBP", xmp=long))
    target, notes = roundtrip(tmp_path / "a.webp", SaveOptions(format="jpeg"))
    assert notes == ("dropped: the thumbnail in XMP",)
    assert target.read_bytes().count(b"http://ns.adobe.com/xmp/extension/") == 3
    again = images.read_picture(target)
    assert again.origin is not None
    assert again.origin.xmp is not None
    assert again.origin.notes == ()
    assert b"a lake " * 20_000 in again.origin.xmp


def test_exif_keeps_its_types_and_letters_from_format_to_format(tmp_path, smooth):
    tags = {
        0x9286: Values(7, b"ASCII\0\0\0a comment"),
        0x9204: Values(10, struct.pack("<ii", -1, 2)),
        0xA300: Values(7, b"\3"),
    }
    exif = build_block({315: Values(2, "Jürgen\0".encode())}, {0x8769: tags})
    Image.fromarray(smooth(20, 30, 3)).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + exif)
    images.write_picture(images.read_picture(tmp_path / "a.jpg"), tmp_path / "b.tif")
    images.write_picture(images.read_picture(tmp_path / "b.tif"), tmp_path / "c.jpg")
    for name in ("b.tif", "c.jpg"):
        data = (tmp_path / name).read_bytes()
        assert struct.pack("<HHI", 0x9286, 7, 17) in data  # UNDEFINED
        assert struct.pack("<HHI", 0xA300, 7, 1) + b"\x03" in data
        assert struct.pack("<HHI", 0x9204, 10, 1) in data  # a signed fraction
        assert "Jürgen".encode() in data


@pytest.mark.parametrize("format", ["webp", "jxl", "jp2"])
def test_the_resolution_is_in_exif_where_a_format_does_not_state_it(tmp_path, format, smooth, roundtrip):
    if format != "webp":
        pytest.importorskip("imagecodecs")
    plain = Image.fromarray(smooth(20, 30, 3))
    plain.save(tmp_path / "a.png", dpi=(300, 150))
    target, notes = roundtrip(tmp_path / "a.png", SaveOptions(format=format))
    assert notes == ()
    source = tmp_path / f"a.{format}"
    source.write_bytes(target.read_bytes())
    target, notes = roundtrip(source, SaveOptions(format="png"))
    assert notes == ()
    with Image.open(target) as image:
        assert image.info["dpi"] == pytest.approx((300, 150), abs=0.1)
    target, notes = roundtrip(source, SaveOptions(metadata="strip"))
    picture = images.read_picture(target)
    assert picture.origin is not None
    assert (picture.origin.exif, notes) == (None, ())


def test_a_resolution_is_added_to_exif_or_said_to_be_lost(tmp_path, smooth, roundtrip):
    plain = Image.fromarray(smooth(20, 30, 3))
    exif = Image.Exif()
    exif[0x010E] = "a lake"
    plain.save(tmp_path / "b.png", dpi=(300, 150), exif=exif)
    target, notes = roundtrip(tmp_path / "b.png", SaveOptions(format="webp"))
    assert notes == ()
    with Image.open(target) as image:
        assert image.getexif()[0x010E] == "a lake"
        assert image.getexif()[0x011B] == pytest.approx(150, abs=0.1)
    plain.save(tmp_path / "c.png", dpi=(300, 150), exif=b"MM\0*\0\0\x99\x99")
    _, notes = roundtrip(tmp_path / "c.png", SaveOptions(format="webp"))
    assert ["dpi" in note for note in notes] == [True]
    notes = images.write_picture(images.read_picture(tmp_path / "b.png"), tmp_path / "b.gif")
    assert "the resolution (dpi) was dropped: GIF holds none" in notes


def test_chunks_that_are_dropped_are_named(tmp_path, png_chunk, roundtrip):
    data = save("WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0") + b"C2PA\4\0\0\0jumbmine\1\0\0\0a\0"
    (tmp_path / "a.webp").write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    _, notes = roundtrip(tmp_path / "a.webp")
    assert notes == ("dropped: WebP's mine, the content credentials (C2PA)",)
    data = save("PNG")
    chunks = png_chunk(b"sBIT", b"\5\6\5") + png_chunk(b"bKGD", bytes(6)) + png_chunk(b"tIME", b"\x07\xe4\1\2\3\4\5")
    (tmp_path / "a.png").write_bytes(data[:33] + chunks + png_chunk(b"caBX", b"c2pa") + data[33:])
    _, notes = roundtrip(tmp_path / "a.png")
    assert notes == ("dropped: PNG's bKGD, sBIT, tIME, the content credentials (C2PA)",)


def test_boxes_of_jpeg_xl_that_are_dropped_are_named(tmp_path, smooth):
    pytest.importorskip("imagecodecs")
    images.write_picture(images.Picture(smooth(20, 30, 3)), tmp_path / "a.jxl")
    with (tmp_path / "a.jxl").open("ab") as file:
        file.write(struct.pack(">I4s", 12, b"jhgm") + b"gain" + struct.pack(">I4s", 12, b"jumb") + b"c2pa")
    origin = images.read_picture(tmp_path / "a.jxl").origin
    assert origin is not None
    assert origin.notes == ("dropped: the gain map (HDR), the content credentials (C2PA)",)
