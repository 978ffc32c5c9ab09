"""Files from a sampler: pictures, sheets and points, planned whole before the first is written."""

import csv
import functools
import hashlib
import io
import itertools
import json
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from datasets.contract import Settings
from datasets.errors import UserError
from datasets.files import replacing
from datasets.images import Picture, SaveOptions, write
from datasets.kinds import SUFFIXES_OF
from datasets.pixels import as_pixels
from datasets.threads import ordered_map
from models.core.points import scatter
from translate.files import folder_of
from translate.latents import check_truncation, drawn, plane, way
from translate.manifest import Manifest, Outcome
from translate.plan import Job, refuse_existing
from translate.sampling import BATCH, LoadedSampler
from translate.sheet import tiled

PICTURES, POINTS = 16, 1000  # made where no number is asked for
SHEET, SHEET_ROW = 100, 10  # pictures of a grid, and of each class of a grid
WAY, PLANE = 8, 20  # steps where no number is asked for

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
class Piece:
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

    pieces: tuple[Piece, ...]
    destination: Path
    options: SampleOptions
    notes: tuple[str, ...] = field(default=())


def plan_samples(
    loaded: LoadedSampler, destination: Path, count: int | None, seed: int, grid: bool, options: SampleOptions
) -> SamplePlan:
    """Pictures of a seed, `count` of each class; with `grid` also a sheet of the first ones. Of points: a table.

    Raises:
        UserError: There is no such class, something would be overwritten, or the options do not suit the model.
    """
    model, labels = loaded.sampler, loaded.labels(options.classes)
    check_truncation(model, options.truncation)
    if loaded.makes_points:
        return _plan_points(loaded, destination, POINTS if count is None else count, seed, grid, options)
    count = PICTURES if count is None else count
    cut = "" if options.truncation is None else f", truncated to {options.truncation:g}"

    def latents(label: int, indices: Sequence[int]) -> Tensor:
        return torch.stack([drawn(model, seed, label, index, options.truncation) for index in indices])

    pieces = [
        picture(
            destination,
            folder_of(model.domains, label) / f"{index:06}",
            f"seed {seed}, class {label}, picture {index}{cut}",
            label,
            functools.partial(latents, label, [index]),
            options,
            index,
        )
        for label in labels
        for index in range(count)
    ]
    if grid:
        shown = min(count, SHEET_ROW if model.domains else SHEET)
        columns = shown if model.domains else math.ceil(math.sqrt(shown))
        titles = [model.domains[label] for label in labels] if model.domains else []
        pieces.append(
            Piece(
                place(destination, Path("grid.png")),
                f"seed {seed}, the first {shown} of classes {labels}{cut}",
                tuple(label for label in labels for _ in range(shown)),
                lambda: torch.cat([latents(label, range(shown)) for label in labels]),
                _save_sheet(columns, titles),
            )
        )
    return settled(pieces, destination, options)


def plan_interpolation(
    loaded: LoadedSampler, destination: Path, seeds: Sequence[int], steps: int | None, options: SampleOptions
) -> SamplePlan:
    """From the first picture of a seed to that of the next, in each class: the pictures, and a strip of them.

    Raises:
        UserError: There is no such class, something would be overwritten, or the model makes points.
    """
    model, steps = loaded.sampler, WAY if steps is None else steps
    refuse_points(loaded, "--interpolate")
    check_truncation(model, options.truncation)
    pieces = []
    for label in loaded.labels(options.classes):
        stations = [drawn(model, seed, label, 0, options.truncation) for seed in seeds]
        latents = way(model, stations, steps)
        folder, columns = folder_of(model.domains, label), len(latents)
        told = f"seeds {list(seeds)}, class {label}, {columns} pictures, truncation {options.truncation}"
        for index, latent in enumerate(latents):
            name, one = folder / f"{index:06}", functools.partial(torch.unsqueeze, latent, 0)
            pieces.append(picture(destination, name, f"{told}, picture {index}", label, one, options, index))
        strip = place(destination, folder / "strip.png")
        all_of_them = functools.partial(torch.stack, latents)
        pieces.append(Piece(strip, told, (label,) * columns, all_of_them, _save_sheet(columns)))
    notes = ("this model's latents are uniform: the way is straight, not on a sphere",)
    return settled(pieces, destination, options, notes if model.prior == "uniform" else ())


def plan_manifold(
    loaded: LoadedSampler,
    destination: Path,
    axes: tuple[int, int] | None,
    steps: int | None,
    options: SampleOptions,
) -> SamplePlan:
    """A sheet of what two numbers of the latent make, in each class: `plane` says of which values.

    Raises:
        UserError: There are more than two numbers, and none were chosen; or as `plan_interpolation`.
    """
    model, steps = loaded.sampler, PLANE if steps is None else steps
    refuse_points(loaded, "--manifold")
    if axes is None and model.latent != 2:
        raise UserError(
            f"--manifold: a sheet shows 2 numbers, and this model's latents have {model.latent}; "
            + ("it has no plane" if model.latent < 2 else "choose two with --axes 0,1, and the others are 0")
        )
    axes = axes or (0, 1)
    if axes[0] == axes[1] or max(axes) >= model.latent:
        raise UserError(f"--axes {axes[0]},{axes[1]}: expected two different numbers from 0 to {model.latent - 1}")
    pieces = [
        Piece(
            place(destination, folder_of(model.domains, label) / "manifold.png"),
            f"class {label}, axes {axes}, {steps} steps",
            (label,) * steps**2,
            lambda: plane(model, axes, steps),
            _save_sheet(steps, gap=0),
        )
        for label in loaded.labels(options.classes)
    ]
    return settled(pieces, destination, options)


def picture(
    destination: Path,
    name: Path,
    origin: str,
    label: int,
    latents: Callable[[], Tensor],
    options: SampleOptions,
    index: int = 0,
) -> Piece:
    """The piece of a single picture; `name` is without a suffix, `index` that among the pictures of its label."""
    suffix = SUFFIXES_OF[options.save.format.upper()][0]

    def save(made: Tensor, path: Path) -> tuple[str, ...]:
        return write(Picture(as_pixels(made[0], 8)), path, options.save)

    job = place(destination, name.with_name(name.name + suffix))
    return Piece(job, origin, (label,), latents, save, (label, index // options.batch))


def place(destination: Path, name: Path) -> Job:
    """Where a file goes."""
    return Job(Path(), name, destination / name)  # its source is a latent and no file


def refuse_points(loaded: LoadedSampler, option: str) -> None:
    """Check that a model makes pictures, as `option` needs.

    Raises:
        UserError: It makes points.
    """
    if loaded.makes_points:
        raise UserError(f"{option}: is for pictures, and this model makes points of the plane")


def settled(
    pieces: Sequence[Piece], destination: Path, options: SampleOptions, notes: tuple[str, ...] = ()
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


_Computed = tuple[Piece, Tensor | None, Outcome | None]  # a piece with what was made for it, or what became of it


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


def _standing(piece: Piece, options: SampleOptions, manifest: Manifest) -> Outcome | None:
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


def _save_sheet(columns: int, titles: Sequence[str] = (), gap: int = 2) -> Save:
    return lambda made, path: write(Picture(tiled([as_pixels(image, 8) for image in made], columns, titles, gap)), path)


def _plan_points(
    loaded: LoadedSampler, destination: Path, count: int, seed: int, grid: bool, options: SampleOptions
) -> SamplePlan:
    model, labels = loaded.sampler, loaded.labels(options.classes)
    if grid:
        refuse_points(loaded, "--grid")
    if options.save.format != "png":
        refuse_points(loaded, f"--format {options.save.format}")

    def latents() -> Tensor:
        return torch.stack(
            [drawn(model, seed, label, index, options.truncation) for label in labels for index in range(count)]
        )

    asked = tuple(label for label in labels for _ in range(count))
    names = [model.domains[label] for label in asked] if model.domains else []
    origin = f"seed {seed}, {count} of classes {labels}, truncation {options.truncation}"
    savers: dict[str, Save] = {"points.csv": functools.partial(_save_table, names), "points.png": _save_scatter}
    pieces = [Piece(place(destination, Path(name)), origin, asked, latents, save) for name, save in savers.items()]
    return settled(pieces, destination, options)


def _save_table(names: Sequence[str], made: Tensor, path: Path) -> tuple[str, ...]:
    """x, y and, where there are names, the class of each point."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["x", "y", "class"] if names else ["x", "y"])
    for index, point in enumerate(made.flatten(1).numpy()):
        table.writerow([*map(str, point), *names[index : index + 1]])  # the shortest digits that give the same float32
    with replacing(path, durable=False) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
    return ()


def _save_scatter(made: Tensor, path: Path) -> tuple[str, ...]:
    return write(Picture(np.asarray(as_pixels(scatter(made)[0], 8))), path)
