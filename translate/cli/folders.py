"""What the verbs from folder to folder do alike: read options, show the plan, run it, compare."""

import functools
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from translate.cli.common import (
    Results,
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
from translate.cli.watching import watch_folders

if TYPE_CHECKING:
    from translate.folders.inputs import Inputs
    from translate.folders.manifest import Outcome
    from translate.folders.options import RunOptions
    from translate.folders.plan import Plan
    from translate.inference.monitor import Monitor

Start = Callable[["Plan", "Monitor"], Generator["Outcome", None, None]]


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


def find_inputs(source: list[Path] | None, pictures: PictureOptions) -> "Inputs":
    """Return what is to be read.

    Raises:
        UserError: Nothing is named, or there are two lists of it.
    """
    from datasets.errors import UserError, suggest_path
    from translate.folders.inputs import Inputs, read_list
    from translate.folders.jobs import NothingFoundError

    if pictures.from_file is None:
        if not source:
            raise UserError("IN: name a picture or a folder before OUT, or a list of them with --from-file")
        return Inputs.of(source)
    if source:
        raise UserError(f"--from-file {pictures.from_file}: names what is read; leave out {source[0]}")
    try:
        is_stdin = pictures.from_file == Path("-")
        text = sys.stdin.read() if is_stdin else pictures.from_file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        near = suggest_path(pictures.from_file)
        raise NothingFoundError(f"--from-file {pictures.from_file}: there is no such list{near}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "expected a text in UTF-8, one path a line"
        raise UserError(f"--from-file {pictures.from_file}: cannot be read: {reason}") from None
    paths = read_list(text.splitlines())
    if not paths:
        raise NothingFoundError(f"--from-file {pictures.from_file}: names no picture")
    return Inputs.of(paths)


def run_folders(
    inputs: "Inputs",
    plan_for: Callable[["Inputs"], "Plan"],
    start: Start,
    options: "RunOptions",
    report: ReportOptions,
    destination: Path,
    *,
    scale: int = 1,
    watch: bool = False,
) -> None:
    """Plan a run and carry it out, and end the command with the exit code of its outcomes.

    Args:
        inputs: What is read.
        plan_for: Plans a run over inputs.
        start: Starts the run of a plan.
        options: How it is run.
        report: What is reported about it.
        destination: Where the outputs go.
        scale: How many times larger the outputs are.
        watch: Go on with what arrives.

    Raises:
        UserError: The run cannot be carried out without harm.
    """
    from translate.folders.comparison import plan_sheet
    from translate.inference.monitor import Monitor

    if watch:
        watch_folders(inputs, plan_for, start, options, report, destination)
        return
    plan = plan_for(inputs)
    sheet = plan_sheet(plan, options.on_exists) if report.compare else None
    print_notes(plan.notes)
    if report.dry_run:
        _print_plan(plan, options, scale, as_json=report.json)
        return
    monitor = Monitor()
    results = show_progress(start(plan, monitor), len(plan.jobs), monitor)
    facts = _write_sheet(results, plan, sheet) if report.compare else {}
    if report.json:
        print_results(results, plan.destination, plan.notes, **facts)
    finish(results, plan.destination)


def _write_sheet(results: Results, plan: "Plan", sheet: Path | None) -> dict[str, Any]:
    """Write the sheet of a run; return what the document tells of it."""
    from datasets.errors import UserError
    from translate.folders.comparison import NAME, write_sheet

    if sheet is None:
        print_notes([f"{NAME}: exists and is left; `on_exists` overwrite replaces it"])
        return {"sheet": None}
    try:
        written = not results.abandoned and write_sheet(results.outcomes, plan, sheet)
    except UserError as error:
        print_notes([f"{sheet}: {error}"])
        return {"sheet": None}
    if written:
        console().print(f"compare {absolute(sheet)}", markup=False)
    return {"sheet": absolute(sheet) if written else None}


def _print_plan(plan: "Plan", options: "RunOptions", scale: int, *, as_json: bool) -> None:
    """Print what a run would do, after a look at the header of every picture."""
    from datasets.errors import count_of
    from datasets.storage.threads import ordered_map
    from translate.folders.plan import find_problem

    screen, find = console(), functools.partial(find_problem, options=options, scale=scale)
    files, problems = [], []
    for job, problem in zip(plan.jobs, ordered_map(find, plan.jobs, threads=4, ahead=64), strict=True):
        if problem is None:
            files.append({"name": job.name.as_posix(), "out": absolute(job.output)})
            if job.output.exists():
                consequence = "left if it is up to date" if options.on_exists == "skip" else "replaced"
                screen.print(f"exists: {job.output}: would be {consequence}", markup=False)
        else:
            reason, alone = spell_options(problem.reason), problem.left_alone
            problems.append({"name": job.name.as_posix(), "reason": reason, "left_alone": alone})
            screen.print(f"would {'be left alone' if alone else 'fail'}: {reason}", markup=False)
    if as_json:
        notes = [spell_options(note) for note in plan.notes]
        print_json({"out": absolute(plan.destination), "files": files, "problems": problems, "notes": notes})
        return
    for file in files:
        typer.echo(f"{file['name']} → {file['out']}")
    size = "their own size" if scale == 1 else f"{scale} times their size"
    out = absolute(plan.destination)
    screen.print(f"would translate {count_of(len(files), 'picture')} at {size} → {out}", markup=False)
