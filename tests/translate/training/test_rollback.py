"""A training whose losses are no numbers returns to its last good state, and gives up when that does not help."""

import collections
import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from datasets.contract import Paired, Samples
from translate.experiment import Experiment
from translate.inference.model import load_model
from translate.training.batches import Order
from translate.training.checkpoints import PATIENCE, ROLLBACKS, DivergedError
from translate.training.session import Training


class Poisoned(Samples[Paired]):
    """Samples of which those with certain draws are no numbers."""

    def __init__(self, samples: Samples[Paired], draws: set[int]) -> None:
        self.samples, self.draws = samples, draws

    def __len__(self) -> int:
        return len(self.samples)

    def name(self, index: int) -> str:
        return self.samples.name(index)

    def sample(self, index: int, seed: int) -> Paired:
        sample = self.samples.sample(index, seed)
        return Paired(sample.source, torch.full_like(sample.target, torch.nan)) if seed in self.draws else sample


def test_other_draws_lead_past_a_failure(tiny: Callable[..., Experiment], photos: Path, tmp_path: Path) -> None:
    experiment = tiny("training.steps=20", "training.batch_size=1", "training.log_every=1")
    training = Training(experiment, photos, tmp_path / "run", device="cpu")
    data = training.setup.data
    first = Order(len(data.training), 0, 0, 1, 1, 0, 1)
    seeds = {first.sample_seed(position) for position in range(5, 40)}
    poisoned = data._replace(training=Poisoned(data.training, seeds))
    training.setup = dataclasses.replace(training.setup, data=poisoned)
    notes = [note for progress in training.run() for note in progress.notes]
    assert sum("other random numbers" in note for note in notes) == 1
    assert (training.trainer.step, training.trainer.rollbacks, training.trainer.skipped) == (20, 1, 0)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "losses" in line] == list(range(1, 21))  # the failed ones are cut


def test_a_hopeless_training_ends_with_its_last_good_state(
    tiny: Callable[..., Experiment], photos: Path, tmp_path: Path
) -> None:
    experiment = tiny("training.steps=1000", "model.l1_weight=1e39")
    training = Training(experiment, photos, tmp_path / "run", device="cpu")
    steps = training.run()
    with pytest.raises(DivergedError, match=r"model\.generator_adam\.lr") as raised:
        collections.deque(itertools.islice(steps, (ROLLBACKS + 1) * (PATIENCE + 3)), maxlen=0)
    assert raised.value.exit_code == 8
    model = load_model(tmp_path / "run")
    assert model.card.step == 0
    assert all(tensor.isfinite().all() for tensor in model.translator.state_dict().values())
