"""`translate train`."""

import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli.common import Device, Json, absolute, console, print_json, spell_options
from translate.cli.signals import INTERRUPTED, stop_on_signals

if TYPE_CHECKING:
    from translate.experiment import Experiment
    from translate.training.progress import Progress
    from translate.training.session import Training

STOPPING = "stopping after this step, and saving; Ctrl-C again ends at once, without saving"
SECONDS_PER_LINE = 10.0  # where there is no terminal
SPEED_STEPS = 50  # over which the speed is averaged: long enough to be steady, short enough to follow a change


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name (see `translate recipes list`) or a YAML file.")],
    data: Annotated[Path, typer.Option(help="The folder of training data.")],
    out: Annotated[Path, typer.Option(help="The run folder; the same command again resumes its training.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, as in --set training.steps=1000."),
    ] = None,
    device: Device = "auto",
    init_from: Annotated[
        str | None, typer.Option(help="Start from the weights of a model file or run folder, as far as they fit.")
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Do not train; find the batch size and crop that fit into memory.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a model on a folder, or resume its training where it stopped.

    Ctrl-C and SIGTERM save it and end with exit code 130.

    Several processes: `torchrun --nproc-per-node N -m translate train …`.
    """
    from translate.experiment import load_experiment
    from translate.training.processes import leave_world
    from translate.training.session import Training

    experiment = load_experiment(recipe, settings or [])
    if fit:
        _fit(experiment, data, device, as_json=json)
        return
    with stop_on_signals(STOPPING) as stop:
        training = Training(experiment, data, out, device=device, init_from=init_from)
        last = _run(training, stop)
    world, checkpoints = training.setup.world, training.checkpoints
    if world.is_main:
        if json:
            best_of_run = {**checkpoints.best, "name": training.trainer.recipe.best_metric}
            print_json({"run": absolute(out), "step": last.step, "metrics": checkpoints.metrics, "best": best_of_run})
        verb = "done" if last.stopped is None else "saved"
        best = checkpoints.describe_best()
        hint = f"; {spell_options(best)}" if best else ""
        console().print(f"{verb} at step {last.step} of {last.steps} → {absolute(out)}{hint}", markup=False)
    code = INTERRUPTED if last.stopped == "interrupted" else 0
    leave_world(world, code)
    raise typer.Exit(code)


def _fit(experiment: "Experiment", data: Path, device: str, *, as_json: bool) -> None:
    from translate.training.batch_size import choose_trial, try_batch_sizes

    screen = console()
    trials = []
    for trial in try_batch_sizes(experiment, data, device):
        trials.append(trial)
        memory = "does not fit" if trial.peak is None else f"{trial.peak / 2**30:.1f} GiB"
        speed = f"{trial.images_per_second:.1f} img/s"
        screen.print(f"{trial.batch_size} of {trial.crop} pixels: {memory}, {speed}", markup=False)
    best = choose_trial(trials, device)
    if as_json:
        print_json({"batch_size": best.batch_size, "crop": best.crop, "trials": [trial.__dict__ for trial in trials]})
    else:
        typer.echo(" ".join(f"--set {override}" for override in best.overrides(experiment)))


def _run(training: "Training", stop: Callable[[], bool]) -> "Progress":
    """Run the training with a progress bar on a terminal, and with plain lines elsewhere; return its last progress."""
    from rich.progress import BarColumn, Progress, TextColumn

    screen, is_main = console(), training.setup.world.is_main
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
    )
    if is_main:
        screen.print(_describe(training), markup=False)
    speed, pace = _Speed(), _Pace(training.setup.experiment.training.max_minutes)
    hidden = not screen.is_terminal or not is_main
    printed = time.monotonic()
    with Progress(*columns, console=screen, disable=hidden) as bar:
        task = bar.add_task("training", total=1, state="")
        for progress in training.run(stop):
            speed.add(progress.images)
            pace.add(progress)
            shown = f"{speed} img/s, {progress.waited:.0%} waiting"
            state = f"{progress.step}/{progress.steps} {pace.left}"
            bar.update(task, completed=pace.fraction, state=f"{state}, {shown}")
            lines = _lines(progress, shown)
            if hidden and not lines and time.monotonic() - printed > SECONDS_PER_LINE:
                lines = [f"step {state}, {shown}"]
            for line in lines if is_main else []:
                bar.console.print(line, markup=False)
                printed = time.monotonic()
    return progress


def _describe(training: "Training") -> str:
    world, config = training.setup.world, training.setup.experiment.training
    batch = config.batch_size * config.accumulate * world.size
    processes = f" over {world.size} processes" if world.size > 1 else ""
    numerics = f"{world.device}, {config.precision}, {config.layout}, {config.threads} threads"
    return f"{training.summary}; batches of {batch}{processes}; {numerics}"


def _lines(progress: "Progress", speed: str) -> list[str]:
    lines = list(progress.notes)
    step = f"step {progress.step}/{progress.steps}"
    if progress.losses is not None:
        losses = ", ".join(f"{name} {value:.4g}" for name, value in progress.losses.items())
        lines.append(f"{step}: {losses}; {speed}")
    if progress.metrics is not None:
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in progress.metrics.items())
        lines.append(f"{step}: held out {metrics}")
    if progress.stopped is not None:
        lines.append(f"{step}: stopped, {progress.stopped}; the same command goes on from here")
    return lines


class _Pace:
    """How far a training is that ends after its steps or its minutes, whichever come first."""

    def __init__(self, max_minutes: float | None) -> None:
        self._seconds = math.inf if max_minutes is None else 60 * max_minutes
        self._began: tuple[float, int] | None = None
        self.fraction = 0.0
        self.left = ""

    def add(self, progress: "Progress") -> None:
        """Take the state after a step."""
        from translate.folders.display import format_time

        now = time.monotonic()
        began, first = self._began = self._began or (now, progress.step)
        elapsed, taken = now - began, progress.step - first
        by_steps = elapsed / taken * (progress.steps - progress.step) if taken else math.inf
        left = min(by_steps, max(0.0, self._seconds - elapsed))
        self.fraction = max(progress.step / progress.steps, elapsed / self._seconds)
        self.left = "" if left == math.inf else f"{format_time(left)} left"


class _Speed:
    """Images per second over the last steps."""

    def __init__(self) -> None:
        self.times: deque[tuple[float, int]] = deque(maxlen=SPEED_STEPS)

    def add(self, images: int) -> None:
        self.times.append((time.monotonic(), images))

    def __str__(self) -> str:
        elapsed = self.times[-1][0] - self.times[0][0]
        images = sum(count for _, count in list(self.times)[1:])
        return f"{images / elapsed:.2f}" if elapsed > 0 else "…"
