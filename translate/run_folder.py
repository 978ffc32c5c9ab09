"""A training's folder: what it was asked to do, where it stands, and everything it has to show."""

import json
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, ClassVar

import numpy as np
import torch
import yaml
from filelock import FileLock, Timeout
from torch import Tensor

from datasets.codecs.images import Picture, write_picture
from datasets.errors import UserError
from datasets.pixels import to_pixels
from models.contract import Recipe
from translate.experiment import MAY_CHANGE, Experiment, parse_experiment
from translate.files import replace_file, write_text
from translate.migrations import FORMAT, NewerFormatError, migrate_config, migrate_state


class ResumeError(UserError):
    """A run folder holds another run than the one asked for."""

    exit_code: ClassVar[int] = 2


class RunFolder:
    """The files of one training; each is replaced in one piece, and the same command resumes from them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.last = path / "last.safetensors"
        self.best = path / "best.safetensors"
        self.state = path / "state.pt"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples"
        self.curves = path / "tensorboard"
        self._lock = FileLock(path / ".lock")

    @property
    def holds_run(self) -> bool:
        """Whether a training was begun here and got as far as its first checkpoint."""
        return self.config.is_file() and self.state.is_file()

    def refuse_foreign(self) -> None:
        """Check that nobody else's files are in the way.

        Raises:
            UserError: The folder holds other things than a run, or is a file.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path}: is a file; choose another --out")
        held = [path for path in self.path.iterdir() if not path.name.startswith(".")] if self.path.is_dir() else []
        if held and self.config not in held:
            raise UserError(f"{self.path}: is not empty and holds no run; choose another --out")

    def prepare(self) -> None:
        """Make the folder, and keep other trainings out of it until `release`.

        Raises:
            UserError: It cannot be made, or another training is at work in it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"{self.path}: another training is at work in it; wait, or choose another --out") from None
        except OSError as error:
            raise UserError(f"{self.path}: cannot be made: {error.strerror}") from None

    def release(self) -> None:
        """Let others in; the system does so itself for a process that is killed."""
        self._lock.release()

    def write_config(self, experiment: Experiment, facts: Mapping[str, Any]) -> None:
        """Write what the run is, with nothing left to `auto`, and what it runs on."""
        tree = {"format": FORMAT, **experiment.model_dump(mode="json"), "facts": dict(facts)}
        write_text(self.config, yaml.safe_dump(tree, sort_keys=False))

    def read_config(self) -> tuple[Experiment, dict[str, Any]]:
        """What `write_config` wrote."""
        try:
            tree = migrate_config(yaml.safe_load(self.config.read_text(encoding="utf-8")))
            facts = tree.pop("facts")
        except NewerFormatError as error:
            raise ResumeError(f"{self.config}: {error}") from None
        except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
            raise ResumeError(f"{self.config}: cannot be read: {' '.join(str(error).split())}") from None
        return parse_experiment(tree, str(self.config)), facts

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Write all that a resumed training needs."""
        with replace_file(self.state) as partial:
            torch.save({"format": FORMAT, **state}, partial)

    def read_state(self, device: torch.device) -> dict[str, Any]:
        """What `write_state` wrote."""
        try:
            state = migrate_state(torch.load(self.state, map_location=device, weights_only=True))
        except NewerFormatError as error:
            raise ResumeError(f"{self.state}: {error}") from None
        except (RuntimeError, OSError, EOFError, ValueError, KeyError, TypeError, UnpicklingError):
            raise ResumeError(
                f"{self.state}: is damaged and cannot be read; choose another --out, and --init-from {self.last} to "
                "start from what was learned"
            ) from None
        return state

    def read_recipe(self, experiment: Experiment) -> Recipe[Any, Any]:
        """The recipe as it was at the last step: opponents and all, which no model file holds."""
        recipe: Recipe[Any, Any] = experiment.model.recipe()
        state = self.read_state(torch.device("cpu"))
        recipe.load_state_dict(state["recipe"] | state["own"][0])
        return recipe

    def forget_after(self, step: int) -> None:
        """Cut metrics and samples that a killed process left beyond its last saved step."""
        if self.metrics.is_file():
            lines = self.metrics.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if _step_of(line) is not None and (_step_of(line) or 0) <= step]
            write_text(self.metrics, "".join(f"{line}\n" for line in kept))
        for sample in self.samples.glob("step_*.png"):
            if int(sample.stem.removeprefix("step_")) > step:
                sample.unlink()
        for leftover in self.path.rglob(".*.partial"):
            leftover.unlink()

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl."""
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, allow_nan=False) + "\n")
        except OSError as error:
            raise UserError(f"{self.metrics}: cannot be written: {error.strerror}") from None

    def write_sample(self, step: int, strips: Tensor) -> None:
        """Write (B, 3, H, W) preview strips, one below the other."""
        self.samples.mkdir(exist_ok=True)
        pixels = np.concatenate([to_pixels(strip, 8) for strip in strips], axis=0)
        write_picture(Picture(pixels), self.samples / f"step_{step:07d}.png")


def same_run(asked: Experiment, recorded: Experiment, path: Path) -> Experiment:
    """The experiment that continues the recorded one, with what may change taken from the one asked for.

    Raises:
        ResumeError: Something differs that would make it another run; it names both values.
    """
    new, old = _flat(asked.model_dump(mode="json")), _flat(recorded.model_dump(mode="json"))
    free = {f"training.{name}" for name in MAY_CHANGE}
    for key in sorted((new.keys() | old.keys()) - free):
        if new.get(key) != old.get(key) and new.get(key) != "auto":
            raise ResumeError(
                f"{path}: holds a run with {key}={old.get(key)}, and {new.get(key)} was asked for; "
                "ask for the same, or choose another --out"
            )
    changed = {name: value for name, value in asked.training.model_dump().items() if name in MAY_CHANGE}
    return recorded.model_copy(update={"training": recorded.training.model_copy(update=changed)})


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _step_of(line: str) -> int | None:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return None  # the last line of a process that was killed while it wrote
