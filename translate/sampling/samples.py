"""What can be made from noise: pictures of a seed, ways between seeds, a sheet of a plane, points."""

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
from models.core.points import scatter
from translate.files import domain_folder
from translate.sampling.latents import check_truncation, interpolate, latent_grid, sample_latent
from translate.sampling.outputs import (
    OutputSpec,
    SampleOptions,
    SamplePlan,
    Save,
    build_sample_plan,
    output_job,
    picture_output,
    refuse_points,
)
from translate.sampling.sampler import LoadedSampler
from translate.sheet import tile_images

PICTURES, POINTS = 16, 1000  # made where no number is asked for
SHEET, SHEET_ROW = 100, 10  # pictures of a grid, and of each class of a grid
WAY, PLANE = 8, 20  # steps where no number is asked for


def plan_samples(
    loaded: LoadedSampler, destination: Path, count: int | None, seed: int, grid: bool, options: SampleOptions
) -> SamplePlan:
    """Pictures of a seed, `count` of each class; with `grid` also a sheet of the first ones. Of points: a table.

    Raises:
        UserError: There is no such class, something would be overwritten, or the options do not suit the model.
    """
    model, labels = loaded.sampler, loaded.labels(options.classes)
    check_truncation(model, options.truncation)
    if loaded.makes_points:
        return _plan_points(loaded, destination, POINTS if count is None else count, seed, grid, options)
    count = PICTURES if count is None else count
    cut = "" if options.truncation is None else f", truncated to {options.truncation:g}"

    def latents(label: int, indices: Sequence[int]) -> Tensor:
        return torch.stack([sample_latent(model, seed, label, index, options.truncation) for index in indices])

    pieces = [
        picture_output(
            destination,
            domain_folder(model.domains, label) / f"{index:06}",
            f"seed {seed}, class {label}, picture {index}{cut}",
            label,
            functools.partial(latents, label, [index]),
            options,
            index,
        )
        for label in labels
        for index in range(count)
    ]
    if grid:
        shown = min(count, SHEET_ROW if model.domains else SHEET)
        columns = shown if model.domains else math.ceil(math.sqrt(shown))
        titles = [model.domains[label] for label in labels] if model.domains else []
        pieces.append(
            OutputSpec(
                output_job(destination, Path("grid.png")),
                f"seed {seed}, the first {shown} of classes {labels}{cut}",
                tuple(label for label in labels for _ in range(shown)),
                lambda: torch.cat([latents(label, range(shown)) for label in labels]),
                _save_sheet(columns, titles),
            )
        )
    return build_sample_plan(pieces, destination, options)


def plan_interpolation(
    loaded: LoadedSampler, destination: Path, seeds: Sequence[int], steps: int | None, options: SampleOptions
) -> SamplePlan:
    """From the first picture of a seed to that of the next, in each class: the pictures, and a strip of them.

    Raises:
        UserError: There is no such class, something would be overwritten, or the model makes points.
    """
    model, steps = loaded.sampler, WAY if steps is None else steps
    refuse_points(loaded, "--interpolate")
    check_truncation(model, options.truncation)
    pieces = []
    for label in loaded.labels(options.classes):
        stations = [sample_latent(model, seed, label, 0, options.truncation) for seed in seeds]
        latents = interpolate(model, stations, steps)
        folder, columns = domain_folder(model.domains, label), len(latents)
        told = f"seeds {list(seeds)}, class {label}, {columns} pictures, truncation {options.truncation}"
        for index, latent in enumerate(latents):
            name, one = folder / f"{index:06}", functools.partial(torch.unsqueeze, latent, 0)
            pieces.append(picture_output(destination, name, f"{told}, picture {index}", label, one, options, index))
        strip = output_job(destination, folder / "strip.png")
        all_of_them = functools.partial(torch.stack, latents)
        pieces.append(OutputSpec(strip, told, (label,) * columns, all_of_them, _save_sheet(columns)))
    notes = ("this model's latents are uniform: the way is straight, not on a sphere",)
    return build_sample_plan(pieces, destination, options, notes if model.prior == "uniform" else ())


def plan_manifold(
    loaded: LoadedSampler,
    destination: Path,
    axes: tuple[int, int] | None,
    steps: int | None,
    options: SampleOptions,
) -> SamplePlan:
    """A sheet of what two numbers of the latent make, in each class: `plane` says of which values.

    Raises:
        UserError: There are more than two numbers, and none were chosen; or as `plan_interpolation`.
    """
    model, steps = loaded.sampler, PLANE if steps is None else steps
    refuse_points(loaded, "--manifold")
    if axes is None and model.latent != 2:
        raise UserError(
            f"--manifold: a sheet shows 2 numbers, and this model's latents have {model.latent}; "
            + ("it has no plane" if model.latent < 2 else "choose two with --axes 0,1, and the others are 0")
        )
    axes = axes or (0, 1)
    if axes[0] == axes[1] or max(axes) >= model.latent:
        raise UserError(f"--axes {axes[0]},{axes[1]}: expected two different numbers from 0 to {model.latent - 1}")
    pieces = [
        OutputSpec(
            output_job(destination, domain_folder(model.domains, label) / "manifold.png"),
            f"class {label}, axes {axes}, {steps} steps",
            (label,) * steps**2,
            lambda: latent_grid(model, axes, steps),
            _save_sheet(steps, gap=0),
        )
        for label in loaded.labels(options.classes)
    ]
    return build_sample_plan(pieces, destination, options)


def _save_sheet(columns: int, titles: Sequence[str] = (), gap: int = 2) -> Save:
    return lambda made, path: write_picture(
        Picture(tile_images([to_pixels(image, 8) for image in made], columns, titles, gap)), path
    )


def _plan_points(
    loaded: LoadedSampler, destination: Path, count: int, seed: int, grid: bool, options: SampleOptions
) -> SamplePlan:
    model, labels = loaded.sampler, loaded.labels(options.classes)
    if grid:
        refuse_points(loaded, "--grid")
    if options.save.format != "png":
        refuse_points(loaded, f"--format {options.save.format}")

    def latents() -> Tensor:
        return torch.stack(
            [sample_latent(model, seed, label, index, options.truncation) for label in labels for index in range(count)]
        )

    asked = tuple(label for label in labels for _ in range(count))
    names = [model.domains[label] for label in asked] if model.domains else []
    origin = f"seed {seed}, {count} of classes {labels}, truncation {options.truncation}"
    savers: dict[str, Save] = {"points.csv": functools.partial(_save_table, names), "points.png": _save_scatter}
    pieces = [
        OutputSpec(output_job(destination, Path(name)), origin, asked, latents, save) for name, save in savers.items()
    ]
    return build_sample_plan(pieces, destination, options)


def _save_table(names: Sequence[str], made: Tensor, path: Path) -> tuple[str, ...]:
    """x, y and, where there are names, the class of each point."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["x", "y", "class"] if names else ["x", "y"])
    for index, point in enumerate(made.flatten(1).numpy()):
        table.writerow([*map(str, point), *names[index : index + 1]])  # the shortest digits that give the same float32
    with replace_file(path, durable=False) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
    return ()


def _save_scatter(made: Tensor, path: Path) -> tuple[str, ...]:
    return write_picture(Picture(np.asarray(to_pixels(scatter(made)[0], 8))), path)
