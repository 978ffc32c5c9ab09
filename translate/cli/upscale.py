"""`translate upscale`."""

from typing import Annotated

from translate.cli.common import TASK, option
from translate.cli.folders import check_plan, run_options, run_plan
from translate.cli.options import (
    Destination,
    DeviceOptions,
    OutputOptions,
    PictureOptions,
    ReportOptions,
    Source,
    TilingOptions,
    expand_options,
)


@expand_options
def upscale(
    source: Source,
    destination: Destination,
    scale: Annotated[
        int | None, option("Times larger on each side; 4 if not given", panel=TASK, metavar="2|3|4")
    ] = None,
    input_kind: Annotated[
        str | None,
        option("compressed: also removes artefacts", "--input", panel=TASK, metavar="clean|compressed"),
    ] = None,
    model: Annotated[str | None, option("A model file or run folder of yours", panel=TASK, metavar="MODEL")] = None,
    *,
    output: OutputOptions,
    pictures: PictureOptions,
    computing: DeviceOptions,
    tiling: TilingOptions,
    report: ReportOptions,
) -> None:
    """Enlarge a picture or a folder, with the models that ship or one of your own.

    Where | separates choices, the first is the default; --scale is 4.
    """
    from translate.folders.plan import make_plan
    from translate.folders.translated_folder import run_plan as translate
    from translate.inference.monitor import Monitor
    from translate.inference.upscaling import load_upscaler

    options = run_options(output, pictures, tiling)
    loaded = load_upscaler(scale, input_kind, model=model, device=computing.device, precision=computing.precision)
    plan = make_plan(loaded.translator, loaded.card.scaled_to, source, destination, options)
    check_plan(plan, loaded.translator.scale, report)
    monitor = Monitor()
    run_plan(translate(loaded, plan, options, monitor), plan, report, monitor)
