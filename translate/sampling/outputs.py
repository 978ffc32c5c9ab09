"""Files from a sampler, piece by piece: planned whole before the first is written, then computed and written."""

import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from datasets.codecs.formats import SUFFIXES_OF
from datasets.codecs.images import Picture, SaveOptions, write_picture
from datasets.contract import Settings
from datasets.errors import UserError
from datasets.pixels import to_pixels
from datasets.storage.threads import ordered_map
from translate.folders.manifest import Manifest, Outcome
from translate.folders.plan import Job, refuse_existing
from translate.sampling.sampler import BATCH, LoadedSampler

Save = Callable[[Tensor, Path], tuple[str, ...]]


class SampleOptions(Settings):
    """How to make files from a sampler.

    Attributes:
        classes: Names of what to make; empty: everything that it can be asked for.
        truncation: Numbers of a latent farther from 0 than this are drawn again; null: none is.
        batch: Pictures computed at once.
        on_exists: What to do where an output exists: refuse, skip what is up to date, or overwrite.
    """

    classes: tuple[str, ...] = ()
    truncation: float | None = None
    batch: int = Field(BATCH, ge=1)
    on_exists: Literal["error", "skip", "overwrite"] = "error"
    save: SaveOptions = SaveOptions(format="png")


@dataclass(frozen=True)
class OutputSpec:
    """A file to make.

    Attributes:
        job: Where it goes.
        origin: What it is made from, in words; with the model and the options it decides every byte.
        labels: Of its pictures.
        latents: Draws their latents, (N, latent).
        save: Writes what was made of them, (N, C, H, W), to a path; returns notes.
        group: Pieces of one group are computed at once; None: it is a group of its own.
    """

    job: Job
    origin: str
    labels: tuple[int, ...]
    latents: Callable[[], Tensor]
    save: Save
    group: tuple[int, int] | None = None


@dataclass(frozen=True)
class SamplePlan:
    """All files to make, and what a person should know of them first."""

    pieces: tuple[OutputSpec, ...]
    destination: Path
    options: SampleOptions
    notes: tuple[str, ...] = field(default=())


def picture_output(
    destination: Path,
    name: Path,
    origin: str,
    label: int,
    latents: Callable[[], Tensor],
    options: SampleOptions,
    index: int = 0,
) -> OutputSpec:
    """The piece of a single picture; `name` is without a suffix, `index` that among the pictures of its label."""
    suffix = SUFFIXES_OF[options.save.format.upper()][0]

    def save(made: Tensor, path: Path) -> tuple[str, ...]:
        return write_picture(Picture(to_pixels(made[0], 8)), path, options.save)

    job = output_job(destination, name.with_name(name.name + suffix))
    return OutputSpec(job, origin, (label,), latents, save, (label, index // options.batch))


def output_job(destination: Path, name: Path) -> Job:
    """Where a file goes."""
    return Job(Path(), name, destination / name)  # its source is a latent and no file


def refuse_points(loaded: LoadedSampler, option: str) -> None:
    """Check that a model makes pictures, as `option` needs.

    Raises:
        UserError: It makes points.
    """
    if loaded.makes_points:
        raise UserError(f"{option}: is for pictures, and this model makes points of the plane")


def build_sample_plan(
    pieces: Sequence[OutputSpec], destination: Path, options: SampleOptions, notes: tuple[str, ...] = ()
) -> SamplePlan:
    """The plan of these pieces.

    Raises:
        UserError: Something would be overwritten.
    """
    if destination.is_file():
        raise UserError(f"{destination}: is a file; samples need a folder to go to")
    if options.on_exists == "error":
        refuse_existing([piece.job for piece in pieces])
    return SamplePlan(tuple(pieces), destination, options, notes)


def run_samples(loaded: LoadedSampler, plan: SamplePlan) -> Generator[Outcome, None, None]:
    """Carry out a plan; yield an outcome a file, in order."""
    told = {"batch": plan.options.batch, "precision": loaded.numerics.precision, "save": plan.options.save.model_dump()}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
    manifest = Manifest(plan.destination / "manifest.jsonl", {"model": loaded.digest, "options": digest})
    finish = functools.partial(_finish, loaded, manifest)
    for outcome in ordered_map(finish, _computed(loaded, plan, manifest), threads=2, ahead=plan.options.batch):
        yield manifest.keep(outcome)


_Computed = tuple[OutputSpec, Tensor | None, Outcome | None]  # a piece with what was made for it, or what became of it


def _computed(loaded: LoadedSampler, plan: SamplePlan, manifest: Manifest) -> Iterator[_Computed]:
    groups = itertools.groupby(plan.pieces, lambda piece: piece.group or piece.job.name)
    for group in ([*pieces] for _, pieces in groups):
        standing = [_standing(piece, plan.options, manifest) for piece in group]
        if all(standing):
            yield from ((piece, None, outcome) for piece, outcome in zip(group, standing, strict=True))
            continue
        # All of the group, so that each picture has the same place in its batch as always.
        latents = torch.cat([piece.latents() for piece in group])
        labels = torch.tensor([label for piece in group for label in piece.labels])
        made = torch.split(loaded.generate(latents, labels, plan.options.batch), [len(piece.labels) for piece in group])
        yield from zip(group, made, standing, strict=True)


def _standing(piece: OutputSpec, options: SampleOptions, manifest: Manifest) -> Outcome | None:
    """What became of a piece already, where it exists and is to be skipped."""
    job = piece.job
    if options.on_exists != "skip" or not job.output.exists():
        return None
    if manifest.is_current(job, piece.origin):
        return Outcome(job.name, job.output, "skipped", "is up to date")
    reason = (
        f"{job.output}: exists and was not made from this seed by this model with these options; "
        "choose another place, or --on-exists overwrite"
    )
    return Outcome(job.name, job.output, "failed", reason)


def _finish(loaded: LoadedSampler, manifest: Manifest, computed: _Computed) -> Outcome:
    piece, made, outcome = computed
    job = piece.job
    if outcome is not None or made is None:
        return outcome or Outcome(job.name, job.output, "failed", "was not made")
    if not made.isfinite().all():
        reason = f"{job.name}: the model gives values that are no numbers; was its training sound?"
        return Outcome(job.name, job.output, "failed", reason)
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        manifest.begin(job, piece.origin)
        notes = piece.save(made, job.output)
    except OSError as error:
        return Outcome(job.name, job.output, "failed", f"{job.output}: cannot be written: {error.strerror or error}")
    except UserError as error:
        return Outcome(job.name, job.output, "failed", str(error))
    classes = [loaded.sampler.domains[label] for label in dict.fromkeys(piece.labels) if loaded.sampler.domains]
    record = {"source": piece.origin, "classes": classes, "precision": loaded.numerics.precision}
    return Outcome(job.name, job.output, "ok", notes=notes, record=record)
