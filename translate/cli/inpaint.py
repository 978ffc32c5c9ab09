"""`translate inpaint`."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

from translate.cli.common import TASK, Best, choose_own_model, console, flag, option, parse_options
from translate.cli.folders import find_inputs, run_folders, run_options
from translate.cli.options import (
    Boxes,
    Circles,
    Destination,
    DeviceOptions,
    OutputOptions,
    PictureOptions,
    Polygons,
    ReportOptions,
    Sources,
    TextStamp,
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
    box: Boxes = None,
    circle: Circles = None,
    polygon: Polygons = None,
    text_stamp: TextStamp = None,
    mask_color: Annotated[str | None, option("What is painted over is hole", panel=TASK, metavar="COLOUR")] = None,
    mask_tolerance: Annotated[int | None, option("Difference from it; 60 of 255", panel=TASK, metavar="N")] = None,
    mask_threshold: Annotated[int | None, option("Level above which is hole", panel=TASK, metavar="N")] = None,
    model: Annotated[str | None, option("Inpainter; else the shipped one", panel=TASK, metavar="MODEL")] = None,
    best: Best = False,
    mask_invert: Annotated[bool, flag("Black is hole, not white", "--mask-invert", TASK)] = False,
    mask_grow: Annotated[int, option("Enlarge every hole by N pixels", panel=TASK, metavar="N")] = 0,
    feather: Annotated[int, option("Fade in over N pixels at borders", panel=TASK, metavar="N")] = 0,
    missing_mask: Annotated[
        str, option("Where a picture has no mask", panel=TASK, metavar="error|copy|skip")
    ] = "error",
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
    model file, a run folder, telea or navier-stokes.

    Where | separates choices, the first is the default.
    """
    from translate.inpainting.inpainters import load_inpainter
    from translate.inpainting.masked_folder import run_inpainting
    from translate.inpainting.plan import MaskOptions, plan_inpainting

    inputs, options = find_inputs(source, pictures), run_options(output, pictures)
    masks = parse_options(
        MaskOptions,
        box=box or (),
        circle=circle or (),
        polygon=polygon or (),
        text_stamp=text_stamp,
        mask_color=mask_color,
        mask_tolerance=mask_tolerance,
        mask_threshold=mask_threshold,
        mask_invert=mask_invert,
        mask_grow=mask_grow,
        feather=feather,
        missing_mask=missing_mask,
    )
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
