"""Degradations of batches against those of single pictures: the bounds that the module states."""

import ast
import inspect

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor

from datasets.augment import CropConfig, Cropper
from datasets.degradations import batches
from datasets.degradations.batches import BATCHED, degrade_batch, recolour_batch, shrink_batch
from datasets.degradations.degrade import DEGRADATIONS, degrade
from datasets.degradations.resampling import kernel_reach, shrink_padded
from datasets.errors import DataError
from datasets.pixels import Floats, to_floats, to_tensor

LEVEL = 2 / 255  # one 8-bit level, on the scale [-1, 1]


@pytest.fixture
def pictures(photo) -> list[Floats]:
    """Three pictures of 44 x 52 pixels, no multiples of a JPEG's blocks: smooth, with noise, and noise alone."""
    smooth = to_floats(np.asarray(photo(52, 44, seed=5)))
    noise = np.random.default_rng(0).random(smooth.shape, np.float32)
    return [smooth, 0.8 * smooth + 0.2 * noise, noise]


def batch_of(pictures: list[Floats]) -> Tensor:
    return torch.stack([to_tensor(picture) for picture in pictures])


def both(pictures: list[Floats], name, strength) -> tuple[Tensor, Tensor]:
    """What a batch becomes, and what its pictures become one by one."""
    seeds = range(len(pictures))
    one_by_one = [degrade(picture, name, strength, seed) for picture, seed in zip(pictures, seeds, strict=True)]
    return degrade_batch(batch_of(pictures), name, strength, seeds), batch_of(one_by_one)


def decibels(one: Tensor, other: Tensor) -> Tensor:
    """PSNR of each image."""
    return 10 * torch.log10(4 / (one - other).square().mean((1, 2, 3)))


@pytest.mark.parametrize("name", BATCHED)
@pytest.mark.parametrize("channels", [1, 3])
def test_size_range_and_channels_are_as_stated_over_all_strengths(pictures, name, channels):
    kind = DEGRADATIONS[name]
    images = batch_of([picture[:, :, :channels] for picture in pictures])
    untouched = images.clone()
    for strength in (None, kind.lowest, kind.highest):
        result = degrade_batch(images, name, strength, [0, 1, 2])
        assert (result.shape, result.dtype) == ((3, kind.channels or channels, 44, 52), torch.float32)
        assert result.min() >= -1
        assert result.max() <= 1
    assert torch.equal(images, untouched)


def test_a_strength_out_of_range_is_refused_as_on_threads(pictures):
    with pytest.raises(DataError, match=r"blur: .* from 0\.1 to 20, and 21 "):
        degrade_batch(batch_of(pictures), "blur", 21, [0, 1, 2])


@pytest.mark.parametrize("strength", [0.1, 0.5, 1])
@pytest.mark.parametrize("channels", [1, 3])
def test_gray_is_that_of_the_threads(pictures, strength, channels):
    batched, single = both([picture[:, :, :channels] for picture in pictures], "gray", strength)
    assert (batched - single).abs().max() < 0.01 * LEVEL


@pytest.mark.parametrize("strength", [0.1, 0.37, 0.5, 1, 2, 5.3, 20])
def test_blur_is_that_of_the_threads_also_where_it_is_wider_than_the_picture(pictures, strength):
    batched, single = both(pictures, "blur", strength)
    assert (batched - single).abs().max() < 0.05 * LEVEL


@pytest.mark.parametrize("levels", [2, 5, 16, 64])
def test_posterize_is_that_of_the_threads_but_for_ties(pictures, levels):
    batched, single = both(pictures, "posterize", levels)
    apart = (batched - single).abs()
    assert (apart > 0.01 * LEVEL).float().mean() < 1e-4
    assert apart.max() < 2.001 / (levels - 1)


@pytest.mark.parametrize(("quality", "least"), [(5, 31), (15, 38), (50, 42), (95, 45)])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_of_photographs_is_as_close_to_libjpegs_as_stated(quality, least, channels):
    photographs = (skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket())
    pictures = [to_floats(photograph[20:276, 100:356, :channels]) for photograph in photographs]
    batched, single = both(pictures, "jpeg", quality)
    agreement = decibels(batched, single)
    assert agreement.min() > least
    assert (agreement - decibels(single, batch_of(pictures))).min() > 5
    levels = (batched + 1) / LEVEL
    assert torch.allclose(levels, levels.round(), atol=1e-3)


def test_noise_has_the_distribution_of_the_threads(pictures):
    gray = [np.full((128, 128, 3), 0.5, np.float32)] * 2
    batched, single = both(gray, "noise", 20.0)
    for noise in (batched, single):
        assert noise.std() / LEVEL == pytest.approx(20, rel=0.02)
        assert abs(noise.mean()) / LEVEL < 0.5
        assert torch.corrcoef(noise.transpose(0, 1).flatten(1)).fill_diagonal_(0).abs().max() < 0.03
    # Kolmogorov and Smirnov's distance of two samples of 98,304: above 0.0087 by chance once in a thousand times.
    points = torch.linspace(-0.5, 0.5, 501)
    one, other = (torch.searchsorted(noise.flatten().sort().values, points) for noise in (batched, single))
    assert (one - other).abs().max() / single.numel() < 0.0087


def test_a_seed_decides_the_noise_of_its_own_image_alone(pictures):
    images = batch_of(pictures)
    usual = degrade_batch(images, "noise", None, [3, 4, 5])
    assert torch.equal(usual, degrade_batch(images, "noise", None, [3, 4, 5]))
    assert torch.equal(usual[1:2], degrade_batch(images[1:2], "noise", None, [4]))
    assert not torch.equal(usual[:1], degrade_batch(images[:1], "noise", None, [4]))


def test_nothing_is_drawn_from_the_generator_that_networks_draw_from(pictures):
    before = torch.get_rng_state()
    for name in BATCHED:
        degrade_batch(batch_of(pictures), name, None, [0, 1, 2])
    assert torch.equal(torch.get_rng_state(), before)


def test_colours_change_as_on_the_threads(pictures):
    cropper = Cropper(CropConfig(jitter=0.5), training=True)
    images = batch_of(pictures)
    for first in range(0, 60, 3):
        seeds = range(first, first + 3)
        colours = torch.stack([cropper.draw_colours(seed) for seed in seeds])
        single = batch_of([cropper.recolour(picture, seed) for picture, seed in zip(pictures, seeds, strict=True)])
        assert (recolour_batch(images, colours) - single).abs().max() < 0.01 * LEVEL
    assert not torch.allclose(single, images, atol=LEVEL)


@pytest.mark.parametrize(("jitter", "training"), [(0.0, True), (0.5, False)])
def test_colours_stay_without_jitter_and_outside_training(pictures, jitter, training):
    colours = Cropper(CropConfig(jitter=jitter), training=training).draw_colours(1)
    images = batch_of(pictures)
    assert recolour_batch(images, colours.expand(3, -1)) is images


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bicubic_reduction_is_that_of_the_threads_but_for_ties(scale):
    side = 60 + 2 * kernel_reach(scale)
    pictures = [np.random.default_rng(seed).random((side, side, 3), np.float32) for seed in range(8)]
    single = [shrink_padded(picture, scale) for picture in pictures]
    rounded = batch_of([np.round(np.clip(small, 0, 1) * 255) / np.float32(255) for small in single])
    batched = shrink_batch(batch_of(pictures), scale)
    assert batched.shape == (8, 3, 60 // scale, 60 // scale)
    apart = (batched - rounded).abs() / LEVEL
    assert apart.max() < 1.01
    assert (apart > 0.01).float().mean() < 1e-3


def test_importing_the_module_does_not_import_kornia():
    tree = ast.parse(inspect.getsource(batches))
    imports: list[ast.stmt] = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert "kornia" not in ast.unparse(ast.Module(imports, []))
    assert "from kornia" in ast.unparse(tree)
