"""Degrade a folder of good pictures, for inputs to try a model on."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.contract import derive_seed
from datasets.degradations.degrade import DegradationName, check_strength, degrade
from datasets.pixels import drop_alpha, to_floats, to_pixels, to_tensor
from datasets.storage.names import encode_name
from translate.folders.jobs import Job, find_jobs, refuse_existing
from translate.folders.manifest import Manifest, Outcome
from translate.folders.options import RunOptions
from translate.folders.pipeline import Item, Schedule, Written, describe_change, notes_of, run_jobs
from translate.inference.monitor import Monitor


@dataclass(frozen=True)
class DegradedPicture:
    """A picture before and after it was degraded."""

    before: Picture
    after: Picture


@dataclass(frozen=True)
class Degrading:
    """Reads, degrades and writes the pictures of one run."""

    name: DegradationName
    strength: float | None
    seed: int

    def read(self, job: Job) -> Picture:
        """Read a picture."""
        return read_picture(job.source)

    def compute(self, group: Sequence[Item[Job, Picture]]) -> list[DegradedPicture]:
        """Degrade pictures; the noise of each depends on the seed and its own name only."""
        return [self._degrade(item.job, item.content) for item in group]

    def write(self, item: Item[Job, DegradedPicture]) -> Written:
        """Write a degraded picture as the kind of file that its source is."""
        before, after = item.content.before, item.content.after
        notes = write_picture(after, item.job.output)
        return Written((*notes_of(before), *notes), describe_change(item.job, before, after))

    def _degrade(self, job: Job, picture: Picture) -> DegradedPicture:
        seed = derive_seed(self.seed, *encode_name(job.name.as_posix()))
        floats = degrade(to_floats(drop_alpha(picture)), self.name, self.strength, seed)
        return DegradedPicture(picture, replace(picture, pixels=to_pixels(to_tensor(floats), picture.depth)))


def degrade_folder(
    source: Path, destination: Path, name: DegradationName, strength: float | None = None, seed: int = 0
) -> Generator[Outcome, None, None]:
    """Degrade every picture under `source` into `destination`; yield an outcome for each, in order.

    Raises:
        DataError: The degradation has no such strength.
        NothingFoundError: There are no pictures.
        UserError: Something would be overwritten.
    """
    return run_degrading(plan_degrading(source, destination, name, strength), name, strength, seed)


def plan_degrading(source: Path, destination: Path, name: DegradationName, strength: float | None) -> list[Job]:
    """Find the pictures and decide where each output goes; refuse as `degrade_folder` does."""
    check_strength(name, strength)
    jobs, _ = find_jobs(source, destination, RunOptions(on_exists="overwrite"))
    refuse_existing(jobs)
    return jobs


def run_degrading(
    jobs: Sequence[Job], name: DegradationName, strength: float | None, seed: int, monitor: Monitor | None = None
) -> Generator[Outcome, None, None]:
    """Degrade the pictures of a plan; yield an outcome for each, in order."""
    work = Degrading(name, strength, seed)
    # No manifest: the outputs are the inputs of another run, where an extra file would be in the way.
    manifest = Manifest(None, name, {})
    schedule = Schedule(size=_size)
    return run_jobs(jobs, work.read, work.compute, work.write, manifest=manifest, schedule=schedule, monitor=monitor)


def _size(content: Picture | DegradedPicture) -> int:
    if isinstance(content, Picture):
        return content.pixels.nbytes
    return content.before.pixels.nbytes + content.after.pixels.nbytes
