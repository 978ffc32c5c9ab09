"""Metrics against scikit-image's."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from models.metrics import (
    energy_distance,
    hole_metrics,
    l1,
    luma,
    psnr,
    reconstruction_metrics,
    ssim,
    upscaling_metrics,
)

SHAPES = [(3, 32, 40), (1, 11, 11), (3, 17, 12)]


def images(shape: tuple[int, int, int], spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two batches of images in [-1, 1], (2, C, H, W) each, that differ by about `spread`."""
    draws = torch.Generator().manual_seed(0)
    truth = torch.rand(2, *shape, generator=draws) * 2 - 1
    return (truth + spread * torch.randn(2, *shape, generator=draws)).clamp(-1, 1), truth


def to_skimage(image: torch.Tensor) -> np.ndarray:
    return ((image.double() + 1) / 2).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("spread", [0.01, 0.2, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_psnr_is_scikit_images(shape, spread):
    output, truth = images(shape, spread)
    for index, ours in enumerate(psnr(output, truth)):
        theirs = peak_signal_noise_ratio(to_skimage(truth[index]), to_skimage(output[index]), data_range=1)
        assert ours.item() == pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize("spread", [0.01, 0.2, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_ssim_is_scikit_images_where_the_window_fits(shape, spread):
    output, truth = images(shape, spread)
    for index, ours in enumerate(ssim(output, truth)):
        _, every_pixel = structural_similarity(
            to_skimage(truth[index]),
            to_skimage(output[index]),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=2,
            full=True,
        )
        assert ours.item() == pytest.approx(every_pixel[5:-5, 5:-5].mean(), abs=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (10, 64)])
def test_images_smaller_than_the_window_have_a_similarity_too(size):
    output, truth = images((3, *size), 0.5)
    values = ssim(output, truth)
    assert values.shape == (2,)
    assert (values < 1).all()
    assert ssim(truth, truth).tolist() == pytest.approx([1, 1])


def test_l1_is_on_the_scale_from_0_to_1():
    black, white = torch.full((2, 3, 4, 4), -1.0), torch.ones(2, 3, 4, 4)
    assert l1(black, white).tolist() == [1, 1]
    assert l1(black, torch.zeros(2, 3, 4, 4)).tolist() == [0.5, 0.5]


def test_equal_images_have_finite_metrics():
    _, truth = images((3, 16, 16), 0)
    metrics = reconstruction_metrics(truth, truth)
    assert {name: value.tolist() for name, value in metrics.items()} == {
        "l1": [0, 0],
        "psnr": [100, 100],
        "ssim": pytest.approx([1, 1]),
    }


def test_metrics_are_per_image_in_half_precision_too():
    output, truth = images((3, 16, 16), 0.3)
    together, halves = reconstruction_metrics(output, truth), reconstruction_metrics(output.bfloat16(), truth)
    for name, values in together.items():
        alone = torch.cat([reconstruction_metrics(output[[i]], truth[[i]])[name] for i in range(2)])
        assert torch.allclose(values, alone, atol=1e-6)
        assert halves[name].dtype == torch.float32
        assert torch.allclose(halves[name], values, rtol=0.02)


def test_energy_is_the_energy_distance_of_two_sets():
    draws = np.random.default_rng(0)
    output, real = draws.normal(0, 0.3, (40, 1, 1, 1)), draws.normal(0.5, 0.3, (40, 1, 1, 1))
    ours = energy_distance(torch.tensor(output), torch.tensor(real)).mean().item()
    across = np.abs(output.reshape(-1, 1) - real.reshape(1, -1)).mean()
    alike, same = (np.abs(x.reshape(-1, 1) - x.reshape(1, -1)).sum() / (40 * 39) for x in (real, output))
    assert ours == pytest.approx((2 * across - alike - same) / 2, rel=1e-4)


def test_energy_is_about_zero_for_one_distribution_and_grows_with_the_distance():
    draws = torch.Generator().manual_seed(0)
    one, other, far = (torch.randn(200, 3, 4, 4, generator=draws) * 0.3 for _ in range(3))
    assert abs(energy_distance(one, other).mean().item()) < 0.005
    collapsed = one[:1].expand(200, -1, -1, -1)
    assert energy_distance(far + 0.5, other).mean() > 0.05
    assert energy_distance(collapsed, other).mean() > 0.05
    assert torch.isfinite(energy_distance(one[:1], other[:1])).all()


def test_luma_is_bt601_in_the_range_of_video():
    colours = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]) * 2 - 1
    levels = (luma(colours[:, :, None, None]) + 1) * 127.5
    assert levels.flatten().tolist() == pytest.approx([16, 235, 81.481, 144.553, 40.966], abs=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_upscaling_metrics_are_those_of_the_field(scale):
    output, truth = images((3, 40, 36), 0.2)
    eight_bit = [((p.numpy() + 1) * 127.5).round()[:, :, scale:-scale, scale:-scale] for p in (output, truth)]
    weights = np.array([65.481, 128.553, 24.966])[:, None, None] / 255
    metrics = upscaling_metrics(output, truth, scale)
    for index in range(2):
        ours, theirs = (16 + (weights * p[index]).sum(0) for p in eight_bit)
        expected = 10 * np.log10(255**2 / np.square(ours - theirs).mean())
        assert metrics["psnr_y"][index].item() == pytest.approx(expected, abs=1e-3)
        _, similar = structural_similarity(
            theirs, ours, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True
        )
        assert metrics["ssim_y"][index].item() == pytest.approx(similar[5:-5, 5:-5].mean(), abs=1e-4)
        error = np.square(eight_bit[0][index] - eight_bit[1][index]).mean()
        assert metrics["psnr_rgb"][index].item() == pytest.approx(10 * np.log10(255**2 / error), abs=1e-3)


def test_the_border_of_an_upscaled_image_is_ignored():
    output, truth = images((3, 24, 24), 0)
    output[..., 0] = output[..., :4, :] = 1
    assert upscaling_metrics(output, truth, 4)["psnr_y"].tolist() == [100, 100]
    assert (upscaling_metrics(output, truth, 3)["psnr_y"] < 100).all()


def test_hole_metrics_are_scikit_images_over_the_pixels_of_the_hole():
    output, truth = images((3, 32, 40), 0.3)
    mask = torch.zeros(2, 1, 32, 40)
    mask[0, :, 3:20, 7:31] = mask[1, :, 20:, :9] = 1
    output = torch.where(mask > 0, output, truth)
    metrics = hole_metrics(output, truth, mask)
    for index in range(2):
        hole = mask[index, 0].bool().numpy()
        ours, theirs = to_skimage(output[index]), to_skimage(truth[index])
        assert metrics["l1_hole"][index].item() == pytest.approx(np.abs(ours - theirs)[hole].mean(), abs=1e-6)
        expected = peak_signal_noise_ratio(theirs[hole], ours[hole], data_range=1)
        assert metrics["psnr_hole"][index].item() == pytest.approx(expected, abs=1e-3)
        _, every_pixel = structural_similarity(
            theirs,
            ours,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=2,
            full=True,
        )
        inside = hole.copy()
        inside[:5] = inside[-5:] = inside[:, :5] = inside[:, -5:] = False
        # At the border scikit-image and we mirror differently, by a pixel.
        assert metrics["ssim_hole"][index].item() == pytest.approx(every_pixel[hole].mean(), abs=0.01)
        mask[index, 0][torch.from_numpy(~inside)] = 0
        assert hole_metrics(output, truth, mask)["ssim_hole"][index].item() == pytest.approx(
            every_pixel[inside].mean(), abs=1e-4
        )


def test_an_image_without_a_hole_has_perfect_metrics():
    output, truth = images((3, 8, 8), 0.3)
    metrics = hole_metrics(output, truth, torch.zeros(2, 1, 8, 8))
    assert {name: values.tolist() for name, values in metrics.items()} == {
        "psnr_hole": [100, 100],
        "ssim_hole": [1, 1],
        "l1_hole": [0, 0],
    }
