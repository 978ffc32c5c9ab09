"""The record of a run: one JSON object a line for each output, in the folder of the outputs."""

import dataclasses
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from datasets.errors import UserError
from translate.folders.jobs import Job

VERSION = 1
LOOKS, SECONDS_FOR_LINE = 3, 0.005  # at half a line: the system writes one in microseconds


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        name: The name of the job.
        output: The file that was to be written.
        status: Whether it was written, was up to date and skipped, could not be made, or was left alone, since its
            source is of a kind that is not read.
        reason: Why it was skipped, left alone or failed, in one sentence.
        notes: What the user should know about it.
        record: What the manifest tells of it besides, such as sizes and precision.
        out_of_memory: It failed since memory was not enough even for the smallest tile.
        disk_full: It failed since the disk is full, which ends the run.
    """

    name: Path
    output: Path
    status: Literal["ok", "skipped", "failed", "left_alone"]
    reason: str | None = None
    notes: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)
    out_of_memory: bool = False
    disk_full: bool = False


def raise_on_failure(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Run all jobs and return their outcomes.

    Raises:
        UserError: One has failed; the jobs after it are not run.
    """
    finished = []
    for outcome in outcomes:
        if outcome.status == "failed":
            raise UserError(str(outcome.reason))
        finished.append(outcome)
    return finished


class Manifest:
    """The manifest of a destination folder, or nothing where a single file was asked for."""

    def __init__(
        self,
        path: Path | None,
        model: str,
        options: dict[str, Any],
        options_of: Callable[[Job], dict[str, Any]] = lambda job: {},
    ) -> None:
        """Read what an earlier run has left at `path`.

        Args:
            path: The file; None: nothing is recorded.
            model: A fingerprint of the model that makes the outputs.
            options: The options that change every output, as JSON can hold them.
            options_of: Returns those that change a job's own output.

        Raises:
            UserError: There is a file of that name which is no manifest.
        """
        self.path = path
        self._model, self._options, self._options_of = model, options, options_of
        self._begun: dict[str, dict[str, str]] = {}  # identities of the outputs that are being written
        self._lock = threading.Lock()  # several threads write
        self._known = _read_records(path) if path is not None and path.is_file() else {}

    def is_current(self, job: Job, digest: str) -> bool:
        """Return whether an existing output was made completely from this input, by this model, with these options."""
        record = self._known.get(job.name.as_posix(), {})
        expected = {**self._identify(job), "source": digest, "to": job.to}
        complete = record.get("status") == "ok" or (record.get("status") == "writing" and not record.get("replaces"))
        return complete and all(record.get(key) == value for key, value in expected.items())

    def begin(self, job: Job, digest: str) -> None:
        """Record that an output is about to be put in place.

        If the process is killed before `keep`, an output that exists is still known to be complete, unless it may be
        the older file that was to be replaced.
        """
        name = job.name.as_posix()
        self._begun[name] = self._identify(job)
        record = {"name": name, "status": "writing", "source": digest, "to": job.to, **self._begun[name]}
        self._append({**record, "replaces": job.output.exists()})

    def keep(self, outcome: Outcome) -> Outcome:
        """Record an outcome and return it, with a note if that is impossible; skipped jobs keep their older record."""
        if outcome.status in ("skipped", "left_alone"):
            return outcome
        name = outcome.name.as_posix()
        record = {
            "name": name,
            "status": outcome.status,
            "reason": outcome.reason,
            "notes": list(outcome.notes),
            **(self._begun.pop(name) if name in self._begun else self._identify(None)),
            **outcome.record,
        }
        try:
            self._append(record)
        except OSError as error:
            if outcome.disk_full:
                return outcome  # which says it
            note = f"{self.path}: cannot be written: {error.strerror or error}"
            return dataclasses.replace(outcome, notes=(*outcome.notes, note))
        return outcome

    def _identify(self, job: Job | None) -> dict[str, str]:
        """Return what makes a job's output, the source aside; None: a job whose output was not begun."""
        text = json.dumps({**self._options, **({} if job is None else self._options_of(job))}, sort_keys=True)
        return {"model": self._model, "options": hashlib.sha256(text.encode()).hexdigest()[:16]}

    def _append(self, record: dict[str, Any]) -> None:
        if self.path is None:
            return
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            line = json.dumps({"v": VERSION, **record}, ensure_ascii=False) + "\n"
            # No buffer, so that other processes that write here find whole lines only.
            with self.path.open("ab+", buffering=0) as file:
                if not any(_ends_with_line(file) for _ in range(LOOKS)):
                    line = "\n" + line  # a killed process left half a line
                data = line.encode("utf-8", "backslashreplace")  # names that are not UTF-8 become JSON's escapes
                while data:
                    data = data[file.write(data) :]  # on a full disk a part is written, and then none


def _ends_with_line(file: IO[bytes]) -> bool:
    """Return whether a file is empty or ends with a whole line; if not, wait for another process to write its end."""
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    if file.read(1) == b"\n":
        return True
    time.sleep(SECONDS_FOR_LINE)
    return False


def _read_records(path: Path) -> dict[str, dict[str, Any]]:
    """Return the latest line about what each output is; after a failure an output still is what it was."""
    records: dict[str, dict[str, Any]] = {}
    lines, ours = path.read_bytes().split(b"\n"), False
    for line in lines:
        try:
            record = json.loads(line)
            ours |= {"name", "status"} <= record.keys()  # also where everything has failed
            if record["status"] != "failed" or records.get(record["name"], record)["status"] == "writing":
                records[record["name"]] = record
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # half a line, left by a killed process
    if not ours and len(lines) > 1:  # more than half a line
        raise UserError(f"{path}: is no manifest of this program, which would write there; choose another place")
    return records
