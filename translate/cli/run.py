"""`translate run`."""

from typing import Annotated

import typer

from translate.cli.common import Device, Json, Precision
from translate.cli.folders import (
    Background,
    Batch,
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
    Tile,
    check_plan,
    report_outcomes,
    run_options,
)


def run(
    model: Annotated[
        str, typer.Argument(help="A model file, a run folder (its last model), or a name of `model list`.")
    ],
    source: Source,
    destination: Destination,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[,NAME]|all",
            help="The domain to aim for, of a model that has several; a folder each where it is given again, or all.",
        ),
    ] = None,
    work_size: Annotated[
        str, typer.Option(metavar="N|native", help="Scale the shorter side to N pixels for the model, and back.")
    ] = "native",
    on_exists: OnExists = "error",
    batch: Batch = "auto",
    blend: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Of an SRGAN: 0 is its first stage, true to the pixels; 1 its second."),
    ] = None,
    tile: Tile = "auto",
    norms: Annotated[
        str,
        typer.Option(
            metavar="exact|reduced",
            help="In tiles, norms over the whole picture: its own statistics, or, much faster, a reduced copy's.",
        ),
    ] = "exact",
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
    """Translate a picture or a folder of pictures; each comes back as it went in, in size, depth and format."""
    from datasets.errors import UserError
    from models.contract import DomainError
    from translate.folders.plan import make_plan
    from translate.folders.translated_folder import run_plan
    from translate.inference.model import load_model

    save = {"format": image_format, "quality": quality, "metadata": metadata, "color": color, "background": background}
    options = run_options(
        save=save,
        to=to,
        work_size=None if work_size == "native" else work_size,
        on_exists=on_exists,
        batch=batch,
        tile=tile,
        norms=norms,
        pixel_limit=pixel_limit,
        recurse=recurse,
        limit=limit,
        shard=shard,
    )
    loaded = load_model(model, device=device, precision=precision, blend=blend)
    try:
        plan = make_plan(loaded.translator, loaded.card.scaled_to, source, destination, options)
    except DomainError as error:
        raise UserError(f"--to: {error}") from None
    check_plan(plan, loaded.translator.scale, compare=compare, dry_run=dry_run, json=json)
    report_outcomes(run_plan(loaded, plan, options), plan, compare=compare, json=json)
