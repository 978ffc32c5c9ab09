"""Sound pictures in files with a harmless flaw, and what else a JPEG can be."""

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image

from datasets.codecs import images
from datasets.codecs.images import PictureError


def png_of(array, png_chunk, name, content, *, behind=False):
    """A PNG with a further chunk, whose checksum is wrong, before its pixels or behind them."""
    data = cv2.imencode(".png", array)[1].tobytes()
    chunk = png_chunk(name, content)
    place = len(data) - 12 if behind else 33
    return data[:place] + chunk[:-1] + bytes([chunk[-1] ^ 1]) + data[place:]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("name", "content"), [(b"tEXt", b"Comment\0hello"), (b"gAMA", b"\0\0\xb1\x8f"), (b"zzZz", b"?")]
)
def test_a_wrong_checksum_in_metadata_costs_a_note(tmp_path, noise, png_chunk, dtype, name, content, behind, capfd):
    array = noise(16, 24, dtype=dtype)
    (tmp_path / "a.png").write_bytes(png_of(array, png_chunk, name, content, behind=behind))
    assert images.read_header(tmp_path / "a.png").width == 24
    picture = images.read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.pixels[:, :, 0], array)
    assert picture.origin is not None
    assert picture.origin.notes[0] == f"the checksum of its {name.decode()} chunk is wrong: that may be damaged"
    if name == b"tEXt":
        assert picture.origin.text == (("Comment", "hello"),)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE"])
def test_a_wrong_checksum_of_what_the_pixels_need_is_damage(tmp_path, noise, name):
    Image.fromarray(noise(16, 24)).quantize(16).save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    start = data.index(name)
    length = int.from_bytes(data[start - 4 : start])
    data[start + 4 + length] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(PictureError, match="is a damaged or cut-off PNG picture"):
        images.read_picture(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (imagecodecs.jpeg8_encode(np.full((16, 16, 3), 900, np.uint16), bitspersample=12), "JPEG picture of 12 bits"),
        (imagecodecs.ljpeg_encode(np.full((16, 16), 900, np.uint16)), "lossless JPEG picture of 16 bits"),
        (imagecodecs.jpegls_encode(np.full((16, 16), 9, np.uint8)), "JPEG-LS picture"),
    ],
)
def test_jpeg_of_other_kinds_is_named(tmp_path, data, kind):
    (tmp_path / "a.jpg").write_bytes(data)
    for read in (images.read_header, images.read_picture):
        with pytest.raises(PictureError, match=f"a\\.jpg: is a {kind}.*which is not read: save it as an ordinary"):
            read(tmp_path / "a.jpg")


def test_lossless_jpeg_of_8_bits_is_read_with_a_note(tmp_path, smooth):
    array = smooth(32, 48, 3)
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(array, lossless=True))
    picture = images.read_picture(tmp_path / "a.jpg")
    assert np.array_equal(picture.pixels, array)
    assert picture.origin is not None
    assert picture.origin.notes == ("lossless JPEG becomes lossy where JPEG is written",)


def test_coarse_quantisation_is_written_without_a_word_on_the_terminal(tmp_path, smooth, capfd):
    tables = [[400] * 64, [999] * 64]
    Image.fromarray(smooth(32, 48, 3)).save(tmp_path / "a.jpg", qtables=tables)
    capfd.readouterr()  # what Pillow's own libjpeg said of these
    images.write_picture(images.read_picture(tmp_path / "a.jpg"), tmp_path / "b.jpg")
    assert capfd.readouterr() == ("", "")
    with Image.open(tmp_path / "b.jpg") as image:
        assert max(image.quantization[0]) == 255  # type: ignore[attr-defined]
