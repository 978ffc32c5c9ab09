"""Which pictures are filled, by which masks, and where the results go, decided before anything is written.

A mask is a file of the picture's name, whatever its suffix (`sub/cat.png` for `sub/cat.jpg`, or `cat_mask.png`), one
file for all pictures, or the picture's own transparency.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from datasets.codecs.formats import FORMAT_OF
from datasets.contract import Settings
from datasets.errors import UserError
from datasets.storage.listing import find_pictures
from translate.folders.jobs import ALPHA, Job, NothingFoundError, find_jobs
from translate.folders.options import RunOptions
from translate.folders.plan import Plan, build_plan

ENDINGS = ("_mask", "-mask")  # that a mask's name may have after the picture's own


class MaskOptions(Settings):
    """How masks are used.

    Attributes:
        mask_invert: Black is hole, not white.
        mask_grow: Pixels by which every hole is enlarged all around.
        feather: Pixels, inward from a hole's border, over which the fill fades in over what was there.
        missing_mask: What to do with a picture that has no mask: fail, copy it as it is, or leave it out.
    """

    mask_invert: bool = False
    mask_grow: int = Field(default=0, ge=0)
    feather: int = Field(default=0, ge=0)
    missing_mask: Literal["error", "copy", "skip"] = "error"


def plan_inpainting(source: Path, destination: Path, mask: str, masks: MaskOptions, options: RunOptions) -> Plan:
    """Find the pictures and their masks, and decide where each output goes.

    Args:
        source: A picture, or a folder of pictures.
        destination: A file for a picture, or a folder.
        mask: A mask, a folder of masks, or "alpha".
        masks: How masks are used.
        options: Which pictures are read and how results are saved.

    Raises:
        NothingFoundError: There are no pictures, or no masks for any of them.
        UserError: Something would be overwritten, or a picture has two masks.
    """
    path = Path(mask)
    if mask != ALPHA:
        if not path.exists():
            raise NothingFoundError(f"`mask` {mask}: there is no such file or folder; give one, or alpha")
        _refuse_within(path, source, options)
    jobs, notes = find_jobs(source, destination, options)
    if mask == ALPHA:
        jobs = [replace(job, mask=ALPHA) for job in jobs]
    else:
        found = _find_masks(path) if path.is_dir() else None
        jobs = [replace(job, mask=path if found is None else _mask_of(job, found)) for job in jobs]
        notes += _missing_notes(jobs, path, masks)
        _refuse_overwriting_masks(jobs)
    lossy = sum(FORMAT_OF.get(job.output.suffix.lower()) == "JPEG" for job in jobs)
    if lossy:
        notes.append(
            f"{lossy} pictures are encoded again as JPEG, which changes known pixels a little; `format` png keeps them"
        )
    return build_plan(jobs, source, destination, options, notes)


def _refuse_within(masks: Path, source: Path, options: RunOptions) -> None:
    """Refuse masks among the pictures: they would be read as pictures."""
    pictures, path = source.resolve(), masks.resolve()
    folder = path if masks.is_dir() else path.parent
    if source.is_dir() and (folder == pictures or (options.recurse and pictures in folder.parents)):
        raise UserError(
            f"`mask` {masks}: lies in the folder of pictures that is read, and masks would be taken for pictures; "
            "move it elsewhere"
        )


def _find_masks(folder: Path) -> dict[str, Path]:
    """Return the masks by their paths in the folder, without suffix.

    Raises:
        UserError: There are two of one name.
    """
    masks: dict[str, Path] = {}
    for name in find_pictures(folder).pictures:
        stem = name.with_suffix("").as_posix()
        if stem in masks:
            raise UserError(f"{folder / name} and {masks[stem]}: are two masks of one picture; remove one")
        masks[stem] = folder / name
    return masks


def _mask_of(job: Job, masks: dict[str, Path]) -> Path | None:
    stem = job.name.with_suffix("").as_posix()
    found = [masks[stem + ending] for ending in ("", *ENDINGS) if stem + ending in masks]
    if len(found) > 1:
        raise UserError(f"{found[0]} and {found[1]}: are two masks of one picture; remove one")
    return found[0] if found else None


def _refuse_overwriting_masks(jobs: Sequence[Job]) -> None:
    masks = {job.mask.resolve() for job in jobs if isinstance(job.mask, Path)}
    for job in jobs:
        if job.output.resolve() in masks:
            raise UserError(f"{job.output}: is a mask, and would be overwritten; choose another place")


def _missing_notes(jobs: Sequence[Job], folder: Path, masks: MaskOptions) -> list[str]:
    missing = [job for job in jobs if job.mask is None]
    if not missing:
        return []
    expected = missing[0].name.with_suffix(".png").as_posix()
    if len(missing) == len(jobs) and masks.missing_mask == "error":
        raise NothingFoundError(
            f"`mask` {folder}: holds no mask of any picture; one for {missing[0].name} would be named {expected}, "
            "with whatever suffix"
        )
    consequence = {"error": "fail", "copy": "are copied", "skip": "are left out"}[masks.missing_mask]
    return [
        f"{len(missing)} of {len(jobs)} pictures have no mask in {folder} and {consequence}, such as {missing[0].name}"
    ]
