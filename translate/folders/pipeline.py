"""The pipeline that every verb over files runs in: read, compute and write at the same time, one outcome a job.

A verb says what it reads for a job, what it computes from that, and how it writes the result. All else is the same for
every verb and is decided here: which outputs are up to date, what a failure is, what the manifest records, and how many
files wait in memory. Results come in the order of the jobs, and a job that fails does not end the run.
"""

import errno
import itertools
import time
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from datasets.codecs.formats import describe_unsupported
from datasets.codecs.images import Picture
from datasets.codecs.picture import FramesError
from datasets.errors import UserError
from datasets.storage.threads import ordered_map
from translate.folders.jobs import Job
from translate.folders.manifest import Manifest, Outcome
from translate.folders.workers import map_on_workers
from translate.inference.monitor import Monitor

J = TypeVar("J", bound=Job)
T = TypeVar("T")  # what is read for a job
R = TypeVar("R")  # what is computed from that


@dataclass(frozen=True)
class Item(Generic[J, T]):
    """A job in the pipeline.

    Attributes:
        job: The job.
        content: What was read for it, or computed from that; or its outcome, where that is known already.
        digest: Of everything that the file is made from.
        started: When reading began, in seconds on the monotonic clock.
    """

    job: J
    content: T
    digest: str = ""
    started: float = 0.0


@dataclass(frozen=True)
class Written:
    """What a verb tells of a file that it wrote: notes for the user, and facts for the manifest."""

    notes: tuple[str, ...] = ()
    record: dict[str, Any] | None = None


def one_by_one(items: Iterable[Item[Any, Any]]) -> Iterator[list[Item[Any, Any]]]:
    """Yield every item as a group of its own."""
    return ([item] for item in items)


@dataclass(frozen=True)
class Schedule:
    """How items are grouped for computing, and how many are in memory at once.

    Attributes:
        threads: Threads that read, and as many that write.
        read_ahead: The most jobs that are read before it is their turn to be computed.
        write_ahead: The most results that are written or wait for it.
        groups: The most groups there can be; None: as many as jobs.
        group: Splits the stream of items into the groups that are computed at once.
        exclusive: Whether a group must be computed while no other is.
        size: Bytes of a content: the larger contents are, the fewer wait.
    """

    threads: int = 2
    read_ahead: int = 4
    write_ahead: int = 2
    groups: int | None = None
    group: Callable[[Iterable[Item[Any, Any]]], Iterator[list[Item[Any, Any]]]] = one_by_one
    exclusive: Callable[[Sequence[Item[Any, Any]]], bool] = lambda group: False
    size: Callable[[Any], int] = lambda content: 0

    def item_size(self, item: Item[Any, Any]) -> int:
        """Return the bytes of an item's content; an outcome takes none."""
        return 0 if isinstance(item.content, Outcome) else self.size(item.content)

    def group_size(self, group: Sequence[Item[Any, Any]]) -> int:
        """Return the bytes of the contents of a group."""
        return sum(map(self.item_size, group))


def run_jobs(
    jobs: Sequence[J],
    read: Callable[[J], T | Outcome],
    compute: Callable[[Sequence[Item[J, T]]], Sequence[R | Outcome]],
    write: Callable[[Item[J, R]], Written],
    *,
    manifest: Manifest,
    schedule: Schedule,
    skip_current: bool = False,
    limit: int | None = None,
    monitor: Monitor | None = None,
) -> Generator[Outcome, None, None]:
    """Run all jobs and yield their outcomes, in order.

    An OSError or a UserError of `read` or `write` fails their job; errors of `compute` end the run, and so does a full
    disk, after the first job that fails for it.

    Args:
        jobs: The jobs; none of their outputs may be a source.
        read: Reads what a job needs; called in threads. It may return the job's outcome instead.
        compute: Computes a group of items, in worker threads; the results are in the order of the items, and may be
            outcomes. Where some items of a group have their outcome already, all of the group is computed, so that
            each has the same place in its batch in every run.
        write: Writes a result to its job's output; called in threads.
        manifest: Tells what earlier runs have made, and records this one.
        schedule: How items are grouped and how many are in memory at once.
        skip_current: Skip jobs whose output is up to date, and fail those whose output is something else.
        limit: Stop after so many jobs, not counting those that were skipped or could not be read.
        monitor: Is told what is being computed, and ends the run early if it is asked to stop.
    """
    watch = monitor or Monitor()
    items = ordered_map(
        lambda job: _read(job, read, manifest, skip_current),
        watch.until_stopped(jobs),
        schedule.threads,
        schedule.read_ahead,
        size=schedule.item_size,
    )
    groups = map_on_workers(
        lambda group: _compute(group, compute, watch),
        schedule.group(_take(items, limit)),
        count=len(jobs) if schedule.groups is None else schedule.groups,
        exclusive=schedule.exclusive,
        size=schedule.group_size,
    )
    with closing(items), closing(groups):
        results = itertools.chain.from_iterable(watch.until_stopped(groups))
        outcomes = ordered_map(
            lambda item: _write(item, write, manifest, watch), results, schedule.threads, schedule.write_ahead
        )
        yield from map(manifest.keep, _stop_when_full(outcomes, watch))


def group_neighbours(
    items: Iterable[Item[J, T]],
    key: Callable[[Item[J, T]], Hashable | None],
    limit: Callable[[Item[J, T]], int],
) -> Iterator[list[Item[J, T]]]:
    """Yield runs of neighbouring items of equal keys, as groups of at most `limit(first item)`; None equals no key."""
    group: list[Item[J, T]] = []
    most = 1
    for item in items:
        if group and (len(group) == most or key(item) is None or key(item) != key(group[0])):
            yield group
            group = []
        if not group:
            most = limit(item)
        group.append(item)
    if group:
        yield group


def fail(job: Job, reason: str, *, out_of_memory: bool = False) -> Outcome:
    """Return the outcome of a job that failed."""
    return Outcome(job.name, job.output, "failed", reason, out_of_memory=out_of_memory)


def describe_change(job: Job, before: Picture, after: Picture) -> dict[str, Any]:
    """Return what the manifest records of a picture that was read and one that was made from it."""
    return {"to": job.to, "in": _describe(before), "out": _describe(after)}


def notes_of(picture: Picture) -> tuple[str, ...]:
    """Return what the user should know about how a picture was read."""
    return () if picture.origin is None else picture.origin.notes


def _read(job: J, read: Callable[[J], T | Outcome], manifest: Manifest, skip_current: bool) -> Item[J, T | Outcome]:
    started = time.monotonic()
    try:
        if job.unreadable:
            return Item(job, _leave_alone(job, f"{job.name}: {describe_unsupported(job.unreadable)}"))
        digest = job.digest()
        if skip_current and job.output.exists():
            return Item(job, _skip(job, manifest, digest))
        return Item(job, read(job), digest, started)
    except OSError as error:
        return Item(job, fail(job, f"{job.name}: cannot be read: {error.strerror or error}"))
    except FramesError as error:
        return Item(job, _leave_alone(job, str(error)))
    except UserError as error:
        return Item(job, fail(job, str(error)))


def _leave_alone(job: Job, reason: str) -> Outcome:
    """Leave a file alone that is of a kind that is not translated; one that the user named has failed."""
    return fail(job, reason) if job.named else Outcome(job.name, job.output, "left_alone", reason)


def _skip(job: Job, manifest: Manifest, digest: str) -> Outcome:
    """Skip an output that is up to date; another one fails its job, since nobody asked to replace it."""
    if manifest.is_current(job, digest):
        return Outcome(job.name, job.output, "skipped", "is up to date")
    return fail(
        job,
        f"{job.output}: exists and was not made from this input by this model with these options; "
        "choose another place, or set `on_exists` to overwrite",
    )


def _take(items: Iterable[Item[J, Any]], limit: int | None) -> Iterator[Item[J, Any]]:
    """Yield the items up to the `limit`-th that is to be computed."""
    count = 0
    for item in items:
        yield item
        count += not isinstance(item.content, Outcome)
        if count == limit:
            return


def _compute(
    group: list[Item[J, Any]], compute: Callable[[Sequence[Item[J, T]]], Sequence[R | Outcome]], watch: Monitor
) -> list[Item[J, Any]]:
    watch.check()
    if all(isinstance(item.content, Outcome) for item in group):
        return group
    return [
        item if isinstance(item.content, Outcome) else replace(item, content=result)
        for item, result in zip(group, compute(group), strict=True)
    ]


def _write(item: Item[J, Any], write: Callable[[Item[J, R]], Written], manifest: Manifest, watch: Monitor) -> Outcome:
    outcome = _write_output(item, write, manifest)
    watch.finish()
    return outcome


def _write_output(item: Item[J, Any], write: Callable[[Item[J, R]], Written], manifest: Manifest) -> Outcome:
    job = item.job
    if isinstance(item.content, Outcome):
        return item.content
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        manifest.begin(job, item.digest)
        written = write(item)
    except (OSError, UserError) as error:
        if _disk_is_full(error):
            reason = f"{job.output}: the disk is full; make room, and go on with `on_exists` skip"
            return replace(fail(job, reason), disk_full=True)
        if isinstance(error, UserError):
            return fail(job, str(error))
        return fail(job, f"{job.output}: cannot be written: {error.strerror or error}")
    milliseconds = round(1000 * (time.monotonic() - item.started))
    record = {"source": item.digest, **(written.record or {}), "ms": milliseconds}
    return Outcome(job.name, job.output, "ok", notes=written.notes, record=record)


def _stop_when_full(outcomes: Iterable[Outcome], watch: Monitor) -> Iterator[Outcome]:
    """Yield outcomes, and end the run once one failed since the disk is full, which is said once."""
    is_full = False
    for outcome in outcomes:
        if not (outcome.disk_full and is_full):
            is_full = is_full or outcome.disk_full
            if outcome.disk_full:
                watch.stop()
            yield outcome


def _disk_is_full(error: BaseException | None) -> bool:
    """Return whether an error was raised since the disk, or the user's part of it, is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False


def _describe(picture: Picture) -> dict[str, Any]:
    return {
        "width": picture.width,
        "height": picture.height,
        "channels": picture.channels,
        "depth": picture.depth,
        "alpha": picture.alpha is not None,
    }
