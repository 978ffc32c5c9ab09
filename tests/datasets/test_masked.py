"""Pictures with holes: what a sample holds, which masks come how often, which folders are refused."""

import re
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from datasets.codecs.images import read_picture
from datasets.contract import derive_seed
from datasets.errors import DataError
from datasets.masked import MaskedConfig
from datasets.masks.drawing import draw_mask
from datasets.masks.reading import find_holes, resize_mask

CROP = {"load": None, "size": 16, "flip": False}


def config(**settings) -> MaskedConfig:
    return MaskedConfig.model_validate({"crop": CROP, "validation_fraction": 0, **settings})


def noise(path: Path, width: int, height: int, seed: int = 0) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def mask_file(path: Path, hole: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(hole.astype(np.uint8) * 255).save(path)


def corner(height: int, width: int) -> np.ndarray:
    """A hole in the upper left quarter of the left half: none of its turns and mirrorings is another's."""
    hole = np.zeros((height, width), bool)
    hole[: height // 2, : width // 4] = True
    return hole


def test_a_sample_is_a_square_of_the_picture_and_a_hole_of_zeros_and_ones(tmp_path):
    pixels = noise(tmp_path / "a.png", 20, 18)
    samples = config().open(tmp_path).training
    seen = set()
    for seed in range(40):
        image, mask = samples.sample(0, seed)
        assert (image.shape, mask.shape, mask.dtype) == ((3, 16, 16), (1, 16, 16), torch.float32)
        assert set(mask.unique().tolist()) == {0.0, 1.0}
        square = ((image.permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
        assert any((pixels[y : y + 16, x : x + 16] == square).all() for y in range(3) for x in range(5))
        again = samples.sample(0, seed)
        assert torch.equal(again.image, image)
        assert torch.equal(again.mask, mask)
        seen.add(mask.numpy().tobytes())
    assert len(seen) > 30


def test_the_hole_of_a_held_out_picture_is_its_names(tmp_path):
    for number in range(8):
        noise(tmp_path / f"{number}.png", 16, 16, number)
    samples = config(validation_fraction=0.5).open(tmp_path).validation
    masks = {samples.name(index): samples.sample(index, 0).mask for index in range(len(samples))}
    assert len({mask.numpy().tobytes() for mask in masks.values()}) > 2
    (tmp_path / "0.png").rename(tmp_path / "00.png")
    fewer = config(validation_fraction=0.3).open(tmp_path).validation
    for index in range(len(fewer)):
        if fewer.name(index) in masks:
            assert torch.equal(fewer.sample(index, 9).mask, masks[fewer.name(index)])


def test_kinds_of_masks_come_by_their_shares(tmp_path):
    noise(tmp_path / "a.png", 16, 16)
    samples = config(masks={"free_form": 0, "box": 3, "thick": 1}).open(tmp_path).training
    boxes = 0
    for seed in range(300):
        mask = samples.sample(0, seed).mask[0].numpy().astype(bool)
        inner = derive_seed(derive_seed(seed, 1), 0)
        is_box, is_thick = (np.array_equal(mask, draw_mask(name, 16, 16, inner)) for name in ("box", "thick"))
        assert is_box or is_thick
        boxes += is_box
    assert 0.68 < boxes / 300 < 0.82


def test_masks_of_a_folder_are_turned_in_training_and_left_in_validation(tmp_path):
    noise(tmp_path / "a.png", 16, 16)
    noise(tmp_path / "b.png", 16, 16)
    mask_file(tmp_path / "masks" / "1.png", corner(32, 64))
    masks = {"free_form": 0, "files": 1}
    opened = config(masks=masks, validation_fraction=0.5).open(tmp_path)
    names = {part.name(index) for part in (opened.training, opened.validation) for index in range(len(part))}
    assert names == {"a.png", "b.png"}
    seen = {opened.training.sample(0, seed).mask.numpy().tobytes() for seed in range(100)}
    expected = corner(16, 16)
    turned = [np.rot90(sheet, n) for sheet in (expected, expected[:, ::-1]) for n in range(4)]
    assert seen == {sheet.astype(np.float32).tobytes() for sheet in turned}
    assert np.array_equal(opened.validation.sample(0, 0).mask[0].numpy(), expected)


def test_a_hole_of_one_pixel_survives_scaling(tmp_path):
    hole = np.zeros((64, 64), bool)
    hole[33, 12] = True
    assert resize_mask(hole, 8, 8).sum() == 1
    assert resize_mask(corner(64, 64), 8, 8).sum() == 8


def test_grays_of_a_mask_are_hole_from_the_middle_on(tmp_path):
    Image.fromarray(np.array([[0, 127, 128, 255]], np.uint8)).save(tmp_path / "mask.png")
    assert find_holes(read_picture(tmp_path / "mask.png")).tolist() == [[False, False, True, True]]


@pytest.mark.parametrize(("value", "word"), [(0, "black"), (1, "white")])
def test_a_mask_without_a_hole_or_without_an_edge_is_refused_by_name(tmp_path, value, word):
    noise(tmp_path / "a.png", 16, 16)
    mask_file(tmp_path / "masks" / "1.png", np.full((8, 8), bool(value)))
    with pytest.raises(DataError, match=rf"1\.png: is all {word}; a mask is white where the hole is"):
        config(masks={"files": 1}).open(tmp_path)


def test_a_folder_without_masks_or_without_pictures_is_refused(tmp_path):
    noise(tmp_path / "a.png", 16, 16)
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / 'masks'}: found no mask")):
        config(masks={"files": 1}).open(tmp_path)
    with pytest.raises(DataError, match="found no picture to learn from"):
        (tmp_path / "empty").mkdir()
        config().open(tmp_path / "empty")


@pytest.mark.parametrize(
    ("masks", "sentence"),
    [
        ({"free_form": 0}, "the weights of all kinds of masks are 0"),
        ({"files": 1, "folder": "/masks"}, "within the data's folder"),
        ({"files": 1, "folder": "../masks"}, "within the data's folder"),
    ],
)
def test_settings_that_draw_nothing_or_reach_outside_are_refused(masks, sentence):
    with pytest.raises(ValueError, match=sentence):
        config(masks=masks)


def test_large_pictures_are_met_more_often(tmp_path):
    noise(tmp_path / "large.png", 64, 49)
    noise(tmp_path / "small.png", 9, 16)
    samples = config().open(tmp_path).training
    names = [samples.name(index) for index in range(len(samples))]
    assert (names.count("large.png"), names.count("small.png")) == (12, 1)


def test_masks_are_found_and_read_as_in_a_run(tmp_path):
    noise(tmp_path / "a.png", 16, 16)
    noise(tmp_path / "\udcff.png", 16, 16)  # a name that is not Unicode
    folder = tmp_path / "mu\u0308ll"
    mask_file(folder / "1.png", corner(8, 8))
    Image.fromarray(corner(8, 8).astype(np.uint8) * np.uint8(3)).save(folder / "1.png")
    opened = config(masks={"files": 1, "folder": "m\u00fcll"}, validation_fraction=0).open(tmp_path)
    assert (len(opened.training), opened.training.sample(0, 0).mask.mean().item()) == (2, corner(16, 16).mean())
    opened = config(masks={"folder": "m\u00fcll", "files": 1}, validation_fraction=0.5).open(tmp_path)
    assert opened.validation.sample(0, 0).mask.any()
    Image.fromarray(skimage.data.camera()[::8, ::8]).save(folder / "2.png")
    with pytest.raises(DataError, match=r"2\.png: this looks like a photograph, and a mask was expected"):
        config(masks={"folder": "m\u00fcll", "files": 1}).open(tmp_path)
    levels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(levels).save(folder / "2.png")
    with pytest.raises(DataError, match=r"2\.png: is nowhere bright enough; a mask is white where the hole is"):
        config(masks={"folder": "m\u00fcll", "files": 1}).open(tmp_path)
