"""Fill the holes of a picture or a tree of pictures; one without a hole is copied, byte for byte."""

import shutil
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from datasets.codecs.images import Picture, SaveOptions, read_header, read_picture, write_picture
from datasets.errors import UserError
from datasets.masks.colours import TOLERANCE, find_painted
from datasets.masks.drawing import Mask
from datasets.masks.reading import PhotographError, dilate, find_transparency, fit_mask, read_mask
from datasets.storage.atomic import replace_file
from translate.folders.inputs import Source
from translate.folders.jobs import ALPHA, MARKED, Job, check_output_size, describe_saving
from translate.folders.manifest import Manifest, Outcome
from translate.folders.options import RunOptions
from translate.folders.pipeline import Item, Schedule, Written, describe_change, fail, notes_of, run_jobs
from translate.folders.plan import Plan
from translate.hardware import run_within
from translate.inference.monitor import Monitor
from translate.inpainting.fill import Inpainter, describe_hole, fill_holes
from translate.inpainting.inpainters import OutOfMemoryError, load_inpainter
from translate.inpainting.plan import MaskOptions, plan_inpainting

PHOTOGRAPH_HELP = (
    "if the hole is painted over in it, name the colour with `mask_color`; if it is erased, fill this picture itself "
    "with `mask` alpha; if it is a mask all the same, set `mask_threshold`"
)


@dataclass(frozen=True)
class MaskedPicture:
    """A picture, its hole, and the picture with the hole filled, as far as they are known.

    Attributes:
        picture: As it was read.
        hole: (H, W); None: there is no hole, and the picture is copied.
        filled: The result; None: not computed yet, or the picture is copied.
        notes: For the user.
    """

    picture: Picture
    hole: Mask | None = None
    filled: Picture | None = None
    notes: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels in memory."""
        pictures = [self.picture] if self.filled is None else [self.picture, self.filled]
        return sum(picture.pixels.nbytes for picture in pictures)


MaskedItem = Item[Job, MaskedPicture]


@dataclass(frozen=True)
class Inpainting:
    """Reads, fills and writes the pictures of one run."""

    inpainter: Inpainter
    masks: MaskOptions
    options: RunOptions
    monitor: Monitor

    def read(self, job: Job) -> MaskedPicture | Outcome:
        """Read a picture and find its hole.

        Raises:
            OSError: The picture cannot be read.
            UserError: The picture or the mask is damaged, or the mask is missing or does not fit.
        """
        picture = read_picture(job.source, limit=self.options.pixel_limit)
        check_output_size(job, picture.width, picture.height, picture.depth)
        try:
            hole, notes = self._find_hole(job, picture)
        except OSError as error:
            raise UserError(f"{job.mask}: cannot be read: {error.strerror or error}") from None
        except PhotographError as error:
            raise UserError(f"{job.name}: {error}; {PHOTOGRAPH_HELP}") from None
        except UserError as error:
            raise UserError(f"{job.name}: {error}") from None
        if hole is None:
            return self._without_mask(job, picture)
        return MaskedPicture(picture, dilate(hole, self.masks.mask_grow), notes=notes)

    def compute(self, group: Sequence[MaskedItem]) -> list[MaskedPicture | Outcome]:
        """Fill the holes of pictures."""
        return [self._fill(item.job, item.content) for item in group]

    def write(self, item: MaskedItem) -> Written:
        """Write a picture as the kind of file that its source is, or copy the file if there was nothing to fill.

        Raises:
            OSError: The disk is full, or the folder cannot be written to.
            UserError: The format cannot hold it.
        """
        job, content = item.job, item.content
        notes: tuple[str, ...] = ()  # on what is not as it was in the file: nothing, in a copy
        if content.filled is None and _same_file(job, self.options.save):
            with replace_file(job.output, durable=False) as partial:
                shutil.copyfile(job.source, partial)
        else:
            written = write_picture(content.filled or content.picture, job.output, self.options.save)
            notes = (*notes_of(content.picture), *written)
        fraction = 0.0 if content.hole is None else float(content.hole.mean())
        record = {
            **describe_change(job, content.picture, content.filled or content.picture),
            "hole": fraction,
            "fill": self.inpainter.choose(self.masks.fill),
            "precision": self.inpainter.precision,
        }
        return Written((*content.notes, *notes), record)

    def _find_hole(self, job: Job, picture: Picture) -> tuple[Mask | None, tuple[str, ...]]:
        """Return the hole, (H, W), None where there is no mask, and notes on how it was found."""
        masks, limit = self.masks, self.options.pixel_limit
        hole: Mask | None = None
        notes: tuple[str, ...] = ()
        if job.mask == ALPHA:
            hole = find_transparency(picture)
        elif masks.mask_color is not None and job.mask is not None:
            hole, notes = self._find_painted(job, picture, masks.mask_color)
        elif isinstance(job.mask, Path):
            hole, notes = read_mask(job.mask, read_header(job.source), limit=limit, threshold=masks.mask_threshold)
        elif job.mask == MARKED:
            hole = np.zeros((picture.height, picture.width), bool)
        if hole is None:
            return None, ()
        marked, more = masks.find_holes(picture)
        return (hole != masks.mask_invert) | marked, (*notes, *more)

    def _find_painted(self, job: Job, picture: Picture, colour: str) -> tuple[Mask, tuple[str, ...]]:
        """Return what is painted over in the mask, (H, W), or without one in the picture itself, and notes."""
        tolerance = TOLERANCE if self.masks.mask_tolerance is None else self.masks.mask_tolerance
        if not isinstance(job.mask, Path):
            return find_painted(picture, colour, tolerance)
        painted = read_picture(job.mask, limit=self.options.pixel_limit)
        same_size = (painted.height, painted.width) == (picture.height, picture.width)
        mask, notes = find_painted(painted, colour, tolerance, picture if same_size else None)
        fitted, more = fit_mask(job.mask, mask, read_header(job.source))
        return fitted, (*notes, *more)

    def _without_mask(self, job: Job, picture: Picture) -> MaskedPicture | Outcome:
        why = "has no transparency" if job.mask == ALPHA else "has no mask"
        if self.masks.missing_mask == "copy":
            return MaskedPicture(picture, notes=(f"{why}: copied as it is",))
        if self.masks.missing_mask == "skip":
            return Outcome(job.name, job.output, "skipped", why)
        raise UserError(f"{job.name}: {why}; add it, or set `missing_mask` to copy or skip")

    def _fill(self, job: Job, content: MaskedPicture) -> MaskedPicture | Outcome:
        hole = content.hole
        if hole is None:
            return content
        if not hole.any():
            nothing = "its mask shows no hole" if isinstance(job.mask, Path) else "it shows no hole"
            return replace(content, hole=None, notes=(*content.notes, f"{nothing}: copied as it is"))
        try:
            make_opaque = job.mask == ALPHA
            with self.monitor.picture(job.name.as_posix(), hole.size) as report:
                filled = fill_holes(
                    self.inpainter,
                    content.picture,
                    hole,
                    kind=self.masks.fill,
                    feather=self.masks.feather,
                    make_opaque=make_opaque,
                    report=report,
                )
        except UserError as error:
            return fail(job, f"{job.name}: {error}", out_of_memory=isinstance(error, OutOfMemoryError))
        return replace(
            content, filled=filled, notes=(describe_hole(hole, inverted=self.masks.mask_invert), *content.notes)
        )


def inpaint_folder(
    model: Inpainter | Path | str | None,
    source: Source,
    destination: Path | str,
    mask: Path | str | None,
    masks: MaskOptions | None = None,
    options: RunOptions | None = None,
    *,
    progress: bool = False,
) -> Generator[Outcome, None, None]:
    """Fill the holes of a picture or a tree of pictures; yield an outcome for each, in order.

    As with `translate_folder`, nothing is written before the whole plan is checked.

    Args:
        model: An inpainter, a model file, a run folder, "telea" or "navier-stokes"; None: the inpainter that ships.
        source: A picture, a folder of pictures, or several of both.
        destination: A folder, or a file for a single picture.
        mask: A mask, a folder of masks, or "alpha": what is transparent is hole, and the result is opaque. None:
            `masks` says what is hole.
        masks: How masks are used; None: the defaults.
        options: Which pictures are read and how results are saved; None: the defaults.
        progress: Show on stderr, or in the notebook, how it proceeds.

    Raises:
        NothingFoundError: There are no pictures, or no masks for them.
        UserError: The plan cannot be carried out without harm.
    """
    inpainter = model if isinstance(model, Inpainter) else load_inpainter(model)
    masks, options = masks or MaskOptions(), options or RunOptions()
    plan = plan_inpainting(source, Path(destination), None if mask is None else str(mask), masks, options)
    if not progress:
        return run_inpainting(inpainter, plan, masks, options)
    from translate.folders.display import show_outcomes  # rich draws from the random numbers of the process

    monitor = Monitor()
    return show_outcomes(run_inpainting(inpainter, plan, masks, options, monitor), len(plan.jobs), monitor)


def run_inpainting(
    inpainter: Inpainter, plan: Plan, masks: MaskOptions, options: RunOptions, monitor: Monitor | None = None
) -> Generator[Outcome, None, None]:
    """Fill the pictures of a plan; yield an outcome for each, in order."""
    monitor = monitor or Monitor()
    facts = {
        **{name: value for name, value in masks.model_dump().items() if value not in (None, ())},
        "missing_mask": "error",  # what is done where a mask is missing changes no other picture
        "fill": inpainter.choose(masks.fill),
        "precision": inpainter.precision,
    }

    def facts_of(job: Job) -> dict[str, Any]:
        return {"alpha": job.mask == ALPHA, "save": describe_saving(job, options.save)}

    work = Inpainting(inpainter, masks, options, monitor)
    schedule = Schedule(
        threads=options.threads,
        read_ahead=2 * options.threads,
        write_ahead=options.threads,
        exclusive=lambda group: inpainter.exclusive,
        size=lambda content: content.nbytes,
    )
    outcomes = run_jobs(
        plan.jobs,
        work.read,
        work.compute,
        work.write,
        manifest=Manifest(plan.manifest, inpainter.digest, facts, facts_of),
        schedule=schedule,
        skip_current=options.on_exists == "skip",
        limit=options.limit if options.on_exists == "skip" else None,
        monitor=monitor,
    )
    return run_within(inpainter.computing, outcomes)


def _same_file(job: Job, save: SaveOptions) -> bool:
    """Return whether a copy of the source is what was asked for."""
    return job.source.suffix.lower() == job.output.suffix.lower() and save == SaveOptions(format=save.format)
