"""Run a stream of outcomes to its end, or to Ctrl-C, and show how it proceeds."""

from collections.abc import Generator
from typing import TYPE_CHECKING

from translate.cli.common import Results, console, spell_options
from translate.cli.signals import run_in_background, stop_on_signals

if TYPE_CHECKING:
    from translate.folders.display import Display
    from translate.folders.manifest import Outcome
    from translate.inference.monitor import Monitor

STOPPING = "stopping after what is being computed, a tile or a picture; Ctrl-C again stops at once"


def show_progress(stream: Generator["Outcome", None, None], total: int, monitor: "Monitor") -> Results:
    """Run a stream of outcomes under a progress bar, and print failures and notes at once.

    The first signal stops it after the tile that is being computed, the second Ctrl-C at once.
    """
    from translate.folders.display import Display

    outcomes: list[Outcome] = []
    reasons: set[str] = set()
    interrupted = False
    try:
        with stop_on_signals() as stop, Display(monitor, total, console()) as display:
            for outcome in run_in_background(stream):
                if stop() and not monitor.stopping:
                    interrupted = True
                    display.console.print(STOPPING, markup=False)
                    monitor.stop()
                if outcome is not None:
                    outcomes.append(outcome)
                    _print_outcome(outcome, display, reasons)
    except SystemExit:  # of a second Ctrl-C
        return Results(outcomes, total - len(outcomes), interrupted=True, abandoned=True)
    untried = total - len(outcomes) if monitor.stopping else 0
    return Results(outcomes, untried, interrupted=interrupted and untried > 0)


def _print_outcome(outcome: "Outcome", display: "Display", reasons: set[str]) -> None:
    """Print why a file failed or was left alone, once where that is for several domains, and its notes."""
    if outcome.status in ("failed", "left_alone") and outcome.reason not in reasons:
        reasons.add(str(outcome.reason))
        status, style = outcome.status.replace("_", " "), "red" if outcome.status == "failed" else None
        display.console.print(f"{status}: {spell_options(str(outcome.reason))}", style=style, markup=False)
    for note in outcome.notes:
        display.console.print(f"note: {outcome.name}: {spell_options(note)}", markup=False)
