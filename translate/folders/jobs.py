"""Which pictures a run reads and which files it writes, checked before the first is written."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from datasets.codecs.formats import FORMAT_OF
from datasets.codecs.images import SUFFIXES, UNSUPPORTED, choose_suffix
from datasets.errors import UserError
from datasets.storage.listing import Listing, find_pictures
from datasets.storage.names import FileSet, find_windows_problem, fold_name
from models.contract import Domain
from translate.files import file_digest
from translate.folders.options import RunOptions

# Instead of a mask's path: the transparent part of the picture is the hole, or the part that the options mark in it.
ALPHA: Literal["alpha"] = "alpha"
MARKED: Literal["marked"] = "marked"


class NothingFoundError(UserError):
    """There are no pictures where some were expected."""

    exit_code: ClassVar[int] = 4


@dataclass(frozen=True)
class Job:
    """One file to make.

    Attributes:
        source: The picture it is made from; an empty path where it is made from none.
        name: Its name in messages and in the manifest: the path of the source within the folder that is read.
        output: The file to write.
        unreadable: What kind of file the source is, where that kind cannot be read.
        origin: What it is made from, in words, where that is not a file.
        to: The name of the domain to translate to, where there is a choice.
        domain: The same, as the translator takes it.
        mask: What shows the holes to fill: a file, the picture's own transparency, or the options.
    """

    source: Path
    name: Path
    output: Path
    unreadable: str | None = None
    origin: str | None = None
    to: str | None = None
    domain: Domain = 0
    mask: Path | Literal["alpha", "marked"] | None = None

    def digest(self) -> str:
        """Return a fingerprint of everything that the file is made from, the model and the options aside.

        Raises:
            OSError: The source or the mask cannot be read.
            UserError: One of them is not a regular file.
        """
        if self.origin is not None:
            return self.origin
        mask = f" {file_digest(self.mask)}" if isinstance(self.mask, Path) else ""
        return file_digest(self.source) + mask


def find_jobs(source: Path, destination: Path, options: RunOptions) -> tuple[list[Job], list[str]]:
    """Return a job for every picture, and notes for the user.

    Raises:
        NothingFoundError: There are no pictures, or none in this shard.
        UserError: Something would be overwritten, or two outputs would be one file.
    """
    notes: list[str] = []
    if source.is_dir():
        found = find_pictures(source, recurse=options.recurse)
        jobs = _folder_jobs(found, source, destination, options)
        notes += found.describe_ignored()
    else:
        jobs = [_file_job(source, destination, options)]
    if not jobs:
        raise NothingFoundError(f"{source}: holds no picture; known are {', '.join(sorted(SUFFIXES))}")
    _refuse_clashes(jobs, destination)  # also between shards
    if os.name == "nt":
        refuse_windows_names(jobs, destination)
    first, every = options.shard
    mine = jobs[first - 1 :: every][: options.limit]
    if not mine:
        raise NothingFoundError(f"{source}: shard {first}/{every} of {len(jobs)} pictures is empty; take fewer shards")
    _refuse_sources(mine, FileSet(job.source.resolve() for job in jobs), source)
    if options.on_exists == "error":
        refuse_existing(mine, "choose another place, or set `on_exists` to skip or overwrite")
    return mine, notes


def refuse_existing(jobs: Sequence[Job], hint: str = "choose another place") -> None:
    """Check that no output exists.

    Raises:
        UserError: One does.
    """
    existing = [job.output for job in jobs if job.output.exists()]
    if existing:
        more = f", and so do {len(existing) - 1} more outputs" if existing[1:] else ""
        raise UserError(f"{existing[0]}: exists{more}; {hint}")


def _folder_jobs(found: Listing, source: Path, destination: Path, options: RunOptions) -> list[Job]:
    if destination.is_file():
        raise UserError(f"{destination}: is a file; a folder of pictures needs a folder to go to")
    source_folder, output_folder = source.resolve(), destination.resolve()
    if any(folder in FileSet([source_folder]) for folder in (output_folder, *output_folder.parents)):
        raise UserError(f"{destination}: lies in the folder that is read; choose a place outside {source}")
    readable = [
        Job(source / name, name, destination / name.with_suffix(choose_suffix(name, options.save)))
        for name in found.pictures
    ]
    unreadable = [Job(source / name, name, destination / name, kind) for name, kind in found.unsupported]
    return readable + unreadable


def _file_job(source: Path, destination: Path, options: RunOptions) -> Job:
    if not source.exists():
        raise NothingFoundError(f"{source}: there is no such file or folder")
    suffix = source.suffix.lower()
    if suffix not in SUFFIXES | UNSUPPORTED.keys():
        raise NothingFoundError(f"{source}: is no picture by its name; known are {', '.join(sorted(SUFFIXES))}")
    name = Path(source.name)
    unsupported = UNSUPPORTED.get(destination.suffix.lower())
    if unsupported and not destination.is_dir():
        raise UserError(f"{destination}: {unsupported} cannot be written; choose PNG or TIFF")
    if destination.suffix.lower() not in SUFFIXES or destination.is_dir():
        if destination.is_file():
            raise UserError(f"{destination}: is a file whose name is no picture's; choose a folder or another name")
        output = destination / name.with_suffix(choose_suffix(name, options.save))
        return Job(source, name, output, UNSUPPORTED.get(suffix))
    expected = FORMAT_OF.get(suffix) if options.save.format == "keep" else options.save.format.upper()
    if expected is not None and FORMAT_OF[destination.suffix.lower()] != expected:
        raise UserError(f"{destination}: is another format than {expected}; name the format with `format`")
    return Job(source, name, destination, UNSUPPORTED.get(suffix))


def _refuse_clashes(jobs: Sequence[Job], destination: Path) -> None:
    """Refuse outputs of one name, also where case or spelling in Unicode tells them apart: not every system does."""
    folded = [fold_name(str(job.output)) for job in jobs]
    outputs = Counter(folded)
    clashing = [job for job, name in zip(jobs, folded, strict=True) if outputs[name] > 1]
    if clashing:
        names = ", ".join(job.name.as_posix() for job in clashing[:6])
        equal = len({job.output for job in clashing[:2]}) == 1
        where = "" if equal else " where a file system ignores case or the spelling of letters"
        raise UserError(f"{names}: would become one file in {destination}{where}; convert them apart, or rename them")


def refuse_windows_names(jobs: Sequence[Job], destination: Path) -> None:
    """Refuse names that Windows gives to devices or cannot write, which it would lose or cut in silence.

    Raises:
        UserError: An output has such a name.
    """
    for job in jobs:
        problem = find_windows_problem(
            job.output.relative_to(destination) if job.output != destination else Path(job.output.name)
        )
        if problem is not None:
            raise UserError(f"{job.output}: cannot be written on Windows: {problem}; rename {job.name.as_posix()}")


def _refuse_sources(jobs: Sequence[Job], sources: FileSet, source: Path) -> None:
    """Refuse to write over a picture that is read, which a link in the destination may lead to."""
    for job in jobs:
        if job.output.resolve() in sources:
            raise UserError(f"{job.output}: would be overwritten by a translation; choose another place than {source}")
