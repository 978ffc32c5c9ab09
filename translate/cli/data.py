"""`translate data check`, `degrade`, `masks`, `mixture`, `preview`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from translate.cli import data_check
from translate.cli.common import absolute, console, finish, parse_options, print_notes
from translate.cli.options import Boxes, Circles, Destination, OnExists, Polygons, Seed, Source, TextStamp
from translate.cli.progress import show_progress

if TYPE_CHECKING:
    from datasets.masks.drawing import MaskName
    from datasets.masks.shapes import Marks
    from translate.folders.mask_sets import MaskJob
    from translate.folders.options import OnExists as OnExistsName

app = typer.Typer(help="Prepare and inspect data.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    pass


app.command("check")(data_check.check)


@app.command("degrade")
def degrade(
    degradation: Annotated[str, typer.Argument(help="gray, edges, blur, noise, jpeg or posterize.")],
    source: Source,
    destination: Destination,
    strength: Annotated[
        float | None, typer.Option(help="How strong the degradation is; a value out of range prints the range.")
    ] = None,
    seed: Seed = 0,
    on_exists: OnExists = "error",
) -> None:
    """Degrade the pictures of a folder as a training would, to have inputs to try a model on."""
    from datasets.degradations.degrade import DEGRADATIONS
    from datasets.errors import UserError, suggest
    from translate.folders.degraded_folder import plan_degrading, run_degrading
    from translate.folders.options import RunOptions
    from translate.inference.monitor import Monitor

    if degradation not in DEGRADATIONS:
        raise UserError(f"{degradation}: there is no such degradation; {suggest(degradation, DEGRADATIONS)}")
    options = parse_options(RunOptions, on_exists=on_exists)
    plan = plan_degrading(source, destination, degradation, strength, options)
    print_notes(plan.notes)
    monitor = Monitor()
    stream = run_degrading(plan, degradation, strength, seed, options, monitor)
    finish(show_progress(stream, len(plan.jobs), monitor), destination)


@app.command("masks")
def masks(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[KIND] OUT",
            help="Of random masks: thin, medium, thick, free-form or box. OUT: the folder for the masks, PNG files.",
        ),
    ],
    count: Annotated[int | None, typer.Option(min=1, help="How many random masks; 100 if not said.")] = None,
    size: Annotated[int | None, typer.Option(min=8, help="Width and height in pixels; 256 if not said.")] = None,
    like: Annotated[
        Path | None,
        typer.Option(metavar="IN", help="Make a mask for this picture or each of this folder, of its name and size."),
    ] = None,
    box: Boxes = None,
    circle: Circles = None,
    polygon: Polygons = None,
    text_stamp: TextStamp = None,
    color: Annotated[
        str | None, typer.Option(metavar="COLOUR", help="What is painted over in this colour, such as red or #ff0000.")
    ] = None,
    tolerance: Annotated[
        int | None, typer.Option(min=0, max=255, help="How much painted colours may differ; 60 of 255 if not said.")
    ] = None,
    original: Annotated[
        Path | None, typer.Option(metavar="IN", help="The pictures before they were painted over, to compare with.")
    ] = None,
    on_exists: OnExists = "error",
    seed: Seed = 0,
) -> None:
    """Make masks for `translate inpaint`, white holes on black: random ones, or of parts of pictures.

    Parts are named by --box, --circle, --polygon, --text-stamp or --color, of the pictures that --like names.
    """
    from datasets.masks.shapes import Marks
    from translate.folders.options import RunOptions

    shapes = {"box": box or (), "circle": circle or (), "polygon": polygon or ()}
    marks = parse_options(Marks, **shapes, text_stamp=text_stamp)
    exists = parse_options(RunOptions, on_exists=on_exists).on_exists
    destination = Path(names[-1])
    if marks.has_marks or color is not None:
        if len(names) > 1 or count or size:
            _refuse("a mask is random or of what is marked: leave out KIND, --count and --size, or the marks")
        if like is None:
            _refuse("--like: name the pictures that the mask is for, or one of them")
        _finish_masks(_plan_marked(like, destination, marks, color, tolerance, original, exists), destination)
        return
    if tolerance is not None or original is not None:
        _refuse("--tolerance and --original: name the colour that was painted with --color")
    if like is not None and (count or size):
        _refuse("--count and --size: --like says how many masks, and how large")
    _finish_masks(_plan_random(names, like, count or 100, size or 256, seed, exists), destination)


def _plan_marked(
    like: Path,
    destination: Path,
    marks: "Marks",
    color: str | None,
    tolerance: int | None,
    original: Path | None,
    exists: "OnExistsName",
) -> "Sequence[MaskJob]":
    from datasets.masks.colours import TOLERANCE
    from translate.folders.mask_sets import plan_marked_masks

    if color is None and (tolerance is not None or original is not None):
        _refuse("--tolerance and --original: name the colour that was painted with --color")
    limit = TOLERANCE if tolerance is None else tolerance
    return plan_marked_masks(like, destination, marks, color, limit, original, exists)


def _plan_random(
    names: list[str], like: Path | None, count: int, size: int, seed: int, exists: "OnExistsName"
) -> "Sequence[MaskJob]":
    from translate.folders.mask_sets import plan_masks, plan_masks_like

    if len(names) > 2:
        _refuse(f"{' '.join(names)}: expected a kind of mask and a folder, or a folder alone")
    kind, destination = _find_kind(names), Path(names[-1])
    if like is not None:
        return plan_masks_like(like, destination, kind, seed, exists)
    return plan_masks(destination, kind, count, size, seed, exists)


def _finish_masks(jobs: "Sequence[MaskJob]", destination: Path) -> None:
    """Make the masks, and say how much of them is hole; end as other verbs do if one fails."""
    from datasets.errors import count_of
    from translate.folders.mask_sets import draw_masks
    from translate.inference.monitor import Monitor

    if not jobs:
        console().print(f"done 0 masks, all are there → {absolute(destination)}", markup=False)
        return
    monitor = Monitor()
    results = show_progress(draw_masks(jobs, monitor), len(jobs), monitor)
    fractions = [outcome.record["hole"] for outcome in results.outcomes if outcome.status == "ok"]
    if len(fractions) < len(jobs):
        finish(results, destination)
        return
    of_them = "of them" if len(fractions) > 1 else "of it"
    summary = f"{sum(fractions) / len(fractions):.1%} {of_them} is hole"
    console().print(f"done {count_of(len(fractions), 'mask')}, {summary} → {absolute(destination)}", markup=False)


def _find_kind(names: Sequence[str]) -> "MaskName":
    from datasets.errors import UserError, suggest
    from datasets.masks.drawing import MASKS

    known = {name.replace("_", "-"): name for name in MASKS}
    if len(names) < 2:
        raise UserError(
            f"{names[0]}: name a kind of random mask before it, {', '.join(known)}, or mark what is hole with --box, "
            "--circle, --polygon, --text-stamp or --color"
        )
    if names[0] not in known:
        raise UserError(f"{names[0]}: there is no such kind of mask; {suggest(names[0], known)}")
    return known[names[0]]


@app.command("mixture")
def mixture(
    name: Annotated[str, typer.Argument(help="ring (8 modes) or grid (25 modes).")],
    destination: Annotated[Path, typer.Argument(metavar="OUT", help="The folder for points.csv.")],
    count: Annotated[int, typer.Option(min=1, help="How many points.")] = 100_000,
    seed: Seed = 0,
) -> None:
    """Draw points of a mixture of normal distributions, to see which of its modes a model learns."""
    from datasets.errors import UserError, count_of, suggest
    from datasets.mixtures import MIXTURES
    from datasets.points import TABLE, write_points

    if name not in MIXTURES:
        raise UserError(f"{name}: there is no such mixture; {suggest(name, MIXTURES)}")
    table = destination / TABLE
    if table.exists():
        raise UserError(f"{table}: is there already; remove it, or choose another OUT")
    try:
        destination.mkdir(parents=True, exist_ok=True)
        write_points(MIXTURES[name].draw(count, seed), table)
    except OSError as error:
        raise UserError(f"{destination}: cannot be written to: {error.strerror or error}") from None
    console().print(f"done {count_of(count, 'point')} → {absolute(table)}", markup=False)


@app.command("preview")
def preview(
    recipe: Annotated[str, typer.Argument(help="A name from `translate recipes list`, or a YAML file.")],
    data: Annotated[Path, typer.Option(help="The folder of training data.")],
    out: Annotated[Path, typer.Option(help="The sheet to write, such as sheet.png.")],
    count: Annotated[
        int | None, typer.Option(min=1, help="Samples to show; the default is 16, or 2000 points in a plot.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, as in --set data.crop.size=128."),
    ] = None,
    on_exists: Annotated[str, typer.Option(metavar="error|overwrite", help="If the sheet exists.")] = "error",
) -> None:
    """Show the first samples as a training will see them: cropped, mirrored, degraded, labelled."""
    from datasets.errors import UserError, count_of
    from translate.experiment import load_experiment
    from translate.training.preview import preview_data

    if on_exists not in ("error", "overwrite"):
        raise UserError(f"--on-exists {on_exists}: expected error or overwrite")
    if out.exists() and on_exists == "error":
        raise UserError(f"{out}: exists; choose another name, or set --on-exists to overwrite")
    shown = preview_data(load_experiment(recipe, settings or []), data, out, count)
    console().print(f"done {count_of(shown, 'sample')} → {absolute(out)}", markup=False)


def _refuse(message: str) -> NoReturn:
    from datasets.errors import UserError

    raise UserError(message)
