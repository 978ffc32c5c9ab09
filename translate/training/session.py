"""A training, from its first step or from where it stopped, to its last."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from datasets.errors import UserError
from models.contract import due
from translate.experiment import Experiment
from translate.hardware import run_within
from translate.training.batches import load_batches, plan_order
from translate.training.checkpoints import PATIENCE, Checkpoints
from translate.training.health import Health
from translate.training.opening import build_trainer, explain_damage, prepare
from translate.training.progress import Interval, Progress, Record
from translate.training.validation import describe_columns, make_previews, validate

SAMPLE_STRIPS = 4  # in a sample picture; chosen by eye: at 256 pixels they fit a screen
HEALTH_SAMPLES = 8  # held-out samples for the health check: costs little beside a validation of 100

Stop = Callable[[], bool]


def never() -> bool:
    """Let a training run to its end."""
    return False


def train(
    experiment: Experiment,
    data: Path | str,
    out: Path | str,
    *,
    device: str = "auto",
    init_from: str | None = None,
    stop: Stop = never,
) -> Iterator[Progress]:
    """Train on the folder `data`, or continue the training in the run folder `out`; yield after every step.

    Args:
        experiment: What to learn, and how long; see `load_experiment`.
        data: Folder of training data, of the layout that `experiment.data` asks for.
        out: The run folder: a new one, or one of the same experiment and data, which is resumed.
        device: "auto", "cpu", "cuda", "cuda:1", "xpu" or "mps".
        init_from: Model file or run folder whose weights a new training starts from, as far as they fit.
        stop: Asked after every step; once it returns True, the training is saved and ends.

    Raises:
        DataError: The data cannot be used.
        ResumeError: `out` holds another run.
        DivergedError: Losses stay infinite or NaN; the last good state is kept.
        UserError: Something else that the user can fix.
    """
    return Training(experiment, Path(data), Path(out), device=device, init_from=init_from).run(stop)


class Training:
    """One training on a folder of data, in a run folder; `run` carries it out.

    Attributes:
        setup: What was decided before the first step.
        trainer: The recipe, its optimizers, and the step that moves them.
        checkpoints: What is saved, and the last validation.
    """

    def __init__(
        self, experiment: Experiment, data: Path, out: Path, *, device: str = "auto", init_from: str | None = None
    ) -> None:
        """Read the data and the run folder, and restore the state that the run folder holds; write nothing.

        Raises:
            DataError: The data cannot be used.
            ResumeError: `out` holds another run.
            UserError: Something else that the user can fix.
        """
        with explain_damage(experiment.data):
            self.setup = prepare(experiment, data, out, device=device, init_from=init_from)
        self.trainer, notes = build_trainer(self.setup, init_from)
        self.checkpoints = Checkpoints(self.setup, self.trainer)
        if self.setup.resumed:
            self.checkpoints.restore()
            notes.append(f"resumed at step {self.trainer.step}")
        self._notes = (*self.setup.notes, *notes)
        self._health = Health(self.trainer.recipe.hints)
        self._record = Record(self.setup.folder, self.setup.world)

    @property
    def summary(self) -> str:
        """How many samples there are, for people."""
        data = self.setup.data
        return f"{len(data.training)} to learn from, {len(data.validation)} held out"

    def run(self, stop: Stop = never) -> Generator[Progress, None, None]:
        """Train; yield after every step. End, saved, when all steps are taken, time is up or `stop()` is true.

        Raises:
            DivergedError: Losses stay infinite or NaN; the last good state is kept.
            UserError: The disk is full, or data vanished; the last saved state is kept.
        """
        return run_within(self.setup.computing, self._run(stop))

    def save(self) -> None:
        """Write all files of the run folder as of now; every process must call it."""
        self.checkpoints.save()
        self._record.write_report()
        self.setup.world.wait()

    def _run(self, stop: Stop) -> Generator[Progress, None, None]:
        try:
            with explain_damage(self.setup.experiment.data):
                yield from self._steps(stop)
            self.setup.world.wait()  # no process leaves while another still writes
        finally:
            self.setup.folder.release()

    def _steps(self, stop: Stop) -> Iterator[Progress]:
        config, trainer = self.setup.experiment.training, self.trainer
        yield self._begin()
        began = saved = time.monotonic()
        interval, batches = Interval(), self._load_batches()
        stopped = None
        while trainer.step < config.steps and stopped is None:
            batch, waited = self._next_batch(batches)
            interval.add(trainer.advance(batch), waited)
            if trainer.failing >= PATIENCE:
                batches.close()
                yield Progress(trainer.step, config.steps, notes=(self._roll_back(),))
                interval, batches = Interval(), self._load_batches()
                continue
            progress = self._report(interval)
            if progress.losses is not None:
                interval = Interval()
            now, limit = time.monotonic(), config.max_minutes or math.inf
            out_of_time = now - began > 60 * limit
            overdue = now - saved > 60 * config.checkpoint_minutes
            interrupted, out_of_time, overdue = self.setup.world.any(stop(), out_of_time, overdue)
            if interrupted or out_of_time:
                stopped = "interrupted" if interrupted else f"the {limit:g} minutes are over"
            # While steps fail the state is not one to return to.
            if overdue and not trainer.failing:
                self.save()
                saved = time.monotonic()
            yield replace(progress, stopped=stopped)
        batches.close()
        self.save()
        self._record.close()

    def _begin(self) -> Progress:
        """Take possession of the run folder; of a new training, validate and save the start."""
        setup, step = self.setup, self.trainer.step
        if setup.world.is_main:
            setup.folder.acquire()
            # A run that was killed before its first checkpoint starts anew.
            setup.folder.discard_after(step if setup.resumed else -1)
            setup.folder.write_config(setup.experiment, setup.facts)
        self._record.open(step if setup.resumed else None)
        metrics = None
        if not setup.resumed:
            self._write_sample()
            metrics, _ = self._validate()
            self.save()
        return Progress(step, setup.experiment.training.steps, metrics=metrics, notes=self._notes)

    def _load_batches(self) -> Generator[list[Any], None, None]:
        config, world, samples = self.setup.experiment.training, self.setup.world, self.setup.training_samples
        order = plan_order(samples, config, world, self.trainer.rollbacks)
        return load_batches(samples, order, self.trainer.step, config.workers, world.device)

    def _next_batch(self, batches: Generator[list[Any], None, None]) -> tuple[list[Any], float]:
        """Return a step's micro-batches, and the seconds that reading them took."""
        asked = time.monotonic()
        try:
            batch = next(batches)
        except UserError:
            # Data vanished; what was learned is kept. With several processes it is not: the others know nothing of it.
            if self.setup.world.size == 1:
                self.save()
            raise
        return batch, time.monotonic() - asked

    def _roll_back(self) -> str:
        message = self.checkpoints.roll_back()
        self._record.write_messages(self.trainer.step, [message])
        return message

    def _report(self, interval: Interval) -> Progress:
        """Write down whatever is due after this step, and return it."""
        config, step, world = self.setup.experiment.training, self.trainer.step, self.setup.world
        last = step == config.steps
        images = config.batch_size * config.accumulate * world.size
        losses = metrics = None
        notes: list[str] = []
        waited = interval.waiting_fraction
        if due(step, config.log_every) or last:
            losses = interval.means(world)
            speed = round(images * interval.steps / interval.elapsed, 3)
            facts = {"images_per_second": speed, "waited": round(waited, 4), "skipped": self.trainer.skipped}
            self._record.write_losses(step, losses, facts)
            notes += self._health.after_losses(losses)
        if due(step, config.sample_every) or last:
            self._write_sample()
        if due(step, config.validate_every) or last:
            metrics, messages = self._validate()
            notes += messages
        self._record.write_messages(step, notes)
        return Progress(step, config.steps, images, losses, metrics, waited, tuple(notes))

    def _validate(self) -> tuple[dict[str, float] | None, list[str]]:
        """Return validation metrics, None if no samples are held out, and messages about the training's health."""
        recipe, model, samples = self.trainer.recipe, self.trainer.shipped, self.setup.data.validation
        if not len(samples):
            return None, []
        limit, world = self.setup.experiment.training.validation_limit, self.setup.world
        metrics = validate(recipe, model, samples, limit, world)
        self._record.write_metrics(self.trainer.step, metrics)
        self.checkpoints.record_validation(metrics)
        return metrics, self._health.after_validation(make_previews(recipe, model, samples, HEALTH_SAMPLES, world))

    def _write_sample(self) -> None:
        data = self.setup.data
        samples = data.validation if len(data.validation) else data.training
        previews = make_previews(self.trainer.recipe, self.trainer.shipped, samples, SAMPLE_STRIPS, self.setup.world)
        strips = [preview.strips() for preview in previews]
        width = max(strip.shape[-1] for strip in strips)  # a strip without a source or a target is narrower
        padded = [F.pad(strip, (0, width - strip.shape[-1]), value=1.0) for strip in strips]
        self._record.write_sample(self.trainer.step, torch.cat(padded).cpu(), describe_columns(previews))
