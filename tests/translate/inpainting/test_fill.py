"""Filling at full resolution: all of the hole is filled, and nothing else changes, at any depth."""

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.ndimage
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.codecs.images import Picture
from datasets.errors import UserError
from translate.inpainting.fill import Inpainter, describe_hole, fill_holes
from translate.inpainting.inpainters import classical_inpainter

Mask = NDArray[np.bool_]


def waves(height: int, width: int, channels: int = 3, dtype: Any = np.uint8) -> NDArray[Any]:
    """Smooth enough to be led on, with every level a little noisy, so that a change of one is seen."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / (9 + c)) * np.cos(y / (7 + 2 * c)) for c in range(channels)]
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (height, width, channels))
    highest = np.iinfo(dtype).max
    pixels: NDArray[Any] = np.rint((np.stack(planes, 2) * 0.3 + 0.5 + noise) * highest).clip(0, highest).astype(dtype)
    return pixels


def boxes(height: int, width: int, *found: tuple[int, int, int, int]) -> Mask:
    hole = np.zeros((height, width), bool)
    for top, left, bottom, right in found:
        hole[top:bottom, left:right] = True
    return hole


class Recorder:
    """A inpainter that paints the hole in one colour, and remembers what it was given."""

    def __init__(self, level: float = 0.5) -> None:
        self.level = level
        self.calls: list[tuple[Tensor, Tensor, int]] = []

    def __call__(self, image: Tensor, hole: Tensor, depth: int) -> Tensor:
        self.calls.append((image.clone(), hole.clone(), depth))
        return torch.where(hole > 0, torch.full_like(image, self.level), image)


def painter(size: int = 64, **options: Any) -> tuple[Inpainter, Recorder]:
    recorder = Recorder()
    return Inpainter(recorder, "recorder", size, **options), recorder


HOLES: dict[str, Callable[[], Mask]] = {
    "one": lambda: boxes(90, 120, (20, 30, 45, 70)),
    "many": lambda: boxes(90, 120, (2, 3, 8, 9), (40, 60, 50, 80), (70, 5, 88, 15), (0, 110, 20, 120)),
    "every border": lambda: boxes(90, 120, (0, 0, 8, 120), (80, 0, 90, 120), (0, 0, 90, 8), (0, 100, 90, 120)),
    "nearly all": lambda: ~boxes(90, 120, (40, 40, 60, 60)),
    "specks": lambda: np.random.default_rng(1).random((90, 120)) < 0.03,
    "a scratch": lambda: boxes(90, 120, (50, 0, 53, 120)),
}


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("feather", [0, 4])
def test_outside_of_the_hole_nothing_changes(hole: str, dtype: Any, channels: int, feather: int) -> None:
    mask = HOLES[hole]()
    alpha = waves(90, 120, 1, dtype)[:, :, 0]
    alpha[60:70] = 0
    picture = Picture(waves(90, 120, channels, dtype), alpha)
    for inpainter in (classical_inpainter("telea"), painter(16)[0], painter(16, only_size=True)[0], painter(100)[0]):
        result = fill_holes(inpainter, picture, mask, feather=feather)
        assert result.pixels.dtype == dtype
        assert result.pixels.shape == picture.pixels.shape
        assert result.alpha is not None
        assert np.array_equal(result.alpha, alpha)
        assert np.array_equal(result.pixels[~mask], picture.pixels[~mask])
        assert not np.array_equal(result.pixels[mask], picture.pixels[mask])


@pytest.mark.parametrize("hole", HOLES)
def test_all_of_the_hole_is_filled(hole: str) -> None:
    mask = HOLES[hole]()
    result = fill_holes(painter(200)[0], Picture(waves(90, 120)), mask)
    assert (result.pixels[mask] == 191).all()  # 0.5 in [-1, 1]
    deep = scipy.ndimage.distance_transform_edt(np.pad(mask, 20, "edge"))[20:-20, 20:-20] > 12
    for size in (16, 40):  # seen smaller, and then smooth at the border of the hole
        result = fill_holes(painter(size)[0], Picture(waves(90, 120)), mask)
        assert (result.pixels[deep] == 191).all()


def test_a_model_sees_crops_at_full_resolution_and_not_what_the_hole_held() -> None:
    inpainter, recorder = painter(64)
    picture = Picture(waves(400, 500))
    mask = boxes(400, 500, (100, 100, 110, 120), (300, 400, 340, 440))
    fill_holes(inpainter, picture, mask)
    assert [image.shape for image, _, _ in recorder.calls] == [(3, 64, 64), (3, 120, 120)]
    image, hole, depth = recorder.calls[0]
    seen = torch.from_numpy(picture.pixels[73:137, 78:142].transpose(2, 0, 1).astype(np.float32)) / 127.5 - 1
    assert torch.allclose(image, seen, atol=1e-6)
    assert hole.shape == (1, 64, 64)
    assert hole.unique().tolist() == [0, 1]
    assert hole.sum() == 200
    assert depth == 8


def test_a_hole_larger_than_the_model_knows_is_seen_smaller() -> None:
    inpainter, recorder = painter(32)
    mask = boxes(400, 500, (100, 100, 200, 260))
    result = fill_holes(inpainter, Picture(waves(400, 500)), mask)
    ((image, hole, _),) = recorder.calls
    assert image.shape[-2:] == (32, 38)  # a crop of 400 x 480 (as much again around it) whose shorter side is 32
    assert 0.08 < float(hole.mean()) < 0.14
    assert (result.pixels[130:170, 130:230] == 191).all()


def test_nothing_of_what_is_to_go_tints_what_is_known_where_a_crop_is_seen_smaller() -> None:
    inpainter, recorder = painter(32)
    pixels = np.full((400, 500, 3), 100, np.uint8)
    mask = boxes(400, 500, (101, 103, 202, 261))
    pixels[mask] = 255
    fill_holes(inpainter, Picture(pixels), mask)
    ((image, hole, _),) = recorder.calls
    known = image[:, hole[0] == 0]
    assert torch.allclose(known, torch.full_like(known, 100 / 127.5 - 1), atol=1e-6)


def test_a_picture_smaller_than_a_filler_of_one_size_is_enlarged_smoothly() -> None:
    inpainter, recorder = painter(48, whole_picture=True)
    slope = np.broadcast_to(np.arange(40, 200, 5, dtype=np.uint8)[None, :, None], (32, 32, 3)).copy()
    mask = boxes(32, 32, (10, 10, 20, 20))
    slope[mask] = 255
    result = fill_holes(inpainter, Picture(slope), mask)
    ((image, hole, _),) = recorder.calls
    assert image.shape == (3, 48, 48)
    steps = (image[:, :, 1:] - image[:, :, :-1])[:, :12] * 127.5  # above the hole
    assert steps.min() > -0.01
    assert steps.max() < 4
    assert 10 * 10 * 2.25 <= hole.sum() <= 12 * 12 * 2.25
    assert np.array_equal(result.pixels[~mask], slope[~mask])


def test_what_one_crop_filled_is_known_to_the_next() -> None:
    inpainter, recorder = painter(32)
    picture = Picture(waves(64, 400))
    fill_holes(inpainter, picture, boxes(64, 400, (30, 0, 34, 400)))
    assert len(recorder.calls) > 3
    first = recorder.calls[0][1][0]
    assert float(first[first.amax(1) > 0].mean()) == 1  # the scratch crosses the whole crop
    for image, hole, _ in recorder.calls[1:]:
        across = hole[0].amax(1) > 0
        assert float(hole[0][across].mean()) < 1
        filled = image[:, across][:, hole[0][across] == 0]
        assert (filled - 0.5).abs().max() < 0.01


def test_crops_give_what_the_whole_picture_would() -> None:
    picture = Picture(waves(200, 300, 1, np.uint16))
    mask = boxes(200, 300, (20, 30, 45, 70), (120, 200, 150, 220))
    result = fill_holes(classical_inpainter("navier-stokes"), picture, mask)
    expected = cv2.inpaint(picture.pixels[:, :, 0], mask.astype(np.uint8), 3, cv2.INPAINT_NS)
    assert np.abs(result.pixels[:, :, 0].astype(int) - expected)[mask].max() <= 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_feather_fades_in_from_the_border_inward(dtype: Any) -> None:
    highest = int(np.iinfo(dtype).max)
    pixels = np.zeros((60, 60, 1), dtype)
    result = fill_holes(painter(64)[0], Picture(pixels), boxes(60, 60, (20, 20, 40, 40)), feather=3)
    row = result.pixels[30, 19:31, 0].astype(float) / (0.75 * highest)
    assert np.allclose(row, [0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1, 1], atol=2 / 191)


def test_what_was_transparent_becomes_opaque_and_nothing_hidden_shows() -> None:
    pixels = waves(60, 60)
    alpha = np.full((60, 60), 255, np.uint8)
    mask = boxes(60, 60, (20, 20, 40, 40))
    alpha[mask] = 0
    alpha[10:12] = 200  # thin, and still known
    pixels[mask] = (0, 255, 0)
    result = fill_holes(painter(64)[0], Picture(pixels, alpha), mask, feather=2, make_opaque=True)
    assert result.alpha is not None
    assert (result.alpha == 255).all()
    assert np.array_equal(result.pixels[~mask], pixels[~mask])
    assert (np.abs(result.pixels[mask].astype(int) - (0, 255, 0)).max(1) > 60).all()


def test_known_pixels_that_cannot_be_seen_do_not_colour_a_hole() -> None:
    pixels = np.full((60, 60, 3), 100, np.uint8)
    alpha = np.full((60, 60), 255, np.uint8)
    pixels[:, :25], alpha[:, :25] = (255, 0, 0), 0
    inpainter, recorder = painter(64)
    fill_holes(inpainter, Picture(pixels, alpha), boxes(60, 60, (20, 25, 40, 40)))
    assert torch.allclose(recorder.calls[0][0], torch.tensor(100 / 127.5 - 1), atol=1e-6)


def test_gray_is_seen_in_the_channels_that_a_filler_takes_and_stays_gray() -> None:
    inpainter, recorder = painter(64)
    result = fill_holes(inpainter, Picture(waves(60, 60, 1)), boxes(60, 60, (20, 20, 40, 40)))
    assert recorder.calls[0][0].shape[0] == 3
    assert result.channels == 1
    inpainter, recorder = painter(64, channels=1)
    result = fill_holes(inpainter, Picture(waves(60, 60, 3)), boxes(60, 60, (20, 20, 40, 40)))
    assert recorder.calls[0][0].shape[0] == 1
    assert result.channels == 3


def test_a_picture_that_is_all_hole_is_refused() -> None:
    with pytest.raises(UserError, match="nothing is left to go by; if black is the hole, set `mask_invert`"):
        fill_holes(painter()[0], Picture(waves(9, 9)), np.ones((9, 9), bool))


def test_a_known_corner_is_known_however_small_it_is_seen() -> None:
    mask = ~boxes(600, 600, (0, 0, 3, 3))
    inpainter, recorder = painter(16)
    pixels = np.full((600, 600, 3), 255, np.uint8)
    pixels[:3, :3] = 51
    fill_holes(inpainter, Picture(pixels), mask)
    ((image, hole, _),) = recorder.calls
    assert (hole == 0).sum() == 1
    assert torch.allclose(image[:, 0, 0], torch.tensor(51 / 127.5 - 1), atol=1e-4)


def test_a_hole_is_described_and_so_is_what_looks_like_a_mistake() -> None:
    assert describe_hole(boxes(100, 100, (0, 0, 10, 32))) == "3.20% is hole"
    assert (
        describe_hole(boxes(200, 200, (0, 0, 1, 3)))
        == "3 pixels are hole, which is next to nothing: is it the right mask?"
    )
    much = boxes(100, 100, (0, 0, 61, 100))
    assert "61.00% is hole, which is much; if black is the hole" in describe_hole(much)
    assert "if white is the hole, leave out `mask_invert`" in describe_hole(much, inverted=True)


def test_a_small_hole_in_a_large_photograph_costs_no_more_than_its_crop() -> None:
    large = Picture(np.broadcast_to(waves(1, 4000), (3000, 4000, 3)).copy())
    mask = boxes(3000, 4000, (1500, 2000, 1530, 2030))
    small = Picture(np.ascontiguousarray(large.pixels[1387:1643, 1887:2143]))
    inpainter = classical_inpainter("telea")

    def seconds(picture: Picture, hole: Mask) -> float:
        start = time.process_time()
        fill_holes(inpainter, picture, hole)
        return time.process_time() - start

    crop = np.ascontiguousarray(mask[1387:1643, 1887:2143])
    alone = min(seconds(small, crop) for _ in range(3))
    within = min(seconds(large, mask) for _ in range(3))
    assert within - alone < 0.15  # what it takes to look through 12 million pixels and to copy them
