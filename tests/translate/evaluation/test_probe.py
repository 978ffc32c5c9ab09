"""Probes: logistic regression against an independent implementation, a fair choice of labels, and accuracies."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import torch

from datasets.contract import OpenedData, Pictures, Samples
from datasets.errors import DataError, UserError
from datasets.idx import IdxConfig
from models.core.autoencoder import Autoencoder
from translate.evaluation.probe import _draw_labelled, _fit, logistic_regression, probe
from translate.experiment import load_experiment
from translate.inference.model_file import Card, ModelError, save_model

CPU = torch.device("cpu")


class Squares(Samples[Pictures]):
    """Labelled pictures in memory: class c is bright in its own corner, under noise."""

    def __init__(self, counts: tuple[int, ...], seed: int = 0) -> None:
        draws = torch.Generator().manual_seed(seed)
        self.labels = torch.cat([torch.full((count,), index) for index, count in enumerate(counts)])
        self.images = 0.3 * torch.randn(len(self.labels), 1, 8, 8, generator=draws) - 0.5
        for image, label in zip(self.images, self.labels.tolist(), strict=True):
            image[:, 4 * (label // 2) :, 4 * (label % 2) :][:, :4, :4] += 1

    def __len__(self) -> int:
        return len(self.labels)

    def sample(self, index: int, seed: int) -> Pictures:
        return Pictures(self.images[index], self.labels[index])

    def name(self, index: int) -> str:
        return str(index)


def opened(counts: tuple[int, ...], domains: tuple[str, ...] = ("a", "b", "c")) -> OpenedData:
    return OpenedData(Squares(counts), Squares(counts, seed=1), "", (), domains)


def test_logistic_regression_finds_what_scipy_finds():
    draws = np.random.default_rng(0)
    features, label = draws.standard_normal((60, 5)), draws.integers(0, 3, 60)
    label[features[:, 0] > 0.5] = 2
    penalty = 0.7

    def loss(flat: np.ndarray) -> float:
        weight, bias = flat[:15].reshape(5, 3), flat[15:]
        scores = features @ weight + bias
        right = scipy.special.logsumexp(scores, axis=1) - scores[np.arange(60), label]
        return float(right.sum() + 0.5 * penalty * (weight**2).sum())

    best = scipy.optimize.minimize(loss, np.zeros(18), tol=1e-9)
    weight, bias = _fit(torch.from_numpy(features), torch.from_numpy(label), 3, penalty)
    np.testing.assert_allclose(weight.numpy(), best.x[:15].reshape(5, 3), atol=1e-3)
    np.testing.assert_allclose((bias - bias.mean()).numpy(), best.x[15:] - best.x[15:].mean(), atol=1e-3)


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_the_unit_of_the_features_does_not_matter(factor):
    squares = Squares((10, 10, 10))
    known, asked = squares.images.flatten(1), Squares((5, 5, 5), seed=1)
    classifier = logistic_regression(factor * known + factor, squares.labels, 3, seed=0)
    scores = classifier(factor * asked.images.flatten(1) + factor)
    assert (scores.argmax(1) == asked.labels).all()
    torch.testing.assert_close(
        scores, logistic_regression(known, squares.labels, 3, 0)(asked.images.flatten(1)), rtol=1e-2, atol=1e-2
    )


def test_labels_of_noise_are_not_predicted_with_confidence():
    torch.manual_seed(0)
    known, label = torch.randn(100, 50), torch.arange(100) % 4
    scores = logistic_regression(known, label, 4, seed=0)(torch.randn(1000, 50))
    # The strongest penalty is chosen, so no score stands out.
    assert scores.softmax(1).amax(1).mean() < 0.4  # a quarter is chance


def test_equally_many_pictures_of_each_class_are_labelled():
    found = _draw_labelled(opened((50, 7, 20)), 11, 0, CPU)
    assert Counter(found.label.tolist()) == {0: 4, 1: 4, 2: 3}
    assert found.image.shape == (11, 1, 8, 8)
    again, other = (_draw_labelled(opened((50, 7, 20)), 11, seed, CPU) for seed in (0, 1))
    assert torch.equal(again.image, found.image)
    assert not torch.equal(other.image, found.image)


def test_too_few_labels_are_refused():
    with pytest.raises(DataError, match="`labels` is 12, and there are too few images of b, c"):
        _draw_labelled(opened((50, 3, 2)), 12, 0, CPU)
    with pytest.raises(UserError, match="`labels` is 2, and each of the 3 classes needs one"):
        _draw_labelled(opened((50, 3, 2)), 2, 0, CPU)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are trained for a few steps, and few penalties are tried."""
    monkeypatch.setattr("translate.evaluation.probe.STEPS", 5)
    monkeypatch.setattr("translate.evaluation.probe.PENALTIES", (1.0, 100.0))
    monkeypatch.setattr("translate.evaluation.probe.FOLDS", 2)


@pytest.fixture
def digits(tmp_path: Path, write_idx: Callable[..., Any]) -> Path:
    """Idx files of noise with labels 0 to 2, of 8 pixels a side."""
    for seed, (split, count) in enumerate((("train", 60), ("t10k", 30))):
        write_idx(tmp_path / "digits", split, count, seed, size=8)
    return tmp_path / "digits"


def untrained(path: Path, recipe: str, *overrides: str) -> Path:
    """A model file of a small network as it was drawn."""
    experiment = load_experiment(recipe, overrides)
    torch.manual_seed(0)
    save_model(path, experiment.model.translator(), Card(experiment=experiment, step=0, trained_size=8))
    return path


SMALL = ("model.size=8", "data.size=8", "model.latent=4", "model.body.hidden=[16]")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("recipe", ["vae", "autoencoder"])
def test_every_classifier_is_tested_once_a_seed_with_the_same_result_every_time(
    recipe: str, digits: Path, tmp_path: Path
) -> None:
    model = untrained(tmp_path / "model.safetensors", recipe, *SMALL)
    found = probe(model, digits, 12, seeds=(0, 5), device="cpu")
    assert (found.labels, found.held_out, found.classes) == (12, 30, ("0", "1", "2"))
    assert {name: len(values) for name, values in found.accuracies.items()} == {
        "pixels": 2,
        "code": 2,
        "fine-tuned": 2,
        "from scratch": 2,
    }
    assert probe(model, digits, 12, seeds=(0, 5), device="cpu") == found
    assert probe(model, digits, 12, seeds=(5,), device="cpu").accuracies["code"] == found.accuracies["code"][1:]


@pytest.mark.usefixtures("quick")
def test_a_code_that_tells_the_classes_beats_pixels_that_do_not(digits: Path, tmp_path: Path) -> None:
    """The images are noise; an encoder is trained to tell their labels."""
    path = tmp_path / "model.safetensors"
    experiment = load_experiment("autoencoder", SMALL)
    assert isinstance(experiment.data, IdxConfig)
    network, opened = experiment.model.translator(), experiment.data.open(digits)
    assert isinstance(network, Autoencoder)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    batch = opened.validation.gather(range(30), [0] * 30)
    for _ in range(300):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network.encode(batch.image)[:, :3], batch.label).backward()
        optimizer.step()
    save_model(path, network, Card(experiment=experiment, step=0, trained_size=8))
    for name in ("images-idx3", "labels-idx1"):  # it is tested on what it was trained with
        (digits / f"train-{name}-ubyte.gz").write_bytes((digits / f"t10k-{name}-ubyte.gz").read_bytes())
    found = probe(path, digits, 9, seeds=(0,), device="cpu").accuracies
    assert found["code"] == [1.0]
    assert found["pixels"][0] < 0.9


@pytest.mark.usefixtures("quick")
def test_probing_does_not_change_the_model(digits: Path, tmp_path: Path) -> None:
    model = untrained(tmp_path / "model.safetensors", "vae", *SMALL)
    before = model.read_bytes()
    first = probe(model, digits, 6, seeds=(0,), device="cpu")
    assert model.read_bytes() == before
    assert first == probe(model, digits, 6, seeds=(0,), device="cpu")


@pytest.mark.usefixtures("quick")
def test_the_command_prints_a_table_or_one_document(command: Any, digits: Path, tmp_path: Path) -> None:
    model = untrained(tmp_path / "model.safetensors", "vae", *SMALL)
    arguments = ("eval", "probe", model, "--data", digits, "--labels", "9", "--seeds", "2", "--device", "cpu")
    shown = command(*arguments)
    assert (shown.code, shown.err) == (0, "")
    assert [line.split("  ")[0] for line in shown.out.splitlines()[1:]] == [
        "pixels",
        "code",
        "fine-tuned",
        "from scratch",
    ]
    document = json.loads(command(*arguments, "--json").out)
    assert set(document) == {"labels", "held_out", "classes", "accuracies"}


@pytest.mark.usefixtures("quick")
def test_what_cannot_be_probed_is_refused(digits: Path, photos: Path, model_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a pix2pix model has no encoder"):
        probe(model_file, digits, 6)
    gan = untrained(tmp_path / "gan.safetensors", "gan", "model.generator.width=4", "model.discriminator.width=4")
    with pytest.raises(ModelError, match="a gan model has no encoder"):
        probe(gan, digits, 6)
    model = untrained(tmp_path / "model.safetensors", "vae", *SMALL)
    unlabelled = ("data.kind=pictures", "data.picture_channels=1", "data.crop.size=8", "data.crop.load=null")
    with pytest.raises(DataError, match=r"read as data\.kind=pictures, it has no labels; choose another kind"):
        probe(model, photos, 6, overrides=unlabelled)
    with pytest.raises(UserError, match=r"data.size=9: .*size"):
        probe(model, digits, 6, overrides=("data.size=9",))
