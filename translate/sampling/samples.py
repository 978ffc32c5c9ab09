"""What can be made from noise: pictures of a seed, interpolations between seeds, a sheet of a latent grid, points."""

import csv
import functools
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.codecs.images import Picture, write_picture
from datasets.errors import UserError
from datasets.pixels import to_pixels
from datasets.storage.atomic import replace_file
from models.core.points import plot_points
from models.preview import show_transparency
from translate.files import domain_folder
from translate.sampling.latents import check_truncation, interpolate, latent_grid, sample_latent
from translate.sampling.outputs import (
    OutputSpec,
    SampleOptions,
    SamplePlan,
    Save,
    build_sample_plan,
    picture_output,
    refuse_points,
    sheet_output,
)
from translate.sampling.sampler import LoadedSampler
from translate.sheet import tile_images

PICTURES, POINTS = 16, 1000  # made where no number is asked for
GRID_PICTURES, GRID_ROW = 100, 10  # most pictures of a grid without classes, and of each class in a grid with them
INTERPOLATION_STEPS, MANIFOLD_STEPS = 8, 20  # where no number is asked for


def plan_samples(
    loaded: LoadedSampler, destination: Path, count: int | None, seed: int, grid: bool, options: SampleOptions
) -> SamplePlan:
    """Plan `count` pictures of each class, and with `grid` a sheet of the first ones; of a model of points, a table.

    Raises:
        UserError: There is no such class, something would be overwritten, or the options do not suit the model.
    """
    model, labels = loaded.sampler, loaded.labels(options.classes)
    check_truncation(model, options.truncation)
    if loaded.makes_points:
        return _plan_points(loaded, destination, POINTS if count is None else count, seed, grid, options)
    count = PICTURES if count is None else count
    truncated = "" if options.truncation is None else f", truncated to {options.truncation:g}"

    def latents(label: int, indices: Sequence[int]) -> Tensor:
        return torch.stack([sample_latent(model, seed, label, index, options.truncation) for index in indices])

    outputs = [
        picture_output(
            destination,
            domain_folder(model.domains, label) / f"{index:06}",
            f"seed {seed}, class {label}, picture {index}{truncated}",
            label,
            functools.partial(latents, label, [index]),
            options,
            index,
        )
        for label in labels
        for index in range(count)
    ]
    if grid:
        shown = min(count, GRID_ROW if model.domains else GRID_PICTURES)
        columns = shown if model.domains else math.ceil(math.sqrt(shown))
        titles = [model.domains[label] for label in labels] if model.domains else []
        outputs.append(
            sheet_output(
                destination,
                Path("grid.png"),
                f"seed {seed}, the first {shown} of classes {labels}{truncated}",
                tuple(label for label in labels for _ in range(shown)),
                lambda: torch.cat([latents(label, range(shown)) for label in labels]),
                _save_sheet(columns, titles),
            )
        )
    return build_sample_plan(outputs, destination, options)


def plan_interpolation(
    loaded: LoadedSampler, destination: Path, seeds: Sequence[int], steps: int | None, options: SampleOptions
) -> SamplePlan:
    """Plan the pictures from the first one of each seed to that of the next, in each class, and a strip of them.

    Raises:
        UserError: There is no such class, something would be overwritten, or the model makes points.
    """
    model, steps = loaded.sampler, INTERPOLATION_STEPS if steps is None else steps
    refuse_points(loaded, "interpolation")
    check_truncation(model, options.truncation)
    outputs = []
    for label in loaded.labels(options.classes):
        keyframes = [sample_latent(model, seed, label, 0, options.truncation) for seed in seeds]
        latents = interpolate(model, keyframes, steps)
        folder, columns = domain_folder(model.domains, label), len(latents)
        origin = f"seeds {list(seeds)}, class {label}, {columns} pictures, truncation {options.truncation}"
        for index, latent in enumerate(latents):
            name, one = folder / f"{index:06}", functools.partial(torch.unsqueeze, latent, 0)
            outputs.append(picture_output(destination, name, f"{origin}, picture {index}", label, one, options, index))
        stacked, strip = functools.partial(torch.stack, latents), folder / "strip.png"
        outputs.append(sheet_output(destination, strip, origin, (label,) * columns, stacked, _save_sheet(columns)))
    notes = ("this model's latents are uniform: the interpolation is linear, not on a sphere",)
    return build_sample_plan(outputs, destination, options, notes if model.prior == "uniform" else ())


def plan_manifold(
    loaded: LoadedSampler,
    destination: Path,
    axes: tuple[int, int] | None,
    steps: int | None,
    options: SampleOptions,
) -> SamplePlan:
    """Plan a sheet, in each class, of what two numbers of the latent change; see `latent_grid` for their values.

    Raises:
        UserError: Latents have more than two numbers and `axes` chooses none, or as in `plan_interpolation`.
    """
    model, steps = loaded.sampler, MANIFOLD_STEPS if steps is None else steps
    refuse_points(loaded, "a manifold")
    if axes is None and model.latent != 2:
        hint = "it has no plane" if model.latent < 2 else "choose two with `axes` 0,1, and the others are 0"
        raise UserError(f"a manifold shows 2 numbers, and this model's latents have {model.latent}; {hint}")
    axes = axes or (0, 1)
    if axes[0] == axes[1] or max(axes) >= model.latent:
        raise UserError(f"`axes` {axes[0]},{axes[1]}: expected two different numbers from 0 to {model.latent - 1}")
    outputs = [
        sheet_output(
            destination,
            domain_folder(model.domains, label) / "manifold.png",
            f"class {label}, axes {axes}, {steps} steps",
            (label,) * steps**2,
            lambda: latent_grid(model, axes, steps),
            _save_sheet(steps, gap=0),
        )
        for label in loaded.labels(options.classes)
    ]
    return build_sample_plan(outputs, destination, options)


def _save_sheet(columns: int, titles: Sequence[str] = (), gap: int = 2) -> Save:
    def save(images: Tensor, path: Path) -> tuple[str, ...]:
        pictures = [to_pixels(image, 8) for image in show_transparency(images)]
        return write_picture(Picture(tile_images(pictures, columns, titles, gap)), path)

    return save


def _plan_points(
    loaded: LoadedSampler, destination: Path, count: int, seed: int, grid: bool, options: SampleOptions
) -> SamplePlan:
    """Plan a table of `count` points of each class, and a plot of them."""
    model, labels = loaded.sampler, loaded.labels(options.classes)
    if grid:
        refuse_points(loaded, "`grid`")
    if options.save.format != "png":
        refuse_points(loaded, f"`format` {options.save.format}")

    def latents() -> Tensor:
        return torch.stack(
            [sample_latent(model, seed, label, index, options.truncation) for label in labels for index in range(count)]
        )

    of_points = tuple(label for label in labels for _ in range(count))
    names = [model.domains[label] for label in of_points] if model.domains else []
    origin = f"seed {seed}, {count} of classes {labels}, truncation {options.truncation}"
    writers: dict[str, Save] = {"points.csv": functools.partial(_save_table, names), "points.png": _save_scatter}
    outputs: list[OutputSpec] = [
        sheet_output(destination, Path(name), origin, of_points, latents, save) for name, save in writers.items()
    ]
    return build_sample_plan(outputs, destination, options)


def _save_table(names: Sequence[str], points: Tensor, path: Path) -> tuple[str, ...]:
    """Write x, y and, where there are names, the class of each point."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["x", "y", "class"] if names else ["x", "y"])
    for index, point in enumerate(points.flatten(1).numpy()):
        table.writerow([*map(str, point), *names[index : index + 1]])  # the shortest digits that give the same float32
    with replace_file(path, durable=False) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
    return ()


def _save_scatter(points: Tensor, path: Path) -> tuple[str, ...]:
    return write_picture(Picture(np.asarray(to_pixels(plot_points(points)[0], 8))), path)
