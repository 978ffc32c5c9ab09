"""A training from its first step, or from where it stopped, to its last."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from datasets.contract import OpenedData, derive_seed
from datasets.errors import DataError, UserError
from models.contract import due
from translate import __version__
from translate.experiment import Experiment
from translate.files import file_digest
from translate.hardware import Numerics, choose_device, choose_numerics, describe_machine
from translate.inference.model_file import Card, model_path, read_card, save_model
from translate.run_folder import ResumeError, RunFolder, same_run
from translate.training.batches import Order, load_batches
from translate.training.health import Health
from translate.training.processes import World, join_world, share_batch_norm
from translate.training.progress import Interval, Progress
from translate.training.record import Record
from translate.training.trainer import Trainer
from translate.training.validation import validate, write_previews
from translate.training.warm_start import warm_start

PREVIEWS = 4  # strips in a sample picture
PANEL = 8  # held-out samples by which health is judged
PATIENCE = 10  # failing steps in a row before the training returns to its last good state
ROLLBACKS = 3  # returns to one and the same state before it is given up


class DivergedError(UserError):
    """Losses stayed infinite or no numbers, also after returning to the last good state."""

    exit_code: ClassVar[int] = 8


class Training:
    """One training: opened on a folder of data and a folder of its own, then run."""

    def __init__(
        self, experiment: Experiment, data: Path, out: Path, *, device: str = "auto", init_from: str | None = None
    ) -> None:
        """Open everything, and resume what `out` holds.

        Raises:
            DataError: The data cannot be used.
            ResumeError: `out` holds another run.
            UserError: Something else that a person can fix.
        """
        self.world = join_world(choose_device(device))
        self.folder = RunFolder(out)
        self.resumed = self.folder.holds_run
        self.folder.refuse_foreign()
        if data.resolve() == out.resolve() or data.resolve() in out.resolve().parents:
            raise UserError(f"{out}: lies in the folder that is learned from; choose an --out outside {data}")
        if not self.resumed and self.folder.last.is_file() and read_card(self.folder.last).step > 0:
            raise ResumeError(
                f"{out}: holds a trained model, but no state.pt to go on from; choose another --out, and --init-from "
                f"{self.folder.last} to start from what was learned"
            )
        self.data: OpenedData = experiment.data.open(data)
        experiment = experiment.on(self.data)
        self.facts = self._facts(init_from)
        if self.resumed:
            recorded, recorded_facts = self.folder.read_config()
            experiment = same_run(experiment, recorded, out)
            _check_facts(self.facts, recorded_facts, out)
        self.experiment, self.numerics = _resolved(experiment, self.world)
        left_out = self.data.skipped
        self.notes = [f"{len(left_out)} pictures left out: {'; '.join(left_out[:3])}"] if left_out else []
        self.best: dict[str, Any] = {"metric": None, "step": None, "stage": 0}
        self.metrics: dict[str, float] = {}
        self.trainer = self._build(init_from)
        self.health = Health(self.trainer.recipe.hints)
        self._returned: list[int] = []  # the steps to which the training returned
        if self.resumed:
            self._restore()
            self.notes.append(f"resumed at step {self.trainer.step}")

    def run(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Progress]:
        """Train; yield after every step. Ends, saved, when the steps are done, the time is up or `stop` says so.

        Raises:
            DivergedError: Its losses are no numbers any more, whatever was tried; the last good state is kept.
            UserError: The disk is full, or data vanished; the last saved state is kept.
        """
        try:
            yield from self._run(stop)
            self.world.wait()  # nobody leaves while another still writes
        finally:
            self.folder.release()

    def _run(self, stop: Callable[[], bool]) -> Iterator[Progress]:
        config, trainer = self.experiment.training, self.trainer
        self._begin()
        yield Progress(
            trainer.step, config.steps, metrics=None if self.resumed else self.metrics or None, notes=tuple(self.notes)
        )
        began = saved = time.monotonic()
        interval, batches = Interval(), self._batches()
        images = config.batch_size * config.accumulate * self.world.size
        stopped = None
        while trainer.step < config.steps and stopped is None:
            asked = time.monotonic()
            try:
                batch = next(batches)
            except UserError:
                # Data vanished; what was learned need not. Of several processes the others know nothing of it.
                if self.world.size == 1:
                    self.save()
                raise
            waited = time.monotonic() - asked
            interval.add(trainer.advance(batch), waited)
            if trainer.failing >= PATIENCE:
                batches.close()
                yield Progress(trainer.step, config.steps, notes=(self._roll_back(),))
                interval, batches = Interval(), self._batches()
                continue
            progress = self._report(interval, images)
            if progress.losses is not None:
                interval = Interval()
            stopped = self._reason_to_stop(stop, began)
            overdue = time.monotonic() - saved > 60 * config.checkpoint_minutes
            # A state whose next step fails is not a good one to return to.
            if self.world.any(overdue) and not trainer.failing:
                self.save()
                saved = time.monotonic()
            yield Progress(**{**progress.__dict__, "stopped": stopped})
        batches.close()
        self.save()
        self.record.close()

    def save(self) -> None:
        """Write the model and all that resuming needs; the state last, since it is what counts."""
        state = self.trainer.state_dict()  # by all, since each process has a part in it
        if self.world.is_main:
            save_model(self.folder.last, self.trainer.shipped, self._card())
            self.folder.write_state({**state, "best": self.best, "metrics": self.metrics})
            self.record.report()
        self.world.wait()

    def _build(self, init_from: str | None) -> Trainer[Any]:
        torch.manual_seed(derive_seed(self.experiment.training.seed))
        recipe = self.experiment.model.recipe()
        if init_from is not None and not self.resumed:
            self.notes.append(warm_start(recipe, init_from))
        share_batch_norm(recipe, self.world)
        return Trainer(recipe, self.experiment.training, self.numerics, self.world)

    def _begin(self) -> None:
        """Open the record; show, judge and save where a new training starts from."""
        if self.world.is_main:
            self.folder.prepare()
            # Also of a run that was killed before its first checkpoint, which starts anew.
            self.folder.forget_after(self.trainer.step if self.resumed else -1)
            self.folder.write_config(self.experiment, self.facts)
        resumed_at = self.trainer.step if self.resumed else None
        self.record = Record(self.folder, is_main=self.world.is_main, resumed_at=resumed_at)
        if not self.resumed:
            self._sample()
            self._validate()
            self.save()

    def _restore(self) -> None:
        state = self.folder.read_state(self.world.device)
        self.best, self.metrics = state.pop("best"), state.pop("metrics")
        self.trainer.load_state_dict(state)

    def _roll_back(self) -> str:
        """Return to the last good state with other draws; say so."""
        failed, rollbacks = self.trainer.step, self.trainer.rollbacks
        self._restore()
        self.world.wait()  # until every process has read the state
        if self.world.is_main:
            self.folder.forget_after(self.trainer.step)
        self.trainer.rollbacks = rollbacks + 1
        self._returned.append(self.trainer.step)
        if self._returned.count(self.trainer.step) > ROLLBACKS:
            raise DivergedError(
                f"losses are no numbers from step {failed} on, whatever is drawn; {self.folder.path} keeps step "
                f"{self.trainer.step}; lower the learning rates (model.generator_adam.lr) or set training.clip_norm"
            )
        sentence = (
            f"losses were no numbers for {PATIENCE} steps up to {failed}: back to step {self.trainer.step}, other draws"
        )
        self.record.sentences(self.trainer.step, [sentence])
        return sentence

    def _batches(self) -> Any:
        config = self.experiment.training
        order = Order(
            len(self.data.training),
            config.seed,
            self.trainer.rollbacks,
            config.batch_size,
            config.accumulate,
            self.world.rank,
            self.world.size,
        )
        pin = self.world.device.type == "cuda"
        return load_batches(self.data.training, order, self.trainer.step, config.workers, pin=pin)

    def _report(self, interval: Interval, images: int) -> Progress:
        """Write down whatever is due after this step."""
        config, step = self.experiment.training, self.trainer.step
        last = step == config.steps
        losses = figures = None
        notes: list[str] = []
        share = interval.waited / interval.elapsed
        if due(step, config.log_every) or last:
            losses = interval.means(self.world)
            facts = {"images_per_second": round(images * interval.steps / interval.elapsed, 3)}
            self.record.losses(step, losses, {**facts, "waited": round(share, 4), "skipped": self.trainer.skipped})
            notes += self.health.after_losses(losses)
        if due(step, config.sample_every) or last:
            self._sample()
        if due(step, config.validate_every) or last:
            figures, more = self._validate()
            notes += more
        self.record.sentences(step, notes)
        return Progress(step, config.steps, images, losses, figures, share, tuple(notes))

    def _reason_to_stop(self, stop: Callable[[], bool], began: float) -> str | None:
        limit = self.experiment.training.max_minutes
        if self.world.any(stop()):
            return "interrupted"
        if limit is not None and self.world.any(time.monotonic() - began > 60 * limit):
            return f"the {limit:g} minutes are over"
        return None

    def _validate(self) -> tuple[dict[str, float] | None, list[str]]:
        recipe, model, samples = self.trainer.recipe, self.trainer.shipped, self.data.validation
        if not len(samples):
            return None, []
        self.metrics = validate(recipe, model, samples, self.experiment.training.validation_limit, self.world)
        self.record.metrics(self.trainer.step, self.metrics)
        figure, best = self.metrics[recipe.best_metric], self.best["metric"]
        stage = recipe.stage(max(self.trainer.step - 1, 0))  # the one that the last step belonged to
        if best is None or stage != self.best["stage"] or (figure > best if recipe.higher_is_better else figure < best):
            self.best = {"metric": figure, "step": self.trainer.step, "stage": stage}
            if self.world.is_main:
                save_model(self.folder.best, model, self._card())
        return self.metrics, self.health.after_validation(write_previews(recipe, model, samples, PANEL, self.world))

    def _sample(self) -> None:
        samples = self.data.validation if len(self.data.validation) else self.data.training
        shown = write_previews(self.trainer.recipe, self.trainer.shipped, samples, PREVIEWS, self.world)
        strips = [one.strips() for one in shown]
        widest = max(strip.shape[-1] for strip in strips)  # what has no source or truth is narrower
        padded = [F.pad(strip, (0, widest - strip.shape[-1]), value=1.0) for strip in strips]
        self.record.sample(self.trainer.step, torch.cat(padded).cpu())

    def _card(self) -> Card:
        return Card(
            experiment=self.experiment,
            step=self.trainer.step,
            domains=self.trainer.recipe.model.domains,
            trained_size=self.experiment.data.size,
            metrics=self.metrics,
            data_fingerprint=self.data.fingerprint,
            data_samples=len(self.data.training),
            written_by=f"translate {__version__}",
        )

    def _facts(self, init_from: str | None) -> dict[str, Any]:
        return {
            "data_fingerprint": self.data.fingerprint,
            "training_samples": len(self.data.training),
            "validation_samples": len(self.data.validation),
            "processes": self.world.size,
            "init_from": None if init_from is None else file_digest(model_path(init_from)),
            "translate": __version__,
            **describe_machine(self.world.device),
        }


def _check_facts(facts: dict[str, Any], recorded: dict[str, Any], out: Path) -> None:
    for name in ("data_fingerprint", "training_samples", "processes", "init_from"):
        if facts[name] != recorded.get(name):
            error = DataError if name.startswith(("data", "training")) else ResumeError
            raise error(
                f"{out}: was trained with {name}={recorded.get(name)}, and now it is {facts[name]}"
                + (" (its pictures were changed, added or removed)" if error is DataError else "")
                + "; give it what it had, or choose another --out"
            )


def _resolved(experiment: Experiment, world: World) -> tuple[Experiment, Numerics]:
    """The experiment with nothing left to `auto`: decided once, recorded, and used again on resuming."""
    asked = experiment.training
    numerics = choose_numerics(
        world.device, training=True, precision=asked.precision, layout=asked.layout, threads=asked.threads
    )
    decided = {"precision": numerics.precision, "layout": numerics.layout, "threads": numerics.threads}
    return experiment.model_copy(update={"training": asked.model_copy(update=decided)}), numerics


def opened_summary(opened: OpenedData) -> str:
    """What was found, in words."""
    return f"{len(opened.training)} to learn from, {len(opened.validation)} held out"
