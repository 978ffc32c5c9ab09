"""The manifest knows of every output whether it is whole and what it was made from, whenever its process was killed."""

import json
from pathlib import Path
from typing import Any

import pytest

from translate.folders.manifest import Manifest
from translate.folders.plan import Job
from translate.folders.translated_folder import Outcome

IDENTITY = {"model": "m", "options": "o"}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "in" / "a.png", Path("a.png"), tmp_path / "out" / "a.png")


def manifest(job: Job, **identity: str) -> Manifest:
    """As the next process opens it."""
    return Manifest(job.output.parent / "manifest.jsonl", {**IDENTITY, **identity})


def ended(job: Job, status: Any) -> Outcome:
    return Outcome(job.name, job.output, status, record={"source": "s"} if status == "ok" else {})


def test_an_output_put_in_place_before_a_kill_is_known_to_be_whole(job: Job) -> None:
    manifest(job).begin(job, "s")
    assert manifest(job).is_current(job, "s")
    assert not manifest(job).is_current(job, "another")
    assert not manifest(job, model="another").is_current(job, "s")


def test_an_output_that_was_there_before_a_kill_may_be_the_older_one(job: Job) -> None:
    manifest(job)  # what is there came from elsewhere
    job.output.parent.mkdir(parents=True)
    job.output.touch()
    manifest(job).begin(job, "s")
    assert not manifest(job).is_current(job, "s")
    manifest(job).keep(ended(job, "ok"))
    assert manifest(job).is_current(job, "s")


def test_a_failed_write_is_no_output(job: Job) -> None:
    manifest(job).begin(job, "s")
    manifest(job).keep(ended(job, "failed"))
    assert not manifest(job).is_current(job, "s")


def test_a_failure_before_writing_leaves_what_was_known(job: Job) -> None:
    manifest(job).begin(job, "s")
    manifest(job).keep(ended(job, "ok"))
    manifest(job, model="another").keep(ended(job, "failed"))
    assert manifest(job).is_current(job, "s")


def test_a_skipped_picture_keeps_the_line_it_has(job: Job) -> None:
    manifest(job).begin(job, "s")
    manifest(job).keep(ended(job, "ok"))
    before = (job.output.parent / "manifest.jsonl").read_bytes()
    manifest(job).keep(ended(job, "skipped"))
    assert (job.output.parent / "manifest.jsonl").read_bytes() == before


def test_a_line_cut_by_a_kill_spoils_no_other(job: Job) -> None:
    manifest(job).begin(job, "s")
    path = job.output.parent / "manifest.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert not manifest(job).is_current(job, "s")
    manifest(job).keep(ended(job, "ok"))
    assert manifest(job).is_current(job, "s")
    assert json.loads(path.read_bytes().splitlines()[1])["status"] == "ok"


def test_without_a_place_nothing_is_written(job: Job, tmp_path: Path) -> None:
    nowhere = Manifest(None, IDENTITY)
    nowhere.begin(job, "s")
    assert nowhere.keep(ended(job, "ok")).notes == ()
    assert not nowhere.is_current(job, "s")
    assert list(tmp_path.iterdir()) == []
