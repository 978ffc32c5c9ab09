"""`translate inpaint`."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli.common import Device, Json, Precision, console, parse_options
from translate.cli.folders import (
    Background,
    Color,
    Compare,
    Destination,
    DryRun,
    Format,
    Limit,
    Metadata,
    OnExists,
    PixelLimit,
    Quality,
    Recurse,
    Shard,
    Source,
    check_plan,
    report_outcomes,
    run_options,
)

if TYPE_CHECKING:
    from translate.folders.manifest import Outcome


def inpaint(
    source: Source,
    destination: Destination,
    mask: Annotated[
        str,
        typer.Option(
            metavar="FILE|DIR|alpha",
            help="White is hole: one mask for all, or a folder with one of each picture's name; alpha: what can be "
            "seen through is hole, and the result is opaque.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(help="A model file, a run folder (its last model), telea or navier-stokes; else what ships."),
    ] = None,
    mask_invert: Annotated[bool, typer.Option("--mask-invert", help="Black is hole, not white.")] = False,
    mask_grow: Annotated[int, typer.Option(metavar="N", help="Make every hole N pixels larger all around.")] = 0,
    feather: Annotated[
        int, typer.Option(metavar="N", help="Fade in over N pixels, from a hole's border inward; all else is kept.")
    ] = 0,
    missing_mask: Annotated[
        str, typer.Option(metavar="error|copy|skip", help="What to do with a picture that has no mask.")
    ] = "error",
    on_exists: OnExists = "error",
    device: Device = "auto",
    precision: Precision = "auto",
    image_format: Format = "keep",
    quality: Quality = None,
    metadata: Metadata = "keep",
    color: Color = "keep",
    background: Background = None,
    compare: Compare = False,
    pixel_limit: PixelLimit = None,
    recurse: Recurse = True,
    limit: Limit = None,
    shard: Shard = "1/1",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Fill the holes of a picture or a folder of pictures at full resolution; what is no hole is not touched."""
    from translate.inpainting.inpainters import load_inpainter
    from translate.inpainting.masked_folder import ALPHA, MaskOptions, plan_inpainting, run_inpainting

    save = {"format": image_format, "quality": quality, "metadata": metadata, "color": color, "background": background}
    options = run_options(
        save=save,
        on_exists=on_exists,
        pixel_limit=pixel_limit,
        recurse=recurse,
        limit=limit,
        shard=shard,
    )
    masks = parse_options(
        MaskOptions, mask_invert=mask_invert, mask_grow=mask_grow, feather=feather, missing_mask=missing_mask
    )
    filler = load_inpainter(model, device=device, precision=precision)
    plan = plan_inpainting(source, destination, mask, masks, options)
    check_plan(plan, 1, compare=compare, dry_run=dry_run, json=json)
    stream = run_inpainting(filler, plan, mask == ALPHA, masks, options)
    report_outcomes(_counting_copies(stream), plan, compare=compare, json=json)


def _counting_copies(stream: Generator["Outcome", None, None]) -> Generator["Outcome", None, None]:
    """The same outcomes; at the end, how many pictures had nothing to fill."""
    copies = 0
    for outcome in stream:
        copies += outcome.record.get("hole") == 0
        yield outcome
    if copies:
        console().print(f"note: without a hole, and copied as they are: {copies} pictures", markup=False)
