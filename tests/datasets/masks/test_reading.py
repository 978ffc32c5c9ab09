"""Masks as people have them: whatever they are saved as, the same hole comes out."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import skimage.data
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from datasets.codecs.images import Header, Picture, read_picture, write_picture
from datasets.errors import DataError
from datasets.masks.drawing import draw_mask
from datasets.masks.reading import (
    PhotographError,
    dilate,
    find_holes,
    find_transparency,
    read_holes,
    read_mask,
    resize_mask,
)

HEIGHT, WIDTH = 30, 44
ORIENTATION = 0x0112


def hole() -> NDArray[np.bool_]:
    """A box and a dot, unlike themselves however they are turned."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[4:14, 6:20] = True
    mask[24, 40] = True
    return mask


def gray(levels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(levels)


def save_levels(path: Path, white: int, black: int = 0) -> Path:
    gray(np.where(hole(), white, black).astype(np.uint8)).save(path)
    return path


def save_colour(path: Path) -> Path:
    levels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    levels[hole()] = (255, 0, 30)
    gray(levels).save(path)
    return path


def save_one_bit(path: Path) -> Path:
    gray(hole().astype(np.uint8) * 255).convert("1").save(path)
    return path


def save_palette(path: Path) -> Path:
    image = Image.fromarray(hole().astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 128, 0, 0])  # as sets of segmented pictures have it
    image.save(path)
    return path


def save_deep(path: Path, white: int) -> Path:
    write_picture(Picture(np.where(hole(), white, 0).astype(np.uint16)[:, :, np.newaxis]), path)
    return path


def save_strokes(path: Path, colour: int) -> Path:
    """All of it in the alpha."""
    alpha = hole().astype(np.uint8) * 255
    write_picture(Picture(np.full((HEIGHT, WIDTH, 3), colour, np.uint8), alpha), path)
    return path


def save_white_on_nothing(path: Path) -> Path:
    """White strokes, and under what is transparent another white that nobody sees."""
    pixels = np.where(hole(), 255, 0).astype(np.uint8)[:, :, np.newaxis].repeat(3, 2)
    pixels[20:22] = 255
    alpha = hole().astype(np.uint8) * 255
    write_picture(Picture(pixels, alpha), path)
    return path


def save_turned(path: Path) -> Path:
    """As a phone would: the pixels on their side, and a word about it."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    image = gray(hole().astype(np.uint8) * 255).transpose(Image.Transpose.ROTATE_90)
    image.save(path, exif=exif)
    return path


MASKS: dict[str, Callable[[Path], Path]] = {
    "0 and 255": lambda folder: save_levels(folder / "m.png", 255),
    "0 and 1": lambda folder: save_levels(folder / "m.png", 1),
    "gray": lambda folder: save_levels(folder / "m.png", 128, 127),
    "one bit": lambda folder: save_one_bit(folder / "m.png"),
    "colour": lambda folder: save_colour(folder / "m.png"),
    "palette": lambda folder: save_palette(folder / "m.png"),
    "16 bits": lambda folder: save_deep(folder / "m.png", 65535),
    "16 bits, TIFF": lambda folder: save_deep(folder / "m.tif", 40000),
    "8 bits in 16": lambda folder: save_deep(folder / "m.png", 255),
    "0 and 1 in 16": lambda folder: save_deep(folder / "m.png", 1),
    "black strokes": lambda folder: save_strokes(folder / "m.png", 0),
    "white strokes": lambda folder: save_strokes(folder / "m.png", 255),
    "white on nothing": lambda folder: save_white_on_nothing(folder / "m.png"),
    "lossless WebP": lambda folder: save_levels(folder / "m.webp", 255),
    "BMP": lambda folder: save_levels(folder / "m.bmp", 255),
    "turned": lambda folder: save_turned(folder / "m.png"),
}


def header(width: int = WIDTH, height: int = HEIGHT, orientation: int = 1) -> Header:
    return Header(width, height, 3, 8, False, "PNG", orientation)


@pytest.mark.parametrize("kind", MASKS)
def test_the_same_hole_comes_out_of(kind: str, tmp_path: Path) -> None:
    path = MASKS[kind](tmp_path)
    if path.suffix == ".webp":
        gray(hole().astype(np.uint8) * 255).save(path, lossless=True)
    mask, notes = read_mask(path, header())
    assert (mask == hole()).all()
    assert notes == ()


def save_alpha(path: Path, colour: tuple[int, int, int], opacity: int, hidden: int = 0) -> Path:
    pixels = np.where(hole()[:, :, None], colour, hidden).astype(np.uint8)
    write_picture(Picture(pixels, np.where(hole(), opacity, 0).astype(np.uint8)), path)
    return path


def save_indices(path: Path, colours: list[int], index: int = 1, suffix: str = ".png") -> Path:
    image = Image.fromarray(hole().astype(np.uint8) * np.uint8(index), "P")
    image.putpalette(colours)
    image.save(path.with_suffix(suffix))
    return path.with_suffix(suffix)


@pytest.mark.parametrize(
    ("levels", "save"),
    [
        ("0 and 2", lambda path: save_levels(path, 2)),
        ("0 and 100", lambda path: save_levels(path, 100)),
        ("10 and 60", lambda path: save_levels(path, 60, 10)),
        ("200 and 255", lambda path: save_levels(path, 255, 200)),
        ("0 and 64", lambda path: save_indices(path, [0, 0, 0, 64, 0, 0])),
        ("0 and 1", lambda path: save_indices(path, [0, 0, 0, 0, 0, 0])),
        ("0 and 2", lambda path: save_indices(path, [0] * 9, index=2)),
        ("0 and 2", lambda path: save_indices(path, [0] * 9, index=2, suffix=".tif")),
        ("0 and 127", lambda path: save_alpha(path, (255, 0, 0), 127)),
        ("0 and 127", lambda path: save_alpha(path, (0, 0, 0), 127, hidden=255)),
        ("0 and 1", lambda path: save_deep(path, 300)),
        ("0 and 97", lambda path: save_deep(path, 25000)),
    ],
)
def test_of_two_levels_the_brighter_is_the_hole_however_dark(
    levels: str, save: Callable[[Path], Path], tmp_path: Path
) -> None:
    mask, notes = read_mask(save(tmp_path / "m.png"), header())
    assert (mask == hole()).all()
    assert notes in ((), (f"its mask has the levels {levels}: the brighter is the hole",))
    assert notes or levels == "0 and 1"


def test_a_brush_of_low_opacity_with_smooth_borders_is_the_hole(tmp_path: Path) -> None:
    smooth = scipy.ndimage.zoom(hole().astype(float), 4, order=1).clip(0, 1)
    gray((smooth * 100).astype(np.uint8)).save(tmp_path / "m.png")
    mask, notes = read_mask(tmp_path / "m.png", header(4 * WIDTH, 4 * HEIGHT))
    assert (mask == ((smooth * 100).astype(np.uint8) > 50)).all()
    assert notes == ("the brightest level of its mask is 100 of 255: above 50 is the hole",)


def test_levels_that_may_be_labels_are_said_and_left_to_the_user(tmp_path: Path) -> None:
    labels = hole().astype(np.uint8)
    labels[20:] *= 2
    labels[20:, :30] = 2
    gray(labels).save(tmp_path / "labels.png")
    mask, notes = read_mask(tmp_path / "labels.png", header())
    assert not mask.any()
    assert notes == (
        "the brightest level of its mask is 2 of 255, and above 127 is hole, and its levels are 0, 1 and 2; "
        "`mask_threshold` 1 takes what is brighter than 1",
    )
    mask, notes = read_mask(tmp_path / "labels.png", header(), threshold=0)
    assert ((mask == (labels > 0)).all(), notes) == (True, ())
    gray(np.where(labels == 1, 64, labels * 120).astype(np.uint8)).save(tmp_path / "border.png")
    mask, notes = read_mask(tmp_path / "border.png", header())
    assert (mask == (labels == 2)).all()
    assert notes == (
        "the mask has the levels 0, 64 and 240, and those up to 64 are not taken for the hole; `mask_threshold` 0 "
        "takes all but black",
    )


def test_a_dark_jpeg_is_said_to_be_dark(tmp_path: Path) -> None:
    gray(np.where(hole(), 100, 0).astype(np.uint8)).save(tmp_path / "m.jpg", quality=95)
    mask, notes = read_mask(tmp_path / "m.jpg", header())
    assert not mask.any()
    (note,) = notes
    assert re.fullmatch(
        r"the brightest level of its mask is 10\d of 255, and above 127 is hole; `mask_threshold` 5\d takes .*", note
    )
    assert (read_mask(tmp_path / "m.jpg", header(), threshold=50)[0] == hole()).mean() > 0.99


def test_the_opaque_part_of_one_colour_is_said_to_be_the_hole_where_it_is_large(tmp_path: Path) -> None:
    alpha = np.where(hole(), 0, 255).astype(np.uint8)
    write_picture(Picture(np.full((HEIGHT, WIDTH, 3), 255, np.uint8), alpha), tmp_path / "m.png")
    mask, notes = read_mask(tmp_path / "m.png", header())
    assert (mask == ~hole()).all()
    assert notes == (
        "its mask has one colour and transparent parts, and the opaque part is the hole; `mask_invert` takes the "
        "transparent part",
    )


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "camera", "coins", "moon", "page", "grass"])
def test_a_photograph_is_no_mask(name: str, tmp_path: Path) -> None:
    pixels = getattr(skimage.data, name)()[:300, :300]
    for suffix in (".png", ".jpg"):
        gray(pixels).save(tmp_path / f"m{suffix}")
        with pytest.raises(PhotographError, match=r"m\.\w+: this looks like a photograph, and a mask was expected"):
            read_holes(tmp_path / f"m{suffix}")
    assert read_holes(tmp_path / "m.png", threshold=127)[0].any()
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    alpha[30:60, 40:90] = 0
    write_picture(Picture(np.atleast_3d(pixels), alpha), tmp_path / "erased.png")
    with pytest.raises(PhotographError):
        read_holes(tmp_path / "erased.png")


@pytest.mark.parametrize("colour", [(255, 255, 255), (255, 0, 0)])
@pytest.mark.parametrize("quality", [95, 75, 10])
def test_strokes_saved_as_jpeg_or_blurred_are_no_photograph(
    colour: tuple[int, int, int], quality: int, tmp_path: Path
) -> None:
    canvas = Image.new("RGB", (256, 256))
    canvas.paste(colour, mask=Image.fromarray(draw_mask("thin", 256, 256, 1).astype(np.uint8) * 255))
    canvas.save(tmp_path / "m.jpg", quality=quality)
    canvas.filter(ImageFilter.GaussianBlur(100 / quality)).save(tmp_path / "m.png")
    assert read_holes(tmp_path / "m.jpg")[0].any()
    assert read_holes(tmp_path / "m.png")[0].any()


def test_what_jpeg_rings_around_a_hole_is_none(tmp_path: Path) -> None:
    box = np.zeros((64, 64), np.uint8)
    box[16:40, 8:50] = 255
    for quality in (95, 60):
        gray(box).save(tmp_path / "m.jpg", quality=quality)
        with Image.open(tmp_path / "m.jpg") as saved:
            assert len(set(saved.tobytes())) > 2 or quality > 90  # it does ring
        mask, _ = read_mask(tmp_path / "m.jpg", header(64, 64))
        assert (mask == (box > 0)).all()


def test_a_black_jpeg_of_noise_holds_none_however_dark(tmp_path: Path) -> None:
    noise = np.kron(np.random.default_rng(0).integers(0, 2, (8, 8)), np.ones((8, 8))).astype(np.uint8)
    gray(noise).save(tmp_path / "m.jpg", quality=100)
    with Image.open(tmp_path / "m.jpg") as saved:
        assert max(saved.tobytes()) == 1
    assert not read_mask(tmp_path / "m.jpg", header(64, 64))[0].any()
    gray(noise).save(tmp_path / "m.png")  # 0 and 1, and no accident
    assert read_mask(tmp_path / "m.png", header(64, 64))[0].any()


def test_all_black_and_opaque_is_no_hole_and_all_white_is_one() -> None:
    opaque = np.full((4, 5), 255, np.uint8)
    assert not find_holes(Picture(np.zeros((4, 5, 3), np.uint8), opaque)).any()
    assert find_holes(Picture(np.full((4, 5, 3), 255, np.uint8), opaque)).all()


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_of_the_picture_as_it_lies_is_turned_with_it(tmp_path: Path, orientation: int) -> None:
    lying = gray(hole().astype(np.uint8) * 255)
    lying.save(tmp_path / "mask.png")
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    lying.save(tmp_path / "upright.png", exif=exif)  # what is seen of the same pixels with the picture's EXIF
    mask, notes = read_mask(tmp_path / "mask.png", header(HEIGHT, WIDTH, orientation))
    assert notes == ("the mask was turned like the picture",)
    assert (mask == (read_picture(tmp_path / "upright.png").pixels[:, :, 0] > 0)).all()


@pytest.mark.parametrize("factor", [2, 3, 0.5])
def test_a_mask_of_another_size_is_scaled(tmp_path: Path, factor: float) -> None:
    box = np.zeros((HEIGHT, WIDTH), bool)
    box[6:18, 8:30] = True
    size = (round(WIDTH * factor), round(HEIGHT * factor))
    gray(box.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST).save(tmp_path / "m.png")
    mask, notes = read_mask(tmp_path / "m.png", header())
    assert mask.shape == box.shape
    assert (mask == box).all()
    assert notes == (f"the mask was scaled from {size[0]}x{size[1]}",)


def test_a_pixel_is_hole_when_half_of_it_is() -> None:
    fine = np.zeros((2, 8), bool)
    fine[:, 0] = True  # a half of the first of 1 x 4 pixels
    fine[0, 2] = True  # a quarter of the second
    assert resize_mask(fine, 4, 1).tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("size", [(44, 31), (22, 15), (45, 30)])
def test_sides_that_were_rounded_fit(tmp_path: Path, size: tuple[int, int]) -> None:
    gray(np.zeros(size[::-1], np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", header())[0].shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize("size", [(44, 44), (30, 44), (88, 44)])
def test_a_mask_of_another_shape_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    gray(np.zeros(size[::-1], np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(DataError, match=rf"m.png: the mask has {size[0]}x{size[1]} pixels, .* shape .* 44x30; draw it"):
        read_mask(tmp_path / "m.png", header())


@pytest.mark.parametrize("pixels", [0, 1, 3, 8])
def test_holes_grow_by_as_many_pixels_all_around(pixels: int) -> None:
    expected = scipy.ndimage.distance_transform_edt(~hole()) <= pixels
    assert (dilate(hole(), pixels) == expected).all()
    assert not dilate(np.zeros((5, 5), bool), pixels).any()


def test_half_transparent_pixels_are_seen_through() -> None:
    pixels = np.zeros((1, 4, 1), np.uint16)
    see_through = find_transparency(Picture(pixels, np.array([[0, 32767, 32768, 65535]], np.uint16)))
    assert see_through is not None
    assert see_through.tolist() == [[True, True, False, False]]
    assert find_transparency(Picture(pixels)) is None


def test_16_bit_masks_of_other_programs_are_read(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", np.where(hole(), 65535, 0).astype(np.uint16))
    assert (read_mask(tmp_path / "m.tif", header())[0] == hole()).all()
