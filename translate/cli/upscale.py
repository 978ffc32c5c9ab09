"""`translate upscale`."""

from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from translate.inference.model import Model

KINDS = {"clean": "", "compressed": "-compressed"}  # of input, and how the names of models for it end
SCALE = 4  # where nothing is said


def upscale(
    source: Source,
    destination: Destination,
    scale: Annotated[
        int | None, typer.Option(metavar="2|3|4", help="How many times larger on each side; 4 if not given.")
    ] = None,
    input_kind: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="clean|compressed",
            help="What the pictures are: clean, or blurred, noisy and full of JPEG's blocks, to be cleaned too.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="An upscaler of your own: a model file, or a run folder (its last model).")
    ] = None,
    on_exists: OnExists = "error",
    batch: Batch = "auto",
    tile: Tile = "auto",
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
    """Enlarge a picture or a folder of pictures 2, 3 or 4 times, with the models that ship or one of your own."""
    from translate.folders.plan import make_plan
    from translate.folders.translated_folder import run_plan

    save = {"format": image_format, "quality": quality, "metadata": metadata, "color": color, "background": background}
    options = run_options(
        save=save,
        on_exists=on_exists,
        batch=batch,
        tile=tile,
        pixel_limit=pixel_limit,
        recurse=recurse,
        limit=limit,
        shard=shard,
    )
    loaded = upscaler(model, scale, input_kind, device, precision)
    plan = make_plan(loaded.translator, loaded.card.scaled_to, source, destination, options)
    check_plan(plan, loaded.translator.scale, compare=compare, dry_run=dry_run, json=json)
    report_outcomes(run_plan(loaded, plan, options), plan, compare=compare, json=json)


def upscaler(model: str | None, scale: int | None, input_kind: str | None, device: str, precision: str) -> "Model":
    """The model that ships for a scale and a kind of input, or a person's own.

    Raises:
        UserError: None ships for these, or one's own does not enlarge, or not so much.
    """
    from datasets.errors import UserError
    from translate.inference.model import load_model

    if model is None:
        return load_model(shipped_name(scale or SCALE, input_kind or "clean"), device=device, precision=precision)
    if input_kind is not None:
        raise UserError("--input chooses among the models that ship: leave it out, or --model")
    loaded = load_model(model, device=device, precision=precision)
    own = loaded.translator.scale
    if own == 1:
        verb = "inpaint" if loaded.translator.fills_holes else "run"
        raise UserError(f"{model}: does not enlarge; `translate {verb}` is for it")
    if scale not in (None, own):
        raise UserError(f"--scale {scale}: {model} enlarges {own} times; leave --scale out")
    return loaded


def shipped_name(scale: int, input_kind: str) -> str:
    """The name of the model that ships for a scale and a kind of input.

    Raises:
        UserError: There is none.
    """
    from datasets.errors import UserError
    from translate.inference.shipped import builtin_models

    if input_kind not in KINDS:
        raise UserError(f"--input {input_kind}: expected {' or '.join(KINDS)}")
    shipped = builtin_models()
    name = f"upscale-x{scale}{KINDS[input_kind]}"
    if name not in shipped:
        scales = [n for n in range(2, 10) if f"upscale-x{n}{KINDS[input_kind]}" in shipped]
        known = ", ".join(map(str, scales)) or "none"
        raise UserError(f"--scale {scale}: of {input_kind} pictures the models that ship enlarge {known} times")
    return name
