"""The pipeline: outcomes in order, failures of one job alone, groups, and a bounded number of items in memory."""

import errno
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from datasets.errors import UserError
from translate.folders.jobs import Job
from translate.folders.manifest import Manifest, Outcome
from translate.folders.pipeline import Item, Schedule, Written, fail, group_neighbours, run_jobs
from translate.inference.monitor import Monitor, TileProgress

Runner = Callable[..., list[Outcome]]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Two threads of torch's, and so two workers."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def jobs(tmp_path: Path) -> Callable[[int], list[Job]]:
    """`jobs(3)`: jobs of the files 0.txt, 1.txt, 2.txt, which hold their numbers."""

    def make(count: int) -> list[Job]:
        found = []
        for number in range(count):
            path = tmp_path / "in" / f"{number}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(str(number))
            found.append(Job(path, Path(path.name), tmp_path / "out" / path.name))
        return found

    return make


def read(job: Job) -> int:
    return int(job.source.read_text())


def double(group: Sequence[Item[Job, int]]) -> list[int]:
    return [2 * item.content for item in group]


def write(item: Item[Job, int]) -> Written:
    item.job.output.write_text(str(item.content))
    return Written((f"made {item.content}",), {"value": item.content})


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    """`run(jobs, read=…, compute=…, write=…, schedule=…, skip_current=…)`: the outcomes."""

    def to_end(jobs: Sequence[Job], **given: Any) -> list[Outcome]:
        functions = (given.pop("read", read), given.pop("compute", double), given.pop("write", write))
        manifest = Manifest(tmp_path / "out" / "manifest.jsonl", "m", {})
        return list(run_jobs(jobs, *functions, manifest=manifest, schedule=given.pop("schedule", Schedule()), **given))

    return to_end


def statuses(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


def test_outcomes_come_in_the_order_of_the_jobs(jobs: Any, run: Runner) -> None:
    def slow_read(job: Job) -> int:
        time.sleep(0.02 * (read(job) % 3 == 0))
        return read(job)

    def slow_write(item: Item[Job, int]) -> Written:
        time.sleep(0.02 * (item.content % 4 == 0))
        return write(item)

    outcomes = run(jobs(20), read=slow_read, write=slow_write)
    assert [outcome.name.name for outcome in outcomes] == [f"{number}.txt" for number in range(20)]
    assert [outcome.output.read_text() for outcome in outcomes] == [str(2 * number) for number in range(20)]
    assert [outcome.notes for outcome in outcomes] == [(f"made {2 * number}",) for number in range(20)]
    assert [outcome.record["value"] for outcome in outcomes] == [2 * number for number in range(20)]
    assert [outcome.record["source"] for outcome in outcomes] == [job.digest() for job in jobs(20)]


@pytest.mark.parametrize("error", [UserError("1.txt: is strange"), PermissionError(13, "Permission denied")])
@pytest.mark.parametrize("step", ["read", "write"])
def test_an_error_fails_its_own_job(jobs: Any, run: Runner, step: str, error: Exception) -> None:
    def failing(value: Any) -> Any:
        if (value if isinstance(value, Job) else value.job).name.name == "1.txt":
            raise error
        return read(value) if step == "read" else write(value)

    outcomes = run(jobs(3), **{step: failing})
    assert statuses(outcomes) == ["ok", "failed", "ok"]
    cannot = {"read": "cannot be read: Permission denied", "write": "cannot be written: Permission denied"}[step]
    assert f"1.txt: {'is strange' if isinstance(error, UserError) else cannot}" in str(outcomes[1].reason)
    assert not outcomes[1].output.exists()


def test_what_is_no_fault_of_a_file_ends_the_run(jobs: Any, run: Runner) -> None:
    def broken(group: Sequence[Item[Job, int]]) -> list[int]:
        raise UserError("memory is not enough for any")

    with pytest.raises(UserError, match="memory is not enough for any"):
        run(jobs(3), compute=broken)


def test_steps_may_decide_outcomes(jobs: Any, run: Runner) -> None:
    def read_even(job: Job) -> int | Outcome:
        return read(job) if read(job) % 2 == 0 else Outcome(job.name, job.output, "skipped", "is odd")

    def compute_small(group: Sequence[Item[Job, int]]) -> list[int | Outcome]:
        (item,) = group
        return [fail(item.job, "is large", out_of_memory=True) if item.content > 1 else item.content]

    outcomes = run(jobs(4), read=read_even, compute=compute_small)
    assert [(o.status, o.reason, o.out_of_memory) for o in outcomes] == [
        ("ok", None, False),
        ("skipped", "is odd", False),
        ("failed", "is large", True),
        ("skipped", "is odd", False),
    ]


def test_a_kind_that_cannot_be_read_is_not_opened(jobs: Any, run: Runner, tmp_path: Path) -> None:
    job = Job(tmp_path / "in" / "0.psd", Path("0.psd"), tmp_path / "out" / "0.psd", "Photoshop")
    jobs(1)
    (gone,) = run([job], read=lambda job: pytest.fail("was opened"))
    reason = "0.psd: Photoshop cannot be read: convert it to PNG, TIFF or JPEG"
    assert (gone.status, gone.reason) == ("left_alone", reason)
    (named,) = run([replace(job, named=True)], read=lambda job: pytest.fail("was opened"))
    assert (named.status, named.reason) == ("failed", reason)  # since nothing else was asked for


def test_what_is_up_to_date_is_skipped_and_nothing_else_is_replaced(jobs: Any, run: Runner) -> None:
    assert statuses(run(jobs(3))) == ["ok"] * 3
    (first, second, third) = jobs(3)
    second.source.write_text("7")
    third.output.unlink()
    outcomes = run([first, second, third], skip_current=True)
    assert statuses(outcomes) == ["skipped", "failed", "ok"]
    assert outcomes[0].reason == "is up to date"
    assert "was not made from this input" in str(outcomes[1].reason)
    assert second.output.read_text() == "2"
    assert statuses(run([first, second, third])) == ["ok"] * 3
    assert second.output.read_text() == "14"


def test_a_group_is_computed_whole_even_if_some_of_it_is_skipped(jobs: Any, run: Runner) -> None:
    groups: list[int] = []

    def count(group: Sequence[Item[Job, Any]]) -> list[int]:
        groups.append(len(group))
        return [2 * read(item.job) for item in group]

    schedule = Schedule(group=lambda items: group_neighbours(items, lambda item: read(item.job) // 2, lambda item: 9))
    found = jobs(6)
    run([found[0], *found[2:4]], compute=count, schedule=schedule)
    groups.clear()
    outcomes = run(found, compute=count, schedule=schedule, skip_current=True)
    assert statuses(outcomes) == ["skipped", "ok", "skipped", "skipped", "ok", "ok"]
    assert groups == [2, 2]  # 0 and 1, though 0 was there; not 2 and 3, of which nothing is missing; 4 and 5


def test_neighbours_form_groups_of_one_key(jobs: Any) -> None:
    keys = [1, 1, 1, 2, None, None, 2, 2, 1]
    items = [Item(job, key) for job, key in zip(jobs(len(keys)), keys, strict=True)]
    groups = list(group_neighbours(items, lambda item: item.content, lambda item: 2))
    assert [[item.content for item in group] for group in groups] == [[1, 1], [1], [2], [None], [None], [2, 2], [1]]
    assert [item for group in groups for item in group] == items


def test_an_exclusive_group_is_computed_alone(jobs: Any, run: Runner) -> None:
    running: set[int] = set()
    together: list[set[int]] = []

    def compute(group: Sequence[Item[Job, int]]) -> list[int]:
        running.add(group[0].content)
        time.sleep(0.01)
        together.append(set(running))
        running.discard(group[0].content)
        return [0]

    exclusive = {4, 5, 9}
    run(jobs(12), compute=compute, schedule=Schedule(exclusive=lambda group: group[0].content in exclusive))
    assert all(not (numbers & exclusive) or len(numbers) == 1 for numbers in together)
    assert any(len(numbers) > 1 for numbers in together)


def test_few_large_contents_are_in_memory_at_once(jobs: Any, run: Runner) -> None:
    lock, held, most = threading.Lock(), 0, 0

    def reading(job: Job) -> int:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return read(job)

    def writing(item: Item[Job, int]) -> Written:
        nonlocal held
        time.sleep(0.002)
        with lock:
            held -= 1
        return write(item)

    def peak(size: int) -> int:
        nonlocal held, most
        held = most = 0
        run(jobs(60), read=reading, write=writing, schedule=Schedule(read_ahead=30, size=lambda content: size))
        return most

    assert peak(2**30) < 12 < peak(1)


def test_a_caller_who_stops_early_stops_the_pipeline(jobs: Any, tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "out" / "manifest.jsonl", "m", {})
    stream = run_jobs(jobs(100), read, double, write, manifest=manifest, schedule=Schedule())
    assert next(stream).status == "ok"
    stream.close()
    written = len(list((tmp_path / "out").glob("*.txt")))
    assert 1 <= written < 20
    time.sleep(0.05)
    assert len(list((tmp_path / "out").glob("*.txt"))) == written


def test_a_run_that_is_asked_to_stop_finishes_what_is_written_and_counts_it(
    jobs: Any, run: Runner, tmp_path: Path
) -> None:
    monitor = Monitor()

    def compute(group: Sequence[Item[Job, int]]) -> list[int]:
        with monitor.picture("a", 1) as report:
            if group[0].content == 5:
                monitor.stop()
                report(TileProgress(1, 2, 0.5))
            return double(group)

    def slow_write(item: Item[Job, int]) -> Written:
        time.sleep(0.02)
        return write(item)

    outcomes = run(jobs(40), compute=compute, write=slow_write, monitor=monitor)
    assert 3 <= len(outcomes) <= 5  # another worker may have come before the picture that was interrupted
    written = {path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".txt"}
    assert written == {outcome.name.name for outcome in outcomes}


def test_a_full_disk_ends_the_run_and_is_told_once(jobs: Any, run: Runner, tmp_path: Path) -> None:
    def fill_disk(item: Item[Job, int]) -> Written:
        if item.job.name.name >= "3.txt":
            try:
                raise OSError(errno.ENOSPC, "No space left on device")
            except OSError as error:
                raise UserError(f"{item.job.output}: cannot be written") from error  # as writers of pictures do
        return write(item)

    outcomes = run(jobs(10), write=fill_disk)
    assert statuses(outcomes) == ["ok", "ok", "ok", "failed"]
    assert re.search(r"3\.txt: the disk is full; make room, and go on with `on_exists` skip", str(outcomes[3].reason))
    assert outcomes[3].disk_full


@pytest.mark.parametrize("limit", [1, 2])
def test_a_limit_counts_the_jobs_that_are_to_be_done(jobs: Any, run: Runner, limit: int) -> None:
    for done in range(0, 6, limit):
        outcomes = run(jobs(7), skip_current=True, limit=limit)
        assert statuses(outcomes) == ["skipped"] * done + ["ok"] * limit
