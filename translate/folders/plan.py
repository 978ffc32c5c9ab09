"""What a translation of a folder will do, decided and checked before anything is written."""

import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from datasets.codecs.formats import FORMAT_OF, describe_unsupported
from datasets.codecs.frames import count_frames, refuse_format
from datasets.codecs.images import SUFFIXES, Header, read_header
from datasets.codecs.picture import FramesError
from datasets.errors import UserError
from models.contract import Domain, DomainError, Translator
from translate.files import domain_folder
from translate.folders.inputs import Inputs, Source
from translate.folders.jobs import Job, check_output_size, find_jobs
from translate.folders.options import RunOptions
from translate.inference.tiling import check_tile

HEADERS_READ = 50  # of a folder's pictures, for a median of their sizes; chosen by judgement
UNUSUAL_SCALE = 1.5  # how many times larger or smaller than in training gets a note; chosen by judgement


@dataclass(frozen=True)
class Plan:
    """All jobs of a run, and what the user should know before it starts."""

    jobs: tuple[Job, ...]
    destination: Path
    manifest: Path | None  # None where a single file is written to a named file
    notes: tuple[str, ...]


def make_plan(
    translator: Translator, trained_size: int | None, source: Source, destination: Path, options: RunOptions
) -> Plan:
    """Find the pictures and decide where each output goes.

    Args:
        translator: The model's network.
        trained_size: The shorter side, in pixels, that pictures were scaled to in training; None if they were not.
        source: A picture, a folder of pictures, or several of both.
        destination: A file for a picture, or a folder.
        options: How the model will be run.

    Raises:
        NothingFoundError: There are no pictures.
        UserError: Something would be overwritten, two outputs would be one file, there is too little room for larger
            pictures, the model cannot work in the tiles asked for, or it fills holes and needs masks.
    """
    if translator.fills_holes:
        raise UserError("this model fills holes and needs a mask; use `inpaint`")
    check_tile(translator, options.tile, options.norms)
    domains = find_domains(translator, options.to)
    inputs = Inputs.of(source)
    if len(domains) > 1 and (
        destination.is_file() or (not inputs.is_folder and destination.suffix.lower() in SUFFIXES)
    ):
        raise UserError(
            f"{destination}: is one file, and each of the {len(domains)} domains needs its own: give a folder"
        )
    jobs: list[Job] = []
    notes: list[str] = []
    for name, domain, folder in domains:
        found, notes = find_jobs(inputs, destination / folder, options)
        jobs += [replace(job, name=folder / job.name, to=name, domain=domain) for job in found]
    if options.work_size is None and translator.scale == 1 and trained_size is not None:
        notes += _size_notes(jobs, trained_size)
    _refuse_without_room(jobs, destination, translator.scale)
    return build_plan(jobs, inputs, destination, options, notes)


def build_plan(
    jobs: Sequence[Job], inputs: Inputs, destination: Path, options: RunOptions, notes: Sequence[str] = ()
) -> Plan:
    """Return the plan of these jobs, with the path of its manifest.

    Raises:
        UserError: An existing file is to be skipped if up to date, and there is no manifest to tell.
    """
    single = not inputs.is_folder and jobs[0].output == destination
    if single and options.on_exists == "skip" and destination.exists():
        raise UserError(f"{destination}: exists, and only a folder's manifest could tell whether it is up to date")
    # Beside a file that the user named, no manifest is left.
    return Plan(tuple(jobs), destination, None if single else destination / "manifest.jsonl", tuple(notes))


def find_domains(translator: Translator, to: Sequence[str]) -> list[tuple[str | None, Domain, Path]]:
    """Return the name, the value and the output folder of each domain to translate to.

    A single domain needs no folder of its own, and no name where the model has only one.

    Raises:
        UserError: The model has no such domain, or none was named where there is a choice.
    """
    everything = "all" in to and "all" not in translator.domains
    names = translator.domains if everything else tuple(dict.fromkeys(to))
    if everything and not names:
        raise DomainError("all: this model has no domains")
    if len(names) < 2 and not everything:
        domain = translator.resolve_domain(names[0] if names else None)
        return [(names[0] if len(translator.domains) > 1 else None, domain, Path())]
    return [(name, translator.resolve_domain(name), domain_folder(names, index)) for index, name in enumerate(names)]


def _refuse_without_room(jobs: Sequence[Job], destination: Path, scale: int) -> None:
    """Refuse to enlarge pictures that would not fit on the disk: outputs take about `scale`² times their sources."""
    if scale == 1:
        return
    needed = scale**2 * sum(job.source.stat().st_size for job in jobs if job.source.is_file())
    folder = next(folder for folder in (destination, *destination.resolve().parents) if folder.is_dir())
    free = shutil.disk_usage(folder).free
    if 0 < free < needed:  # some file systems, of networks and containers, say that 0 are free and are not full
        raise UserError(
            f"{destination}: pictures {scale} times as large need about {needed / 2**30:.1f} GiB, and only "
            f"{free / 2**30:.1f} are free; choose another place, or translate fewer at once with `shard`"
        )


def _size_notes(jobs: Sequence[Job], trained_size: int) -> list[str]:
    headers = [header for job in jobs[:HEADERS_READ] if (header := _read_header(job)) is not None]
    if not headers:
        return []
    typical = round(statistics.median(min(header.width, header.height) for header in headers))
    if trained_size / UNUSUAL_SCALE <= typical <= trained_size * UNUSUAL_SCALE:
        return []
    return [
        f"the pictures' shorter side is {typical} pixels, and the model learned from {trained_size}: it sees details "
        f"at another scale than it knows; `work_size` {trained_size} translates at its own"
    ]


class Problem(NamedTuple):
    """Why a job will fail, in a sentence, or be left alone."""

    reason: str
    left_alone: bool = False


def find_problem(job: Job, options: RunOptions, scale: int) -> Problem | None:
    """Return why a job will fail or be left alone, as far as the header tells, or None.

    `scale` is how many times larger the output will be.
    """
    if job.unreadable:
        return Problem(f"{job.name}: {describe_unsupported(job.unreadable)}", not job.named)
    try:
        frames = count_frames(job.source) if options.frames == "all" else 1
        if frames > 1:
            refuse_format(FORMAT_OF[job.output.suffix.lower()], frames)
            return None
        header = read_header(job.source)
        check_output_size(job, scale * header.width, scale * header.height, header.depth)
    except FramesError as error:
        return Problem(str(error), not job.named)
    except UserError as error:
        return Problem(str(error))
    return None


def _read_header(job: Job) -> Header | None:
    try:
        return None if job.unreadable else read_header(job.source)
    except UserError:
        return None  # the run itself reports what is wrong with it
