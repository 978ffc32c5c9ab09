"""Metrics of pairs against scikit-image, torchmetrics' own pictures, the package lpips, and closed forms."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import lpips
import numpy as np
import pytest
import skimage.data
import skimage.metrics
import torch
from safetensors.torch import save_file
from torch import Tensor

from datasets.errors import UserError
from models.metrics import detail_ratio
from translate.evaluation.metrics.networks import load_lpips
from translate.evaluation.metrics.pairs import NAMES, PairMetrics, PicturePair, batch_pairs
from translate.evaluation.metrics.weights import find_weights, read_weights

CPU = torch.device("cpu")


def to_tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


@pytest.fixture(scope="module")
def photographs() -> tuple[np.ndarray, np.ndarray]:
    """A part of a photograph, noisy and as it is, (H, W, 3) uint8."""
    truth = skimage.data.astronaut()[:200, 100:290]
    noise = np.random.default_rng(0).normal(0, 12, truth.shape)
    return np.clip(truth + noise, 0, 255).astype(np.uint8), truth


@pytest.mark.parametrize("crop", [0, 4])
def test_psnr_and_ssim_are_those_of_scikit_image(photographs, crop):
    output, truth = photographs
    measure = PairMetrics(("l1", "psnr", "ssim"), crop, CPU)
    ((_, metrics),) = measure.measure([PicturePair("a", to_tensor(output), to_tensor(truth))])
    inside = np.s_[crop : truth.shape[0] - crop, crop : truth.shape[1] - crop]
    one, other = output[inside], truth[inside]
    luma = [16 + pixels.astype(np.float64) @ [65.481, 128.553, 24.966] / 255 for pixels in (one, other)]
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    expected = {
        "l1": np.abs(one.astype(float) - other).mean() / 255,
        "psnr_rgb": skimage.metrics.peak_signal_noise_ratio(other, one, data_range=255),
        "ssim_rgb": skimage.metrics.structural_similarity(other, one, channel_axis=2, **window),
        "psnr_y": skimage.metrics.peak_signal_noise_ratio(luma[1], luma[0], data_range=255),
        "ssim_y": skimage.metrics.structural_similarity(luma[1], luma[0], **window),
    }
    assert metrics == pytest.approx(expected, abs=1e-3)


def test_ms_ssim_is_a_product_over_halved_pictures(photographs):
    output, truth = (to_tensor(pixels) for pixels in photographs)
    ((_, metrics),) = PairMetrics(("ms-ssim",), 0, CPU).measure([PicturePair("a", output, truth)])
    expected = np.prod(
        [
            _contrast_and_structure(output, truth, level, with_luminance=level == 4) ** weight
            for level, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333))
        ]
    )
    assert metrics["ms_ssim_rgb"] == pytest.approx(float(expected), abs=2e-2)  # torchmetrics averages over channels
    assert set(metrics) == {"ms_ssim_rgb", "ms_ssim_y"}


def _contrast_and_structure(output: Tensor, truth: Tensor, level: int, *, with_luminance: bool) -> float:
    x, y = (torch.nn.functional.avg_pool2d(one.double() / 255, 2**level) for one in (output, truth))
    distance = torch.arange(11, dtype=torch.double) - 5
    weights = torch.exp(-(distance**2) / 4.5)
    window = torch.outer(weights, weights) / weights.sum() ** 2

    def mean(values: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(values[:, None], window[None, None])[:, 0]

    mx, my = mean(x), mean(y)
    covariance, variances = mean(x * y) - mx * my, mean(x * x) - mx**2 + mean(y * y) - my**2
    structure = (2 * covariance + 0.03**2) / (variances + 0.03**2)
    luminance = (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2) if with_luminance else 1.0
    return float((structure * luminance).mean())


def test_small_pictures_have_no_ms_ssim():
    picture = torch.zeros(3, 175, 300, dtype=torch.uint8)
    ((_, metrics),) = PairMetrics(NAMES[:4], 0, CPU).measure([PicturePair("a", picture, picture)])
    assert "ms_ssim_rgb" not in metrics
    assert metrics["psnr_rgb"] == 100


def test_a_crop_that_leaves_nothing_is_refused():
    picture = torch.zeros(3, 8, 40, dtype=torch.uint8)
    with pytest.raises(UserError, match="`crop` 4 leaves nothing of a picture of 40x8 pixels"):
        list(PairMetrics(("l1",), 4, CPU).measure([PicturePair("a", picture, picture)]))


def test_a_hole_is_measured_inside_and_outside():
    truth = torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(40, 40, dtype=torch.bool)
    mask[10:30, 10:30] = True
    output = truth.clone()
    output[:, 10:30, 10:30] = 128
    ((_, metrics),) = PairMetrics(("l1", "psnr"), 0, CPU).measure([PicturePair("a", output, truth, mask)])
    inside = (output.double() - truth)[:, 10:30, 10:30]
    assert metrics["l1_hole"] == pytest.approx(float(inside.abs().mean()) / 255, abs=1e-6)
    assert metrics["psnr_hole"] == pytest.approx(10 * np.log10(255**2 / float(inside.square().mean())), abs=1e-3)
    assert (metrics["l1_outside"], metrics["psnr_outside"]) == (0, 100)
    assert "ssim_hole" not in metrics
    assert metrics["detail_ratio"] < 0.05


def test_the_detail_ratio_of_a_scaled_picture_is_the_scale():
    slope = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 8:40, 8:40] = 1
    gradient = 2 / 63 / 2
    expected = (gradient / 2 + 1 / 255) / (gradient + 1 / 255)
    assert float(detail_ratio(slope / 2, slope, mask)) == pytest.approx(expected, rel=1e-5)
    assert float(detail_ratio(slope, slope, mask)) == 1
    assert float(detail_ratio(slope / 2, slope, torch.zeros_like(mask))) == 1


def test_only_pictures_of_one_size_share_a_batch():
    def pairs() -> Iterator[PicturePair]:
        for side in (8, 8, 9, 8):
            picture = torch.zeros(3, side, 8, dtype=torch.uint8)
            yield PicturePair(str(side), picture, picture)

    assert [[pair.name for pair in batch] for batch in batch_pairs(pairs())] == [["8", "8"], ["9"], ["8"]]


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AlexNet with random weights, its convolutions only, as a file."""
    torch.manual_seed(0)
    sizes = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    tensors = {f"features.{i}.weight": torch.randn(o, c, k, k) / (c * k * k) ** 0.5 for i, (o, c, k) in sizes.items()}
    tensors |= {f"features.{i}.bias": torch.randn(o) / 10 for i, (o, _, _) in sizes.items()}
    path = tmp_path_factory.mktemp("weights") / "alexnet.safetensors"
    save_file(tensors, path)
    return path


def test_lpips_is_that_of_its_package(photographs, alexnet):
    weights = find_weights([alexnet], ())["alexnet"]
    measure, protocol = load_lpips(weights, CPU)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    state = {name: weights.tensors[f"features.{name.split('.', 1)[1]}"] for name in theirs.net.state_dict()}
    theirs.net.load_state_dict(state)
    images = [to_tensor(pixels).float()[None] / 127.5 - 1 for pixels in photographs]
    expected = float(theirs(*images).detach())
    assert expected > 0.005
    pair = PicturePair("a", *(to_tensor(pixels) for pixels in photographs))
    ((_, metrics),) = PairMetrics(("lpips",), 0, CPU, (measure, protocol)).measure([pair])
    assert metrics["lpips"] == pytest.approx(expected, rel=1e-5)
    assert protocol["weights_sha256"] == hashlib.sha256(alexnet.read_bytes()).hexdigest()[:8]
    assert protocol["weights"] == "AlexNet, not the published ones"


def test_building_lpips_draws_no_random_numbers(alexnet):
    weights = read_weights(alexnet)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_lpips(weights, CPU)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"other.weight": torch.zeros(3)}, "holds the weights of another network; expected those of Inception v3"),
        (None, "is damaged, or no file of weights"),
        (print, "is damaged, or no file of weights"),  # pickled code
    ],
)
def test_other_files_are_no_weights(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(b"nothing" if content is None else buffer.getvalue())
    with pytest.raises(UserError, match=message):
        read_weights(path)
