"""Metrics of two sets of pictures, from their features: how far outputs as a whole are from real pictures.

FID, KID, precision and recall, and the Inception Score are torch-fidelity's, FID in float64.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from datasets.errors import UserError
from translate.evaluation.metrics.extras import import_extra
from translate.evaluation.metrics.report import Figure, Protocol
from translate.hardware import keep_random_state

NAMES = ("fid", "kid", "is", "precision-recall", "density-coverage", "two-sample", "neighbours")
FULL_RANK = 2048  # pictures, below which FID's covariances of 2,048 features have no full rank, and it is biased
SUBSETS, SUBSET_SIZE = 100, 1000  # of KID, as its authors and torch-fidelity take them
SEED = 2020  # torch-fidelity's
SPLITS = 10  # of the Inception Score
NEIGHBOURS = 3  # of precision and recall (Kynkäänniemi et al. 2019)
DENSITY_NEIGHBOURS = 5  # Naeem et al. 2020, arXiv:2002.09797
FEWEST = {
    "fid": 2, "kid": 2, "is": SPLITS, "precision-recall": NEIGHBOURS + 2, "density-coverage": DENSITY_NEIGHBOURS + 2,
    "two-sample": 20, "neighbours": 2,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class FeatureSets:
    """What a network computed of two sets.

    Attributes:
        outputs: Features of the outputs (N, n).
        references: Features of the references (M, n).
        scores: Scores of classes of the outputs, if the network has any.
        protocol: The network's.
        published: Whether its weights are the usual ones.
    """

    outputs: Tensor
    references: Tensor
    scores: Tensor | None
    protocol: Protocol
    published: bool


def check_counts(names: Sequence[str], outputs: int, references: int) -> None:
    """Refuse metrics of too few pictures.

    Raises:
        UserError: There are too few.
    """
    for name in names:
        if min(outputs, references) < FEWEST[name]:
            raise UserError(
                f"{name} needs {FEWEST[name]} pictures on each side, found {outputs} and {references}; add pictures, "
                "or leave it out of `metrics`"
            )


def measure_sets(names: Sequence[str], sets: FeatureSets) -> tuple[dict[str, Figure], list[str]]:
    """Return the figures of these metrics, and notes."""
    figures: dict[str, Figure] = {}
    for name in names:
        figures |= MEASURES[name](sets)
    notes = []
    fewest = min(len(sets.outputs), len(sets.references))
    if "fid" in names and fewest < FULL_RANK:
        notes.append(
            f"FID of {fewest} pictures is biased, and lower with more of them: compare it with that of as many only; "
            f"{FULL_RANK:,} are the least, and 50,000 usual"
        )
    if not sets.published:
        notes.append("the weights are not the published ones: distances are not FID and KID, and are not named so")
    return figures, notes


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Return the squared Fréchet distance of two normal distributions with the moments of features (N, n), (M, n).

    ‖μ₁ - μ₂‖² + Tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½), Σ with N - 1 (Dowson, Landau 1982).
    """
    module = import_extra("torch_fidelity.metric_fid")
    moments = [module.fid_features_to_statistics(features.double()) for features in (first, second)]
    return float(module.fid_statistics_to_metric(*moments, False)["frechet_inception_distance"])


def _measure_fid(sets: FeatureSets) -> dict[str, Figure]:
    name = "fid" if sets.published else "frechet_distance"
    value = frechet_distance(sets.outputs, sets.references)
    return {name: Figure(value, "lower", {**sets.protocol, "covariance": "N - 1, float64"})}


def _measure_kid(sets: FeatureSets) -> dict[str, Figure]:
    size = min(SUBSET_SIZE, len(sets.outputs), len(sets.references))
    settings = {"kid_subsets": SUBSETS, "kid_subset_size": size, "rng_seed": SEED, "verbose": False}
    found = import_extra("torch_fidelity.metric_kid").kid_features_to_metric(sets.outputs, sets.references, **settings)
    name = "kid" if sets.published else "kernel_distance"
    protocol: Protocol = {**sets.protocol, "kernel": "(x·y / n + 1)³, unbiased", "subsets": f"{SUBSETS} of {size}"}
    mean, spread = found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]
    return {name: Figure(mean, "lower", protocol, spread=spread)}


def _measure_is(sets: FeatureSets) -> dict[str, Figure]:
    if sets.scores is None or not sets.published:
        return {}
    module = import_extra("torch_fidelity.metric_isc")
    found = module.isc_features_to_metric(sets.scores, SPLITS, True, SEED)
    protocol: Protocol = {**sets.protocol, "scores": "1008 classes without bias", "splits": SPLITS}
    mean, spread = found["inception_score_mean"], found["inception_score_std"]
    return {"inception_score": Figure(mean, "higher", protocol, spread=spread)}


def _measure_precision_recall(sets: FeatureSets) -> dict[str, Figure]:
    module = import_extra("torch_fidelity.metric_prc")
    settings = {"prc_neighborhood": NEIGHBOURS, "prc_batch_size": 2048, "save_cpu_ram": True, "verbose": False}
    found = module.prc_features_to_metric(sets.outputs, sets.references, **settings)
    protocol: Protocol = {**sets.protocol, "neighbours": NEIGHBOURS}
    return {name: Figure(found[name], "higher", protocol) for name in ("precision", "recall")}


def density_coverage(outputs: Tensor, references: Tensor, neighbours: int) -> tuple[float, float]:
    """Return density and coverage (Naeem et al. 2020, arXiv:2002.09797) of features (N, n) and (M, n).

    Density: how many balls around references, up to their k-th neighbour, an output lies in, over k. Coverage: the
    fraction of references whose ball holds an output.
    """
    within = torch.cdist(references.double(), references.double())
    radius = within.kthvalue(neighbours + 1).values  # the first neighbour is the picture itself
    inside = torch.cdist(references.double(), outputs.double()) < radius[:, None]
    return float(inside.sum()) / (neighbours * len(outputs)), float(inside.any(1).double().mean())


def _measure_density_coverage(sets: FeatureSets) -> dict[str, Figure]:
    density, coverage = density_coverage(sets.outputs, sets.references, DENSITY_NEIGHBOURS)
    protocol: Protocol = {**sets.protocol, "neighbours": DENSITY_NEIGHBOURS}
    return {"density": Figure(density, "higher", protocol), "coverage": Figure(coverage, "higher", protocol)}


def two_sample_test(outputs: Tensor, references: Tensor, seed: int = 0) -> tuple[float, float]:
    """Return the accuracy of a classifier that tells outputs from references, and its p-value under equality.

    Lopez-Paz, Oquab 2017, arXiv:1610.06545: equally many of both, half to learn from and half to test on; one hidden
    layer of 20 rectified units, 100 epochs of Adam. For equal distributions the accuracy is normal with mean ½ and
    variance 1 / (4 n). Features are standardised by the training half.
    """
    count = min(len(outputs), len(references))
    generator = torch.Generator().manual_seed(seed)
    chosen = [x[torch.randperm(len(x), generator=generator)[:count]] for x in (outputs.float(), references.float())]
    order = torch.randperm(2 * count, generator=generator)
    features, label = torch.cat(chosen)[order], torch.arange(2).repeat_interleave(count)[order].float()
    half = count  # of 2 * count
    mean, deviation = features[:half].mean(0), features[:half].std(0).clamp(min=1e-6)
    features = (features - mean) / deviation
    with keep_random_state(torch.device("cpu")), torch.enable_grad():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(features.shape[1], 20), nn.ReLU(), nn.Linear(20, 1))
        optimizer = torch.optim.Adam(network.parameters())
        for _ in range(100):
            for part in torch.split(torch.randperm(half, generator=generator), 64):
                optimizer.zero_grad()
                loss = F.binary_cross_entropy_with_logits(network(features[part])[:, 0], label[part])
                torch.autograd.backward(loss)
                optimizer.step()
    tested = len(features) - half
    right = (network(features[half:])[:, 0] > 0) == (label[half:] > 0.5)
    accuracy = float(right.double().mean())
    return accuracy, 1 - NormalDist().cdf((accuracy - 0.5) * 2 * tested**0.5)


def _measure_two_sample(sets: FeatureSets) -> dict[str, Figure]:
    accuracy, p_value = two_sample_test(sets.outputs, sets.references)
    protocol: Protocol = {**sets.protocol, "classifier": "20 rectified units, 100 epochs, half held out"}
    return {
        "two_sample_accuracy": Figure(accuracy, "lower", protocol),
        "two_sample_p": Figure(p_value, "higher", protocol),
    }


def nearest(outputs: Tensor, references: Tensor) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the distance of each output (N, n) to its nearest reference (M, n), and the reference's index."""
    parts = [torch.cdist(part, references.double()).min(1) for part in torch.split(outputs.double(), 1024)]
    distances, indices = (torch.cat([part[k] for part in parts]).numpy() for k in (0, 1))
    return distances, indices


def _measure_neighbours(sets: FeatureSets) -> dict[str, Figure]:
    """Compare how near outputs are to references with how near references are to each other.

    A ratio far below 1 says that outputs are copies: memorised, if the references were learned from.
    """
    distances, _ = nearest(sets.outputs, sets.references)
    within = torch.cdist(sets.references.double(), sets.references.double()).fill_diagonal_(float("inf")).min(1).values
    ratio = float(np.median(distances)) / max(float(within.median()), 1e-12)
    return {"nearest_ratio": Figure(ratio, "", {**sets.protocol, "statistic": "ratio of medians"})}


MEASURES: dict[str, Callable[[FeatureSets], dict[str, Any]]] = {
    "fid": _measure_fid,
    "kid": _measure_kid,
    "is": _measure_is,
    "precision-recall": _measure_precision_recall,
    "density-coverage": _measure_density_coverage,
    "two-sample": _measure_two_sample,
    "neighbours": _measure_neighbours,
}
