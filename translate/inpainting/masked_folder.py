"""Holes filled in a picture or a tree of pictures: each with its mask, through the same pipeline as translations.

A mask is a file of the picture's name, whatever its suffix (`sub/cat.png` for `sub/cat.jpg`; `cat_mask.png` will do),
one file for all, or the picture's own transparency. A picture without a hole is copied, byte for byte.
"""

import functools
import hashlib
import json
import shutil
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from datasets.codecs.formats import FORMAT_OF
from datasets.codecs.images import Picture, SaveOptions, read_header, write_picture
from datasets.contract import Settings
from datasets.errors import UserError
from datasets.masks.drawing import Mask
from datasets.masks.reading import dilate, read_mask, transparency_mask
from datasets.storage.atomic import replace_file
from datasets.storage.listing import find_pictures
from datasets.storage.threads import ordered_map
from translate.files import file_digest
from translate.folders.manifest import Manifest, Outcome
from translate.folders.plan import Job, NothingFoundError, Plan, RunOptions, build_plan, find_jobs
from translate.folders.steps import Input, fail, read_input, source_digest, write_output
from translate.folders.workers import map_on_workers
from translate.inpainting.fill import Inpainter, describe_hole, inpaint
from translate.inpainting.inpainters import OutOfMemoryError, load_inpainter

ALPHA = "alpha"  # instead of a mask's path: what can be seen through is the hole
ENDINGS = ("_mask", "-mask")  # of a mask's name, beside the picture's own


class MaskOptions(Settings):
    """What is made of masks.

    Attributes:
        mask_invert: Black is hole, not white.
        mask_grow: Pixels by which every hole becomes larger all around.
        feather: Pixels, inward from a hole's border, over which what is made fades in over what was there.
        missing_mask: What to do with a picture that has none: fail, copy it as it is, or leave it out.
    """

    mask_invert: bool = False
    mask_grow: int = Field(0, ge=0)
    feather: int = Field(0, ge=0)
    missing_mask: Literal["error", "copy", "skip"] = "error"


@dataclass(frozen=True)
class _Item:
    """A picture on its way: read, with its hole; then filled; or with the outcome it already has."""

    job: Job
    given: Input | None = None
    hole: Mask | None = None  # None: there is no mask
    made: Picture | None = None
    notes: tuple[str, ...] = ()
    outcome: Outcome | None = None


def inpaint_folder(
    model: Inpainter | Path | str | None,
    source: Path | str,
    destination: Path | str,
    mask: Path | str,
    masks: MaskOptions | None = None,
    options: RunOptions | None = None,
) -> Generator[Outcome, None, None]:
    """Fill the holes of a picture or a tree of pictures; yield an outcome for each, in order.

    `model` is a model file, a run folder, `telea` or `navier-stokes`; None: the inpainter that ships. `mask` is a
    mask's file, a folder of masks, or `alpha`. As in `translate_folder`, nothing is written before the plan is good.

    Raises:
        NothingFoundError: There are no pictures, or no masks for them.
        UserError: The plan cannot be carried out without harm.
    """
    filler = model if isinstance(model, Inpainter) else load_inpainter(model)
    masks, options = masks or MaskOptions(), options or RunOptions()
    plan = plan_inpainting(Path(source), Path(destination), str(mask), masks, options)
    return run_inpainting(filler, plan, str(mask) == ALPHA, masks, options)


def plan_inpainting(source: Path, destination: Path, mask: str, masks: MaskOptions, options: RunOptions) -> Plan:
    """Find the pictures and their masks, and settle where each goes.

    Raises:
        NothingFoundError: There are no pictures, or no masks for any of them.
        UserError: Something would be overwritten, or a picture has two masks.
    """
    place = Path(mask)
    if mask != ALPHA and not place.exists():
        raise NothingFoundError(f"--mask {mask}: there is no such file or folder; give one, or alpha")
    if mask != ALPHA:
        _refuse_within(place, source, options)
    jobs, notes = find_jobs(source, destination, options)
    if mask != ALPHA:
        found = _masks_in(place) if place.is_dir() else None
        jobs = [replace(job, mask=place if found is None else _mask_of(job, found, place)) for job in jobs]
        notes += _missing_notes(jobs, place, masks)
        _refuse_overwriting_masks(jobs)
    lossy = sum(FORMAT_OF.get(job.output.suffix.lower()) == "JPEG" for job in jobs)
    if lossy:
        notes.append(
            f"{lossy} pictures are coded anew as JPEG, which changes known pixels a little; --format png keeps them"
        )
    return build_plan(jobs, source, destination, options, notes)


def run_inpainting(
    filler: Inpainter, plan: Plan, by_alpha: bool, masks: MaskOptions, options: RunOptions
) -> Generator[Outcome, None, None]:
    """Carry out a plan; with `by_alpha`, the hole is what can be seen through, and the result is opaque."""
    told = {**masks.model_dump(), "alpha": by_alpha, "save": options.save.model_dump(), "precision": filler.precision}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
    manifest = Manifest(plan.manifest, {"model": filler.digest, "options": digest})

    read = functools.partial(_read, by_alpha, masks, manifest, options)
    fill = functools.partial(_filled, filler, by_alpha, masks)
    finish = functools.partial(_finish, filler, manifest, options)
    items = ordered_map(read, plan.jobs, options.threads, ahead=2 * options.threads, size=_bytes)
    filled = map_on_workers(fill, items, count=len(plan.jobs), alone=lambda _: filler.alone, size=_bytes)
    with closing(items), closing(filled):
        for outcome in ordered_map(finish, filled, options.threads, ahead=options.threads):
            yield manifest.keep(outcome)


def _bytes(item: _Item) -> int:
    pictures = [item.made, None if item.given is None else item.given.picture]
    return sum(picture.pixels.nbytes for picture in pictures if picture is not None)


def _refuse_within(place: Path, source: Path, options: RunOptions) -> None:
    """Masks among the pictures would be taken for some."""
    here, there = source.resolve(), place.resolve()
    folder = there if place.is_dir() else there.parent
    if source.is_dir() and (folder == here or (options.recurse and here in folder.parents)):
        raise UserError(
            f"--mask {place}: lies in the folder of pictures that is read, and masks would be taken for pictures; "
            "move it elsewhere"
        )


def _masks_in(place: Path) -> dict[str, Path]:
    """Masks by their paths in the folder, without suffix.

    Raises:
        UserError: There are two of one name.
    """
    masks: dict[str, Path] = {}
    for name in find_pictures(place).pictures:
        stem = name.with_suffix("").as_posix()
        if stem in masks:
            raise UserError(f"{place / name} and {masks[stem]}: are two masks of one picture; remove one")
        masks[stem] = place / name
    return masks


def _mask_of(job: Job, masks: dict[str, Path], place: Path) -> Path | None:
    stem = job.name.with_suffix("").as_posix()
    found = [masks[stem + ending] for ending in ("", *ENDINGS) if stem + ending in masks]
    if len(found) > 1:
        raise UserError(f"{found[0]} and {found[1]}: are two masks of one picture; remove one")
    return found[0] if found else None


def _refuse_overwriting_masks(jobs: Sequence[Job]) -> None:
    masks = {job.mask.resolve() for job in jobs if job.mask is not None}
    for job in jobs:
        if job.output.resolve() in masks:
            raise UserError(f"{job.output}: is a mask, and would be overwritten; choose another place")


def _missing_notes(jobs: Sequence[Job], place: Path, masks: MaskOptions) -> list[str]:
    missing = [job for job in jobs if job.mask is None]
    if not missing:
        return []
    expected = missing[0].name.with_suffix(".png").as_posix()
    if len(missing) == len(jobs) and masks.missing_mask == "error":
        raise NothingFoundError(
            f"--mask {place}: holds no mask of any picture; one for {missing[0].name} would be named {expected}, "
            "with whatever suffix"
        )
    done = {"error": "fail", "copy": "are copied", "skip": "are left out"}[masks.missing_mask]
    return [f"{len(missing)} of {len(jobs)} pictures have no mask in {place} and {done}, such as {missing[0].name}"]


def _read(by_alpha: bool, masks: MaskOptions, manifest: Manifest, options: RunOptions, job: Job) -> _Item:
    def digest_of_both(job: Job) -> str:
        return source_digest(job) + ("" if job.mask is None else f" {file_digest(job.mask)}")

    given = read_input(job, manifest, options, digest_of_both)
    if isinstance(given, Outcome):
        return _Item(job, outcome=given)
    try:
        hole, notes = _hole(given, by_alpha, options)
    except OSError as error:
        return _Item(job, outcome=fail(job, f"{job.mask}: cannot be read: {error.strerror or error}"))
    except UserError as error:
        return _Item(job, outcome=fail(job, f"{job.name}: {error}"))
    if hole is None:
        return _without_mask(given, by_alpha, masks)
    return _Item(job, given, dilate(hole != masks.mask_invert, masks.mask_grow), notes=notes)


def _hole(given: Input, by_alpha: bool, options: RunOptions) -> tuple[Mask | None, tuple[str, ...]]:
    job = given.job
    if by_alpha:
        return transparency_mask(given.picture), ()
    if job.mask is None:
        return None, ()
    return read_mask(job.mask, read_header(job.source), limit=options.pixel_limit)


def _without_mask(given: Input, by_alpha: bool, masks: MaskOptions) -> _Item:
    job = given.job
    why = "has no transparency" if by_alpha else "has no mask"
    if masks.missing_mask == "copy":
        return _Item(job, given, notes=(f"{why}: copied as it is",))
    if masks.missing_mask == "skip":
        return _Item(job, outcome=Outcome(job.name, job.output, "skipped", why))
    return _Item(job, outcome=fail(job, f"{job.name}: {why}; add it, or --missing-mask copy or skip"))


def _filled(filler: Inpainter, by_alpha: bool, masks: MaskOptions, item: _Item) -> _Item:
    """The item with its result, or with an outcome where there can be none."""
    if item.given is None or item.hole is None:
        return item
    if not item.hole.any():
        return replace(item, hole=None, notes=(*item.notes, "its mask shows no hole: copied as it is"))
    try:
        made = inpaint(filler, item.given.picture, item.hole, feather=masks.feather, make_opaque=by_alpha)
    except UserError as error:
        reason, short = f"{item.job.name}: {error}", isinstance(error, OutOfMemoryError)
        return _Item(item.job, outcome=fail(item.job, reason, out_of_memory=short))
    return replace(item, made=made, notes=(describe_hole(item.hole), *item.notes))


def _finish(filler: Inpainter, manifest: Manifest, options: RunOptions, item: _Item) -> Outcome:
    job, given = item.job, item.given
    if item.outcome is not None or given is None:
        return item.outcome or fail(job, f"{job.name}: was not filled")
    made = item.made or given.picture

    def put() -> tuple[str, ...]:
        if item.made is None and _as_it_is(job, options.save):
            with replace_file(job.output, durable=False) as partial:
                shutil.copyfile(job.source, partial)
            return ()
        return write_picture(made, job.output, options.save)

    share = 0.0 if item.hole is None else float(item.hole.mean())
    return write_output(
        given, made, put, manifest, record={"hole": share, "precision": filler.precision}, notes=item.notes
    )


def _as_it_is(job: Job, save: SaveOptions) -> bool:
    """Whether nothing was asked for that a copy of the file would not be."""
    return job.source.suffix.lower() == job.output.suffix.lower() and save == SaveOptions(format=save.format)
