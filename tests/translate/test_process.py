"""The command line's process: freed memory is kept, and libraries write nothing of their own."""

import subprocess
import sys

PROGRAM = """
import os, sys, warnings
from translate.process import configure_process, keep_freed_memory

before = [*warnings.filters]
configure_process()
print(os.environ["OPENCV_LOG_LEVEL"], len(warnings.filters) - len(before), "torch" in sys.modules, keep_freed_memory())
"""


def test_it_is_configured_without_importing_torch() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    level, filters, imported, kept = done.stdout.split()
    assert (level, filters, imported) == ("ERROR", "1", "False")
    assert kept == str(sys.platform == "linux")


def test_what_a_person_has_set_stays(monkeypatch) -> None:
    monkeypatch.setenv("OPENCV_LOG_LEVEL", "DEBUG")
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "DEBUG"


WARNING = """
import warnings
from translate.process import configure_process
from translate.hardware import DeviceWarning

configure_process()
warnings.warn("the CPU computes", DeviceWarning, stacklevel=1)
warnings.warn("somebody else's", UserWarning, stacklevel=1)
"""


def test_a_warning_of_ours_is_a_note_and_others_keep_their_place() -> None:
    done = subprocess.run([sys.executable, "-c", WARNING], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[0] == "note: the CPU computes"
    assert "UserWarning: somebody else's" in done.stderr
