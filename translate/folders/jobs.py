"""Which pictures a run reads and which files it writes, checked before the first is written."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal

from datasets.codecs.encoding import WITH_ALPHA
from datasets.codecs.fitting import refuse_too_large
from datasets.codecs.formats import FORMAT_OF, READ_ONLY, TITLES, WRITTEN_SUFFIXES
from datasets.codecs.images import SUFFIXES, UNSUPPORTED, PictureError, SaveOptions, choose_suffix
from datasets.errors import UserError, count_of, suggest_path
from datasets.storage.listing import Listing, find_pictures
from datasets.storage.names import FileSet, find_windows_problem, fold_name
from models.contract import Domain
from translate.files import check_writable, file_digest
from translate.folders.inputs import Inputs, Source, is_pattern
from translate.folders.options import RunOptions

# Instead of a mask's path: the transparent part of the picture is the hole, or the part that the options mark in it.
ALPHA: Literal["alpha"] = "alpha"
MARKED: Literal["marked"] = "marked"

USUAL = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")  # suffixes that a mistyped one is compared with
LOSSY = frozenset({"JPEG", "WEBP", "JXL", "JP2", "J2K"})  # formats with a quality


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
        unreadable: What kind of file the source is, where that kind cannot be read, or not be written again.
        named: The user named the source itself, not a folder that it was found in.
        origin: What it is made from, in words, where that is not a file.
        to: The name of the domain to translate to, where there is a choice.
        domain: The same, as the translator takes it.
        mask: What shows the holes to fill: a file, the picture's own transparency, or the options.
    """

    source: Path
    name: Path
    output: Path
    unreadable: str | None = None
    named: bool = False
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


def find_jobs(source: Source, destination: Path, options: RunOptions) -> tuple[list[Job], list[str]]:
    """Return a job for every picture, and notes for the user.

    Where up-to-date outputs are skipped, the limit is left to the run, which knows what is still to be done.

    Raises:
        NothingFoundError: There are no pictures, or none in this shard.
        UserError: Something would be overwritten, two outputs would be one file, or the destination cannot be written.
    """
    inputs, notes = Inputs.of(source), list[str]()
    for path in inputs.paths:
        if is_pattern(path) and not path.exists():
            raise NothingFoundError(f"{path}: no file matches this pattern")
    if inputs.is_folder:
        jobs, notes = _folder_jobs(inputs, destination, options)
    else:
        jobs = [_file_job(inputs.paths[0], destination, options)]
    if not jobs:
        raise NothingFoundError(f"{inputs}: holds no picture; known are {', '.join(sorted(SUFFIXES))}")
    _refuse_clashes(jobs, destination)  # also between shards
    if os.name == "nt":
        refuse_windows_names(jobs, destination)
    first, every = options.shard
    mine = jobs[first - 1 :: every][: None if options.on_exists == "skip" else options.limit]
    if not mine:
        raise NothingFoundError(f"{inputs}: shard {first}/{every} of {len(jobs)} pictures is empty; take fewer shards")
    _refuse_sources(mine, FileSet(job.source.resolve() for job in jobs), inputs)
    if options.on_exists == "error":
        refuse_existing(mine, "choose another place, or set `on_exists` to skip or overwrite")
    check_writable(destination if inputs.is_folder else jobs[0].output.parent)
    return mine, notes + _quality_notes(mine, options)


def refuse_existing(jobs: Sequence[Job], hint: str = "choose another place") -> None:
    """Check that no output exists.

    Raises:
        UserError: One does.
    """
    existing = [job.output for job in jobs if job.output.exists()]
    if existing:
        more = f", like {count_of(len(existing) - 1, 'other output')}" if existing[1:] else ""
        raise UserError(f"{existing[0]}: exists{more}; {hint}")


def _folder_jobs(inputs: Inputs, destination: Path, options: RunOptions) -> tuple[list[Job], list[str]]:
    if destination.is_file():
        raise UserError(f"{destination}: is a file; a folder of pictures needs a folder to go to")
    if len(inputs.paths) > 1 and destination.suffix.lower() in SUFFIXES and not destination.exists():
        raise UserError(f"{destination}: is the name of one picture, and {inputs} need a folder to go to")
    jobs: list[Job] = []
    others = links = 0
    for path in inputs.paths:
        if path.is_dir():
            refuse_inside(path, destination)
            found = find_pictures(path, recurse=options.recurse)
            others, links = others + found.others, links + found.links
            jobs += [_job(inputs, path / name, destination, options) for name in found.pictures]
            jobs += [_job(inputs, path / name, destination, options, kind) for name, kind in found.unsupported]
        elif path.exists() and path.suffix.lower() not in SUFFIXES | UNSUPPORTED.keys():
            others += 1
        else:
            kind = UNSUPPORTED.get(path.suffix.lower())
            jobs.append(replace(_job(inputs, path, destination, options, kind), named=True))
    jobs.sort(key=lambda job: job.unreadable is not None)
    return jobs, Listing((), (), others, links).describe_ignored()


def _job(inputs: Inputs, source: Path, destination: Path, options: RunOptions, unreadable: str | None = None) -> Job:
    name = inputs.name_of(source)
    suffix = name.suffix if unreadable else choose_suffix(name, options.save)
    output = destination / name.with_suffix(suffix)
    return Job(source, name, output, unreadable or _find_unwritten(output))


def _find_unwritten(output: Path) -> str | None:
    """Return the kind of an output, if it is one that is read only."""
    format = FORMAT_OF.get(output.suffix.lower())
    return TITLES.get(format, format) if format in READ_ONLY else None


def refuse_inside(source: Path, destination: Path) -> None:
    """Check that outputs do not go into the folder that is read, where they would be taken for inputs.

    Raises:
        UserError: They would.
    """
    source_folder, output_folder = source.resolve(), destination.resolve()
    if any(folder in FileSet([source_folder]) for folder in (output_folder, *output_folder.parents)):
        raise UserError(f"{destination}: lies in the folder that is read; choose a place outside {source}")


def _file_job(source: Path, destination: Path, options: RunOptions) -> Job:
    if not source.exists():
        raise NothingFoundError(f"{source}: there is no such file or folder{suggest_path(source)}")
    suffix = source.suffix.lower()
    if suffix not in SUFFIXES | UNSUPPORTED.keys():
        raise NothingFoundError(f"{source}: is no picture by its name; known are {', '.join(sorted(SUFFIXES))}")
    name = Path(source.name)
    unsupported = UNSUPPORTED.get(destination.suffix.lower()) or _find_unwritten(destination)
    if unsupported and not destination.is_dir():
        raise UserError(f"{destination}: {unsupported} cannot be written; choose PNG or TIFF")
    if destination.suffix.lower() not in WRITTEN_SUFFIXES or destination.is_dir():
        near = get_close_matches(destination.suffix.lower(), USUAL, 1, 0.7)  # .jgp and .jpg have 0.75
        if near and not destination.exists():
            raise UserError(f"{destination}: names no format; did you mean {destination.with_suffix(near[0])}?")
        if destination.is_file():
            raise UserError(f"{destination}: is a file whose name is no picture's; choose a folder or another name")
        output = destination / name.with_suffix(choose_suffix(name, options.save))
        return Job(source, name, output, UNSUPPORTED.get(suffix) or _find_unwritten(output), named=True)
    asked = options.save.format
    if asked != "keep" and FORMAT_OF[destination.suffix.lower()] != asked.upper():
        raise UserError(f"{destination}: is no name of a {asked.upper()}; leave `format` out, or change the name")
    return Job(source, name, destination, UNSUPPORTED.get(suffix), named=True)


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


def _refuse_sources(jobs: Sequence[Job], sources: FileSet, source: Inputs) -> None:
    """Refuse to write over a picture that is read, which a link in the destination may lead to."""
    for job in jobs:
        if job.output.resolve() in sources:
            raise UserError(f"{job.output}: would be overwritten by a translation; choose another place than {source}")


def _quality_notes(jobs: Sequence[Job], options: RunOptions) -> list[str]:
    """Return a note if the quality that was asked for does not matter to some outputs.

    Raises:
        UserError: It matters to none.
    """
    if options.save.quality is None:
        return []
    written = [FORMAT_OF.get(job.output.suffix.lower()) for job in jobs if job.unreadable is None]
    exact = [format for format in written if format is not None and format not in LOSSY]
    kinds = ", ".join(sorted({TITLES.get(format, format) for format in exact}))
    if exact and len(exact) == len(written):
        raise UserError(f"`quality`: has no meaning for {kinds}; leave it out, or set `format` to jpeg or webp")
    return [f"`quality` changes nothing in {count_of(len(exact), 'file')} of {kinds}"] if exact else []


def check_output_size(job: Job, width: int, height: int, depth: int) -> None:
    """Check that the format of a job's output holds so many pixels, before they are computed.

    Raises:
        PictureError: It does not.
    """
    format = FORMAT_OF.get(job.output.suffix.lower())
    if format is None or format in READ_ONLY:
        return
    try:
        refuse_too_large(width, height, depth, format)
    except PictureError as error:
        raise PictureError(f"{job.name}: the output's {error}") from None


def describe_saving(job: Job, save: SaveOptions) -> dict[str, Any]:
    """Return the options that decide how a job's output is saved, and leave out what changes nothing in it."""
    before, after = (FORMAT_OF.get(path.suffix.lower()) for path in (job.source, job.output))
    facts = save.model_dump()
    facts["format"] = "keep" if before == after else str(after).lower()
    facts["quality"] = save.quality if after in LOSSY else None
    facts["background"] = None if after in WITH_ALPHA else save.background
    return facts
