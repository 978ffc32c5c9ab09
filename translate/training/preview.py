"""A sheet of what a training will see: its first samples, cropped, augmented and degraded as it gets them."""

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
from models.core.points import is_points, plot_points
from models.preview import show_transparency
from translate.experiment import Experiment
from translate.sheet import add_caption, contact_sheet, tile_images
from translate.training.batches import Order, load_batches

DEFAULT_SAMPLES, MOST_SAMPLES = 16, 100  # on a sheet; chosen by eye
DEFAULT_POINTS = 2000  # in a plot; chosen by eye


def preview_data(experiment: Experiment, data: Path, out: Path, count: int | None = None) -> int:
    """Write a sheet of the first `count` samples that a training in one process sees; return how many there are.

    It shows sources beside targets, images beside the same with holes, unpaired images by domain, and labelled images
    with their labels; points are plotted. A file at `out` is replaced.

    Raises:
        UserError: The experiment or its data cannot be used, or the sheet cannot be written.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise UserError(f"{out}: expected the name of a picture file, such as sheet.png")
    if data.resolve() in out.resolve().parents:
        raise UserError(f"{out}: lies in the folder of training data; choose an `out` outside {data}")
    opened = experiment.data.open(data)
    experiment.adapt_to(opened)  # raises if the model cannot learn from them
    batch = first_samples(experiment, opened.training, count)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out.parent}: cannot be created: {error.strerror}") from None
    if isinstance(batch, Pictures | Attributed):
        write_picture(Picture(_sheet(batch, opened.domains)), out)
    else:
        fields = _show_holes(batch) if isinstance(batch, Masked) else batch._asdict()
        fields = {name: field for name, field in fields.items() if field.ndim == 4}
        rows = list(zip(*map(_pixels, fields.values()), strict=True))
        contact_sheet(rows, opened.domains if isinstance(batch, Unpaired) else [*fields], out)
    return len(batch[0])


def first_samples(experiment: Experiment, samples: Samples[Any], count: int | None = None) -> Any:
    """Return the first `count` samples of a training's batches as one batch; None: as many as fit a sheet well.

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
            wanted = count or (DEFAULT_POINTS if points else DEFAULT_SAMPLES)
            if wanted > MOST_SAMPLES and not points:
                raise UserError(f"`count` is {wanted}, and a sheet shows up to {MOST_SAMPLES} samples")
    finally:
        steps.close()
    return type(batches[0])(*(torch.cat(fields)[:wanted] for fields in zip(*batches, strict=True)))


def _show_holes(batch: Masked) -> dict[str, Tensor]:
    """Return the images, and the same with white holes."""
    return {"picture": batch.image, "hole": torch.where(batch.mask > 0, torch.ones_like(batch.image), batch.image)}


def _sheet(batch: Pictures | Attributed, domains: Sequence[str]) -> Pixels:
    """Return images in a square, with captions if they have labels, or a plot of points."""
    if is_points(batch.image):
        return _pixels(plot_points(batch.image))[0]
    pictures = _pixels(batch.image)
    if domains:
        labels = [_label_names(label, domains) for label in batch.label]
        lines = max(map(len, labels))
        padded = [[*label, *[""] * (lines - len(label))] for label in labels]
        pictures = [add_caption(picture, label) for picture, label in zip(pictures, padded, strict=True)]
    return tile_images(pictures, math.ceil(math.sqrt(len(pictures))))


def _label_names(label: Tensor, domains: Sequence[str]) -> list[str]:
    """Return the name of a label () int64, or the names of all that are set in labels (n,)."""
    if label.ndim == 0:
        return [domains[int(label)]]
    return [name for name, is_set in zip(domains, label.tolist(), strict=True) if is_set] or ["none of them"]


def _pixels(images: Tensor) -> list[Pixels]:
    return [to_pixels(image, 8) for image in show_transparency(images)]
