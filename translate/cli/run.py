"""`translate run`."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli.common import COMPUTING, TASK, Best, choose_model, option
from translate.cli.folders import find_inputs, run_folders, run_options
from translate.cli.options import (
    Destination,
    DeviceOptions,
    Frames,
    OutputOptions,
    PictureOptions,
    ReportOptions,
    Sources,
    Strength,
    TilingOptions,
    expand_options,
)

if TYPE_CHECKING:
    from translate.folders.inputs import Inputs
    from translate.folders.manifest import Outcome
    from translate.folders.plan import Plan
    from translate.inference.monitor import Monitor


@expand_options
def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file, run folder or name.")],
    *,
    source: Sources = None,
    destination: Destination,
    to: Annotated[
        list[str] | None, option("Domain to translate to; repeatable", panel=TASK, metavar="NAME[,NAME]|all")
    ] = None,
    work_size: Annotated[str, option("Scale the shorter side to N first", panel=TASK, metavar="native|N")] = "native",
    best: Best = False,
    blend: Annotated[
        float | None, option("SRGAN only; 0 is faithful, 1 is sharp", panel=TASK, metavar="0…1", min=0, max=1)
    ] = None,
    strength: Strength = 1.0,
    steps: Annotated[int | None, option("Of a bridge, for each picture", panel=TASK, metavar="N", min=1)] = None,
    output: OutputOptions,
    pictures: PictureOptions,
    frames: Frames = "leave",
    computing: DeviceOptions,
    tiling: TilingOptions,
    norms: Annotated[
        str, option("Norms in tiles; reduced is faster", panel=COMPUTING, metavar="exact|reduced")
    ] = "exact",
    report: ReportOptions,
) -> None:
    """Translate a picture or a folder; files keep their size, depth and format.

    Where | separates choices, the first is the default.
    """
    from datasets.errors import UserError
    from models.contract import DomainError
    from translate.folders.plan import make_plan
    from translate.folders.translated_folder import run_plan as translate
    from translate.inference.model import load_model

    inputs = find_inputs(source, pictures)
    size = None if work_size == "native" else work_size
    effect = {"to": to, "work_size": size, "norms": norms, "strength": strength}
    options = run_options(output, pictures, tiling, frames=frames, **effect)
    model = choose_model(model, best=best)
    loaded = load_model(model, device=computing.device, precision=computing.precision, blend=blend, steps=steps)

    def plan(inputs: "Inputs") -> "Plan":
        try:
            return make_plan(loaded.translator, loaded.card.scaled_to, inputs, destination, options)
        except DomainError as error:
            raise UserError(f"--to {error}" if to else f"--to: {error}") from None

    def start(plan: "Plan", monitor: "Monitor") -> "Generator[Outcome, None, None]":
        return translate(loaded, plan, options, monitor)

    scale = loaded.translator.scale
    run_folders(inputs, plan, start, options, report, destination, scale=scale, watch=pictures.watch)
