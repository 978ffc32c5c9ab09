"""Holes known by a colour, on photographs: strokes of a brush, and dates in a corner."""

import io
import time

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from datasets.codecs.images import Picture
from datasets.masks.colours import find_painted, find_text_stamp, parse_stamp
from datasets.masks.reading import dilate

PAINT_RED = (237, 28, 36)  # the red of Windows' Paint


def photograph(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)())


def save(image: Image.Image, quality: int | None) -> Picture:
    """The picture as it comes back from a JPEG, or as it is."""
    if quality is None:
        return Picture(np.array(image))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as saved:
        return Picture(np.array(saved))


def paint(image: Image.Image, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Paint a smooth stroke, and return what it touches by more than a tenth."""
    large = Image.new("L", (4 * image.width, 4 * image.height))
    ImageDraw.Draw(large).line([(200, 300), (700, 800), (1100, 500)], fill=255, width=60, joint="curve")
    stroke = large.resize(image.size, Image.Resampling.BOX)
    image.paste(colour, mask=stroke)
    return np.array(stroke) > 25


@pytest.mark.parametrize("quality", [None, 95, 75])
@pytest.mark.parametrize("name", ["coffee", "chelsea"])
@pytest.mark.parametrize("compared", [True, False])
def test_a_painted_stroke_is_the_hole(name: str, quality: int | None, compared: bool) -> None:
    image = photograph(name)
    original = Picture(np.array(image))
    touched = paint(image, PAINT_RED)
    mask, notes = find_painted(save(image, quality), "red", original=original if compared else None)
    assert notes == ()
    assert mask[touched].mean() > 0.97
    assert (mask & ~dilate(touched, 8)).mean() < 0.001  # coffee has a red saucer


def test_what_has_the_colour_already_is_no_hole() -> None:
    image = photograph("astronaut")
    pixels = np.array(image)
    pixels[400:450, 20:90] = (255, 0, 0)
    image = Image.fromarray(pixels)
    original = Picture(pixels.copy())
    touched = paint(image, (255, 0, 0))
    mask, _ = find_painted(Picture(np.array(image)), "red", original=original)
    assert not mask[400:450, 20:90].any()
    assert mask[touched].mean() > 0.97
    mask, notes = find_painted(original, "red", original=original)
    assert not mask.any()
    assert notes == ("nothing of the colour red differs from the original",)


def test_strokes_on_a_blank_sheet_are_no_more_than_strokes() -> None:
    sheet = Image.new("RGB", (451, 300), (255, 255, 255))
    touched = paint(sheet, (255, 0, 0))
    mask, _ = find_painted(Picture(np.array(sheet)), "red", original=Picture(skimage.data.chelsea()))
    assert mask[touched].mean() > 0.97
    assert not (mask & ~dilate(touched, 12)).any()


def test_another_colour_is_answered_with_the_nearest() -> None:
    mask, notes = find_painted(Picture(np.full((8, 9, 3), (90, 20, 0), np.uint8)), "#ff0000")
    assert not mask.any()
    assert notes[0].startswith("nothing in it is #ff0000: the nearest colour is #5a1400, which differs by 165 of 255;")
    assert find_painted(Picture(np.full((8, 9, 3), (90, 20, 0), np.uint8)), "#ff0000", 165)[0].all()


def test_the_colour_counts_in_16_bits_and_where_it_can_be_seen() -> None:
    pixels = np.zeros((40, 40, 3), np.uint16)
    pixels[10:20, 10:20] = pixels[30:34, 30:34] = (65535, 0, 0)
    alpha = np.full((40, 40), 65535, np.uint16)
    alpha[30:34, 30:34] = 0
    mask, _ = find_painted(Picture(pixels, alpha), "red")
    assert mask[10:20, 10:20].all()
    assert not mask[26:, 26:].any()
    gray = np.where(np.arange(100).reshape(10, 10, 1) < 20, 255, 90).astype(np.uint8)
    assert find_painted(Picture(gray), "white", original=Picture(np.full_like(gray, 90)))[0][:2].all()


def stamp(
    name: str, text: str, colour: tuple[int, int, int], corner: str, glow: float
) -> tuple[Picture, NDArray[np.bool_]]:
    """A photograph with a date in a corner, as JPEG, and where the date is."""
    image = photograph(name)
    size = image.height // 16
    layer = Image.new("RGBA", image.size)
    x = 12 if corner.endswith("left") else image.width - int(0.62 * size * len(text))
    y = 8 if corner.startswith("top") else image.height - int(1.6 * size)
    ImageDraw.Draw(layer).text((x, y), text, font=ImageFont.load_default(size), fill=colour)
    layer = Image.alpha_composite(layer.filter(ImageFilter.GaussianBlur(glow)), layer)
    image.paste(layer, mask=layer.getchannel("A"))
    return save(image, 88), np.array(layer)[:, :, 3] > 60


@pytest.mark.parametrize(
    ("name", "text", "colour", "place", "glow"),
    [
        ("astronaut", "'98 12 24", (255, 140, 30), "bottom-right", 2),
        ("chelsea", "10.3.2001", (255, 90, 40), "bottom-right", 1),
        ("rocket", "12:31", (255, 255, 0), "bottom-left", 0),
        ("coffee", "2004 07 11", (255, 255, 255), "bottom-right,white", 1),
        ("chelsea", "2011/01/01", (60, 255, 90), "top-left,#40ff60", 0),
        ("rocket", "'04 7 11", (255, 200, 40), "top-right", 1),
    ],
)
def test_a_date_in_a_corner_is_found(
    name: str, text: str, colour: tuple[int, int, int], place: str, glow: float
) -> None:
    picture, date = stamp(name, text, colour, place.split(",")[0], glow)
    mask, notes = find_text_stamp(picture, *parse_stamp(place))
    assert notes == ()
    assert mask[date].mean() > 0.93
    assert not (mask & ~dilate(date, 12)).any()


def test_no_date_is_no_hole() -> None:
    mask, notes = find_text_stamp(Picture(np.full((60, 90, 3), 120, np.uint8)), "top-right", None)
    assert mask.shape == (60, 90)
    assert not mask.any()
    assert notes == (
        "nothing in the corner top-right looks like a date; name the colour of its digits, as in top-right,#ffaa28, or "
        "a `box` around it",
    )
    for height, width in ((1, 1), (2, 300), (300, 2)):
        assert not find_text_stamp(Picture(np.zeros((height, width, 1), np.uint8)), "bottom-left", "white")[0].any()


def test_a_small_date_in_a_large_picture_is_found() -> None:
    image = photograph("chelsea").resize((1804, 1200))
    date = Image.new("L", image.size)
    ImageDraw.Draw(date).text((1500, 1140), "'04 7 11", font=ImageFont.load_default(28), fill=255)
    image.paste((255, 130, 40), mask=date)
    mask, _ = find_text_stamp(save(image, 90), "bottom-right", None)
    assert mask[np.array(date) > 60].mean() > 0.95
    assert not (mask & ~dilate(np.array(date) > 60, 20)).any()


def test_noise_is_searched_in_a_moment() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8)
    started = time.perf_counter()
    find_text_stamp(Picture(noise), "bottom-right", "red")
    assert time.perf_counter() - started < 5  # 0.1 seconds here
