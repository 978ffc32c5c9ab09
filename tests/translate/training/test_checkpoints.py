"""Checkpoints: a failing training returns to its last good state or gives up; the best model is kept."""

import collections
import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from datasets.contract import Paired, Samples
from translate.experiment import Experiment
from translate.inference.model_file import load_network, read_card
from translate.training.batches import Order
from translate.training.checkpoints import PATIENCE, ROLLBACKS, Checkpoints, DivergedError
from translate.training.processes import World
from translate.training.session import Training


class Poisoned(Samples[Paired]):
    """Samples of which those with certain seeds are NaN."""

    def __init__(self, samples: Samples[Paired], seeds: set[int]) -> None:
        self.samples, self.seeds = samples, seeds

    def __len__(self) -> int:
        return len(self.samples)

    def name(self, index: int) -> str:
        return self.samples.name(index)

    def sample(self, index: int, seed: int) -> Paired:
        sample = self.samples.sample(index, seed)
        return Paired(sample.source, torch.full_like(sample.target, torch.nan)) if seed in self.seeds else sample


def test_other_random_numbers_lead_past_a_failure(
    tiny: Callable[..., Experiment], photos: Path, tmp_path: Path, run_of: Callable[[Path], Any]
) -> None:
    experiment = tiny("training.steps=20", "training.batch_size=1", "training.log_every=1")
    training = Training(experiment, photos, tmp_path / "run", device="cpu")
    data = training.setup.data
    first = Order(len(data.training), 0, 0, 1, 1, 0, 1)
    seeds = {first.sample_seed(position) for position in range(5, 40)}
    poisoned = data._replace(training=Poisoned(data.training, seeds))
    training.setup = dataclasses.replace(training.setup, data=poisoned)
    notes = [note for progress in training.run() for note in progress.notes]
    message = f"losses were infinite or NaN for {PATIENCE} steps up to 15: back to step 0, with other random numbers"
    assert notes.count(message) == 1
    assert (training.trainer.step, training.trainer.rollbacks, training.trainer.skipped) == (20, 1, 0)
    assert [*run_of(tmp_path / "run").recorded("losses")] == list(range(1, 21))  # those that failed are deleted
    assert {"step": 0, "health": message} in run_of(tmp_path / "run").lines


def test_a_hopeless_training_ends_with_its_last_good_state(
    tiny: Callable[..., Experiment], photos: Path, tmp_path: Path
) -> None:
    experiment = tiny("training.steps=1000", "model.l1_weight=1e39")
    training = Training(experiment, photos, tmp_path / "run", device="cpu")
    steps = training.run()
    with pytest.raises(DivergedError, match=r"model\.generator_adam\.lr") as raised:
        collections.deque(itertools.islice(steps, (ROLLBACKS + 1) * (PATIENCE + 3)), maxlen=0)
    assert raised.value.exit_code == 8
    network, card = load_network(tmp_path / "run" / "last.safetensors")
    assert card.step == 0
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


def test_the_best_model_is_that_of_the_best_metric(
    tiny: Callable[..., Experiment], photos: Path, tmp_path: Path
) -> None:
    training = Training(tiny(), photos, tmp_path / "run", device="cpu")
    best = tmp_path / "run" / "best.safetensors"
    best.parent.mkdir()
    kept = []
    for step, l1 in enumerate([0.5, 0.7, 0.3, 0.3]):
        training.trainer.step = step
        training.checkpoints.record_validation({"l1": l1})
        kept.append((training.checkpoints.best["metric"], read_card(best).step, read_card(best).metrics["l1"]))
    assert kept == [(0.5, 0, 0.5), (0.5, 0, 0.5), (0.3, 2, 0.3), (0.3, 2, 0.3)]
    assert training.checkpoints.metrics == {"l1": 0.3}


def test_a_state_is_read_into_the_hosts_memory_whatever_device_computes(
    tiny: Callable[..., Experiment], photos: Path, tmp_path: Path
) -> None:
    training = Training(tiny(), photos, tmp_path / "run", device="cpu")
    collections.deque(training.run(), maxlen=0)
    elsewhere = dataclasses.replace(training.setup, world=World(device=torch.device("meta")))
    checkpoints = Checkpoints(elsewhere, training.trainer)
    checkpoints.restore()  # of tensors on such a device nothing could be copied
    assert checkpoints.trainer.step == 2
