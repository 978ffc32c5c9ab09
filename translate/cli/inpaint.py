"""`translate inpaint`."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

from translate.cli.common import TASK, Best, choose_own_model, console, option, parse_options
from translate.cli.folders import find_inputs, run_folders, run_options
from translate.cli.options import (
    Destination,
    DeviceOptions,
    HoleOptions,
    OutputOptions,
    PictureOptions,
    ReportOptions,
    Sources,
    expand_options,
)

if TYPE_CHECKING:
    from translate.folders.inputs import Inputs
    from translate.folders.manifest import Outcome
    from translate.folders.plan import Plan
    from translate.inference.monitor import Monitor


@expand_options
def inpaint(
    *,
    source: Sources = None,
    destination: Destination,
    mask: Annotated[str | None, option("What is hole; see above", panel=TASK, metavar="FILE|DIR|alpha")] = None,
    holes: HoleOptions,
    model: Annotated[str | None, option("Inpainter; else the shipped one", panel=TASK, metavar="MODEL")] = None,
    best: Best = False,
    fill: Annotated[
        str | None, option("With copied fine detail, or without", panel=TASK, metavar="detail|smooth")
    ] = None,
    output: OutputOptions,
    pictures: PictureOptions,
    computing: DeviceOptions,
    report: ReportOptions,
) -> None:
    """Fill the holes of a picture or a folder; no other pixel changes.

    --mask is a mask for all pictures, white in the hole, or a folder with a mask
    of each picture's name, or alpha, which fills transparent parts and makes them
    opaque. With --mask-color, --mask is the picture painted over in that colour,
    and IN itself is if there is no --mask. --box, --circle, --polygon and
    --text-stamp name holes in pixels or percent of the picture. --model is a
    model file, a run folder, telea or navier-stokes. --fill detail, the default
    with the shipped inpainter, copies texture from around a hole into its fill.

    Where | separates choices, the first is the default.
    """
    from translate.inpainting.inpainters import load_inpainter
    from translate.inpainting.masked_folder import run_inpainting
    from translate.inpainting.plan import MaskOptions, plan_inpainting

    inputs, options = find_inputs(source, pictures), run_options(output, pictures)
    masks = parse_options(MaskOptions, **holes.fields, fill=fill)
    model = choose_own_model(model, best=best)
    inpainter = load_inpainter(model, device=computing.device, precision=computing.precision)

    def plan(inputs: "Inputs") -> "Plan":
        return plan_inpainting(inputs, destination, mask, masks, options)

    def start(plan: "Plan", monitor: "Monitor") -> Generator["Outcome", None, None]:
        return _count_copies(run_inpainting(inpainter, plan, masks, options, monitor))

    run_folders(inputs, plan, start, options, report, destination, watch=pictures.watch)


def _count_copies(stream: Generator["Outcome", None, None]) -> Generator["Outcome", None, None]:
    """Yield the same outcomes, and print at the end how many pictures had nothing to fill."""
    copies = 0
    for outcome in stream:
        copies += outcome.record.get("hole") == 0
        yield outcome
    if copies:
        from datasets.errors import count_of

        console().print(f"note: without a hole, and copied as it is: {count_of(copies, 'picture')}", markup=False)
