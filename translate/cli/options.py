"""Options that several verbs share, each written once, in groups.

A command takes a group as one parameter, and `expand_options` puts the options of the group in its place:

    @expand_options
    def run(model: …, source: Source, destination: Destination, *, output: OutputOptions, …) -> None:
"""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

import typer

from translate.cli.common import COMPUTING, OUTPUT, PICTURES, TASK, Device, Json, Precision, flag, option

Sources = Annotated[list[Path] | None, typer.Argument(metavar="IN", help="Pictures, or folders of them.")]
Source = Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of them.")]
Destination = Annotated[Path, typer.Argument(metavar="OUT", help="Where the results go.")]
OnExists = Annotated[str, option("Existing files; skip: if current", panel=OUTPUT, metavar="error|skip|overwrite")]
Frames = Annotated[str, option("all: every frame of animations", panel=PICTURES, metavar="leave|all")]
Strength = Annotated[float, option("Effect; 0: the picture as it was", panel=TASK, metavar="0…1", min=0, max=1)]
Seed = Annotated[int, typer.Option(min=0, help="The same seed draws the same files.")]

# Lists, of which each may be given several times.
Boxes = Annotated[list[str] | None, option("A box is hole; several are too", "--box", panel=TASK, metavar="X,Y,W,H")]
Circles = Annotated[list[str] | None, option("A circle is hole", "--circle", panel=TASK, metavar="X,Y,R")]
Polygons = Annotated[list[str] | None, option("A polygon is hole", "--polygon", panel=TASK, metavar="X,Y,X,Y,…")]
TextStamp = Annotated[
    str | None, option("A date is, as in bottom-right,red", "--text-stamp", panel=TASK, metavar="CORNER[,COLOUR]")
]


class OutputOptions(NamedTuple):
    """How results are written."""

    on_exists: OnExists = "error"
    image_format: Annotated[
        str, option("png jpeg webp tiff bmp gif jxl jp2", "--format", panel=OUTPUT, metavar="keep|FORMAT")
    ] = "keep"
    quality: Annotated[int | None, option("1 to 100, for JPEG and WebP", panel=OUTPUT, metavar="N")] = None
    metadata: Annotated[str, option("Keep or drop EXIF, XMP and text", panel=OUTPUT, metavar="keep|strip")] = "keep"
    color: Annotated[str, option("Keep the profile, or convert", panel=OUTPUT, metavar="keep|srgb")] = "keep"
    background: Annotated[str | None, option("Fills alpha where it is lost", panel=OUTPUT, metavar="COLOUR")] = None

    @property
    def save(self) -> dict[str, Any]:
        """The fields of `SaveOptions`."""
        return {
            "format": self.image_format,
            "quality": self.quality,
            "metadata": self.metadata,
            "color": self.color,
            "background": self.background,
        }


class PictureOptions(NamedTuple):
    """Which pictures are read."""

    from_file: Annotated[Path | None, option("Inputs, one a line; - is stdin", panel=PICTURES, metavar="LIST|-")] = None
    watch: Annotated[bool, flag("Also what arrives in IN later", "--watch", PICTURES)] = False
    recurse: Annotated[bool, flag("Read subfolders too (default)", "--recurse/--no-recurse", PICTURES)] = True
    limit: Annotated[int | None, option("Stop after N pictures to be done", panel=PICTURES, metavar="N", min=1)] = None
    shard: Annotated[str, option("Every N-th, from the I-th on", panel=PICTURES, metavar="I/N")] = "1/1"
    pixel_limit: Annotated[int | None, option("Refuse larger ones; 500 million", panel=PICTURES, metavar="N")] = None


class DeviceOptions(NamedTuple):
    """Where a model computes, and how exactly."""

    device: Device = "auto"
    precision: Precision = "auto"


class TilingOptions(NamedTuple):
    """How much of the pictures a model gets at once."""

    batch: Annotated[str, option("Pictures of one size at once", panel=COMPUTING, metavar="auto|N")] = "auto"
    tile: Annotated[str, option("N pixels; auto: only if large", panel=COMPUTING, metavar="auto|off|N")] = "auto"


class ReportOptions(NamedTuple):
    """What is reported about a run."""

    compare: Annotated[bool, flag("Also write a sheet: before, after", "--compare", OUTPUT)] = False
    dry_run: Annotated[bool, flag("Say what would be done, and do nothing", "--dry-run")] = False
    json: Json = False


class HoleOptions(NamedTuple):
    """What is hole beside or without a mask, and how masks are used."""

    box: Boxes = None
    circle: Circles = None
    polygon: Polygons = None
    text_stamp: TextStamp = None
    mask_color: Annotated[str | None, option("What is painted over is hole", panel=TASK, metavar="COLOUR")] = None
    mask_tolerance: Annotated[int | None, option("Difference from it; 60 of 255", panel=TASK, metavar="N")] = None
    mask_threshold: Annotated[int | None, option("Level above which is hole", panel=TASK, metavar="N")] = None
    mask_invert: Annotated[bool, flag("Black is hole, not white", "--mask-invert", TASK)] = False
    mask_grow: Annotated[int, option("Enlarge every hole by N pixels", panel=TASK, metavar="N")] = 0
    feather: Annotated[int, option("Fade in over N pixels at borders", panel=TASK, metavar="N")] = 0
    missing_mask: Annotated[str, option("Where a picture has no mask", panel=TASK, metavar="error|copy|skip")] = "error"

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of `MaskOptions`."""
        lists = {name: getattr(self, name) or () for name in ("box", "circle", "polygon")}
        return {**self._asdict(), **lists}


GROUPS = (HoleOptions, OutputOptions, PictureOptions, DeviceOptions, TilingOptions, ReportOptions)


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has the options of its groups in place of the groups."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if hint in GROUPS}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name]))
            continue
        annotations = get_type_hints(groups[name], include_extras=True)
        parameters += [
            inspect.Parameter(
                field,
                inspect.Parameter.KEYWORD_ONLY,
                default=groups[name]._field_defaults[field],
                annotation=annotation,
            )
            for field, annotation in annotations.items()
        ]

    @functools.wraps(command)
    def expanded(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field: values.pop(field) for field in group._fields})
        command(**values)

    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return expanded
