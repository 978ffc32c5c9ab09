"""What a training will see: its first samples, cut, coloured and degraded as it will get them, on one sheet."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datasets.codecs.images import SUFFIXES, Picture, write_picture
from datasets.contract import Attributed, Masked, Pictures, Samples, Unpaired
from datasets.errors import UserError
from datasets.pixels import Pixels, to_pixels
from models.core.points import is_points, scatter
from translate.experiment import Experiment
from translate.sheet import add_caption, contact_sheet, tile_images
from translate.training.batches import Order, load_batches

SAMPLES, MOST = 16, 100  # pictures or pairs on a sheet
POINTS = 2000  # points in a plot


def preview(experiment: Experiment, data: Path, out: Path, count: int | None = None) -> int:
    """Write a sheet of the first `count` samples that a training in one process sees; tell how many they are.

    Pairs show their source and target, pictures to fill themselves and their holes, unpaired pictures their domains,
    labelled pictures their labels; points are plotted. What is at `out` is replaced.

    Raises:
        UserError: The experiment or its data cannot be used, or the sheet cannot be written.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise UserError(f"{out}: expected the name of a picture, such as sheet.png")
    if data.resolve() in out.resolve().parents:
        raise UserError(f"{out}: lies in the folder that is learned from; choose an --out outside {data}")
    opened = experiment.data.open(data)
    experiment.on(opened)
    batch = first_samples(experiment, opened.training, count)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out.parent}: cannot be made a folder: {error.strerror}") from None
    if isinstance(batch, Pictures | Attributed):
        write_picture(Picture(_sheet(batch, opened.domains)), out)
    else:
        fields = _holed(batch) if isinstance(batch, Masked) else batch._asdict()
        fields = {name: field for name, field in fields.items() if field.ndim == 4}
        rows = list(zip(*map(_pixels, fields.values()), strict=True))
        contact_sheet(rows, opened.domains if isinstance(batch, Unpaired) else [*fields], out)
    return len(batch[0])


def first_samples(experiment: Experiment, samples: Samples[Any], count: int | None = None) -> Any:
    """The first samples of a training's batches, as one batch; None: as many as a sheet should show.

    Raises:
        UserError: A sheet cannot show so many.
    """
    training = experiment.training
    order = Order(len(samples), training.seed, 0, training.batch_size, training.accumulate, 0, 1)
    steps = load_batches(samples, order, 0, training.workers)
    batches: list[Any] = []
    wanted = 1
    try:
        while sum(len(batch[0]) for batch in batches) < wanted:
            batches += next(steps)
            points = is_points(batches[0][0])
            wanted = count or (POINTS if points else SAMPLES)
            if wanted > MOST and not points:
                raise UserError(f"--count: a sheet shows up to {MOST} samples, and {wanted} are asked for")
    finally:
        steps.close()
    return type(batches[0])(*(torch.cat(fields)[:wanted] for fields in zip(*batches, strict=True)))


def _holed(batch: Masked) -> dict[str, Tensor]:
    """The pictures, and the same with white holes."""
    return {"picture": batch.image, "hole": torch.where(batch.mask > 0, torch.ones_like(batch.image), batch.image)}


def _sheet(batch: Pictures | Attributed, domains: Sequence[str]) -> Pixels:
    """Pictures in a square, under their labels where they have any; a plot of points."""
    if is_points(batch.image):
        return _pixels(scatter(batch.image))[0]
    pictures = _pixels(batch.image)
    if domains:
        labels = [_said(label, domains) for label in batch.label]
        lines = max(map(len, labels))
        padded = [[*label, *[""] * (lines - len(label))] for label in labels]
        pictures = [add_caption(picture, label) for picture, label in zip(pictures, padded, strict=True)]
    return tile_images(pictures, math.ceil(math.sqrt(len(pictures))))


def _said(label: Tensor, domains: Sequence[str]) -> list[str]:
    """A label in words, or all that a picture has of several."""
    if label.ndim == 0:
        return [domains[int(label)]]
    return [name for name, held in zip(domains, label.tolist(), strict=True) if held] or ["none of them"]


def _pixels(images: Tensor) -> list[Pixels]:
    return [to_pixels(image, 8) for image in images]
