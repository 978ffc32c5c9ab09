"""What the verbs that go from folder to folder share: their options, and carrying out a plan."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.cli.common import (
    absolute,
    console,
    count_outcomes,
    describe_outcome,
    finish,
    parse_options,
    print_json,
    show_progress,
)

if TYPE_CHECKING:
    from rich.console import Console

    from translate.folders.manifest import Outcome
    from translate.folders.plan import Plan, RunOptions

SHEET_ROWS = 12  # of the contact sheet that --compare writes

Source = Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of them.")]
Destination = Annotated[Path, typer.Argument(metavar="OUT", help="Where the results go.")]
OnExists = Annotated[str, typer.Option(help="error, skip (what is up to date) or overwrite.")]
Batch = Annotated[str, typer.Option(metavar="N|auto", help="Pictures of one size the model gets at once.")]
Tile = Annotated[str, typer.Option(metavar="auto|off|N", help="Cut pictures into tiles of N pixels; auto: large ones.")]
Format = Annotated[str, typer.Option("--format", help="keep, jpeg, png, webp, tiff or bmp: what to write.")]
Quality = Annotated[int | None, typer.Option(help="1 to 100, of JPEG and WebP; the source's if not given.")]
Metadata = Annotated[str, typer.Option(help="keep or strip EXIF, XMP and texts; the profile stays.")]
Color = Annotated[str, typer.Option(help="keep the colour profile, or convert to srgb.")]
Background = Annotated[
    str | None, typer.Option(metavar="COLOUR", help="Put under transparency where the format has none.")
]
Compare = Annotated[bool, typer.Option("--compare", help="Also write a contact sheet.")]
PixelLimit = Annotated[
    int | None, typer.Option(metavar="N", help="Refuse pictures of more pixels; 500 million if not given.")
]
Recurse = Annotated[bool, typer.Option(help="Also take what lies in subfolders.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Stop after this many pictures.")]
Shard = Annotated[str, typer.Option(metavar="I/N", help="Do every N-th picture, from the I-th on.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def run_options(
    *, batch: str = "auto", pixel_limit: int | None = None, shard: str = "1/1", **values: Any
) -> "RunOptions":
    """The options of a run from what was given on the command line.

    Raises:
        UserError: A value cannot be; it names the option.
    """
    from translate.folders.plan import RunOptions

    limits = {} if pixel_limit is None else {"pixel_limit": pixel_limit}
    count = None if batch == "auto" else batch
    return parse_options(RunOptions, **values, **limits, batch=count, shard=tuple(shard.split("/")))


def check_plan(plan: "Plan", scale: int, *, compare: bool, dry_run: bool, json: bool) -> None:
    """Say what a person should know first; after a dry run's account the command is over."""
    if compare:
        _sheet_of(plan)
    for note in plan.notes:
        console().print(f"note: {note}", markup=False)
    if dry_run:
        _tell(plan, scale, as_json=json)
        raise typer.Exit


def report_outcomes(stream: Generator["Outcome", None, None], plan: "Plan", *, compare: bool, json: bool) -> None:
    """Follow a run to its end, and end the command with the exit code that suits."""
    outcomes, interrupted = show_progress(stream, len(plan.jobs))
    counts = count_outcomes(outcomes)
    if json:
        files = [describe_outcome(outcome) for outcome in outcomes]
        print_json({"out": absolute(plan.destination), "counts": counts, "notes": list(plan.notes), "files": files})
    if compare:
        _compare(outcomes, plan, console())
    out_of_memory = any(outcome.out_of_memory for outcome in outcomes)
    finish(counts, plan.destination, interrupted=interrupted, out_of_memory=out_of_memory)


def _sheet_of(plan: "Plan") -> Path:
    """Where the contact sheet goes; settled before any work is done."""
    from datasets.errors import UserError

    folder = plan.destination if plan.manifest is not None else plan.destination.parent
    sheet = folder / "contact-sheet.png"
    if sheet in {job.output for job in plan.jobs}:
        raise UserError(f"{sheet}: is one of the results, and --compare would write there; run without it")
    return sheet


def _compare(outcomes: list["Outcome"], plan: "Plan", screen: "Console") -> None:
    """A contact sheet of the first pictures that were made."""
    from datasets.codecs.images import read_picture
    from translate.sheet import contact_sheet

    sources = {job.name: job.source for job in plan.jobs}
    made = [outcome for outcome in outcomes if outcome.status == "ok"][:SHEET_ROWS]
    if not made:
        return
    rows = [(read_picture(sources[outcome.name]).pixels, read_picture(outcome.output).pixels) for outcome in made]
    sheet = _sheet_of(plan)
    contact_sheet(rows, ["before", "after"], sheet)
    screen.print(f"compare {absolute(sheet)}", markup=False)


def _tell(plan: "Plan", scale: int, *, as_json: bool) -> None:
    screen = console()
    for job in plan.jobs:
        if job.unreadable:
            screen.print(f"would fail: {job.name}: {job.unreadable} cannot be read", style="red", markup=False)
        elif job.output.exists():
            screen.print(f"exists: {job.output}: would be left or replaced, as --on-exists says", markup=False)
    readable = [job for job in plan.jobs if not job.unreadable]
    jobs = [{"name": job.name.as_posix(), "out": absolute(job.output)} for job in readable]
    if as_json:
        print_json({"out": absolute(plan.destination), "files": jobs, "notes": list(plan.notes)})
        return
    for told in jobs:
        typer.echo(f"{told['name']} → {told['out']}")
    size = "their own size" if scale == 1 else f"{scale} times their size"
    screen.print(f"would translate {len(jobs)} pictures at {size} → {absolute(plan.destination)}", markup=False)
