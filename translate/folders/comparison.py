"""A sheet of the first pictures of a run before and after it, each with a part at full size."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.codecs.images import Picture, read_picture
from datasets.errors import UserError
from datasets.pixels import convert_channels, resize, to_floats
from translate.folders.manifest import Outcome
from translate.folders.options import OnExists
from translate.folders.plan import Plan
from translate.sheet import write_rows

NAME = "contact-sheet.png"
COMPARED = 12  # pictures, the first that were made
SIDE = 256  # pixels on a side of a picture on the sheet, at most twice as wide; chosen by eye
TITLES = ("before", "after", "before, a part", "after, the part at 100 %")
CHECKER = (8, 0.8, 0.95)  # pixels on a side of the squares behind what is transparent, and their two grays
VISIBLE_CHANGE = 0.02  # of full scale, the mean change of a part below which its details are looked for instead

Floats = NDArray[np.float32]
Shown = NDArray[np.uint8]


def plan_sheet(plan: Plan, on_exists: OnExists) -> Path | None:
    """Return where the sheet of a run goes: to the folder of the outputs, or beside a single one, under its name.

    None: there is one already, which is left.

    Raises:
        UserError: One exists, and is neither to be left nor replaced; or the sheet would overwrite a result.
    """
    single = plan.manifest is None
    sheet = plan.destination.with_name(f"{plan.destination.stem}-{NAME}") if single else plan.destination / NAME
    if sheet in {job.output for job in plan.jobs}:
        raise UserError(f"{sheet}: is one of the results, and `compare` would write there; leave `compare` out")
    if sheet.exists() and on_exists == "error":
        raise UserError(f"{sheet}: exists; move it, or set `on_exists` to overwrite, or leave `compare` out")
    return None if sheet.exists() and on_exists == "skip" else sheet


def write_sheet(outcomes: Sequence[Outcome], plan: Plan, sheet: Path) -> bool:
    """Write the sheet of the first pictures that were made; return whether there are any.

    Raises:
        UserError: It cannot be written.
    """
    sources = {job.name: job.source for job in plan.jobs}
    rows = []
    for outcome in [outcome for outcome in outcomes if outcome.status == "ok"][:COMPARED]:
        before, after = read_picture(sources[outcome.name]), read_picture(outcome.output)
        sizes = f"{before.width} x {before.height} → {after.width} x {after.height} pixels"
        rows.append((f"{outcome.name.as_posix()}   {sizes}", compare(before, after, local="hole" in outcome.record)))
    if rows:
        write_rows(rows, TITLES, sheet)
    return bool(rows)


def compare(before: Picture, after: Picture, *, local: bool = False) -> list[Shown]:
    """Return both pictures whole, in one size, and then a part of each at full size of the second, if it is larger.

    The part is where they differ most, or, where they hardly do, where the second has most detail. With `local`, they
    differ in few places, such as a hole, and the part is there in any case.
    """
    factor = min(SIDE / after.height, 2 * SIDE / after.width)
    size = max(1, round(after.width * factor)), max(1, round(after.height * factor))
    whole = [_show(_lay_on_checkers(_scale(picture, *size))) for picture in (before, after)]
    if factor >= 1:
        return whole
    times = max(1, round(after.width / before.width))  # so that the part begins and ends with a pixel of both
    width, height = (min(SIDE, length) // times * times for length in (after.width, after.height))
    left, top = _find_part(whole[0], whole[1], width * factor, height * factor, 0.0 if local else VISIBLE_CHANGE)
    left = min(round(left / factor), after.width - width) // times * times
    top = min(round(top / factor), after.height - height) // times * times
    parts = [_crop(picture, after, left, top, width, height) for picture in (before, after)]
    return whole + [_show(_lay_on_checkers(_scale(part, width, height))) for part in parts]


def _crop(picture: Picture, after: Picture, left: int, top: int, width: int, height: int) -> Picture:
    """Return what a picture shows in a rectangle of `after`, which may be of another size."""
    across, down = picture.width / after.width, picture.height / after.height
    rows = slice(int(top * down), max(int(top * down) + 1, round((top + height) * down)))
    columns = slice(int(left * across), max(int(left * across) + 1, round((left + width) * across)))
    return Picture(picture.pixels[rows, columns], None if picture.alpha is None else picture.alpha[rows, columns])


def _scale(picture: Picture, width: int, height: int) -> Floats:
    """Return (height, width, 4) floats in [0, 1], premultiplied colours and alpha; grown pixels are squares."""
    shrinks = width <= picture.width and height <= picture.height
    planes = [picture.pixels] if picture.alpha is None else [picture.pixels, picture.alpha[:, :, np.newaxis]]
    if shrinks:  # first in few bits, since a large picture may not fit into memory in floats
        size = min(4 * width, picture.width), min(4 * height, picture.height)
        planes = [resize(plane, *size) for plane in planes]
    floats = [to_floats(plane) for plane in planes]
    colours = convert_channels(floats[0], 3)
    opacity: Floats = floats[1] if floats[1:] else np.ones((*colours.shape[:2], 1), np.float32)
    joined: Floats = np.concatenate([colours * opacity, opacity], axis=2)
    if shrinks:
        reduced: Floats = cv2.resize(joined, (width, height), interpolation=cv2.INTER_AREA).clip(0, 1)
        return reduced
    rows = np.arange(height) * picture.height // height
    columns = np.arange(width) * picture.width // width
    grown: Floats = joined[rows][:, columns]
    return grown


def _lay_on_checkers(pixels: Floats) -> Floats:
    side, dark, light = CHECKER
    rows, columns = (np.arange(length) // side for length in pixels.shape[:2])
    board = np.where((rows[:, None] + columns) % 2 == 0, light, dark)[:, :, None]
    laid: Floats = (pixels[:, :, :3] + board * (1 - pixels[:, :, 3:])).astype(np.float32)
    return laid


def _show(pixels: Floats) -> Shown:
    shown: Shown = (255 * pixels).round().astype(np.uint8)
    return shown


def _find_part(before: Shown, after: Shown, width: float, height: float, visible: float) -> tuple[int, int]:
    """Return the left and top of the part, so large, of two pictures of one size that tells most about them.

    Below a mean change of `visible` it is the one with most detail.
    """
    rows, columns = max(1, int(height)), max(1, int(width))
    change = _average(np.abs(before.astype(np.float32) - after).mean(2) / 255, rows, columns)
    if change.max() < visible:
        gray = after.astype(np.float32).mean(2) / 255
        details = np.abs(np.diff(gray, axis=0, append=gray[-1:])) + np.abs(np.diff(gray, axis=1, append=gray[:, -1:]))
        change = _average(details, rows, columns)
    top, left = np.unravel_index(int(change.argmax()), change.shape)
    return int(left), int(top)


def _average(values: Floats, rows: int, columns: int) -> Floats:
    """Return the means of all windows of so many rows and columns, by their top left corners."""
    sums = np.pad(values.cumsum(0, np.float64).cumsum(1), ((1, 0), (1, 0)))
    boxes = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    means: Floats = (boxes / (rows * columns)).astype(np.float32)
    return means
