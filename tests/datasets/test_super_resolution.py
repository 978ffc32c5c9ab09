"""Patches of large pictures with their small versions: made while training, from folders, from windows."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datasets.contract import Paired, derive_seed, stack
from datasets.degradations.real_world import degrade_twice
from datasets.degradations.resampling import shrink
from datasets.errors import DataError
from datasets.super_resolution import PatchPairs, SuperResolutionConfig


def config(**settings) -> SuperResolutionConfig:
    crop = {"size": 16, **settings.pop("crop", {})}
    return SuperResolutionConfig.model_validate({"scale": 4, "crop": crop, "validation_fraction": 0, **settings})


def noise(path: Path, width: int, height: int, seed: int = 0, mode: str = "RGB") -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path)
    return pixels


def as_picture(tensor: torch.Tensor) -> np.ndarray:
    return ((tensor.permute(1, 2, 0).numpy() + 1) / 2).astype(np.float32)


def test_a_held_out_square_is_the_middle_and_its_small_version_that_of_the_whole_picture(tmp_path):
    for number in range(2):
        noise(tmp_path / f"{number}.png", 64, 48, number)
    samples = config(validation_fraction=0.5).open(tmp_path).validation
    whole = np.asarray(Image.open(tmp_path / samples.name(0)), np.float32) / np.float32(255)
    small, large = samples.sample(0, 7)
    np.testing.assert_allclose(as_picture(large), whole[16:32, 24:40], atol=1e-6)
    expected = np.round(np.clip(shrink(whole, 4)[4:8, 6:10], 0, 1) * 255) / 255
    np.testing.assert_allclose(as_picture(small), expected, atol=1e-6)


@pytest.mark.parametrize("place", [(0, 0), (4, 8)])
def test_at_the_border_the_picture_goes_on_as_in_a_mirror(tmp_path, place):
    pixels = noise(tmp_path / "a.png", 24, 20)
    whole = pixels.astype(np.float32) / np.float32(255)
    top, left = place
    samples = config(crop={"turn": False}).open(tmp_path).training
    for seed in range(1000):
        small, large = samples.sample(0, seed)
        if np.allclose(as_picture(large), whole[top : top + 16, left : left + 16], atol=1e-6):
            break
    else:
        raise AssertionError("no patch of 1000 lay in the corner")
    expected = np.round(np.clip(shrink(whole, 4), 0, 1) * 255)[top // 4 : top // 4 + 4, left // 4 : left // 4 + 4] / 255
    np.testing.assert_allclose(as_picture(small), expected, atol=1e-6)


def test_one_seed_gives_one_square_and_turns_take_both_alike(tmp_path):
    noise(tmp_path / "a.png", 24, 20)
    samples = config().open(tmp_path).training
    seen = set()
    for seed in range(200):
        small, large = samples.sample(0, seed)
        again = samples.sample(0, seed)
        assert torch.equal(again.source, small)
        assert torch.equal(again.target, large)
        seen.add(large.numpy().tobytes())
        # Shrinking commutes with turning, but for the pixels around the patch.
        inside = shrink(as_picture(large), 4)
        assert np.corrcoef(inside.ravel(), as_picture(small).ravel())[0, 1] > 0.6
    assert len(seen) > 150  # of 45 places in 8 turns


def test_a_picture_is_met_as_often_as_squares_fit_into_it(tmp_path):
    noise(tmp_path / "large.png", 64, 49)
    noise(tmp_path / "small.png", 17, 16)
    samples = config().open(tmp_path).training
    assert [samples.name(index) for index in range(len(samples))].count("large.png") == 12
    assert len(samples) == 13


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_folders_of_small_and_large_pictures_belong_together(tmp_path, scale):
    size = 12 * scale
    large = noise(tmp_path / "HR" / "a.png", size + scale, size)
    small = noise(tmp_path / "LR" / "a.png", size // scale + 1, size // scale, seed=1)
    samples = config(scale=scale, small={"kind": "folders"}, crop={"size": 6 * scale, "turn": False}).open(tmp_path)
    for seed in range(20):
        low, high = (np.round(255 * as_picture(part)).astype(int) for part in samples.training.sample(0, seed))
        places = [
            (y, x)
            for y in range(7)
            for x in range(8)
            if (small[y : y + 6, x : x + 6] == low).all()
            and (large[scale * y : scale * (y + 6), scale * x : scale * (x + 6)] == high).all()
        ]
        assert len(places) == 1


def test_folders_whose_sizes_do_not_fit_are_refused_by_name(tmp_path):
    noise(tmp_path / "HR" / "a.png", 40, 40)
    noise(tmp_path / "LR" / "a.png", 10, 11)
    with pytest.raises(DataError, match=r"a: 10x11 and 40x40 pixels, and the large one is to be 4 times the other"):
        config(small={"kind": "folders"}).open(tmp_path)


def test_pictures_smaller_than_a_square_are_refused_by_name_or_left_out(tmp_path):
    noise(tmp_path / "fine.png", 40, 40)
    noise(tmp_path / "little.png", 40, 15)
    with pytest.raises(DataError, match=r"little\.png: 40x15 pixels, smaller than the patches of 16"):
        config().open(tmp_path)
    opened = config(skip_bad=True).open(tmp_path)
    assert len(opened.skipped) == 1
    assert {opened.training.name(index) for index in range(len(opened.training))} == {"fine.png"}


@pytest.mark.parametrize("key", ["size", "validation_size"])
def test_squares_that_cannot_be_shrunk_are_refused(key):
    with pytest.raises(ValueError, match=rf"crop\.{key} is 18, and scale 4 needs a multiple of 4"):
        config(crop={key: 18})


def test_where_memory_is_short_a_window_of_each_picture_is_kept_and_nothing_is_decoded_twice(tmp_path):
    for number in range(3):
        noise(tmp_path / f"{number}.png", 160, 120, number)
    whole = 3 * 160 * 120 * 3
    samples = config(cache_gib=whole / 4 / 2**30).open(tmp_path).training
    assert isinstance(samples, PatchPairs)
    first = samples.sample(0, 0)
    windows = [samples._decoded(place).large for place in range(3)]
    assert sum(window.nbytes for window in windows) <= whole / 4
    assert all(window.nbytes > 0.8 * whole / 4 / 3 and window.base is None for window in windows)
    for path in tmp_path.glob("*.png"):
        path.unlink()
    for index in range(len(samples)):
        samples.sample(index, index)
    assert torch.equal(samples.sample(0, 0).target, first.target)


def test_grays_and_deep_pictures_become_colours(tmp_path):
    noise(tmp_path / "gray.png", 20, 20, mode="L")
    deep = np.random.default_rng(0).integers(0, 65536, (20, 20), np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    samples = config().open(tmp_path).training
    for index in range(2):
        small, large = samples.sample(index, 0)
        assert small.shape == (3, 4, 4)
        assert large.shape == (3, 16, 16)
        assert torch.equal(large[0], large[2])


def test_real_world_pictures_are_the_squares_made_small_and_bad(tmp_path):
    noise(tmp_path / "a.png", 70, 60)
    samples = config(small={"kind": "real-world"}, crop={"size": 32, "turn": False}).open(tmp_path).training
    small, large = samples.sample(0, 3)
    np.testing.assert_allclose(as_picture(small), degrade_twice(as_picture(large), 4, derive_seed(3, 0)), atol=1e-6)
    assert torch.equal(samples.sample(0, 3).source, small)


def test_compressed_pictures_are_as_pillow_compresses_the_bicubic_ones(tmp_path):
    noise(tmp_path / "a.png", 70, 60)
    crop = {"size": 32, "turn": False}
    clean = config(crop=crop).open(tmp_path).training.sample(0, 3)
    small = {"kind": "compressed", "quality": (60, 60), "noise": 0, "untouched": 0}
    compressed = config(small=small, crop=crop).open(tmp_path).training.sample(0, 3)
    assert torch.equal(clean.target, compressed.target)
    stream = io.BytesIO()
    Image.fromarray(np.round(as_picture(clean.source) * 255).astype(np.uint8)).save(stream, "JPEG", quality=60)
    np.testing.assert_allclose(as_picture(compressed.source) * 255, np.asarray(Image.open(stream)), atol=0.01)


def test_noise_and_untouched_patches_are_as_often_as_the_settings_say(tmp_path):
    noise(tmp_path / "a.png", 70, 60)
    crop = {"size": 32, "turn": False}
    clean = config(crop=crop).open(tmp_path).training
    some = config(small={"kind": "compressed", "untouched": 0.5}, crop=crop).open(tmp_path).training
    equal = sum(torch.equal(clean.sample(0, seed).source, some.sample(0, seed).source) for seed in range(200))
    assert 70 < equal < 130  # 100 ± 4 standard deviations


@pytest.mark.parametrize("quality", [(0, 50), (60, 30), (50, 101)])
def test_qualities_that_are_none_are_refused(quality):
    with pytest.raises(ValueError, match="two numbers from 1 to 100, the lower first"):
        config(small={"kind": "compressed", "quality": quality})


@pytest.mark.parametrize("turn", [False, True])
def test_made_small_in_batches_squares_are_those_of_the_threads(tmp_path, turn):
    for number in range(2):
        noise(tmp_path / f"{number}.png", 64, 48, number)
    samples = config(crop={"turn": turn}).open(tmp_path).training
    undegraded, indices = samples.without_degradation(), [index % len(samples) for index in range(60)]
    assert undegraded is not None
    assert (len(undegraded), undegraded.name(1)) == (len(samples), samples.name(1))
    threads = samples.gather(indices, range(60))
    batch = stack([undegraded.sample(index, seed) for seed, index in enumerate(indices)])
    device = undegraded.finish(batch, range(60), torch.device("cpu"))
    assert type(device) is Paired
    assert torch.equal(threads.target, device.target)
    apart = (threads.source - device.source).abs() * 255 / 2
    assert apart.max() < 1.01
    assert (apart > 0.01).float().mean() < 1e-3


@pytest.mark.parametrize("small", ["real-world", "compressed", "folders"])
def test_other_ways_to_small_pictures_stay_on_the_threads(tmp_path, small):
    noise(tmp_path / "HR" / "a.png", 32, 32)
    noise(tmp_path / "LR" / "a.png", 8, 8)
    opened = config(small={"kind": small}, skip_bad=True).open(tmp_path)
    assert opened.training.without_degradation() is None
