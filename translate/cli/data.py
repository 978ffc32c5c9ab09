"""`translate data degrade`, `masks`, `mixture`, `preview`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import absolute, console, finish
from translate.cli.options import Destination, Seed, Source
from translate.cli.progress import show_progress

app = typer.Typer(help="Prepare and inspect data.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    pass


@app.command("degrade")
def degrade(
    degradation: Annotated[str, typer.Argument(help="gray, edges, blur, noise, jpeg or posterize.")],
    source: Source,
    destination: Destination,
    strength: Annotated[
        float | None, typer.Option(help="How strong the degradation is; a value out of range prints the range.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Degrade the pictures of a folder as a training would, to have inputs to try a model on."""
    from datasets.degradations.degrade import DEGRADATIONS
    from datasets.errors import UserError
    from translate.folders.degraded_folder import plan_degrading, run_degrading
    from translate.inference.monitor import Monitor

    if degradation not in DEGRADATIONS:
        raise UserError(f"{degradation}: there is no such degradation; there are {', '.join(DEGRADATIONS)}")
    jobs = plan_degrading(source, destination, degradation, strength)
    monitor = Monitor()
    results = show_progress(run_degrading(jobs, degradation, strength, seed, monitor), len(jobs), monitor)
    finish(results, destination, skips=False)


@app.command("masks")
def masks(
    kind: Annotated[str, typer.Argument(help="thin, medium, thick, free-form or box.")],
    destination: Annotated[Path, typer.Argument(metavar="OUT", help="The folder for the masks, which are PNG files.")],
    count: Annotated[int, typer.Option(min=1, help="How many masks.")] = 100,
    size: Annotated[int, typer.Option(min=8, help="Width and height in pixels.")] = 256,
    like: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw a mask for each picture of this folder, with its name and size."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Draw random masks for `translate inpaint`: white holes on black."""
    from datasets.errors import UserError
    from datasets.masks.drawing import MASKS
    from translate.folders.manifest import raise_on_failure
    from translate.folders.mask_sets import draw_masks, plan_masks, plan_masks_like

    name = next((name for name in MASKS if name.replace("_", "-") == kind), None)
    if name is None:
        known = ", ".join(name.replace("_", "-") for name in MASKS)
        raise UserError(f"{kind}: there is no such kind of mask; there are {known}")
    if like is None:
        jobs = plan_masks(destination, name, count, size, seed)
    else:
        jobs = plan_masks_like(like, destination, name, seed)
    fractions = [outcome.record["hole"] for outcome in raise_on_failure(draw_masks(jobs))]
    of_them = "of them" if len(fractions) > 1 else "of it"
    summary = f"{sum(fractions) / len(fractions):.1%} {of_them} is hole"
    console().print(f"done {len(fractions)} masks, {summary} → {absolute(destination)}", markup=False)


@app.command("mixture")
def mixture(
    name: Annotated[str, typer.Argument(help="ring (8 modes) or grid (25 modes).")],
    destination: Annotated[Path, typer.Argument(metavar="OUT", help="The folder for points.csv.")],
    count: Annotated[int, typer.Option(min=1, help="How many points.")] = 100_000,
    seed: Seed = 0,
) -> None:
    """Draw points of a mixture of normal distributions, to see which of its modes a model learns."""
    from datasets.errors import UserError
    from datasets.mixtures import MIXTURES
    from datasets.points import TABLE, write_points

    if name not in MIXTURES:
        raise UserError(f"{name}: there is no such mixture; there are {', '.join(MIXTURES)}")
    table = destination / TABLE
    if table.exists():
        raise UserError(f"{table}: is there already; remove it, or choose another OUT")
    try:
        destination.mkdir(parents=True, exist_ok=True)
        write_points(MIXTURES[name].draw(count, seed), table)
    except OSError as error:
        raise UserError(f"{destination}: cannot be written to: {error.strerror or error}") from None
    console().print(f"done {count} points → {absolute(table)}", markup=False)


@app.command("preview")
def preview(
    recipe: Annotated[str, typer.Argument(help="A name from `translate recipes list`, or a YAML file.")],
    data: Annotated[Path, typer.Option(help="The folder of training data.")],
    out: Annotated[Path, typer.Option(help="The sheet to write, such as sheet.png; an existing file is replaced.")],
    count: Annotated[
        int | None, typer.Option(min=1, help="Samples to show; the default is 16, or 2000 points in a plot.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, as in --set data.crop.size=128."),
    ] = None,
) -> None:
    """Show the first samples as a training will see them: cropped, mirrored, degraded, labelled."""
    from translate.experiment import load_experiment
    from translate.training.preview import preview_data

    shown = preview_data(load_experiment(recipe, settings or []), data, out, count)
    console().print(f"done {shown} samples → {absolute(out)}", markup=False)
