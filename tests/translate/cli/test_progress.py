"""A run under a progress bar: it stops within a tile when a signal comes, and says what it does while it computes."""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from translate.cli.common import Results
from translate.cli.progress import show_progress
from translate.folders import display
from translate.folders.options import RunOptions
from translate.folders.plan import make_plan
from translate.folders.translated_folder import run_plan
from translate.inference.model import Model
from translate.inference.monitor import Monitor

Models = Callable[..., Model]


@pytest.fixture
def start(unchanged: Models, tmp_path: Path) -> Callable[..., Results]:
    """`start(when_large, "0.png")`: a run over a small picture, then one of 64 tiles.

    `when_large` is called when two of these are done, and the run waits until that is over.
    """
    (tmp_path / "in").mkdir()
    for name, side in (("0.png", 8), ("1.png", 256), ("2.png", 256)):
        Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(tmp_path / "in" / name)
    model = unchanged()
    type(model.translator).margin = 0

    def run(when_large: Callable[[], None]) -> Results:
        class Watched(Monitor):
            def check(self) -> None:
                picture = self.at_work
                if picture is not None and picture.tiles is not None and picture.tiles.done == 2:
                    when_large()
                super().check()

        monitor, options = Watched(), RunOptions(tile=32, threads=1)
        plan = make_plan(model.translator, None, tmp_path / "in", tmp_path / "out", options)
        return show_progress(run_plan(model, plan, options, monitor), len(plan.jobs), monitor)

    return run


@pytest.fixture(autouse=True)
def _margin(unchanged: Models) -> Iterator[None]:
    network = type(unchanged().translator)
    before = network.margin
    yield
    network.margin = before


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Let no signal be ignored, as they are where the tests run under nohup or in the background of a script."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    usual = {"SIGINT": signal.default_int_handler}
    before = {name: signal.signal(getattr(signal, name), usual.get(name, signal.SIG_DFL)) for name in names}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.posix("sends signals to itself")
def test_a_signal_stops_a_run_within_a_tile(start: Any, tmp_path: Path, capfd: Any, name: str) -> None:
    handler, stopped = signal.getsignal(getattr(signal, name)), threading.Event()

    def interrupt() -> None:
        if not stopped.is_set():
            os.kill(os.getpid(), getattr(signal, name))
            stopped.wait(0.5)  # for the main thread, which looks every tenth of a second
            stopped.set()

    results = start(interrupt)
    assert [outcome.name.name for outcome in results.outcomes] == ["0.png"]
    assert (results.interrupted, results.untried, results.abandoned) == (True, 2, False)
    assert files(tmp_path / "out") == {"0.png", "manifest.jsonl"}
    assert "stopping after what is being computed" in capfd.readouterr().err
    assert signal.getsignal(getattr(signal, name)) == handler


def test_a_second_interrupt_does_not_wait_for_the_tile(start: Any, tmp_path: Path) -> None:
    released = threading.Event()

    def interrupt_twice() -> None:
        if not released.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            released.wait(0.3)
            os.kill(os.getpid(), signal.SIGINT)
            released.wait(5)

    results = start(interrupt_twice)
    released.set()
    assert (results.interrupted, results.abandoned) == (True, True)
    assert not {name for name in files(tmp_path / "out") if name.endswith(".partial")}


@pytest.mark.posix("sends signals to itself")
def test_signals_that_are_ignored_stay_ignored(start: Any) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        results = start(lambda: os.kill(os.getpid(), signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (len(results.outcomes), results.interrupted) == (3, False)


def test_without_a_terminal_there_is_a_line_from_time_to_time(
    start: Any, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "SECONDS_PER_LINE", 0.05)
    paused = threading.Event()
    start(lambda: not paused.wait(0.2))
    lines = capfd.readouterr().err.splitlines()
    state = r"1 of 3 done; 1\.png: 0\.1 megapixels, part 2 of 64, \d:\d\d left, \d+\.\d GiB of memory"
    assert any(re.fullmatch(state, line) for line in lines), lines


def test_durations_are_written_as_people_read_them() -> None:
    assert [display.format_time(seconds) for seconds in (0, 5.4, 65, 3600 + 65)] == ["0:00", "0:05", "1:05", "1:01:05"]
