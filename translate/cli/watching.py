"""`--watch`: translate what is in a folder and what arrives in it."""

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from translate.cli.common import Results, absolute, console, finish, print_notes, print_results, spell_options
from translate.cli.options import ReportOptions
from translate.cli.progress import show_progress
from translate.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from translate.folders.inputs import Inputs
    from translate.folders.manifest import Outcome
    from translate.folders.options import RunOptions
    from translate.folders.plan import Plan
    from translate.inference.monitor import Monitor


def watch_folders(
    inputs: "Inputs",
    plan_for: Callable[["Inputs"], "Plan"],
    start: Callable[["Plan", "Monitor"], Generator["Outcome", None, None]],
    options: "RunOptions",
    report: ReportOptions,
    destination: Path,
) -> None:
    """Run over what is in a folder and over what arrives there, until a signal ends it; see `run_folders`.

    Raises:
        UserError: The run cannot be carried out without harm, or there is not one folder.
    """
    from translate.folders.watching import watch_folder
    from translate.inference.monitor import Monitor

    folder = _check(inputs, plan_for, options, report)
    outcomes: list[Outcome] = []
    monitor = Monitor()
    console().print(f"watching {absolute(folder)}; Ctrl-C ends it", markup=False)
    with stop_on_signals() as stop:
        arrivals = watch_folder(folder, recurse=options.recurse, is_stopped=lambda: stop() or monitor.stopping)
        for paths in arrivals:
            for plan in _plan_arrivals(paths, folder, plan_for):
                if not monitor.stopping:
                    monitor = Monitor()
                    results = show_progress(start(plan, monitor), len(plan.jobs), monitor)
                    outcomes += results.outcomes
    results = Results(outcomes)  # to be interrupted is how it ends
    if report.json:
        print_results(results, destination, [])
    finish(results, destination)


def _check(
    inputs: "Inputs", plan_for: Callable[["Inputs"], "Plan"], options: "RunOptions", report: ReportOptions
) -> Path:
    """Return the folder, after a plan for what is in it now, which tells of everything that is wrong."""
    from datasets.errors import UserError
    from translate.folders.jobs import NothingFoundError

    folder = inputs.paths[0]
    if len(inputs.paths) != 1 or not folder.is_dir():
        raise UserError(f"--watch: expected one folder, found {inputs}")
    for name, is_set in (("compare", report.compare), ("dry-run", report.dry_run), ("limit", options.limit)):
        if is_set:
            raise UserError(f"--{name}: has no meaning with --watch; leave it out")
    with suppress(NothingFoundError):  # there may be none yet
        print_notes(plan_for(inputs).notes)
    return folder


def _plan_arrivals(paths: tuple[Path, ...], folder: Path, plan_for: Callable[["Inputs"], "Plan"]) -> Iterator["Plan"]:
    """Yield the plan for files that arrived; where there is none for all of them, one for each that has one."""
    from datasets.errors import UserError
    from translate.folders.inputs import Inputs

    try:
        plan = plan_for(Inputs(paths, folder))
    except UserError as error:
        if len(paths) == 1:
            console().print(f"failed: {spell_options(str(error))}", style="red", markup=False)
            return
        for path in paths:
            yield from _plan_arrivals((path,), folder, plan_for)
        return
    yield replace(plan, jobs=tuple(replace(job, named=False) for job in plan.jobs))
