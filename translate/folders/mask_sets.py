"""Sets of masks as PNG files: drawn at random, or made from shapes, painted pictures and date stamps.

Random ones serve to look at, to measure inpainters with, and to try one on pictures of one's own. The others are masks
without an image editor, or with any editor that can paint.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from datasets.codecs.images import Picture, read_header, read_picture, write_picture
from datasets.contract import derive_seed
from datasets.errors import UserError
from datasets.masks.colours import TOLERANCE, find_painted
from datasets.masks.drawing import Mask, MaskName, draw_mask
from datasets.masks.shapes import Marks
from datasets.storage.listing import find_pictures
from datasets.storage.names import fold_name, stem_of
from translate.folders.jobs import Job, NothingFoundError, refuse_existing
from translate.folders.manifest import Manifest, Outcome
from translate.folders.options import OnExists
from translate.folders.pipeline import Item, Schedule, Written, run_jobs
from translate.inference.monitor import Monitor

Made = tuple[Mask, tuple[str, ...]]  # a mask, and notes for the user


class MaskJob(Job, ABC):
    """A mask to make."""

    @abstractmethod
    def make(self) -> Made:
        """Return the mask, and notes.

        Raises:
            UserError: A file that it is made from cannot be read, or a shape lies outside the picture.
        """


J = TypeVar("J", bound=MaskJob)


@dataclass(frozen=True, kw_only=True)
class RandomJob(MaskJob):
    """A mask to draw, with its kind, its size in pixels, and the seed of its draws."""

    kind: MaskName
    height: int
    width: int
    seed: int

    def make(self) -> Made:
        """Return the mask."""
        return draw_mask(self.kind, self.height, self.width, self.seed), ()


@dataclass(frozen=True, kw_only=True)
class LikeJob(MaskJob):
    """A mask to draw for a picture, of its size, with its kind and the seed of its draws."""

    kind: MaskName
    seed: int

    def make(self) -> Made:
        """Return the mask."""
        header = read_header(self.source)
        return draw_mask(self.kind, header.height, header.width, self.seed), ()


@dataclass(frozen=True, kw_only=True)
class MarkedJob(MaskJob):
    """A mask of a picture, with the shapes and the stamp in it, what colour is painted over, and the picture before."""

    marks: Marks
    color: str | None = None
    tolerance: int = TOLERANCE
    original: Path | None = None

    def make(self) -> Made:
        """Return the mask, and notes on what was not found."""
        picture = read_picture(self.source)
        mask, notes = self.marks.find_holes(picture)
        if self.color is None:
            return mask, notes
        original = None if self.original is None else read_picture(self.original)
        painted, more = find_painted(picture, self.color, self.tolerance, original)
        return mask | painted, (*notes, *more)


def plan_masks(
    destination: Path, kind: MaskName, count: int, size: int, seed: int, on_exists: OnExists = "error"
) -> list[RandomJob]:
    """Return the jobs of `count` square masks.

    Raises:
        UserError: One of the files exists.
    """
    names = [Path(f"{number:05d}.png") for number in range(1, count + 1)]
    jobs = [
        RandomJob(
            source=Path(),
            name=name,
            output=destination / name,
            origin=f"{kind}, seed {seed}, mask {index}, {size}x{size}",
            kind=kind,
            height=size,
            width=size,
            seed=derive_seed(seed, index),
        )
        for index, name in enumerate(names)
    ]
    return _leave_existing(jobs, on_exists)


def plan_masks_like(
    pictures: Path, destination: Path, kind: MaskName, seed: int, on_exists: OnExists = "error"
) -> list[LikeJob]:
    """Return the job of a mask for each picture in a folder, of the picture's name and size.

    Raises:
        NothingFoundError: There are no pictures.
        UserError: Two pictures would share a mask, or one of the files exists.
    """
    jobs = [
        LikeJob(source=picture, name=name, output=destination / name, kind=kind, seed=derive_seed(seed, index))
        for index, (name, picture) in enumerate(_find_names(pictures).items())
    ]
    return _leave_existing(jobs, on_exists)


def plan_marked_masks(
    pictures: Path,
    destination: Path,
    marks: Marks,
    color: str | None,
    tolerance: int,
    originals: Path | None,
    on_exists: OnExists = "error",
) -> list[MarkedJob]:
    """Return the job of a mask for each picture, of what is marked in it.

    Args:
        pictures: A picture, or a folder of pictures; with `color`, those that are painted over.
        destination: A folder, or the name of a PNG file for a single picture.
        marks: Shapes and the stamp in every picture.
        color: That is painted over what is hole; None: nothing is.
        tolerance: By how much, of 255, painted pixels may differ from the colour.
        originals: The same pictures before they were painted over, by their names; None: they are not there.
        on_exists: Whether masks that exist are refused, are left, or are made anew.

    Raises:
        NothingFoundError: There are no pictures.
        UserError: Two pictures would share a mask, one has no original, or one of the files exists.
    """
    single = pictures.is_file() and destination.suffix.lower() == ".png" and not destination.is_dir()
    found = _find_names(pictures)
    before = {} if originals is None else _find_originals(originals, found)
    jobs = [
        MarkedJob(
            source=picture,
            name=name,
            output=destination if single else destination / name,
            marks=marks,
            color=color,
            tolerance=tolerance,
            original=before.get(name),
        )
        for name, picture in found.items()
    ]
    return _leave_existing(jobs, on_exists)


def _leave_existing(jobs: list[J], on_exists: OnExists) -> list[J]:
    """Return the jobs that are to be done."""
    if on_exists == "error":
        refuse_existing(jobs, "choose another place, or set `on_exists` to skip or overwrite")
    return [job for job in jobs if not job.output.exists()] if on_exists == "skip" else jobs


def draw_masks(jobs: Sequence[MaskJob], monitor: Monitor | None = None) -> Generator[Outcome, None, None]:
    """Make and write masks, white in the hole; yield an outcome for each, whose record tells the fraction of hole."""
    schedule = Schedule(size=lambda made: made[0].nbytes)
    manifest = Manifest(None, "masks", {})
    return run_jobs(jobs, _make, _pass_on, _write, manifest=manifest, schedule=schedule, monitor=monitor)


def _find_names(pictures: Path) -> dict[Path, Path]:
    """Return the pictures by the names of their masks.

    Raises:
        NothingFoundError: There are no pictures.
        UserError: Two pictures would share a mask.
    """
    if pictures.is_file():
        return {Path(pictures.name).with_suffix(".png"): pictures}
    found: dict[Path, Path] = {}
    names: set[str] = set()
    for name in find_pictures(pictures).pictures:
        mask = name.with_suffix(".png")
        if fold_name(mask.as_posix()) in names:
            raise UserError(f"{pictures / name}: is not the only picture of that name, and would share its mask")
        names.add(fold_name(mask.as_posix()))
        found[mask] = pictures / name
    if not found:
        raise NothingFoundError(f"{pictures}: holds no picture")
    return found


def _find_originals(originals: Path, names: Iterable[Path]) -> dict[Path, Path]:
    if originals.is_file():
        return dict.fromkeys(names, originals)
    by_stem = {stem_of(name): originals / name for name in find_pictures(originals).pictures}
    missing = [name for name in names if stem_of(name) not in by_stem]
    if missing:
        raise UserError(f"{originals}: holds no original of {missing[0].with_suffix('')}; add it, or leave it out")
    return {name: by_stem[stem_of(name)] for name in names}


def _make(job: MaskJob) -> Made:
    return job.make()


def _pass_on(group: Sequence[Item[MaskJob, Made]]) -> list[Made]:
    return [item.content for item in group]


def _write(item: Item[MaskJob, Made]) -> Written:
    mask, notes = item.content
    write_picture(Picture(mask.astype(np.uint8)[:, :, np.newaxis] * np.uint8(255)), item.job.output)
    return Written(notes, {"hole": float(mask.mean())})
