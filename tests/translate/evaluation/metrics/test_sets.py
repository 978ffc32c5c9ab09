"""Metrics of sets against closed forms, torch-fidelity's own way over folders, and cases that are known."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from datasets.errors import UserError
from translate.evaluation.choice import NEEDED
from translate.evaluation.folders import evaluate_folders, open_folder, read_pictures
from translate.evaluation.metrics.features import FeatureNetwork, extract_features
from translate.evaluation.metrics.sets import (
    FEWEST,
    NAMES,
    FeatureSets,
    check_counts,
    density_coverage,
    frechet_distance,
    measure_sets,
    nearest,
    two_sample_test,
)

STATISTICS = 12  # of the stub network: numbers a picture


def normal(count: int, mean: float, scale: float, seed: int, dimensions: int = 8) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    return mean + scale * torch.randn(count, dimensions, generator=draws, dtype=torch.double)


def with_exact_moments(features: Tensor, mean: np.ndarray, covariance: np.ndarray) -> Tensor:
    """Features moved so that their sample mean and covariance, with N - 1, are exactly these."""
    values = features.numpy()
    whitened = np.linalg.solve(np.linalg.cholesky(np.cov(values, rowvar=False)), (values - values.mean(0)).T)
    return torch.from_numpy((np.linalg.cholesky(covariance) @ whitened).T + mean)


@pytest.mark.parametrize("seed", range(3))
def test_fid_of_exact_gaussians_is_the_closed_form(seed):
    rng = np.random.default_rng(seed)
    means, covariances = rng.normal(size=(2, 8)), []
    for _ in range(2):
        root = rng.normal(size=(8, 8))
        covariances.append(root @ root.T + 0.1 * np.eye(8))
    first, second = (with_exact_moments(normal(50, 0, 1, seed + k), means[k], covariances[k]) for k in range(2))
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.square(means[0] - means[1]).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-7)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6)


def test_fid_with_fewer_pictures_than_features():
    one, other = normal(6, 0, 1, 0, 40), normal(9, 0.3, 2, 1, 40)
    roots = [(x - x.mean(0)) / (len(x) - 1) ** 0.5 for x in (one, other)]  # Σ = RᵀR, and Tr (Σ₁ Σ₂)^½ = ‖R₁ R₂ᵀ‖₁
    singular = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    expected = (one.mean(0) - other.mean(0)).square().sum() + sum(root.square().sum() for root in roots) - 2 * singular
    assert frechet_distance(one, other) == pytest.approx(float(expected), rel=1e-5)


def test_density_and_coverage_of_a_small_case():
    references = torch.tensor([[0.0], [1.0], [10.0]])  # radii with one neighbour: 1, 1, 9
    outputs = torch.tensor([[0.5], [2.5]])  # in the balls of 0 and 1; of 10 alone
    density, coverage = density_coverage(outputs, references, 1)
    assert density == pytest.approx((2 + 1) / (1 * 2))
    assert coverage == pytest.approx(3 / 3)


def test_the_two_sample_test_accepts_equal_and_refuses_unequal_sets():
    values = [two_sample_test(normal(120, 0, 1, 2 * k), normal(120, 0, 1, 2 * k + 1), k)[1] for k in range(12)]
    assert min(values) > 0.001
    assert np.mean(values) > 0.25  # uniform under equality, so ½ on average
    accuracy, p_value = two_sample_test(normal(120, 0, 1, 0), normal(120, 1, 1, 1))
    assert accuracy > 0.75
    assert p_value < 1e-6


def test_copies_are_their_nearest_neighbours():
    references = normal(40, 0, 1, 0)
    distances, indices = nearest(references[[7, 3]] + 1e-6, references)
    assert indices.tolist() == [7, 3]
    assert distances.max() < 1e-4
    figures, _ = measure_sets(["neighbours"], sets_of(references[:20] + 1e-6, references))
    assert figures["nearest_ratio"].value < 1e-4
    figures, _ = measure_sets(["neighbours"], sets_of(normal(40, 0, 1, 1), references))
    assert figures["nearest_ratio"].value == pytest.approx(1, abs=0.2)


def sets_of(outputs: Tensor, references: Tensor, published: bool = True) -> FeatureSets:
    return FeatureSets(outputs, references, outputs, {"weights": "stub"}, published)


def test_figures_of_other_weights_are_not_called_fid():
    sets = sets_of(normal(30, 0, 1, 0), normal(30, 1, 1, 1))
    figures, (biased,) = measure_sets(["fid", "kid", "is"], sets)
    assert set(figures) == {"fid", "kid", "inception_score"}
    assert biased.startswith("FID of 30 pictures is biased")
    figures, notes = measure_sets(["fid", "kid", "is"], sets_of(sets.outputs, sets.references, published=False))
    assert set(figures) == {"frechet_distance", "kernel_distance"}
    assert "not FID and KID" in notes[-1]


@pytest.mark.parametrize("name", NAMES)
def test_too_few_pictures_are_refused(name):
    check_counts([name], FEWEST[name], 100)
    with pytest.raises(UserError, match=rf"{name} needs {FEWEST[name]} pictures on each side, found 1 and 100"):
        check_counts([name], 1, 100)
    assert name in NEEDED


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders of parts of photographs, as they are and noisy, PNG, of one size as torch-fidelity wants them."""
    root = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    for name in ("real", "fake"):
        (root / name).mkdir()
    photographs = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.rocket()]
    for index in range(24):
        whole = photographs[index % 3]
        y, x = (int(rng.integers(side - 64)) for side in whole.shape[:2])
        part = whole[y : y + 64, x : x + 64]
        Image.fromarray(part).save(root / "real" / f"{index}.png")
        y, x = (int(rng.integers(side - 64)) for side in whole.shape[:2])
        noisy = whole[y : y + 64, x : x + 64] + rng.normal(0, 20, (64, 64, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(root / "fake" / f"x{index}.png")
    return root / "fake", root / "real"


def summarize(pictures: Tensor) -> Tensor:
    """Means and deviations of colours and of their differences, (B, 12): what the stub network computes."""
    values = pictures.float() / 255
    steps = values.diff(dim=3)
    return torch.cat([part.flatten(2).mean(2) for part in (values, values.square(), steps.abs(), steps.square())], 1)


def test_folders_are_measured_as_torch_fidelity_does_with_the_same_network(folders):
    import torch_fidelity
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase

    class Stub(FeatureExtractorBase):  # type: ignore[misc]
        def __init__(self, name: str, features_list: list[str], **kwargs: Any) -> None:
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("stub",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "stub"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
            return (summarize(pictures),)

    torch_fidelity.register_feature_extractor("stub-of-our-tests", Stub)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch_fidelity.calculate_metrics(
            input1=str(folders[0]), input2=str(folders[1]), feature_extractor="stub-of-our-tests", cuda=False,
            isc=True, fid=True, kid=True, prc=True, kid_subset_size=24, verbose=False, save_cpu_ram=True, cache=False,
        )  # fmt: skip
    network = FeatureNetwork(lambda pictures: {"features": summarize(pictures)}, {})
    features = [extract_features(network, read_pictures(open_folder(folder), lambda: None)) for folder in folders]
    sets = FeatureSets(features[0]["features"], features[1]["features"], features[0]["features"], {}, True)
    figures, _ = measure_sets(["fid", "kid", "is", "precision-recall"], sets)
    ours = {name: figure.value for name, figure in figures.items()}
    assert ours == pytest.approx(
        {
            "fid": theirs["frechet_inception_distance"],
            "kid": theirs["kernel_inception_distance_mean"],
            "inception_score": theirs["inception_score_mean"],
            "precision": theirs["precision"],
            "recall": theirs["recall"],
        },
        rel=1e-3,
        abs=1e-6,
    )
    assert ours["fid"] > 1e-3
    assert sys.modules["torch_fidelity"]


def test_folders_of_other_names_are_sets_and_need_no_weights(folders, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    report = evaluate_folders(*folders)
    assert set(report.figures) == {"two_sample_accuracy", "two_sample_p", "nearest_ratio"}
    assert report.figures["nearest_ratio"].protocol["weights"] == "none, pixels"
    assert any("as sets only" in note for note in report.notes)
    assert any(
        note.startswith("lpips, fid, kid, is, precision-recall, density-coverage left out") for note in report.notes
    )
