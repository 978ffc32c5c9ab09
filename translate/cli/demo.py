"""`translate demo`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli.common import absolute, console

if TYPE_CHECKING:
    from rich.console import Console


def demo(
    out: Annotated[Path, typer.Option(help="A new folder for everything the demo makes.")] = Path("demo"),
    minutes: Annotated[float, typer.Option(min=0.01, help="How long to train.")] = 2.0,
) -> None:
    """See it work, offline, in about three minutes.

    Three photographs are enlarged and inpainted with models that ship.

    Then a translator learns to remove noise from ten others.

    It is compared with two filters on the three, which it has never seen.
    """
    from translate.demo import check_empty, make_photographs

    screen = console()
    check_empty(out)
    make_photographs(out)
    _upscale(screen, out)
    _inpaint(screen, out)
    _denoise(screen, out, _train(screen, out, minutes), minutes)
    screen.print(f"done → {absolute(out)}", markup=False)


def _upscale(screen: "Console", out: Path) -> None:
    from translate.demo import upscale_photographs

    scores = zip(("bicubic", "the model that ships"), upscale_photographs(out), strict=True)
    _print_scores(screen, "enlarged 4 times; PSNR of the brightness, higher is better:", scores)
    screen.print(f"look at {absolute(out / 'upscaled.png')}", markup=False)


def _inpaint(screen: "Console", out: Path) -> None:
    from translate.demo import inpaint_photographs

    scores = zip(("OpenCV's Telea", "the model that ships"), inpaint_photographs(out), strict=True)
    _print_scores(screen, "a scratch and a square filled; PSNR in them, higher is better:", scores)
    screen.print(f"look at {absolute(out / 'inpainted.png')}", markup=False)


def _denoise(screen: "Console", out: Path, steps: int, minutes: float) -> None:
    from translate.demo import denoise_photographs

    scores = denoise_photographs(out)
    rows = (
        ("the noisy input itself", scores.noisy),
        ("median filter", scores.median),
        ("bilateral filter, best setting", scores.bilateral),
        ("this translator", scores.translated),
    )
    _print_scores(screen, "noise removed from photographs never trained on; PSNR, higher is better:", rows)
    if scores.translated < scores.bilateral:
        longer = f"--out another --minutes {4 * minutes:g} lets it learn longer"
        screen.print(f"note: {steps} steps are too few to beat a filter; {longer}", markup=False)
    screen.print(f"look at {absolute(out / 'sheet.png')} and {absolute(out / 'run' / 'report.html')}", markup=False)


def _train(screen: "Console", out: Path, minutes: float) -> int:
    """Train with a progress bar; return the steps that were taken."""
    from rich.progress import BarColumn, Progress, TextColumn

    from translate.demo import train_denoiser

    training, steps = train_denoiser(out, minutes)
    screen.print(f"training for {minutes:g} minutes on the photographs in {out / 'photos'}", markup=False)
    columns = (BarColumn(), TextColumn("step {task.completed}"), TextColumn("{task.fields[score]}"))
    step = 0
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=training.setup.experiment.training.steps, score="")
        for progress in steps:
            step = progress.step
            bar.update(task, completed=step)
            if progress.metrics:
                score = f"held out: {progress.metrics['psnr']:.1f} dB"
                bar.update(task, score=score)
                screen.print(f"step {step}: {score}", markup=False)
    return step


def _print_scores(screen: "Console", title: str, scores: Iterable[tuple[str, float]]) -> None:
    screen.print(title, markup=False)
    for name, score in scores:
        screen.print(f"  {name:<30} {score:.2f} dB", markup=False)
