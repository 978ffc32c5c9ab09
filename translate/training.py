"""A training from its first step, or from where it stopped, to its last."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from datasets.contract import Opened, Samples, seed_of, stack, to_device
from datasets.errors import DataError
from models.contract import due
from translate import __version__
from translate.distributed import World, join_world, leave_world, share_batch_norm
from translate.experiment import Experiment
from translate.feed import Order, feed
from translate.files import digest_of
from translate.hardware import Numerics, choose_device, choose_numerics, describe_machine
from translate.model import Card, model_path, save_model, start_from
from translate.run_folder import ResumeError, RunFolder, same_run
from translate.trainer import Trainer

PREVIEWS = 4  # strips in a sample picture


@dataclass(frozen=True)
class Progress:
    """What a training tells after a step; `losses` and `figures` are there when they were computed.

    Attributes:
        waited: Share of the time since the last report that was spent waiting for pictures.
        notes: Sentences for a person.
    """

    step: int
    steps: int
    images: int = 0  # seen in this step, by all processes
    losses: dict[str, float] | None = None
    figures: dict[str, float] | None = None
    waited: float = 0.0
    notes: tuple[str, ...] = ()
    stopped: str | None = None  # why it ended early, if it did


@dataclass
class _Interval:
    """What has been added up since the last line of metrics."""

    losses: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0
    waited: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def add(self, report: dict[str, Tensor], waited: float) -> None:
        for name, value in report.items():
            self.losses[name] = self.losses[name] + value if name in self.losses else value
        self.steps += 1
        self.waited += waited

    def means(self, world: World) -> dict[str, float]:
        sums = torch.stack([*self.losses.values()]).clone()
        world.average([sums])
        return {name: round(value / self.steps, 6) for name, value in zip(self.losses, sums.tolist(), strict=True)}


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
        if self.resumed:
            recorded, self.facts = self.folder.read_config()
            experiment = same_run(experiment, recorded, out)
        self.data = experiment.data.open(data)
        facts = self._facts(init_from)
        if self.resumed:
            self._check_facts(facts)
        else:
            self.facts = facts
        self.experiment, self.numerics = _resolved(experiment, self.world)
        self.notes = [f"{len(self.data.skipped)} pictures left out: {'; '.join(self.data.skipped[:3])}"] * bool(
            self.data.skipped
        )
        self.best: dict[str, Any] = {"figure": None, "step": None}
        self.figures: dict[str, float] = {}
        self.trainer = self._build(init_from)
        if self.resumed:
            self._restore()

    def run(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Progress]:
        """Train; yield after every step. Ends, saved, when the steps are done, the time is up or `stop` says so."""
        try:
            yield from self._run(stop)
        finally:
            leave_world()

    def _run(self, stop: Callable[[], bool]) -> Iterator[Progress]:
        config, trainer = self.experiment.training, self.trainer
        writer = self._begin()
        yield Progress(trainer.step, config.steps, figures=self.figures or None, notes=tuple(self.notes))
        began = saved = time.monotonic()
        interval = _Interval()
        order = self._order()
        pin = self.world.device.type == "cuda"
        batches = feed(self.data.training, order, trainer.step, config.workers, pin=pin)
        images = config.batch_size * config.accumulate * self.world.size
        stopped = None
        while trainer.step < config.steps and stopped is None:
            asked = time.monotonic()
            batch = next(batches)
            waited = time.monotonic() - asked
            interval.add(trainer.advance(batch), waited)
            last = trainer.step == config.steps
            losses = figures = None
            share = interval.waited / max(time.monotonic() - interval.began, 1e-9)
            if due(trainer.step, config.log_every) or last:
                losses = interval.means(self.world)
                self._log(writer, losses, images * interval.steps / (time.monotonic() - interval.began), share)
                interval = _Interval()
            if due(trainer.step, config.sample_every) or last:
                self._sample(writer)
            if due(trainer.step, config.validate_every) or last:
                figures = self._validate(writer)
            out_of_time = config.max_minutes is not None and time.monotonic() - began > 60 * config.max_minutes
            if self.world.any(stop()):
                stopped = "interrupted"
            elif self.world.any(out_of_time):
                stopped = f"the {config.max_minutes:g} minutes are over"
            if self.world.any(time.monotonic() - saved > 60 * config.checkpoint_minutes):
                self.save()
                saved = time.monotonic()
            yield Progress(trainer.step, config.steps, images, losses, figures, share, stopped=stopped)
        batches.close()
        self.save()
        if writer is not None:
            writer.close()

    def save(self) -> None:
        """Write the model and all that resuming needs; the state last, since it is what counts."""
        self.world.wait()
        if self.world.leads:
            save_model(self.folder.last, self.trainer.shipped, self._card())
            self.folder.write_state({**self.trainer.state_dict(), "best": self.best, "figures": self.figures})
        self.world.wait()

    def _build(self, init_from: str | None) -> Trainer[Any]:
        torch.manual_seed(seed_of(self.experiment.training.seed))
        recipe = self.experiment.model.recipe()
        if init_from is not None and not self.resumed:
            self.notes.append(start_from(recipe.model, model_path(init_from)))
        share_batch_norm(recipe, self.world)
        return Trainer(recipe, self.experiment.training, self.numerics, self.world)

    def _restore(self) -> None:
        state = self.folder.read_state(self.world.device)
        self.best, self.figures = state.pop("best"), state.pop("figures")
        self.trainer.load_state_dict(state)
        if self.world.leads:
            self.folder.forget_after(self.trainer.step)
        self.notes.append(f"resumed at step {self.trainer.step}")

    def _begin(self) -> SummaryWriter | None:
        """Open the curves; show and save where a new training starts from."""
        if self.world.leads:
            self.folder.prepare()
            self.folder.write_config(self.experiment, self.facts)
        writer = None
        if self.world.leads:
            writer = SummaryWriter(self.folder.curves, purge_step=self.trainer.step + 1 if self.resumed else None)
        if not self.resumed:
            self._sample(writer)
            self._validate(writer)
            self.save()
        return writer

    def _order(self) -> Order:
        config = self.experiment.training
        return Order(
            len(self.data.training),
            config.seed,
            self.trainer.rollbacks,
            config.batch_size,
            config.accumulate,
            self.world.rank,
            self.world.size,
        )

    def _log(self, writer: SummaryWriter | None, losses: dict[str, float], speed: float, waited: float) -> None:
        if writer is None:
            return
        record = {"step": self.trainer.step, "losses": losses, "images_per_second": round(speed, 3)}
        skipped = {"skipped": self.trainer.skipped} if self.trainer.skipped else {}
        self.folder.append_metrics({**record, "waited": round(waited, 4), **skipped})
        for name, value in losses.items():
            writer.add_scalar(name, value, self.trainer.step)

    def _validate(self, writer: SummaryWriter | None) -> dict[str, float]:
        """Figures of the shipped model on the pictures held out, each process judging its share of them."""
        count = min(len(self.data.validation), self.experiment.training.validation_limit)
        if not count:
            return {}
        sums: Tensor | None = None
        names: list[str] = []
        for index in range(self.world.rank, count, self.world.size):
            batch = self._on_device(self.data.validation, [index])
            figures = self.trainer.recipe.validate(self.trainer.shipped, batch)
            names = list(figures)
            values = torch.stack([value.double().sum() for value in figures.values()])
            sums = values if sums is None else sums + values
        if self.world.size > 1 and sums is None:  # fewer pictures than processes
            probe = self.trainer.recipe.validate(self.trainer.shipped, self._on_device(self.data.validation, [0]))
            names, sums = list(probe), torch.zeros(len(probe), dtype=torch.double, device=self.world.device)
        assert sums is not None
        means = self.world.total(sums) / count
        self.figures = {name: round(value, 6) for name, value in zip(names, means.tolist(), strict=True)}
        self._keep_best()
        if writer is not None:
            self.folder.append_metrics({"step": self.trainer.step, "figures": self.figures})
            for name, value in self.figures.items():
                writer.add_scalar(f"validation/{name}", value, self.trainer.step)
        return self.figures

    def _keep_best(self) -> None:
        recipe = self.trainer.recipe
        figure, best = self.figures[recipe.figure], self.best["figure"]
        if best is None or (figure > best if recipe.figure_rises else figure < best):
            self.best = {"figure": figure, "step": self.trainer.step}
            if self.world.leads:
                save_model(self.folder.best, self.trainer.shipped, self._card())

    def _sample(self, writer: SummaryWriter | None) -> None:
        if writer is None:
            return
        samples = self.data.validation if len(self.data.validation) else self.data.training
        batch = self._on_device(samples, range(min(PREVIEWS, len(samples))))
        strips = self.trainer.recipe.preview(self.trainer.shipped, batch).cpu()
        self.folder.write_sample(self.trainer.step, strips)
        writer.add_image("samples", (torch.cat([*strips], dim=1) + 1) / 2, self.trainer.step)

    def _on_device(self, samples: Samples[Any], indices: Any) -> Any:
        return to_device(stack([samples.sample(index, seed_of(index)) for index in indices]), self.world.device)

    def _card(self) -> Card:
        return Card(
            experiment=self.experiment,
            step=self.trainer.step,
            domains=self.trainer.recipe.model.domains,
            trained_size=self.experiment.data.crop.size,
            figures=self.figures,
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
            "init_from": None if init_from is None else digest_of(model_path(init_from)),
            "translate": __version__,
            **describe_machine(self.world.device),
        }

    def _check_facts(self, facts: dict[str, Any]) -> None:
        for name in ("data_fingerprint", "training_samples", "processes", "init_from"):
            if facts[name] != self.facts.get(name):
                error = DataError if name.startswith(("data", "training")) else ResumeError
                raise error(
                    f"{self.folder.path}: was trained with {name}={self.facts.get(name)}, and now it is {facts[name]}; "
                    "give it what it had, or choose another --out"
                )


def _resolved(experiment: Experiment, world: World) -> tuple[Experiment, Numerics]:
    """The experiment with nothing left to `auto`: decided once, recorded, and used again on resuming."""
    asked = experiment.training
    numerics = choose_numerics(
        world.device, training=True, precision=asked.precision, layout=asked.layout, threads=asked.threads
    )
    decided = {"precision": numerics.precision, "layout": numerics.layout, "threads": numerics.threads}
    return experiment.model_copy(update={"training": asked.model_copy(update=decided)}), numerics


def opened_summary(opened: Opened) -> str:
    """What was found, in words."""
    return f"{len(opened.training)} to learn from, {len(opened.validation)} held out"
