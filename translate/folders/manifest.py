"""A run's record: one line of JSON a picture, beside the pictures."""

import dataclasses
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from datasets.errors import UserError
from translate.folders.plan import Job

VERSION = 1


@dataclass(frozen=True)
class Outcome:
    """What became of one picture."""

    name: Path
    output: Path
    status: Literal["ok", "skipped", "failed"]
    reason: str | None = None
    notes: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)
    out_of_memory: bool = False  # why it failed: not even the smallest tile found place


def raise_on_failure(outcomes: Iterable[Outcome]) -> None:
    """Go through all outcomes, of which none may have failed.

    Raises:
        UserError: One has.
    """
    for outcome in outcomes:
        if outcome.status == "failed":
            raise UserError(str(outcome.reason))


class Manifest:
    """The manifest of a destination folder, or nothing where a single file was asked for."""

    def __init__(self, path: Path | None, identity: dict[str, str]) -> None:
        self.path = path
        self.identity = identity
        self._lock = threading.Lock()  # pictures are written by several threads
        self._known = _read(path) if path is not None and path.is_file() else {}

    def is_current(self, job: Job, source_digest: str) -> bool:
        """Whether a job's output, which exists, was made from its very source, by this model, with these options."""
        record = self._known.get(job.name.as_posix(), {})
        expected = {**self.identity, "source": source_digest, "to": job.to}
        whole = record.get("status") == "ok" or (record.get("status") == "writing" and not record.get("replaces"))
        return whole and all(record.get(key) == value for key, value in expected.items())

    def begin(self, job: Job, source_digest: str) -> None:
        """Write down that an output is about to be put in place.

        Should the process be killed before `keep`, an output that exists is still known to be whole,
        unless it may be the older one that was to be replaced.
        """
        record = {
            "name": job.name.as_posix(),
            "status": "writing",
            "source": source_digest,
            "to": job.to,
            **self.identity,
        }
        self._append({**record, "replaces": job.output.exists()})

    def keep(self, outcome: Outcome) -> Outcome:
        """Write an outcome down; skipped pictures keep the line they have."""
        if outcome.status == "skipped":
            return outcome
        record = {
            "name": outcome.name.as_posix(),
            "status": outcome.status,
            "reason": outcome.reason,
            "notes": list(outcome.notes),
            **self.identity,
            **outcome.record,
        }
        try:
            self._append(record)
        except OSError as error:
            note = f"{self.path}: cannot be written: {error.strerror or error}"
            return dataclasses.replace(outcome, notes=(*outcome.notes, note))
        return outcome

    def _append(self, record: dict[str, Any]) -> None:
        if self.path is None:
            return
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            line = json.dumps({"v": VERSION, **record}, ensure_ascii=False) + "\n"
            with self.path.open("ab+") as file:
                if file.seek(0, os.SEEK_END):
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read() == b"\n" else "\n" + line  # somebody's last line is a half one
                file.write(line.encode("utf-8", "backslashreplace"))  # of names that are no UTF-8, JSON's own escapes


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The latest line about what each picture's output is; a failure leaves an output as it was."""
    records: dict[str, dict[str, Any]] = {}
    for line in path.read_bytes().split(b"\n"):
        try:
            record = json.loads(line)
            if record["status"] != "failed" or records.get(record["name"], record)["status"] == "writing":
                records[record["name"]] = record
        except (ValueError, KeyError, TypeError):
            continue  # the half line of a process that was killed
    return records
