"""What a run over a folder will do, settled and checked before anything is written."""

import shutil
import statistics
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from datasets.codecs.formats import FORMAT_OF
from datasets.codecs.images import PIXEL_LIMIT, SUFFIXES, UNSUPPORTED, Header, SaveOptions, choose_suffix, read_header
from datasets.contract import Settings
from datasets.errors import UserError
from datasets.storage.listing import Found, find_pictures
from models.contract import Domain, Translator
from translate.files import domain_folder
from translate.inference.tiles import SMALLEST
from translate.inference.tiling import Norms, Tile, check_tile

HEADS_READ = 50  # of a folder, to see what sizes it holds


class NothingFoundError(UserError):
    """There is no picture where pictures were said to be."""

    exit_code: ClassVar[int] = 4


class RunOptions(Settings):
    """How to run a model over pictures.

    Attributes:
        to: The domains to aim for, of a model that has several; `all` means each of them. What can be had at once is
            named with commas between. Several make a folder each.
        work_size: Scale the shorter side to this many pixels for the model, and its output back.
        batch: Pictures of one size that the model gets at once; null: as many as suits.
        tile: Pixels on a side of the tiles that pictures are cut into; "auto": where they are large; "off": never.
        norms: What norms over the whole picture are given where it is cut into tiles: its own statistics ("exact"), or
            those of a reduced copy ("reduced"), which is much cheaper: no seams, but another result.
        on_exists: What to do where an output exists: refuse, skip what is up to date, or overwrite.
        shard: (i, n), counted from 1: do every n-th picture from the i-th on.
    """

    to: tuple[str, ...] = ()
    work_size: int | None = Field(None, ge=1)
    batch: int | None = Field(None, ge=1)
    tile: Tile = "auto"
    norms: Norms = "exact"
    on_exists: Literal["error", "skip", "overwrite"] = "error"
    recurse: bool = True
    limit: int | None = Field(None, ge=1)
    shard: tuple[int, int] = (1, 1)
    threads: int = Field(2, ge=1)  # that decode, and as many that encode
    pixel_limit: int = Field(PIXEL_LIMIT, ge=1)  # a larger picture is refused: it may be a bomb
    save: SaveOptions = SaveOptions()

    @field_validator("to", mode="before")
    @classmethod
    def _one_or_several(cls, to: Any) -> Any:
        return () if to is None else (to,) if isinstance(to, str) else to

    @field_validator("tile", mode="before")
    @classmethod
    def _tile_is_a_size(cls, tile: Any) -> Any:
        if tile in ("auto", "off"):
            return tile
        if not str(tile).isdecimal() or int(tile) < SMALLEST:
            raise ValueError(f"expected auto, off, or {SMALLEST} or more pixels on a side, found {tile}")
        return int(tile)

    @field_validator("shard")
    @classmethod
    def _shard_exists(cls, shard: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= shard[0] <= shard[1]:
            raise ValueError(f"shard {shard[0]}/{shard[1]}: expected i/n with i from 1 to n")
        return shard


@dataclass(frozen=True)
class Job:
    """One picture's way: where it is, what it is called, where it goes."""

    source: Path
    name: Path
    output: Path
    unreadable: str | None = None  # what kind of picture it is, where that kind cannot be read
    to: str | None = None  # what is aimed for, by name, where there is a choice
    domain: Domain = 0  # the same, as the translator is told
    mask: Path | None = None  # what shows its holes, where a file does


@dataclass(frozen=True)
class Plan:
    """All jobs of a run, and what a person should know of them first."""

    jobs: tuple[Job, ...]
    destination: Path
    manifest: Path | None  # None where a single file goes to a single file
    notes: tuple[str, ...]


def make_plan(
    translator: Translator, scaled_to: int | None, source: Path, destination: Path, options: RunOptions
) -> Plan:
    """Find the pictures and settle where each goes.

    Raises:
        NothingFoundError: There are none.
        UserError: Something would be overwritten, two outputs would be one file, there is no room for larger pictures,
            tiles were asked for that cannot be, or the model needs to be told what to fill.
    """
    if translator.fills_holes:
        raise UserError("this model fills holes, and has to be told which: use `translate inpaint`")
    check_tile(translator, options.tile, options.norms)
    aims = targets(translator, options.to)
    if len(aims) > 1 and (destination.is_file() or (not source.is_dir() and destination.suffix.lower() in SUFFIXES)):
        raise UserError(f"{destination}: is one file, and each of the {len(aims)} targets needs its own: give a folder")
    jobs: list[Job] = []
    notes: list[str] = []
    for name, domain, folder in aims:
        found, notes = find_jobs(source, destination / folder, options)
        jobs += [replace(job, name=folder / job.name, to=name, domain=domain) for job in found]
    if options.work_size is None and translator.scale == 1 and scaled_to is not None:
        notes += _size_notes(jobs, scaled_to)
    _refuse_without_room(jobs, destination, translator.scale)
    return build_plan(jobs, source, destination, options, notes)


def build_plan(
    jobs: Sequence[Job], source: Path, destination: Path, options: RunOptions, notes: Sequence[str] = ()
) -> Plan:
    """The plan of these jobs, with the place of its manifest.

    Raises:
        UserError: Nothing could tell whether a single file is up to date.
    """
    single = not source.is_dir() and jobs[0].output == destination
    if single and options.on_exists == "skip" and destination.exists():
        raise UserError(f"{destination}: exists, and only a folder's manifest could tell whether it is up to date")
    # A single file that was given a name leaves nothing beside it.
    return Plan(tuple(jobs), destination, None if single else destination / "manifest.jsonl", tuple(notes))


def find_jobs(source: Path, destination: Path, options: RunOptions) -> tuple[list[Job], list[str]]:
    """Every picture with the place it goes to, and notes for a person; refused as in `make_plan`."""
    notes: list[str] = []
    if source.is_dir():
        found = find_pictures(source, recurse=options.recurse)
        jobs = _folder_jobs(found, source, destination, options)
        notes += found.notes()
    else:
        jobs = [_file_job(source, destination, options)]
    if not jobs:
        raise NothingFoundError(f"{source}: holds no picture; known are {', '.join(sorted(SUFFIXES))}")
    _refuse_clashes(jobs, destination)  # also those between shards
    first, every = options.shard
    mine = jobs[first - 1 :: every][: options.limit]
    if not mine:
        raise NothingFoundError(f"{source}: shard {first}/{every} of {len(jobs)} pictures is empty; take fewer shards")
    _refuse_overwriting(mine, {job.source.resolve() for job in jobs}, source, options)
    return mine, notes


def refuse_existing(jobs: Sequence[Job]) -> None:
    """Check that no output exists.

    Raises:
        UserError: One does.
    """
    existing = [job.output for job in jobs if job.output.exists()]
    if existing:
        raise UserError(
            f"{existing[0]}: exists"
            + (f", and so do {len(existing) - 1} more outputs" if existing[1:] else "")
            + "; choose another place, or --on-exists skip or overwrite"
        )


def targets(translator: Translator, to: Sequence[str]) -> list[tuple[str | None, Domain, Path]]:
    """What is aimed for, under its name, with the folder that its pictures go to: their own where there are several.

    Raises:
        UserError: There is nothing of a name, or nothing was named where there is a choice.
    """
    everything = "all" in to and "all" not in translator.domains
    names = translator.domains if everything else tuple(dict.fromkeys(to))
    if everything and not names:
        raise UserError("--to all: this model has nothing to choose from")
    if len(names) < 2 and not everything:
        domain = translator.resolve_domain(names[0] if names else None)
        return [(names[0] if len(translator.domains) > 1 else None, domain, Path())]
    return [(name, translator.resolve_domain(name), domain_folder(names, index)) for index, name in enumerate(names)]


def _folder_jobs(found: Found, source: Path, destination: Path, options: RunOptions) -> list[Job]:
    if destination.is_file():
        raise UserError(f"{destination}: is a file; a folder of pictures needs a folder to go to")
    here, there = source.resolve(), destination.resolve()
    if there == here or here in there.parents:
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
    unwritten = UNSUPPORTED.get(destination.suffix.lower())
    if unwritten and not destination.is_dir():
        raise UserError(f"{destination}: {unwritten} cannot be written; choose PNG or TIFF")
    if destination.suffix.lower() not in SUFFIXES or destination.is_dir():
        if destination.is_file():
            raise UserError(f"{destination}: is a file whose name is no picture's; choose a folder or another name")
        output = destination / name.with_suffix(choose_suffix(name, options.save))
        return Job(source, name, output, UNSUPPORTED.get(suffix))
    wanted = FORMAT_OF.get(suffix) if options.save.format == "keep" else options.save.format.upper()
    if wanted is not None and FORMAT_OF[destination.suffix.lower()] != wanted:
        raise UserError(f"{destination}: is another format than {wanted}; say so with --format")
    return Job(source, name, destination, UNSUPPORTED.get(suffix))


def _refuse_clashes(jobs: Sequence[Job], destination: Path) -> None:
    outputs = Counter(job.output for job in jobs)
    clashing = [job.name.as_posix() for job in jobs if outputs[job.output] > 1]
    if clashing:
        raise UserError(f"{', '.join(clashing[:6])}: would become one file in {destination}; convert them apart")


def _refuse_overwriting(jobs: Sequence[Job], sources: Set[Path], source: Path, options: RunOptions) -> None:
    for job in jobs:
        if job.output.resolve() in sources:
            raise UserError(f"{job.output}: would be overwritten by a translation; choose another place than {source}")
    if options.on_exists == "error":
        refuse_existing(jobs)


def _refuse_without_room(jobs: Sequence[Job], destination: Path, scale: int) -> None:
    """What enlarges needs about `scale`² times the room of its sources."""
    if scale == 1:
        return
    needed = scale**2 * sum(job.source.stat().st_size for job in jobs if job.source.is_file())
    folder = next(folder for folder in (destination, *destination.resolve().parents) if folder.is_dir())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{destination}: pictures {scale} times as large need about {needed / 2**30:.1f} GiB, and only "
            f"{free / 2**30:.1f} are free; choose another place, or translate fewer with --shard"
        )


def _size_notes(jobs: Sequence[Job], trained_size: int) -> list[str]:
    heads = [head for job in jobs[:HEADS_READ] if (head := _head(job)) is not None]
    if not heads:
        return []
    typical = round(statistics.median(min(head.width, head.height) for head in heads))
    if trained_size / 1.5 <= typical <= trained_size * 1.5:
        return []
    return [
        f"the pictures' shorter side is {typical} pixels, and the model learned from {trained_size}: "
        f"details have another scale than it knows; --work-size {trained_size} translates at its own"
    ]


def _head(job: Job) -> Header | None:
    try:
        return None if job.unreadable else read_header(job.source)
    except UserError:
        return None  # the run itself will say what is wrong with it
