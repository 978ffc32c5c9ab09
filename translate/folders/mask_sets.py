"""Sets of masks as PNG files, to look at, to measure inpainters with, and to try one on pictures of one's own."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.codecs.images import Picture, read_header, write_picture
from datasets.contract import derive_seed
from datasets.errors import UserError
from datasets.masks.drawing import Mask, MaskName, draw_mask
from datasets.storage.listing import find_pictures
from translate.folders.jobs import Job, NothingFoundError, refuse_existing
from translate.folders.manifest import Manifest, Outcome
from translate.folders.pipeline import Item, Schedule, Written, run_jobs


@dataclass(frozen=True, kw_only=True)
class MaskJob(Job):
    """A mask to draw, with its kind, its size in pixels, and the seed of its draws."""

    kind: MaskName
    height: int
    width: int
    seed: int


def plan_masks(destination: Path, kind: MaskName, count: int, size: int, seed: int) -> list[MaskJob]:
    """Return the jobs of `count` square masks.

    Raises:
        UserError: One of the files exists.
    """
    sizes = {Path(f"{number:05d}.png"): (size, size) for number in range(1, count + 1)}
    return _plan(destination, kind, sizes, seed)


def plan_masks_like(pictures: Path, destination: Path, kind: MaskName, seed: int) -> list[MaskJob]:
    """Return the job of a mask for each picture in a folder, of the picture's name and size.

    Raises:
        NothingFoundError: There are no pictures.
        UserError: Two pictures would share a mask, or one of the files exists.
    """
    sizes: dict[Path, tuple[int, int]] = {}
    for name in find_pictures(pictures).pictures:
        mask = name.with_suffix(".png")
        if mask in sizes:
            raise UserError(f"{pictures / name}: is not the only picture of that name, and would share its mask")
        header = read_header(pictures / name)
        sizes[mask] = header.height, header.width
    if not sizes:
        raise NothingFoundError(f"{pictures}: holds no picture")
    return _plan(destination, kind, sizes, seed)


def draw_masks(jobs: Sequence[MaskJob]) -> Generator[Outcome, None, None]:
    """Draw and write masks, white in the hole; yield an outcome for each, whose record tells the fraction of hole."""
    schedule = Schedule(size=lambda mask: 0 if mask is None else mask.nbytes)
    return run_jobs(jobs, _read, _draw, _write, manifest=Manifest(None, "masks", {}), schedule=schedule)


def _plan(destination: Path, kind: MaskName, sizes: dict[Path, tuple[int, int]], seed: int) -> list[MaskJob]:
    jobs = [
        MaskJob(
            source=Path(),
            name=name,
            output=destination / name,
            origin=f"{kind}, seed {seed}, mask {index}, {width}x{height}",
            kind=kind,
            height=height,
            width=width,
            seed=derive_seed(seed, index),
        )
        for index, (name, (height, width)) in enumerate(sizes.items())
    ]
    refuse_existing(jobs)
    return jobs


def _read(job: MaskJob) -> None:
    return None


def _draw(group: Sequence[Item[MaskJob, None]]) -> list[Mask]:
    return [draw_mask(item.job.kind, item.job.height, item.job.width, item.job.seed) for item in group]


def _write(item: Item[MaskJob, Mask]) -> Written:
    mask = item.content
    write_picture(Picture(mask.astype(np.uint8)[:, :, np.newaxis] * np.uint8(255)), item.job.output)
    return Written(record={"hole": float(mask.mean())})
