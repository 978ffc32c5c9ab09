"""The checkpoints of a training: save, restore, keep the best model, return to an earlier state after a failure."""

from typing import Any, ClassVar

import torch

from datasets.errors import UserError
from translate import __version__
from translate.inference.model_file import Card, save_model
from translate.training.opening import Setup
from translate.training.trainer import Trainer

PATIENCE = 10  # failing steps in a row before a rollback: an isolated overflow passes by itself; chosen, not measured
ROLLBACKS = 3  # to one and the same state before the training is given up: each draws anew; chosen, not measured


class DivergedError(UserError):
    """Losses stayed infinite or NaN, also after returning to the last good state."""

    exit_code: ClassVar[int] = 8


class Checkpoints:
    """Writes and reads the model files and the state of one training.

    Attributes:
        metrics: Of the last validation; empty before the first.
        best: Value of the recipe's best metric, step and stage of the best model; None before there is one.
    """

    def __init__(self, setup: Setup, trainer: Trainer[Any]) -> None:
        self.setup = setup
        self.trainer = trainer
        self.metrics: dict[str, float] = {}
        self.best: dict[str, Any] = {"metric": None, "step": None, "stage": 0}
        self._returns: list[int] = []  # the step of every rollback's state

    def save(self) -> None:
        """Write the last model and all that resuming needs; the state last, since it is what counts.

        Every process must call it, since each has a part in the state.
        """
        state = self.trainer.state_dict()
        if self.setup.world.is_main:
            save_model(self.setup.folder.last, self.trainer.shipped, self._card())
            self.setup.folder.write_state({**state, "best": self.best, "metrics": self.metrics})

    def restore(self) -> None:
        """Return to the state that was saved last."""
        state = self.setup.folder.read_state(torch.device("cpu"))  # a GPU may have no room for it beside the training
        self.best, self.metrics = state.pop("best"), state.pop("metrics")
        self.trainer.load_state_dict(state)

    def record_validation(self, metrics: dict[str, float]) -> None:
        """Keep the metrics of a validation, and the model as the best one if it is; each stage has its own best."""
        recipe, step = self.trainer.recipe, self.trainer.step
        self.metrics = metrics
        metric, best = metrics[recipe.best_metric], self.best["metric"]
        stage = recipe.stage(max(step - 1, 0))  # of the last step
        better = best is None or (metric > best if recipe.higher_is_better else metric < best)
        if better or stage != self.best["stage"]:
            self.best = {"metric": metric, "step": step, "stage": stage}
            if self.setup.world.is_main:
                save_model(self.setup.folder.best, self.trainer.shipped, self._card())

    def describe_best(self) -> str | None:
        """Return which model is the best one, in words; None if it is the last one, or there is none."""
        if self.best["step"] in (None, self.trainer.step):
            return None
        metric = f"{self.trainer.recipe.best_metric} {self.best['metric']:.4g}"
        if self.best["step"] == 0:
            return f"on held-out samples nothing was better than the start ({metric})"
        return f"the best model is of step {self.best['step']} ({metric}): `best` uses it"

    def roll_back(self) -> str:
        """Return to the last good state, to continue with other random numbers; return a message.

        Raises:
            DivergedError: It was tried often enough.
        """
        folder, failed, rollbacks = self.setup.folder, self.trainer.step, self.trainer.rollbacks
        self.restore()
        self.setup.world.wait()  # until every process has read the state
        step = self.trainer.step
        if self.setup.world.is_main:
            folder.discard_after(step)
        self.trainer.rollbacks = rollbacks + 1
        self._returns.append(step)
        if self._returns.count(step) > ROLLBACKS:
            raise DivergedError(
                f"losses are infinite or NaN from step {failed} on, whatever random numbers are drawn; {folder.path} "
                f"keeps step {step}; lower the learning rates (model.generator_adam.lr) or set training.clip_norm"
            )
        return (
            f"losses were infinite or NaN for {PATIENCE} steps up to {failed}: "
            f"back to step {step}, with other random numbers"
        )

    def _card(self) -> Card:
        experiment, data = self.setup.experiment, self.setup.data
        return Card(
            experiment=experiment,
            step=self.trainer.step,
            domains=self.trainer.recipe.model.domains,
            trained_size=experiment.data.training_size,
            metrics=self.metrics,
            data_fingerprint=data.fingerprint,
            data_samples=len(data.training),
            composed_on=self.setup.composed_on,
            written_by=f"translate {__version__}",
        )
