"""The sheet of a run: both pictures in one size, the telling part at 100 %, and nothing of the user's overwritten."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.images import Picture, read_picture
from datasets.errors import UserError
from translate.folders.comparison import SIDE, compare, plan_sheet, write_sheet
from translate.folders.options import RunOptions
from translate.folders.plan import make_plan
from translate.folders.translated_folder import run_plan
from translate.inference.model import Model

Models = Callable[..., Model]


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def test_an_enlarged_picture_is_shown_beside_its_source_at_the_same_magnification() -> None:
    small = noise(100, 150)
    large = small.repeat(4, 0).repeat(4, 1)
    whole, result, part, result_part = compare(Picture(small), Picture(large))
    assert whole.shape == result.shape == (SIDE, 384, 3)
    assert part.shape == result_part.shape == (SIDE, SIDE, 3)
    np.testing.assert_array_equal(part, result_part)
    windows = np.lib.stride_tricks.sliding_window_view(large, (SIDE, SIDE), (0, 1))[::4, ::4]
    assert any((window.transpose(1, 2, 0) == result_part).all() for row in windows for window in row)  # at 100 %


def test_the_part_is_where_the_pictures_differ_most() -> None:
    before = np.full((600, 900, 3), 90, np.uint8)
    after = before.copy()
    after[400:420, 700:720] = 250
    part = compare(Picture(before), Picture(after))[3]
    assert (part == 250).sum() == 20 * 20 * 3


def test_small_pictures_are_shown_whole() -> None:
    pictures = compare(Picture(noise(20, 30)), Picture(noise(20, 30)))
    assert [picture.shape for picture in pictures] == [(256, 384, 3)] * 2


def test_a_small_local_change_is_shown_before_details_elsewhere() -> None:
    before = np.full((600, 800, 3), 90, np.uint8)
    before[300:, :300] = noise(300, 300)
    after = before.copy()
    after[40:50, 700:720] = 0
    found = {local: compare(Picture(before), Picture(after), local=local)[3] for local in (False, True)}
    assert {local: bool((part == 0).all(2).sum() == 200) for local, part in found.items()} == {False: False, True: True}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparency_is_shown_on_a_checkerboard(dtype: Any) -> None:
    alpha: Any = np.full((SIDE, SIDE), np.iinfo(dtype).max, dtype)
    alpha[:, : SIDE // 2] = 0
    pixels: Any = np.zeros((SIDE, SIDE, 1), dtype)
    shown = compare(Picture(pixels, alpha), Picture(pixels, alpha))[1]
    assert set(np.unique(shown[:, : SIDE // 2])) == {204, 242}
    assert (shown[:, SIDE // 2 :] == 0).all()
    assert (shown[0, 0] != shown[0, 8]).all()


def test_rows_have_the_names_of_their_files(unchanged: Models, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("naïve 写真.png", "b.png"):
        Image.fromarray(noise(20, 30)).save(tmp_path / "in" / name)
    model, options = unchanged(), RunOptions()
    plan = make_plan(model.translator, None, tmp_path / "in", tmp_path / "out", options)
    sheet = plan_sheet(plan, "error")
    assert sheet == tmp_path / "out" / "contact-sheet.png"
    assert write_sheet(list(run_plan(model, plan, options)), plan, sheet)
    pixels = read_picture(sheet).pixels
    height = 26 + 2 * (26 + 256 + 12)
    assert pixels.shape == (height, 384 + 6 + 384, 3)
    for top in (26, 26 + 26 + 256 + 12):
        assert (pixels[top : top + 26, :100] < 128).any()


def test_a_sheet_that_exists_is_kept_or_replaced_as_results_are(unchanged: Models, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(noise(20, 30)).save(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "contact-sheet.png").write_bytes(b"mine")
    plan = make_plan(unchanged().translator, None, tmp_path / "in", tmp_path / "out", RunOptions())
    with pytest.raises(UserError, match=r"contact-sheet\.png: exists; move it, or set `on_exists` to overwrite"):
        plan_sheet(plan, "error")
    assert plan_sheet(plan, "skip") is None
    assert plan_sheet(plan, "overwrite") == tmp_path / "out" / "contact-sheet.png"


def test_the_sheet_of_a_single_picture_lies_beside_it_under_its_name(unchanged: Models, tmp_path: Path) -> None:
    Image.fromarray(noise(20, 30)).save(tmp_path / "a.png")
    model, options = unchanged(), RunOptions()
    for name in ("first.png", "second.jpg"):  # neither hinders the other
        plan = make_plan(model.translator, None, tmp_path / "a.png", tmp_path / "out" / name, options)
        sheet = plan_sheet(plan, "error")
        assert sheet == tmp_path / "out" / f"{Path(name).stem}-contact-sheet.png"
        assert write_sheet(list(run_plan(model, plan, options)), plan, sheet)
    with pytest.raises(UserError, match=r"second-contact-sheet\.png: exists"):
        plan_sheet(plan, "error")
