"""What a model's codes are good for: how well a few labels teach a classifier that stands on them.

Four classifiers learn from the same labels and are judged on the same pictures held out:

- pixels: logistic regression on the pixels themselves;
- code: logistic regression on the model's codes, the model left as it is ("linear probe");
- fine-tuned: encoder and a linear layer, trained together from the model's weights;
- from scratch: the same network and training, from weights as they are first drawn.

Logistic regression has an L2 penalty on its weights, chosen by cross-validation on the labels alone, and features that
are centred and scaled as a whole. What `seed` draws is the labels, as many of each class, and the weights that are new.
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

from datasets.contract import OpenedData, Pictures, Samples, derive_seed
from datasets.errors import DataError, UserError
from models.apply import evaluating
from models.contract import Encoder
from translate.experiment import Experiment, with_overrides
from translate.hardware import choose_device, choose_numerics
from translate.inference.model_file import ModelError, load_network, model_path
from translate.training.processes import World
from translate.training.validation import gather_validation

HELD_OUT = 10_000  # pictures on which classifiers are judged, at most
AT_ONCE = 500  # pictures encoded at a time
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)  # tried, as a sum over weights beside the sum over labels
FOLDS = 3
STEPS, BATCH, RATE = 500, 50, 1e-3  # Adam's, of the networks that are trained


@dataclass(frozen=True)
class Probed:
    """Shares of held-out pictures that each classifier names rightly, one a seed."""

    labels: int
    held_out: int
    classes: tuple[str, ...]
    accuracies: dict[str, list[float]]

    def means(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation over the seeds."""
        return {
            way: (statistics.mean(found), statistics.stdev(found) if len(found) > 1 else 0.0)
            for way, found in self.accuracies.items()
        }


def probe(
    model: str | Path,
    data: Path,
    labels: int,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    overrides: Sequence[str] = (),
    device: str = "auto",
) -> Probed:
    """Judge the codes of a model file or run folder by `labels` labels of the data in a folder.

    The folder is opened as the model's own data were, unless `overrides`, as in "data.kind=idx", say otherwise.

    Raises:
        ModelError: The model tells no codes.
        DataError: The data has no labels, or too few.
    """
    path = model_path(model)
    network, card = load_network(path)
    if not isinstance(network, Encoder):
        name = card.experiment.model.name
        raise ModelError(f"{path}: a {name} model tells no codes of pictures; probe an autoencoder or a VAE")
    experiment = with_overrides(card.experiment, overrides)
    opened = experiment.data.open(data)
    if not opened.domains or not len(opened.validation):
        missing = "labels" if not opened.domains else "pictures held out"
        raise DataError(f"{data}: read as data.kind={experiment.data.kind}, it has no {missing}; say so with --set")
    world = World(device=choose_device(device))
    choose_numerics(world.device, training=False, precision="fp32")
    network.to(world.device)
    count = min(len(opened.validation), HELD_OUT)
    judged = _read(opened.validation, range(count), world)
    accuracies: dict[str, list[float]] = {}
    for seed in seeds:
        taught = _labelled(opened, labels, seed, world)
        for way, share in _ways(network, experiment, taught, judged, len(opened.domains), seed):
            accuracies.setdefault(way, []).append(share)
    return Probed(labels, count, opened.domains, accuracies)


def _ways(
    network: Any, experiment: Experiment, taught: Pictures, judged: Pictures, classes: int, seed: int
) -> Iterator[tuple[str, float]]:
    """Each way's name, and the share of the judged pictures that it names rightly."""
    device = judged.image.device
    features = {
        "pixels": (taught.image.flatten(1), judged.image.flatten(1)),
        "code": (_codes(network, taught.image), _codes(network, judged.image)),
    }
    for way, (known, asked) in features.items():
        classifier = logistic_regression(known, taught.label, classes, seed)
        yield way, _share_right(classifier(asked), judged.label)
    torch.manual_seed(derive_seed(seed))
    untaught = experiment.model.translator().to(device)
    for way, start in (("fine-tuned", network), ("from scratch", untaught)):
        torch.manual_seed(derive_seed(seed))
        trained = _trained(Classifier(start, classes).to(device), taught)
        with evaluating(trained):
            scores = torch.cat([trained(part) for part in torch.split(judged.image, AT_ONCE)])
        yield way, _share_right(scores, judged.label)


class Classifier(nn.Module):
    """A copy of an encoder, and a linear layer on its codes."""

    def __init__(self, network: Any, classes: int) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(True)
        self.head = nn.Linear(network.latent, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Scores of each class, (B, classes)."""
        scores: Tensor = self.head(self.network.encode(image))
        return scores


def logistic_regression(features: Tensor, label: Tensor, classes: int, seed: int) -> Callable[[Tensor], Tensor]:
    """From (B, n) features and labels, a function of (B', n) features to scores of each class.

    The penalty is the one of `PENALTIES` that errs least over all labels in turn held out, a third at a time.
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
    return lambda asked: ((asked - centre) / scale).double() @ weight + bias


def _fit(features: Tensor, label: Tensor, classes: int, penalty: float) -> tuple[Tensor, Tensor]:
    """The weights and biases with the least Σ cross-entropy + ½ penalty ‖weights‖²; the problem is convex."""
    weight = features.new_zeros(features.shape[1], classes).requires_grad_()
    bias = features.new_zeros(classes).requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe", tolerance_grad=1e-6)

    def closure() -> Tensor:
        optimizer.zero_grad()
        right = F.cross_entropy(features @ weight + bias, label, reduction="sum")
        loss = (right + 0.5 * penalty * weight.square().sum()) / len(features)
        torch.autograd.backward(loss)
        return loss

    minimise: Callable[[Callable[[], Tensor]], object] = optimizer.step
    minimise(closure)
    return weight.detach(), bias.detach()


def _trained(classifier: Classifier, taught: Pictures) -> Classifier:
    optimizer = torch.optim.Adam(classifier.parameters(), lr=RATE, fused=True)
    classifier.train()
    for _ in range(STEPS):
        drawn = torch.randint(len(taught.label), (min(BATCH, len(taught.label)),), device=taught.label.device)
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(classifier(taught.image[drawn]), taught.label[drawn]))
        optimizer.step()
    return classifier


def _codes(network: Any, image: Tensor) -> Tensor:
    with evaluating(network):
        codes = torch.cat([network.encode(part) for part in torch.split(image, AT_ONCE)])
    return codes.clone()  # out of inference mode: a classifier is fitted to them


def _share_right(scores: Tensor, label: Tensor) -> float:
    return round(float((scores.argmax(1) == label).float().mean()), 4)


def _labelled(opened: OpenedData, count: int, seed: int, world: World) -> Pictures:
    """As many training pictures of each class, `count` together; the first classes have one more if it must be."""
    classes = len(opened.domains)
    if count < classes:
        raise UserError(f"--labels {count}: there are {classes} classes, and each needs one")
    wanted = [count // classes + (index < count % classes) for index in range(classes)]
    order = torch.randperm(len(opened.training), generator=torch.Generator().manual_seed(derive_seed(seed)))
    chosen: list[int] = []
    for index in order.tolist():
        label = int(opened.training.sample(index, derive_seed(index))[1])
        if wanted[label]:
            wanted[label] -= 1
            chosen.append(index)
        if len(chosen) == count:
            return _read(opened.training, chosen, world)
    short = ", ".join(name for name, missing in zip(opened.domains, wanted, strict=True) if missing)
    raise DataError(f"--labels {count}: too few pictures of {short} to learn from; ask for fewer labels")


def _read(samples: Samples[Any], indices: Sequence[int], world: World) -> Pictures:
    batch = gather_validation(samples, indices, world)
    return Pictures(*batch)
