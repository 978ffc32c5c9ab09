"""Filling the holes of a picture in memory: nothing but the hole changes, whatever kind of object it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datasets.codecs.images import Picture, PictureError
from datasets.errors import UserError
from translate.inference.model import Model, load_model
from translate.inference.model_file import ModelError
from translate.inpainting.in_memory import inpaint
from translate.inpainting.inpainters import load_inpainter

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
HOLE = np.zeros((24, 32), np.bool_)
HOLE[5:9, 10:20] = True
WHITE = HOLE.astype(np.uint8) * np.uint8(255)


@pytest.mark.parametrize("model", [None, "telea", "navier-stokes"])
def test_only_the_hole_changes(model: str | None) -> None:
    filled = inpaint(PIXELS, HOLE, model)
    np.testing.assert_array_equal(filled[~HOLE], PIXELS[~HOLE])
    assert (filled[HOLE] != PIXELS[HOLE]).mean() > 0.9


def test_masks_and_pictures_may_be_of_any_kind(tmp_path: Path) -> None:
    expected = inpaint(PIXELS, HOLE, "telea")
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    Image.fromarray(WHITE).save(tmp_path / "mask.png")
    for mask in (WHITE, WHITE // 255, WHITE.astype(np.uint16) * 257, Image.fromarray(WHITE), tmp_path / "mask.png"):
        np.testing.assert_array_equal(inpaint(PIXELS, mask, "telea"), expected)
    image = inpaint(Image.fromarray(PIXELS), Image.fromarray(HOLE), "telea")
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), expected)
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        picture = inpaint(path, tmp_path / "mask.png", "telea")
        assert isinstance(picture, Picture)
        np.testing.assert_array_equal(picture.pixels, expected)


def test_depth_and_alpha_stay(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (24, 32, 4)).astype(np.uint16)
    filled = inpaint(deep, HOLE, "telea")
    assert filled.dtype == np.uint16
    np.testing.assert_array_equal(filled[~HOLE], deep[~HOLE])
    np.testing.assert_array_equal(filled[:, :, 3], deep[:, :, 3])


def test_a_mask_is_turned_and_scaled_with_its_picture(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS)
    exif = image.getexif()
    exif[274] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    Image.fromarray(WHITE).resize((64, 48), Image.Resampling.NEAREST).save(tmp_path / "mask.png")
    filled = inpaint(tmp_path / "turned.jpg", tmp_path / "mask.png", "telea")
    assert (filled.width, filled.height) == (24, 32)


def test_without_a_hole_nothing_changes() -> None:
    np.testing.assert_array_equal(inpaint(PIXELS, np.zeros_like(HOLE)), PIXELS)


def test_a_loaded_model_fills_what_its_name_fills() -> None:
    expected = inpaint(PIXELS, HOLE)
    np.testing.assert_array_equal(inpaint(PIXELS, HOLE, load_model("inpaint", device="cpu")), expected)
    np.testing.assert_array_equal(inpaint(PIXELS, HOLE, load_inpainter(None, device="cpu")), expected)
    assert (inpaint(PIXELS, HOLE, feather=2)[HOLE] != expected[HOLE]).any()


def test_what_fills_no_holes_and_what_is_no_mask_are_sentences(unchanged: Callable[..., Model], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="fills no holes"):
        inpaint(PIXELS, HOLE, unchanged())
    with pytest.raises(UserError, match=r"expected a mask of shape \(24, 32\), found \(32, 24\)"):
        inpaint(PIXELS, HOLE.T, "telea")
    with pytest.raises(UserError, match="expected a PIL image"):
        inpaint(PIXELS, torch.zeros(24, 32), "telea")  # type: ignore[call-overload]
    with pytest.raises(UserError, match="nothing is left"):
        inpaint(PIXELS, np.ones_like(HOLE), "telea")
    with pytest.raises(PictureError, match="there is no such file"):
        inpaint(PIXELS, tmp_path / "missing.png", "telea")
