"""Evaluate a model on the held-out samples of a folder, as its training validates it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datasets.contract import Masked, OpenedData, Paired, Pictures, Unpaired, derive_seed, stack, to_device
from datasets.errors import DataError
from models.apply import generate_batch, translate_batch
from models.contract import Sampler, Translator
from translate.evaluation.choice import build_report, choose_metrics
from translate.evaluation.folders import Progress
from translate.evaluation.metrics.pairs import PicturePair
from translate.evaluation.metrics.report import Protocol, Report
from translate.experiment import Experiment, override_experiment
from translate.hardware import keep_random_state, resolve_numerics, seed_draws
from translate.inference.model_file import ModelError, load_network, model_path


@dataclass(frozen=True)
class HeldOut:
    """A model and the held-out samples that it is evaluated on.

    Attributes:
        model: On its device.
        opened: The data.
        experiment: How the data are read.
        domain: That is translated to, of two that are not paired.
        device: Where the model computes.
    """

    model: Translator | Sampler
    opened: OpenedData[Any]
    experiment: Experiment
    domain: int
    device: torch.device

    def __len__(self) -> int:
        return len(self.opened.validation)

    @property
    def has_truth(self) -> bool:
        """Whether each output has a reference of its own, and not only a set of them."""
        data = self.experiment.data
        return isinstance(self.model, Translator) and getattr(data, "truth", data.batch_type is not Unpaired)

    def make_pairs(self, progress: Progress) -> Iterator[PicturePair]:
        """Yield what the model makes of each sample beside the truth, or beside a picture of the set without one."""
        for index in range(len(self)):
            sample = self.opened.validation.sample(index, derive_seed(index))
            batch = to_device(stack([sample]), self.device)
            seed_draws(derive_seed(index), self.device)
            output, reference, mask = self._apply(batch, derive_seed(index))
            hole = None if mask is None else mask[0, 0].bool().cpu()
            yield PicturePair(self.opened.validation.name(index), to_rgb(output[0]), to_rgb(reference[0]), hole)
            progress()

    def _apply(self, batch: Any, seed: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return outputs, references, and the masks of holes if there are any."""
        if isinstance(self.model, Sampler):
            latent = self.model.draw(1, torch.Generator().manual_seed(seed)).to(self.device)
            label = getattr(batch, "label", torch.zeros(1, dtype=torch.long, device=self.device))
            return generate_batch(self.model, latent, label), batch.image, None
        if isinstance(batch, Paired):
            return translate_batch(self.model, batch.source), batch.target, None
        if isinstance(batch, Masked):
            return translate_batch(self.model, torch.cat(batch, dim=1)), batch.image, batch.mask
        if isinstance(batch, Unpaired):
            source, target = (batch.b, batch.a) if self.domain == 0 else (batch.a, batch.b)
            return translate_batch(self.model, source, self.domain), target, None
        if isinstance(batch, Pictures):
            return translate_batch(self.model, batch.image), batch.image, None
        raise DataError(
            f"samples of data.kind={self.experiment.data.kind} have no reference to compare with; translate a folder, "
            "and compare it with `translate eval folders`"
        )


def evaluate_model(
    model: str | Path,
    data: Path,
    *,
    metrics: Sequence[str] = (),
    crop: int | None = None,
    to: str | None = None,
    overrides: Sequence[str] = (),
    features: Sequence[Path] = (),
    device: str = "auto",
    start: Callable[[int], Progress] = lambda total: lambda: None,
) -> Report:
    """Measure how close a model's outputs are to the truth, on the samples that its training holds out.

    Args:
        model: Model file, run folder, or the name of a model that ships.
        data: Folder that is read, split and cropped as the model's own data were, except for `overrides`.
        metrics: Names or groups of metrics; empty: all that can be computed here.
        crop: Pixels that are cut off at each border; None: the scale of an upscaler, 0 for others.
        to: The domain to translate to, of a model that has several.
        overrides: Such as "data.crop.size=128".
        features: Files with weights of feature networks.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        start: Called with the number of samples; what it returns is called after each.

    Raises:
        DataError: The data cannot be used, or hold nothing to compare with.
        ModelError: The model is of several domains at once.
    """
    choice = choose_metrics(metrics, features, device)
    path = model_path(model)
    network, card = load_network(path)
    experiment = override_experiment(card.experiment, overrides, follow=False)
    opened = experiment.data.open(data)
    if not len(opened.validation):
        raise DataError(f"{data}: holds no sample out; set data.validation_fraction above 0")
    domain = network.resolve_domain(to) if isinstance(network, Translator) else 0
    if not isinstance(domain, int):
        raise ModelError(f"{model}: is of several domains at once; run it, and compare folders with `eval folders`")
    if crop is None:
        crop = network.scale if isinstance(network, Translator) and network.scale > 1 else 0
    numerics = resolve_numerics(choice.device, training=False, precision="fp32")
    with numerics.active(choice.device), keep_random_state(choice.device):
        held_out = HeldOut(network.to(choice.device), opened, experiment, domain, choice.device)
        choice = choice.for_counts(len(held_out), len(held_out), metrics)
        if not held_out.has_truth:
            choice = choice.without_pairs(metrics)
        measure = choice.pair_metrics(crop)
        stream = held_out.make_pairs(start(len(held_out)))
        pairs = [*stream] if choice.of_sets else stream  # which are read twice
        pictures = dict(measure.measure(pairs)) if choice.of_pairs else {}
        of_sets, notes = choice.measure_sets(
            lambda: ((pair.name, pair.output) for pair in pairs),
            lambda: ((pair.name, pair.reference) for pair in pairs),
        )
    notes = [*choice.notes, *notes]
    return build_report(f"{model} on {data}", pictures, measure, describe_samples(held_out), notes, of_sets)


def describe_samples(held_out: HeldOut) -> Protocol:
    """Return what the samples add to a protocol."""
    config = held_out.experiment.data
    return {
        "samples": "held out by the hash of their names, read and cropped as in training",
        "size": getattr(config, "validation_size", config.training_size),
        "data": config.kind,
        "reference_set": held_out.opened.fingerprint,
        "output_formats": "in memory",
    }


def to_rgb(image: Tensor) -> Tensor:
    """Return an image (1, 3 or 4, H, W) in [-1, 1] as (3, H, W) uint8; alpha is laid on white."""
    levels = (image.detach().float().cpu().clamp(-1, 1) + 1) / 2
    if len(levels) == 4:
        levels = levels[:3] * levels[3:] + (1 - levels[3:])
    if len(levels) == 1:
        levels = levels.repeat(3, 1, 1)
    return (levels * 255).round().to(torch.uint8)
