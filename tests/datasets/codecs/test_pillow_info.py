"""What Pillow knows of a file is passed on without copies of the picture."""

import base64
import io

from PIL import Image

from datasets.codecs.pillow_info import clean_info


def jpeg(**options):
    buffer = io.BytesIO()
    Image.new("RGB", (48, 32), "red").save(buffer, "JPEG", **options)
    return buffer.getvalue()


def test_copies_and_claims_are_left_out_and_the_rest_stays():
    exif = Image.Exif()
    exif[0x013B] = "Ada"
    exif.get_ifd(1)[0x0201] = 1
    xmp = b'<rdf:Description xmp:Rating="3" hdrgm:Version="1.0"/>'
    coded = base64.b64encode(jpeg()).decode()
    hexadecimal = f"\n8bim\n9\n{b'8BIMlake'.hex()}\n{jpeg().hex()}\n"
    before = {
        "exif": b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0") + jpeg(),
        "xmp": xmp,
        "XML:com.adobe.xmp": xmp.decode(),
        "photoshop": {0x040C: jpeg()},
        "mp": b"MM",
        "comment": b"by the sea",
        "dpi": (72, 72),
        "Title": "a lake",
        "Thumbnail": coded,
        "Raw profile type 8bim": hexadecimal,
        "icc_profile": b"acsp",
        (1, 2): 3,
    }
    after = clean_info(before)
    assert set(before) - set(after) == {"photoshop", "mp", "Thumbnail"}
    for key in ("comment", "dpi", "Title", "icc_profile", (1, 2)):
        assert after[key] == before[key]
    assert after["xmp"] == b'<rdf:Description xmp:Rating="3"/>'
    assert after["XML:com.adobe.xmp"] == '<rdf:Description xmp:Rating="3"/>'
    assert jpeg() not in after["exif"]
    assert len(after["exif"]) == len(before["exif"])
    loaded = Image.Exif()
    loaded.load(after["exif"])
    assert loaded[0x013B] == "Ada"
    assert not loaded.get_ifd(1)
    text = bytes.fromhex("".join(after["Raw profile type 8bim"].split("\n")[3:]))
    assert text == b"8BIMlake" + bytes(len(jpeg()))
