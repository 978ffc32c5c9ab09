"""Which pictures are filled, by which masks, and where the results go, decided before anything is written.

A mask is a file of the picture's name, whatever its suffix (`sub/cat.png` for `sub/cat.jpg`, or `cat_mask.png`), one
file for all pictures, or the picture's own transparency. Or it is a copy of the picture that was painted over in one
colour, which may be the picture itself; and shapes may be named instead of a mask, or beside it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from datasets.codecs.formats import FORMAT_OF
from datasets.codecs.picture import Colour
from datasets.errors import UserError, count_of, suggest, suggest_path
from datasets.masks.shapes import Marks
from datasets.storage.listing import find_pictures
from datasets.storage.names import FileSet, stem_of
from translate.folders.inputs import Inputs, Source
from translate.folders.jobs import ALPHA, MARKED, Job, NothingFoundError, find_jobs
from translate.folders.options import RunOptions
from translate.folders.plan import Plan, build_plan
from translate.inpainting.fill import FillName

ENDINGS = ("_mask", "-mask")  # that a mask's name may have after the picture's own


class MaskOptions(Marks):
    """How masks are used, and what is hole without or beside one: see `Marks`.

    Attributes:
        mask_color: The masks are pictures in which the hole is painted over in this colour; without a mask, the
            pictures themselves are. None: masks are white in the hole.
        mask_tolerance: By how much, of 255, each channel may differ from the colour; None: 60.
        mask_threshold: The level, of 255, above which a mask shows a hole; None: half, and less where a mask has two
            levels only.
        mask_invert: Black is hole, not white.
        mask_grow: Pixels by which every hole is enlarged all around.
        fill: detail: fine detail from what is known around a hole is added; smooth: it is not. None: detail with the
            inpainter that ships and others that were trained without a discriminator.
        feather: Pixels, inward from a hole's border, over which the fill fades in over what was there.
        missing_mask: What to do with a picture that has no mask: fail, copy it as it is, or leave it out.
    """

    mask_color: Colour | None = None
    mask_tolerance: int | None = Field(default=None, ge=0, le=255)
    mask_threshold: int | None = Field(default=None, ge=0, le=254)
    mask_invert: bool = False
    mask_grow: int = Field(default=0, ge=0)
    fill: FillName | None = None
    feather: int = Field(default=0, ge=0)
    missing_mask: Literal["error", "copy", "skip"] = "error"


def plan_inpainting(
    source: Source, destination: Path, mask: str | None, masks: MaskOptions, options: RunOptions
) -> Plan:
    """Find the pictures and their masks, and decide where each output goes.

    Args:
        source: A picture, a folder of pictures, or several of both.
        destination: A file for a picture, or a folder.
        mask: A mask, a folder of masks, or "alpha"; None: `masks` says what is hole.
        masks: How masks are used.
        options: Which pictures are read and how results are saved.

    Raises:
        NothingFoundError: There are no pictures, or no masks for any of them.
        UserError: Something would be overwritten, a picture has two masks, nothing says what is hole, or a setting
            would do nothing.
    """
    _check_masks(mask, masks)
    if options.strength != 1:
        raise UserError(f"`strength` {options.strength:g}: a filled hole has nothing to be mixed with; leave it out")
    inputs = Inputs.of(source)
    path = Path(mask or "")
    if mask not in (ALPHA, None):
        if not path.exists():
            near = suggest(str(mask), [ALPHA])
            near = near if near.endswith("?") else suggest_path(path).removeprefix("; ") or "give one, or alpha"
            raise NothingFoundError(f"`mask` {mask}: there is no such file or folder; {near}")
        for one in inputs.paths:
            _refuse_within(path, one, options)
    jobs, notes = find_jobs(inputs, destination, options)
    if mask == ALPHA:
        jobs = [replace(job, mask=ALPHA) for job in jobs]
    elif mask is None:
        jobs = [replace(job, mask=MARKED) for job in jobs]
    else:
        found = _find_masks(path) if path.is_dir() else None
        jobs = [replace(job, mask=path if found is None else _mask_of(job, found)) for job in jobs]
        notes += _missing_notes(jobs, path, masks)
        _refuse_overwriting_masks(jobs)
    lossy = sum(FORMAT_OF.get(job.output.suffix.lower()) == "JPEG" for job in jobs)
    if lossy:
        notes.append(
            f"encoded again as JPEG, which changes known pixels a little: {count_of(lossy, 'picture')}; "
            "`format` png keeps them"
        )
    return build_plan(jobs, inputs, destination, options, notes)


def _check_masks(mask: str | None, masks: MaskOptions) -> None:
    """Refuse masks that say nothing, and settings that would do nothing."""
    if mask is None and masks.mask_color is None and not masks.has_marks:
        raise UserError(
            "nothing says what is hole: name masks with `mask`, or the hole itself with `box`, `circle`, `polygon`, "
            "`text_stamp` or `mask_color`"
        )
    if mask is None and masks.mask_invert:
        raise UserError("`mask_invert`: there is no `mask` to invert")
    if mask == ALPHA and masks.mask_color is not None:
        raise UserError("`mask_color`: with `mask` alpha it is what is transparent that is hole; choose one of the two")
    if masks.mask_threshold is not None and (mask in (ALPHA, None) or masks.mask_color is not None):
        raise UserError("`mask_threshold`: is for masks that are white in the hole, and there is none")
    if masks.mask_tolerance is not None and masks.mask_color is None:
        raise UserError("`mask_tolerance`: name the colour that was painted with `mask_color`")


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
        stem = stem_of(name)
        if stem in masks:
            raise UserError(f"{folder / name} and {masks[stem]}: are two masks of one picture; remove one")
        masks[stem] = folder / name
    return masks


def _mask_of(job: Job, masks: dict[str, Path]) -> Path | None:
    stem = stem_of(job.name)
    found = [masks[stem + ending] for ending in ("", *ENDINGS) if stem + ending in masks]
    if len(found) > 1:
        raise UserError(f"{found[0]} and {found[1]}: are two masks of one picture; remove one")
    return found[0] if found else None


def _refuse_overwriting_masks(jobs: Sequence[Job]) -> None:
    masks = FileSet(job.mask.resolve() for job in jobs if isinstance(job.mask, Path))
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
