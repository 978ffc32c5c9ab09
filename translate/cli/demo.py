"""`translate demo`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import absolute, console


def demo(
    out: Annotated[Path, typer.Option(help="A new folder for everything the demo makes.")] = Path("demo"),
    minutes: Annotated[float, typer.Option(min=0.01, help="How long to train.")] = 2.0,
) -> None:
    """See it work, offline, in about two minutes and a half.

    Three photographs are made small and enlarged, and scratched and filled, with models that ship. Then a
    translator learns to remove noise from ten others, mends the same three, which it has never seen, and is
    compared with doing nothing and with two filters.
    """
    from rich.progress import BarColumn, Progress, TextColumn

    from translate.demo import make_photographs, mend, refuse_full, train_demo
    from translate.showcase import inpaint, upscale

    screen = console()
    refuse_full(out)
    make_photographs(out)
    before, after = upscale(out)
    screen.print("enlarged 4 times; PSNR of the brightness, higher is better:", markup=False)
    screen.print(f"  bicubic                        {before:.2f} dB", markup=False)
    screen.print(f"  the model that ships           {after:.2f} dB", markup=False)
    screen.print(f"look at {absolute(out / 'upscaled.png')}", markup=False)
    before, after = inpaint(out)
    screen.print("a scratch and a square filled; PSNR in them, higher is better:", markup=False)
    screen.print(f"  OpenCV's Telea                 {before:.2f} dB", markup=False)
    screen.print(f"  the model that ships           {after:.2f} dB", markup=False)
    screen.print(f"look at {absolute(out / 'inpainted.png')}", markup=False)
    training, steps = train_demo(out, minutes)
    screen.print(f"training for {minutes:g} minutes on the photographs in {out / 'photos'}", markup=False)
    columns = (BarColumn(), TextColumn("step {task.completed}"), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task, reached = bar.add_task("", total=training.setup.experiment.training.steps, told=""), 0
        for progress in steps:
            reached = progress.step
            bar.update(task, completed=progress.step)
            if progress.metrics:
                told = f"held out: {progress.metrics['psnr']:.1f} dB"
                bar.update(task, told=told)
                screen.print(f"step {progress.step}: {told}", markup=False)
    verdict = mend(out)
    screen.print("PSNR on photographs never trained on, higher is better:", markup=False)
    screen.print(f"  the noisy input itself         {verdict.untouched:.2f} dB", markup=False)
    screen.print(f"  median filter                  {verdict.median:.2f} dB", markup=False)
    screen.print(f"  bilateral filter, best setting {verdict.bilateral:.2f} dB", markup=False)
    screen.print(f"  this translator                {verdict.translated:.2f} dB", markup=False)
    if verdict.translated < verdict.bilateral:
        longer = f"--out another --minutes {4 * minutes:g} lets it learn longer"
        screen.print(f"note: {reached} steps are too few to beat a filter; {longer}", markup=False)
    screen.print(f"look at {absolute(out / 'sheet.png')} and {absolute(out / 'run' / 'report.html')}", markup=False)
    screen.print(f"done → {absolute(out)}", markup=False)
