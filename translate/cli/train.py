"""`translate train`."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli.common import INTERRUPTED, Device, Json, absolute, console, print_json, stop_on_signals

if TYPE_CHECKING:
    from translate.experiment import Experiment
    from translate.training.progress import Progress
    from translate.training.session import Training


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name (see `translate recipes list`) or a YAML file.")],
    data: Annotated[Path, typer.Option(help="The folder to learn from.")],
    out: Annotated[Path, typer.Option(help="The run folder; the same command again resumes it.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, as in --set training.steps=1000."),
    ] = None,
    device: Device = "auto",
    init_from: Annotated[
        str | None, typer.Option(help="Start from the weights of a model file or run folder, where they fit.")
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Do not train: find the batch and crop that fit the memory at hand.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a translator on a folder, or go on where its training stopped.

    Ctrl-C and SIGTERM save before they end the training, with exit code 130. Several processes train
    together with `torchrun --nproc-per-node N -m translate train …`.
    """
    from translate.experiment import load_experiment
    from translate.training.processes import leave_world
    from translate.training.session import Training

    experiment = load_experiment(recipe, settings or [])
    if fit:
        _fit(experiment, data, device, as_json=json)
        return
    with stop_on_signals() as stop:
        training = Training(experiment, data, out, device=device, init_from=init_from)
        last = _show(training, stop)
    if training.world.is_main:
        if json:
            best = {**training.best, "name": training.trainer.recipe.best_metric}
            print_json({"run": absolute(out), "step": last.step, "metrics": training.metrics, "best": best})
        verb = "done" if last.stopped is None else "saved"
        console().print(f"{verb} at step {last.step} of {last.steps} → {absolute(out)}", markup=False)
    code = INTERRUPTED if last.stopped == "interrupted" else 0
    leave_world(training.world, code)
    raise typer.Exit(code)


def _fit(experiment: "Experiment", data: Path, device: str, *, as_json: bool) -> None:
    from translate.training.batch_size import best_of, fit

    screen = console()
    trials = []
    for trial in fit(experiment, data, device):
        trials.append(trial)
        told = "does not fit" if trial.peak is None else f"{trial.peak / 2**30:.1f} GiB"
        screen.print(
            f"{trial.batch_size} of {trial.crop} pixels: {told}, {trial.images_per_second:.1f} img/s", markup=False
        )
    best = best_of(trials, device)
    if as_json:
        print_json({"batch_size": best.batch_size, "crop": best.crop, "trials": [trial.__dict__ for trial in trials]})
    else:
        typer.echo(" ".join(f"--set {override}" for override in best.overrides(experiment)))


def _show(training: "Training", stop: Callable[[], bool]) -> "Progress":
    """Run the training under a bar, or with plain lines where there is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from translate.training.session import opened_summary

    screen = console()
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
    )
    if training.world.is_main:
        world = training.world
        config = training.experiment.training
        batch = config.batch_size * config.accumulate * world.size
        screen.print(
            f"{opened_summary(training.data)}; batches of {batch}"
            + (f" over {world.size} processes" if world.size > 1 else "")
            + f"; {world.device}, {config.precision}, {config.layout}, {config.threads} threads",
            markup=False,
        )
    speed = _Speed()
    hidden = not screen.is_terminal or not training.world.is_main
    with Progress(*columns, console=screen, disable=hidden, speed_estimate_period=120) as bar:
        task = bar.add_task("training", total=None, told="")
        for progress in training.run(stop):
            speed.add(progress.images)
            told = f"{speed} img/s, {progress.waited:.0%} waiting"
            bar.update(task, completed=progress.step, total=progress.steps, told=told)
            if training.world.is_main:
                for line in _lines(progress, told):
                    bar.console.print(line, markup=False)
    return progress


def _lines(progress: "Progress", told: str) -> list[str]:
    lines = list(progress.notes)
    step = f"step {progress.step}/{progress.steps}"
    if progress.losses is not None:
        parts = ", ".join(f"{name} {value:.4g}" for name, value in progress.losses.items())
        lines.append(f"{step}: {parts}; {told}")
    if progress.metrics is not None:
        lines.append(f"{step}: held out " + ", ".join(f"{name} {v:.4g}" for name, v in progress.metrics.items()))
    if progress.stopped is not None:
        lines.append(f"{step}: stopped, {progress.stopped}; the same command goes on from here")
    return lines


class _Speed:
    """Pictures a second over the last steps."""

    def __init__(self) -> None:
        self.times: deque[tuple[float, int]] = deque(maxlen=50)

    def add(self, images: int) -> None:
        self.times.append((time.monotonic(), images))

    def __str__(self) -> str:
        elapsed = self.times[-1][0] - self.times[0][0]
        images = sum(count for _, count in list(self.times)[1:])
        return f"{images / elapsed:.2f}" if elapsed > 0 else "…"
