"""Run folders: the configuration, state, model files, metrics and sample pictures of one training."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import yaml
from filelock import FileLock, Timeout
from torch import Tensor

from datasets.codecs.images import Picture, write_picture
from datasets.errors import UserError
from datasets.pixels import to_pixels
from datasets.storage.atomic import remove_file
from models.contract import Recipe
from translate.experiment import RESUMABLE_CHANGES, Experiment, parse_experiment
from translate.files import parse_yaml, replace_file, write_text
from translate.hardware import keep_random_state, memory_ran_out
from translate.migrations import FORMAT, NewerFormatError, migrate_config, migrate_state


class ResumeError(UserError):
    """A run folder holds another run than the one that was asked for, or cannot be read."""

    exit_code: ClassVar[int] = 2


class RunFolder:
    """The files of one training. Each is replaced in a single step, and the same command resumes from them.

    Attributes:
        path: The folder.
        config: The experiment, with nothing left to `auto`, and facts about data and machine.
        last: Model file of the last checkpoint.
        best: Model file of the best validation.
        state: Everything else that a resumed training needs.
        metrics: Losses, validation metrics and messages, one JSON object a line.
        samples: Folder of sample pictures.
        curves: Folder of TensorBoard events.
    """

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
        """Whether a training got as far as its first checkpoint here."""
        return self.config.is_file() and self.state.is_file()

    def check_free(self) -> None:
        """Check that there is no folder yet, an empty one, or one of a run.

        Raises:
            UserError: There are other files in it, or it is a file itself.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path}: expected a run folder, found a file; choose another `out`")
        found = [path for path in self.path.iterdir() if not path.name.startswith(".")] if self.path.is_dir() else []
        if found and self.config not in found:
            raise UserError(f"{self.path}: is not empty and holds no run; choose another `out`")

    def acquire(self) -> None:
        """Create the folder, and lock other trainings out of it until `release`.

        Raises:
            UserError: It cannot be created, or another training is at work in it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"{self.path}: another training is at work in it; wait for it, or choose another `out`"
            ) from None
        except OSError as error:
            raise UserError(f"{self.path}: cannot be created: {error.strerror}") from None

    def release(self) -> None:
        """Unlock the folder; of a process that is killed the system does it."""
        self._lock.release()

    def write_config(self, experiment: Experiment, facts: Mapping[str, Any]) -> None:
        """Write the experiment, and facts about data and machine."""
        tree = {"format": FORMAT, **experiment.model_dump(mode="json"), "facts": dict(facts)}
        write_text(self.config, yaml.safe_dump(tree, sort_keys=False))

    def read_config(self) -> tuple[Experiment, dict[str, Any]]:
        """Return what `write_config` wrote.

        Raises:
            ResumeError: The file is damaged, or a newer version wrote it.
            UserError: A setting in it is not valid.
        """
        try:
            tree = migrate_config(parse_yaml(self.config.read_bytes()))
            facts = tree.pop("facts")
        except NewerFormatError as error:
            raise ResumeError(f"{self.config}: {error}") from None
        except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
            raise ResumeError(f"{self.config}: cannot be read: {' '.join(str(error).split())}") from None
        return parse_experiment(tree, str(self.config)), facts

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Write the state of a training."""
        with replace_file(self.state) as partial:
            torch.save({"format": FORMAT, **state}, partial)

    def read_state(self, device: torch.device) -> dict[str, Any]:
        """Return what `write_state` wrote, with tensors on `device`.

        Raises:
            ResumeError: The file is damaged, or a newer version wrote it.
        """
        try:
            state = migrate_state(torch.load(self.state, map_location=device, weights_only=True))
        except NewerFormatError as error:
            raise ResumeError(f"{self.state}: {error}") from None
        except Exception as error:  # torch's reader of pickles raises whatever a damaged one leads to
            if memory_ran_out(error):
                raise
            raise ResumeError(
                f"{self.state}: is damaged and cannot be read; choose another `out`, and `init_from` {self.last} "
                "to start from what was learned"
            ) from None
        return state

    def read_recipe(self, experiment: Experiment) -> Recipe[Any, Any]:
        """Return the recipe as of the last checkpoint, with discriminators and all else that no model file holds."""
        with keep_random_state(torch.device("cpu")):  # of weights that are drawn, and then replaced
            recipe: Recipe[Any, Any] = experiment.model.recipe()
        state = self.read_state(torch.device("cpu"))
        recipe.load_state_dict(state["recipe"] | state["own"][0])
        return recipe

    def discard_after(self, step: int) -> None:
        """Delete metrics and samples that a killed process wrote after its last checkpoint, and unfinished files."""
        if self.metrics.is_file():
            lines = self.metrics.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if _step_of(line) is not None and (_step_of(line) or 0) <= step]
            write_text(self.metrics, "".join(f"{line}\n" for line in kept))
        for sample_step, sample in self.find_samples():
            if sample_step > step:
                remove_file(sample)
        for leftover in self.path.rglob(".*.partial"):
            remove_file(leftover)

    def find_samples(self) -> list[tuple[int, Path]]:
        """Return the sample pictures and their steps, in order; copies that somebody made have other names."""
        names = [(re.fullmatch(r"step_([0-9]+)", path.stem), path) for path in self.samples.glob("step_*.png")]
        return sorted((int(name[1]), path) for name, path in names if name is not None)

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl.

        Raises:
            UserError: It cannot be written.
        """
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, allow_nan=False) + "\n")
        except OSError as error:
            raise UserError(f"{self.metrics}: cannot be written: {error.strerror}") from None

    def write_sample(self, step: int, strips: Tensor) -> None:
        """Write preview strips, (B, 3, H, W) in [-1, 1], one below the other."""
        self.samples.mkdir(exist_ok=True)
        pixels = np.concatenate([to_pixels(strip, 8) for strip in strips], axis=0)
        write_picture(Picture(pixels), self.samples / f"step_{step:07d}.png")


def resume_experiment(asked: Experiment, recorded: Experiment, path: Path) -> Experiment:
    """Return the experiment that resumes the recorded one, with what may change taken from the one asked for.

    Raises:
        ResumeError: Something differs that would make it another run.
    """
    new, old = _flatten(asked.model_dump(mode="json")), _flatten(recorded.model_dump(mode="json"))
    changeable = {f"training.{name}" for name in RESUMABLE_CHANGES}
    for key in sorted((new.keys() | old.keys()) - changeable):
        if new.get(key) != old.get(key) and new.get(key) != "auto":
            raise ResumeError(
                f"{path}: holds a run with {key}={_as_yaml(old.get(key))}, and now it is {_as_yaml(new.get(key))}; "
                f"set {key}={_as_yaml(old.get(key))} to resume it, or choose another `out`"
            )
    changed = {name: value for name, value in asked.training.model_dump().items() if name in RESUMABLE_CHANGES}
    return recorded.model_copy(update={"training": recorded.training.model_copy(update=changed)})


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _as_yaml(value: Any) -> str:
    """Return a value as it is written in a recipe, such as null for None."""
    return str(yaml.safe_dump(value, default_flow_style=True, width=1000)).removesuffix("\n...\n").strip()


def _step_of(line: str) -> int | None:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return None  # half a line, of a process that was killed while it wrote
