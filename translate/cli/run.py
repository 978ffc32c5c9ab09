"""`translate run`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli.common import (
    Device,
    Json,
    Precision,
    absolute,
    console,
    counted,
    described,
    end,
    follow,
    parsed,
    print_json,
)

if TYPE_CHECKING:
    from rich.console import Console

    from translate.folder import Outcome
    from translate.model import LoadedModel
    from translate.plan import Plan

SHEET_ROWS = 12  # of the contact sheet that --compare writes


def run(
    model: Annotated[
        str, typer.Argument(help="A model file, a run folder (its last model), or a name of `model list`.")
    ],
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of them.")],
    destination: Annotated[Path, typer.Argument(metavar="OUT", help="Where the translations go.")],
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[,NAME]|all",
            help="The domain to aim for, of a model that has several; a folder each where it is given again, or all.",
        ),
    ] = None,
    work_size: Annotated[
        str, typer.Option(metavar="N|native", help="Scale the shorter side to N pixels for the model, and back.")
    ] = "native",
    on_exists: Annotated[str, typer.Option(help="error, skip (what is up to date) or overwrite.")] = "error",
    batch: Annotated[str, typer.Option(metavar="N|auto", help="Pictures of one size the model gets at once.")] = "auto",
    blend: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Of an SRGAN: 0 is its first stage, true to the pixels; 1 its second."),
    ] = None,
    tile: Annotated[
        str, typer.Option(metavar="auto|off|N", help="Cut pictures into tiles of N pixels; auto: large ones.")
    ] = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    image_format: Annotated[
        str, typer.Option("--format", help="keep, jpeg, png, webp, tiff or bmp: what to write.")
    ] = "keep",
    quality: Annotated[int | None, typer.Option(help="1 to 100, of JPEG and WebP; the source's if not given.")] = None,
    metadata: Annotated[str, typer.Option(help="keep or strip EXIF, XMP and texts; the profile stays.")] = "keep",
    color: Annotated[str, typer.Option(help="keep the colour profile, or convert to srgb.")] = "keep",
    background: Annotated[
        str | None, typer.Option(metavar="COLOUR", help="Put under transparency where the format has none.")
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Also write a contact sheet.")] = False,
    pixel_limit: Annotated[
        int | None, typer.Option(metavar="N", help="Refuse pictures of more pixels; 500 million if not given.")
    ] = None,
    recurse: Annotated[bool, typer.Option(help="Also translate what lies in subfolders.")] = True,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many pictures.")] = None,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Do every N-th picture, from the I-th on.")] = "1/1",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    json: Json = False,
) -> None:
    """Translate a picture or a folder of pictures; each comes back as it went in, in size, depth and format."""
    from translate.folder import run_plan
    from translate.model import load_model
    from translate.plan import RunOptions, make_plan

    save = {"format": image_format, "quality": quality, "metadata": metadata, "color": color, "background": background}
    limits = {} if pixel_limit is None else {"pixel_limit": pixel_limit}
    options = parsed(
        RunOptions,
        save=save,
        **limits,
        to=to,
        work_size=None if work_size == "native" else work_size,
        on_exists=on_exists,
        batch=None if batch == "auto" else batch,
        tile=tile,
        recurse=recurse,
        limit=limit,
        shard=tuple(shard.split("/")),
    )
    loaded = load_model(model, device=device, precision=precision, blend=blend)
    plan = make_plan(loaded.translator, loaded.card.scaled_to, source, destination, options)
    if compare:
        _sheet_of(plan)
    screen = console()
    for note in plan.notes:
        screen.print(f"note: {note}", markup=False)
    if dry_run:
        _tell_plan(plan, loaded, as_json=json)
        return
    outcomes, interrupted = follow(run_plan(loaded, plan, options), len(plan.jobs))
    counts = counted(outcomes)
    if json:
        files = [described(outcome) for outcome in outcomes]
        print_json({"out": absolute(destination), "counts": counts, "notes": list(plan.notes), "files": files})
    if compare:
        _compare(outcomes, plan, screen)
    end(counts, destination, interrupted=interrupted)


def _sheet_of(plan: "Plan") -> Path:
    """Where the contact sheet goes; settled before any work is done."""
    from datasets.errors import UserError

    folder = plan.destination if plan.manifest is not None else plan.destination.parent
    sheet = folder / "contact-sheet.png"
    if sheet in {job.output for job in plan.jobs}:
        raise UserError(f"{sheet}: is a translation, and --compare would write there; run without it")
    return sheet


def _compare(outcomes: list["Outcome"], plan: "Plan", screen: "Console") -> None:
    """A contact sheet of the first pictures that were translated."""
    from datasets.images import read
    from translate.sheet import contact_sheet

    sources = {job.name: job.source for job in plan.jobs}
    made = [outcome for outcome in outcomes if outcome.status == "ok"][:SHEET_ROWS]
    if not made:
        return
    rows = [(read(sources[outcome.name]).pixels, read(outcome.output).pixels) for outcome in made]
    sheet = _sheet_of(plan)
    contact_sheet(rows, ["before", "after"], sheet)
    screen.print(f"compare {absolute(sheet)}", markup=False)


def _tell_plan(plan: "Plan", model: "LoadedModel", *, as_json: bool) -> None:
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
    scale = model.translator.scale
    size = "their own size" if scale == 1 else f"{scale} times their size"
    screen.print(f"would translate {len(jobs)} pictures at {size} → {absolute(plan.destination)}", markup=False)
