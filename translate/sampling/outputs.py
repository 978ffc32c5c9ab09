"""Which files are made from a sampler, decided and checked before the first is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field
from torch import Tensor

from datasets.codecs.formats import SUFFIXES_OF
from datasets.codecs.images import SaveOptions, write_picture
from datasets.contract import Options
from datasets.errors import UserError
from datasets.pixels import to_picture
from translate.files import check_writable
from translate.folders.jobs import Job, refuse_existing
from translate.sampling.sampler import BATCH, LoadedSampler

Save = Callable[[Tensor, Path], tuple[str, ...]]


class SampleOptions(Options):
    """How to make files from a sampler.

    Attributes:
        classes: Names of the classes to make; empty: all of them.
        truncation: Draw numbers of a latent again that are farther from 0 than this; None: keep all.
        batch: Pictures computed at once.
        on_exists: What to do where an output exists: refuse to start, skip what is up to date, or overwrite.
        save: How the outputs are encoded.
    """

    classes: tuple[str, ...] = ()
    truncation: float | None = None
    batch: int = Field(default=BATCH, ge=1)
    on_exists: Literal["error", "skip", "overwrite"] = "error"
    save: SaveOptions = SaveOptions(format="png")


@dataclass(frozen=True, kw_only=True)
class OutputSpec(Job):
    """A file to make from a sampler.

    Attributes:
        labels: The classes of the pictures that it shows.
        latents: Draws their latents, (N, latent).
        save: Writes the generated pictures, (N, C, H, W), to a path and returns notes.
        group: Outputs of one group are computed at once; None: this one by itself.
    """

    labels: tuple[int, ...]
    latents: Callable[[], Tensor]
    save: Save
    group: tuple[int, int] | None = None


@dataclass(frozen=True)
class SamplePlan:
    """All files to make, and what the user should know before the first."""

    outputs: tuple[OutputSpec, ...]
    destination: Path
    options: SampleOptions
    notes: tuple[str, ...] = ()


def picture_output(
    destination: Path,
    name: Path,
    origin: str,
    label: int,
    latents: Callable[[], Tensor],
    options: SampleOptions,
    index: int = 0,
) -> OutputSpec:
    """Return the output of a single picture.

    Args:
        destination: The folder of all outputs.
        name: Its path within that, without a suffix.
        origin: What it is made from, in words; with the model and the options this decides every byte.
        label: Its class.
        latents: Draws its latent, (1, latent).
        options: How outputs are made.
        index: Its number among the pictures of its class.
    """
    suffix = SUFFIXES_OF[options.save.format.upper()][0]

    def save(images: Tensor, path: Path) -> tuple[str, ...]:
        return write_picture(to_picture(images[0]), path, options.save)

    group = label, index // options.batch
    return sheet_output(destination, name.with_name(name.name + suffix), origin, (label,), latents, save, group)


def sheet_output(
    destination: Path,
    name: Path,
    origin: str,
    labels: tuple[int, ...],
    latents: Callable[[], Tensor],
    save: Save,
    group: tuple[int, int] | None = None,
) -> OutputSpec:
    """Return the output of a file that `save` makes of any number of pictures; see `OutputSpec`."""
    return OutputSpec(
        source=Path(),
        name=name,
        output=destination / name,
        origin=origin,
        labels=labels,
        latents=latents,
        save=save,
        group=group,
    )


def refuse_points(loaded: LoadedSampler, what: str) -> None:
    """Check that a model makes pictures, as `what` needs.

    Raises:
        UserError: It makes points.
    """
    if loaded.makes_points:
        raise UserError(f"{what}: is for pictures, and this model makes points of the plane")


def build_sample_plan(
    outputs: Sequence[OutputSpec], destination: Path, options: SampleOptions, notes: tuple[str, ...] = ()
) -> SamplePlan:
    """Return the plan of these outputs.

    Raises:
        UserError: The destination is a file, or something would be overwritten.
    """
    if destination.is_file():
        raise UserError(f"{destination}: is a file; samples need a folder to go to")
    if options.on_exists == "error":
        refuse_existing(outputs, "choose another place, or set `on_exists` to skip or overwrite")
    check_writable(destination)
    return SamplePlan(tuple(outputs), destination, options, notes)
