"""Contact sheets: every picture at its place, the same as torchvision's grid, and texts within their bounds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.utils import make_grid

from datasets.codecs.images import read_picture
from translate.sheet import GAP, MARGIN, TITLE, add_caption, contact_sheet, tile_images


@pytest.mark.parametrize(("count", "columns"), [(7, 3), (9, 3), (4, 4), (3, 1)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("gap", [0, 2])
def test_a_grid_is_that_of_torchvision_without_its_border(count: int, columns: int, channels: int, gap: int) -> None:
    pictures = [*np.random.default_rng(0).integers(0, 256, (count, 70, 65, channels), np.uint8)]
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    expected = make_grid(batch, columns, padding=gap, pad_value=255)[:channels].permute(1, 2, 0).numpy()
    height, width = (side - gap for side in expected.shape[:2])
    assert np.array_equal(tile_images(pictures, columns, gap=gap), expected[gap:height, gap:width])


@pytest.mark.parametrize(("side", "shown"), [(1, 64), (20, 80), (63, 126), (64, 64), (100, 100)])
def test_small_pictures_are_enlarged_to_squares_of_pixels(side: int, shown: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    large = tile_images([picture], 1)
    assert large.shape == (shown, shown, 3)
    assert np.array_equal(large[:: shown // side, :: shown // side], picture)


def test_titles_stand_at_the_left_of_their_rows() -> None:
    pictures = [np.full((64, 64, 1), level, np.uint8) for level in (10, 20, 30, 40)]
    sheet = tile_images(pictures, 2, ["cat", "a long name"])
    left = sheet.shape[1] - 2 * 64 - 2
    assert sheet.shape == (2 * 64 + 2, left + 2 * 64 + 2, 3)
    assert (sheet[0, left:, 0].reshape(-1)[[0, -1]] == [10, 20]).all()
    for row in (slice(0, 64), slice(66, 130)):
        assert (sheet[row, :left] < 128).any()
        assert (sheet[row, left - MARGIN + 2 : left] == 255).all()


def test_a_contact_sheet_scales_its_rows_to_one_height(tmp_path: Path) -> None:
    gray, deep = np.full((20, 30, 1), 100, np.uint8), np.full((40, 20, 3), 50 * 257, np.uint16)
    contact_sheet([[gray, deep], [deep, gray]], ["before", "after"], tmp_path / "sheet.png", height=40)
    sheet = read_picture(tmp_path / "sheet.png").pixels
    assert sheet.shape == (TITLE + 2 * (40 + GAP), 60 + GAP + 60, 3)
    assert (sheet[TITLE : TITLE + 40, :60] == 100).all()
    assert (sheet[TITLE : TITLE + 40, 66:86] == 50).all()
    assert (sheet[TITLE : TITLE + 40, 86:] == 255).all()
    assert (sheet[:TITLE, :60] < 128).any()


def test_a_caption_is_cut_to_the_width_of_its_picture() -> None:
    picture = np.full((64, 80, 3), 7, np.uint8)
    captioned = add_caption(picture, ["cat", "a name that is far too long for a small picture"])
    assert captioned.shape == (2 * TITLE + 64, 80, 3)
    assert np.array_equal(captioned[2 * TITLE :], picture)
    for top in (0, TITLE):
        assert (captioned[top : top + TITLE] < 128).any()
