"""Probes: how well a few labels teach a classifier on a model's codes.

Four classifiers learn from the same labels and are tested on the same held-out images:

- pixels: logistic regression on the pixels;
- code: logistic regression on the model's codes, with the model unchanged (a "linear probe");
- fine-tuned: the encoder and a linear layer, trained together from the model's weights;
- from scratch: the same network, trained in the same way from random weights.

Logistic regression has an L2 penalty on its weights, chosen by cross-validation on the training labels alone; its
features are centred, and scaled by one factor. The seed decides which images are labelled, an equal number of each
class, and the random weights.
"""

import copy
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datasets.contract import OpenedData, Pictures, Samples, derive_seed, to_device
from datasets.errors import DataError, UserError
from models.apply import evaluating
from models.contract import Encoder
from translate.experiment import Experiment, override_experiment
from translate.hardware import choose_device, keep_random_state, resolve_numerics, seed_draws
from translate.inference.model_file import ModelError, load_network, model_path

MAX_TEST_IMAGES = 10_000  # as many as MNIST and Fashion-MNIST hold out
ENCODED_AT_ONCE = 500  # images; bounds the memory
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)  # tried; weigh half the squared weights against the sum over the labels
FOLDS = 3  # of the cross-validation
STEPS, BATCH, RATE = 500, 50, 1e-3  # of Adam, for the classifiers that are networks; chosen by hand


@dataclass(frozen=True)
class ProbeResult:
    """The accuracies of all classifiers.

    Attributes:
        labels: Number of labelled training images.
        held_out: Number of test images.
        classes: Names of the classes.
        accuracies: Fraction of the test images that each classifier names correctly, one value a seed.
    """

    labels: int
    held_out: int
    classes: tuple[str, ...]
    accuracies: dict[str, list[float]]

    def means(self) -> dict[str, tuple[float, float]]:
        """Return the mean and standard deviation of every classifier's accuracy over the seeds."""
        return {
            classifier: (statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0)
            for classifier, values in self.accuracies.items()
        }


def probe(
    model: str | Path,
    data: Path,
    labels: int,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    overrides: Sequence[str] = (),
    device: str = "auto",
) -> ProbeResult:
    """Evaluate the codes of a model with `labels` labels of the data in a folder.

    Args:
        model: Model file or run folder of a model with an encoder.
        data: Folder of labelled images, read as the model's own data were, except for `overrides`.
        labels: Number of images to learn from.
        seeds: Each repeats everything with other labels.
        overrides: Such as "data.kind=idx".
        device: "auto", "cpu", "cuda", "cuda:1", "xpu" or "mps".

    Raises:
        ModelError: The model has no encoder.
        DataError: The data has no labels, or too few.
    """
    path = model_path(model)
    network, card = load_network(path)
    if not isinstance(network, Encoder):
        name = card.experiment.model.name
        raise ModelError(f"{model}: a {name} model has no encoder; probe an autoencoder or a VAE")
    experiment = override_experiment(card.experiment, overrides, follow=False)
    opened = _open_labelled(experiment, data)
    place = choose_device(device)
    numerics = resolve_numerics(place, training=False, precision="fp32")
    count = min(len(opened.validation), MAX_TEST_IMAGES)
    accuracies: dict[str, list[float]] = {}
    with numerics.active(place), keep_random_state(place):
        network.to(place)
        test = _read(opened.validation, range(count), place)
        for seed in seeds:
            train = _draw_labelled(opened, labels, seed, place)
            for classifier, accuracy in _accuracies(network, experiment, train, test, len(opened.domains), seed):
                accuracies.setdefault(classifier, []).append(accuracy)
    return ProbeResult(labels, count, opened.domains, accuracies)


def _open_labelled(experiment: Experiment, data: Path) -> OpenedData[Any]:
    opened = experiment.data.open(data)
    if not opened.domains or not len(opened.validation):
        missing = "labels" if not opened.domains else "held-out images"
        raise DataError(f"{data}: read as data.kind={experiment.data.kind}, it has no {missing}; choose another kind")
    return opened


def _accuracies(
    network: Any, experiment: Experiment, train: Pictures, test: Pictures, classes: int, seed: int
) -> Iterator[tuple[str, float]]:
    """Yield the name and the accuracy of each classifier."""
    device = test.image.device
    features = {
        "pixels": (train.image.flatten(1), test.image.flatten(1)),
        "code": (_encode(network, train.image), _encode(network, test.image)),
    }
    for name, (train_features, test_features) in features.items():
        classifier = logistic_regression(train_features, train.label, classes, seed)
        yield name, _accuracy(classifier(test_features), test.label)
    seed_draws(derive_seed(seed), device)
    untrained = experiment.model.translator().to(device)
    for name, start in (("fine-tuned", network), ("from scratch", untrained)):
        seed_draws(derive_seed(seed), device)
        trained = _train(Classifier(start, classes).to(device), train)
        with evaluating(trained):
            scores = torch.cat([trained(part) for part in torch.split(test.image, ENCODED_AT_ONCE)])
        yield name, _accuracy(scores, test.label)


class Classifier(nn.Module):
    """A copy of an encoder, and a linear layer on its codes."""

    def __init__(self, network: Any, classes: int) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(True)
        self.head = nn.Linear(network.latent, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Return scores of each class, (B, classes), for images (B, C, H, W) in [-1, 1]."""
        scores: Tensor = self.head(self.network.encode(image))
        return scores


def logistic_regression(features: Tensor, label: Tensor, classes: int, seed: int) -> Callable[[Tensor], Tensor]:
    """Fit a classifier to features (B, n) and labels (B,); it maps features (B', n) to scores (B', classes).

    Of `PENALTIES`, the one with the least loss in a cross-validation over the labels is used.
    """
    centre = features.mean(0)
    scale = (features - centre).square().mean().sqrt().clamp(min=1e-12)
    known = ((features - centre) / scale).double()
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(derive_seed(seed)))
    folds = [fold.to(known.device) for fold in order.chunk(FOLDS)]

    def loss_of(penalty: float) -> float:
        total = 0.0
        for fold in folds:
            rest = torch.ones(len(known), dtype=torch.bool, device=known.device).index_fill_(0, fold, False)
            weight, bias = _fit(known[rest], label[rest], classes, penalty)
            total += float(F.cross_entropy(known[fold] @ weight + bias, label[fold], reduction="sum"))
        return total

    weight, bias = _fit(known, label, classes, min(PENALTIES, key=loss_of))
    return lambda unknown: ((unknown - centre) / scale).double() @ weight + bias


def _fit(features: Tensor, label: Tensor, classes: int, penalty: float) -> tuple[Tensor, Tensor]:
    """Return the weights and biases that minimize Σ cross-entropy + ½ penalty ‖weights‖², a convex problem."""
    weight = features.new_zeros(features.shape[1], classes).requires_grad_()
    bias = features.new_zeros(classes).requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe", tolerance_grad=1e-6)

    def closure() -> Tensor:
        optimizer.zero_grad()
        error = F.cross_entropy(features @ weight + bias, label, reduction="sum")
        loss = (error + 0.5 * penalty * weight.square().sum()) / len(features)
        torch.autograd.backward(loss)
        return loss

    minimize: Callable[[Callable[[], Tensor]], object] = optimizer.step
    minimize(closure)
    return weight.detach(), bias.detach()


def _train(classifier: Classifier, data: Pictures) -> Classifier:
    optimizer = torch.optim.Adam(classifier.parameters(), lr=RATE, fused=True)
    classifier.train()
    for _ in range(STEPS):
        batch = torch.randint(len(data.label), (min(BATCH, len(data.label)),), device=data.label.device)
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(classifier(data.image[batch]), data.label[batch]))
        optimizer.step()
    return classifier


def _encode(network: Any, image: Tensor) -> Tensor:
    with evaluating(network):
        codes = torch.cat([network.encode(part) for part in torch.split(image, ENCODED_AT_ONCE)])
    return codes.clone()  # out of inference mode, since a classifier is fitted to them


def _accuracy(scores: Tensor, label: Tensor) -> float:
    return round(float((scores.argmax(1) == label).float().mean()), 4)


def _draw_labelled(opened: OpenedData[Any], count: int, seed: int, device: torch.device) -> Pictures:
    """Return `count` training images, equally many of each class; the first classes have one more if it must be."""
    classes = len(opened.domains)
    if count < classes:
        raise UserError(f"`labels` is {count}, and each of the {classes} classes needs one")
    missing = [count // classes + (index < count % classes) for index in range(classes)]
    order = torch.randperm(len(opened.training), generator=torch.Generator().manual_seed(derive_seed(seed)))
    chosen: list[int] = []
    for index in order.tolist():
        label = int(opened.training.sample(index, derive_seed(index))[1])
        if missing[label]:
            missing[label] -= 1
            chosen.append(index)
        if len(chosen) == count:
            return _read(opened.training, chosen, device)
    short = ", ".join(name for name, lacking in zip(opened.domains, missing, strict=True) if lacking)
    raise DataError(f"`labels` is {count}, and there are too few images of {short}; ask for fewer labels")


def _read(samples: Samples[Any], indices: Sequence[int], device: torch.device) -> Pictures:
    batch = to_device(samples.gather(indices, [derive_seed(index) for index in indices]), device)
    return Pictures(*batch)
