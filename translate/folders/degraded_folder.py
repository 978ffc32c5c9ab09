"""Degrade a folder of good pictures, for inputs to try a model on."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.contract import derive_seed
from datasets.degradations.degrade import DegradationName, check_strength, degrade
from datasets.pixels import drop_alpha, to_floats, to_pixels, to_tensor
from datasets.storage.names import encode_name
from translate.folders.inputs import Inputs, Source
from translate.folders.jobs import Job, find_jobs
from translate.folders.manifest import Manifest, Outcome
from translate.folders.options import OnExists, RunOptions
from translate.folders.pipeline import Item, Schedule, Written, describe_change, notes_of, run_jobs
from translate.folders.plan import Plan, build_plan
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
    source: Source,
    destination: Path,
    name: DegradationName,
    strength: float | None = None,
    seed: int = 0,
    on_exists: OnExists = "error",
) -> Generator[Outcome, None, None]:
    """Degrade every picture under `source` into `destination`; yield an outcome for each, in order.

    Raises:
        DataError: The degradation has no such strength.
        NothingFoundError: There are no pictures.
        UserError: Something would be overwritten, unless `on_exists` is to skip what is up to date, or to overwrite.
    """
    options = RunOptions(on_exists=on_exists)
    return run_degrading(plan_degrading(source, destination, name, strength, options), name, strength, seed, options)


def plan_degrading(
    source: Source, destination: Path, name: DegradationName, strength: float | None, options: RunOptions
) -> Plan:
    """Find the pictures and decide where each output goes; refuse as `degrade_folder` does."""
    check_strength(name, strength)
    inputs = Inputs.of(source)
    jobs, notes = find_jobs(inputs, destination, options)
    return build_plan(jobs, inputs, destination, options, notes)


def run_degrading(
    plan: Plan,
    name: DegradationName,
    strength: float | None,
    seed: int,
    options: RunOptions,
    monitor: Monitor | None = None,
) -> Generator[Outcome, None, None]:
    """Degrade the pictures of a plan; yield an outcome for each, in order."""
    work = Degrading(name, strength, seed)
    return run_jobs(
        plan.jobs,
        work.read,
        work.compute,
        work.write,
        manifest=Manifest(plan.manifest, name, {"strength": strength, "seed": seed}),
        schedule=Schedule(size=_size),
        skip_current=options.on_exists == "skip",
        monitor=monitor,
    )


def _size(content: Picture | DegradedPicture) -> int:
    if isinstance(content, Picture):
        return content.pixels.nbytes
    return content.before.pixels.nbytes + content.after.pixels.nbytes
