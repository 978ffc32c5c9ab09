"""The start of a training: read the data and the run folder, decide what was left open, and build the trainer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from datasets.codecs.images import PictureError
from datasets.contract import DataConfig, OpenedData, Paired, Samples, derive_seed
from datasets.errors import DataError, UserError, count_of
from datasets.picture_data import PictureDataConfig
from datasets.storage.likeness import find_equal_files
from datasets.storage.listing import find_pictures
from translate import __version__
from translate.experiment import DegradeOn, Experiment
from translate.files import file_digest
from translate.hardware import (
    Numerics,
    choose_device,
    describe_machine,
    keep_random_state,
    resolve_numerics,
    seed_draws,
)
from translate.inference.model_file import model_path, read_card
from translate.run_folder import ResumeError, RunFolder, resume_experiment
from translate.training.batches import plan_order, seconds_per_step
from translate.training.layouts import choose_layout
from translate.training.processes import World, join_world, share_batch_norm
from translate.training.trainer import Trainer
from translate.training.warm_start import warm_start

FEW = 10  # samples from which a model learns little but their pixels; chosen by hand
LOOKED_AT = 8  # samples that are looked at before a training; chosen by hand: reading them takes no time
FLAT = 0.01  # deviation of a sample, on the scale [-1, 1], below which it is flat: one level of 255

# What is said where a run is not resumed.
CHANGED = {
    "data_fingerprint": "was trained on other pictures: some were changed, added or removed since",
    "training_samples": "was trained on {before} samples, and now there are {now}: pictures were added or removed",
    "processes": "was trained by {before} processes, and now there are {now}",
    "init_from": "was begun from another model than `init_from` now names, or from none",
}


@dataclass(frozen=True)
class Setup:
    """Everything that is decided before the first step.

    Attributes:
        experiment: The configuration, with nothing left to `auto` or to the data.
        data: The training and validation samples.
        folder: The run folder.
        world: The processes that train together.
        numerics: Precision, memory layout and threads.
        facts: What `config.yaml` records beside the experiment: data, machine, versions.
        notes: Messages for the user.
        resumed: The run folder holds the state of an earlier training, to be continued.
    """

    experiment: Experiment
    data: OpenedData[Any]
    folder: RunFolder
    world: World
    numerics: Numerics
    facts: dict[str, Any]
    notes: tuple[str, ...]
    resumed: bool

    @property
    def training_samples(self) -> Samples[Any]:
        """What batches are made of: samples whose degradation is left to the device, where that was decided."""
        undegraded = (
            self.data.training.without_degradation() if self.experiment.training.degrade_on == "device" else None
        )
        return self.data.training if undegraded is None else undegraded

    @property
    def composed_on(self) -> str | None:
        """The colour that transparent pictures are laid on; None: there are none, or their alpha is ignored."""
        config = self.experiment.data
        return config.background if self.data.with_alpha and isinstance(config, PictureDataConfig) else None

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Compute as `numerics` says; afterwards restore the threads, flags and random state of the process."""
        device = self.world.device
        with self.numerics.active(device, training=True), keep_random_state(device):
            yield


def prepare(experiment: Experiment, data: Path, out: Path, *, device: str, init_from: str | None) -> Setup:
    """Read the data in `data` and what the run folder `out` holds; write nothing.

    Raises:
        DataError: The data cannot be used, or differ from those the run was trained on.
        ResumeError: `out` holds another run.
        UserError: The device does not exist, or `out` is not a place for a run.
    """
    world, folder = join_world(choose_device(device)), RunFolder(out)
    _check_place(folder, data)
    opened = experiment.data.open(data)
    followed = _describe_followed(experiment)
    experiment = experiment.adapt_to(opened)
    facts = _collect_facts(opened, world, init_from)
    if folder.holds_run:
        recorded, recorded_facts = folder.read_config()
        experiment = resume_experiment(experiment, recorded, out)
        _check_facts(facts, recorded_facts, out)
    elif problem := experiment.model.training_problem():
        raise UserError(problem)
    experiment, numerics = _resolve_numerics(experiment, opened.training, world)
    experiment = _resolve_degradation(experiment, opened.training, world)
    notes = (*followed, *_describe_data(experiment.data, opened))
    if not folder.holds_run:
        notes += (*_describe_lack(experiment.data, opened.training), *_describe_copies(experiment.data, data))
    return Setup(experiment, opened, folder, world, numerics, facts, notes, resumed=folder.holds_run)


def build_trainer(setup: Setup, init_from: str | None) -> tuple[Trainer[Any], list[str]]:
    """Return a trainer with fresh weights, or with those of the model `init_from`, and messages about the latter.

    A resumed training gets its weights from its state instead; see `Checkpoints.restore`.

    Raises:
        ModelError: Next to nothing of `init_from` fits.
    """
    training, notes = setup.experiment.training, []
    with setup.computing():
        seed_draws(derive_seed(training.seed), torch.device("cpu"))
        recipe = setup.experiment.model.recipe()
        if init_from is not None and not setup.resumed:
            notes.append(warm_start(recipe, init_from))
        share_batch_norm(recipe, setup.world)
        return Trainer(recipe, training, setup.numerics, setup.world), notes


@contextmanager
def explain_damage(config: DataConfig) -> Iterator[None]:
    """Say of a damaged picture, which only decoding finds, how to leave it and all others like it out.

    Raises:
        DataError: A picture is damaged.
    """
    try:
        yield
    except PictureError as error:
        if not isinstance(config, PictureDataConfig) or config.skip_bad or isinstance(error.__cause__, OSError):
            raise
        raise DataError(
            f"{error}; or begin a run with data.skip_bad=true, which looks for all damaged pictures first, and leaves "
            "them out"
        ) from error


def _check_place(folder: RunFolder, data: Path) -> None:
    folder.check_free()
    if data.resolve() == folder.path.resolve() or data.resolve() in folder.path.resolve().parents:
        raise UserError(f"{folder.path}: lies in the folder of training data; choose an `out` outside {data}")
    if not folder.holds_run and folder.last.is_file() and read_card(folder.last).step > 0:
        raise ResumeError(
            f"{folder.path}: holds a trained model but no state.pt to resume from; choose another `out`, and "
            f"`init_from` {folder.last} to start from what was learned"
        )


def _describe_followed(experiment: Experiment) -> tuple[str, ...]:
    """Return a note on settings that were changed to fit the size of the pictures."""
    if not experiment.followed:
        return ()
    data = experiment.data
    return (f"to fit {data.size_key}={data.training_size}: {', '.join(experiment.followed)}",)


def _describe_data(config: DataConfig, opened: OpenedData[Any]) -> tuple[str, ...]:
    """Return notes on pictures that are left out, and on those with alpha."""
    notes = []
    if opened.skipped:
        notes.append(f"{count_of(len(opened.skipped), 'picture')} left out: {'; '.join(opened.skipped[:3])}")
    if opened.with_alpha and isinstance(config, PictureDataConfig):
        notes.append(config.describe_alpha(opened.with_alpha))
    return tuple(notes)


def _describe_lack(config: DataConfig, samples: Samples[Any]) -> tuple[str, ...]:
    """Return notes on samples that are too few, or show nothing."""
    notes = []
    if len(samples) < FEW:
        are = "is" if len(samples) == 1 else "are"
        notes.append(f"{count_of(len(samples), 'sample')} to learn from {are} too few: models need hundreds")
    if isinstance(config, PictureDataConfig) and _are_flat(samples):
        notes.append("each picture is of a single colour, from which nothing is learned: are they the right ones?")
    return tuple(notes)


def _describe_copies(config: DataConfig, data: Path) -> tuple[str, ...]:
    """Return a note on files that are equal byte for byte."""
    if not isinstance(config, PictureDataConfig):
        return ()
    groups = find_equal_files([data / path for path in find_pictures(data).pictures])
    if not groups:
        return ()
    count = sum(len(group) - 1 for group in groups)
    example = " and ".join(path.relative_to(data).as_posix() for path in groups[0][:2])
    return (
        f"{count_of(count, 'file')} of these data {'is a copy' if count == 1 else 'are copies'} of another, such as "
        f"{example}: where one is held out and the other learned from, metrics are too good",
    )


def _are_flat(samples: Samples[Any]) -> bool:
    """Return whether the first samples show nothing: each of their pictures is of one colour."""
    first = [samples.sample(index, derive_seed(index)) for index in range(min(len(samples), LOOKED_AT))]
    images = [sample.target if isinstance(sample, Paired) else sample[0] for sample in first]
    return all(float(image.float().std(dim=(1, 2)).max()) < FLAT for image in images)


def _collect_facts(data: OpenedData[Any], world: World, init_from: str | None) -> dict[str, Any]:
    return {
        "data_fingerprint": data.fingerprint,
        "training_samples": len(data.training),
        "validation_samples": len(data.validation),
        "processes": world.size,
        "init_from": None if init_from is None else file_digest(model_path(init_from)),
        "translate": __version__,
        **describe_machine(world.device),
    }


def _check_facts(facts: dict[str, Any], recorded: dict[str, Any], out: Path) -> None:
    for name in ("data_fingerprint", "training_samples", "processes", "init_from"):
        if facts[name] != recorded.get(name):
            error = DataError if name.startswith(("data", "training")) else ResumeError
            change = CHANGED[name].format(before=recorded.get(name), now=facts[name])
            raise error(f"{out}: {change}; use the same again, or choose another `out`")


def _resolve_numerics(experiment: Experiment, samples: Samples[Any], world: World) -> tuple[Experiment, Numerics]:
    """Decide what was left to `auto`, once: the run folder records it, and a resumed training uses it again."""
    asked = experiment.training
    numerics = resolve_numerics(
        world.device, training=True, precision=asked.precision, layout=asked.layout, threads=asked.threads
    )
    if asked.layout == "auto":
        numerics = replace(numerics, layout=choose_layout(experiment, samples, numerics, world))
    decided = {"precision": numerics.precision, "layout": numerics.layout, "threads": numerics.threads}
    return experiment.model_copy(update={"training": asked.model_copy(update=decided)}), numerics


def _resolve_degradation(experiment: Experiment, samples: Samples[Any], world: World) -> Experiment:
    """Decide where pictures are degraded, once, like the numerics.

    On a GPU it is measured: the way by which batches arrive sooner is taken, whether or not the steps would wait.

    Raises:
        UserError: The device is asked for, and the threads have to do it.
    """
    config, undegraded = experiment.training, samples.without_degradation()
    place = config.degrade_on
    if undegraded is None and place == "device":
        raise UserError("training.degrade_on is device, but only threads can prepare these data; set it to threads")
    if place == "auto" and undegraded is not None and world.device.type != "cpu":
        order = plan_order(samples, config, world)
        seconds: dict[DegradeOn, float] = {}
        # Twice, because the first time pictures are decoded, which are then cached for both ways.
        for _ in range(2):
            seconds["threads"] = seconds_per_step(samples, order, config.workers, world.device)
            seconds["device"] = seconds_per_step(undegraded, order, config.workers, world.device)
        place = world.gather(min(seconds, key=seconds.__getitem__))[0]  # what process 0 measured
    decided = {"degrade_on": "threads" if place == "auto" else place}
    return experiment.model_copy(update={"training": config.model_copy(update=decided)})
