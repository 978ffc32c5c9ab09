"""What the verbs from folder to folder do alike: read options, show the plan, run it, compare."""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from translate.cli.common import (
    absolute,
    console,
    finish,
    parse_options,
    print_json,
    print_notes,
    print_results,
    spell_options,
)
from translate.cli.options import OutputOptions, PictureOptions, ReportOptions, TilingOptions
from translate.cli.progress import show_progress

if TYPE_CHECKING:
    from translate.folders.manifest import Outcome
    from translate.folders.options import RunOptions
    from translate.folders.plan import Plan
    from translate.inference.monitor import Monitor

COMPARED = 12  # pictures, the first that were made, in the contact sheet of --compare


def run_options(
    output: OutputOptions, pictures: PictureOptions, tiling: TilingOptions | None = None, **values: Any
) -> "RunOptions":
    """Return the options of a run from those on the command line; `values` are fields that one verb has.

    Raises:
        UserError: A value is not allowed; the message names the option.
    """
    from translate.folders.options import RunOptions

    if tiling is not None:
        values |= {"batch": None if tiling.batch == "auto" else tiling.batch, "tile": tiling.tile}
    if pictures.pixel_limit is not None:
        values["pixel_limit"] = pictures.pixel_limit
    return parse_options(
        RunOptions,
        save=output.save,
        on_exists=output.on_exists,
        recurse=pictures.recurse,
        limit=pictures.limit,
        shard=tuple(pictures.shard.split("/")),
        **values,
    )


def check_plan(plan: "Plan", scale: int, report: ReportOptions) -> None:
    """Print what the user should know first; a dry run prints the plan and ends the command.

    Raises:
        UserError: The contact sheet would overwrite a result.
    """
    if report.compare:
        _sheet_path(plan)
    print_notes(plan.notes)
    if report.dry_run:
        _print_plan(plan, scale, as_json=report.json)
        raise typer.Exit


def run_plan(stream: Generator["Outcome", None, None], plan: "Plan", report: ReportOptions, monitor: "Monitor") -> None:
    """Run a plan to its end, and end the command with the exit code of its outcomes."""
    results = show_progress(stream, len(plan.jobs), monitor)
    if report.compare and not results.abandoned:
        _write_sheet(results.outcomes, plan)
    if report.json:
        print_results(results, plan.destination, plan.notes)
    finish(results, plan.destination)


def _sheet_path(plan: "Plan") -> Path:
    from datasets.errors import UserError

    folder = plan.destination if plan.manifest is not None else plan.destination.parent
    sheet = folder / "contact-sheet.png"
    if sheet in {job.output for job in plan.jobs}:
        raise UserError(f"{sheet}: is one of the results, and --compare would write there; run without it")
    return sheet


def _write_sheet(outcomes: Sequence["Outcome"], plan: "Plan") -> None:
    """Write a contact sheet of the first pictures, before and after."""
    from datasets.codecs.images import read_picture
    from translate.sheet import contact_sheet

    sources = {job.name: job.source for job in plan.jobs}
    first = [outcome for outcome in outcomes if outcome.status == "ok"][:COMPARED]
    if not first:
        return
    rows = [(read_picture(sources[outcome.name]).pixels, read_picture(outcome.output).pixels) for outcome in first]
    sheet = _sheet_path(plan)
    contact_sheet(rows, ["before", "after"], sheet)
    console().print(f"compare {absolute(sheet)}", markup=False)


def _print_plan(plan: "Plan", scale: int, *, as_json: bool) -> None:
    screen = console()
    for job in plan.jobs:
        if job.unreadable:
            screen.print(f"would fail: {job.name}: {job.unreadable} cannot be read", style="red", markup=False)
        elif job.output.exists():
            screen.print(f"exists: {job.output}: would be left or replaced, as --on-exists says", markup=False)
    readable = [job for job in plan.jobs if not job.unreadable]
    files = [{"name": job.name.as_posix(), "out": absolute(job.output)} for job in readable]
    if as_json:
        print_json(
            {"out": absolute(plan.destination), "files": files, "notes": [spell_options(note) for note in plan.notes]}
        )
        return
    for file in files:
        typer.echo(f"{file['name']} → {file['out']}")
    size = "their own size" if scale == 1 else f"{scale} times their size"
    screen.print(f"would translate {len(files)} pictures at {size} → {absolute(plan.destination)}", markup=False)
