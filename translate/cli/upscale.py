"""`translate upscale`."""

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from translate.cli.common import TASK, Best, choose_own_model, option, print_notes
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
def upscale(
    *,
    source: Sources = None,
    destination: Destination,
    scale: Annotated[
        int | None, option("Times larger on each side; 4 if not given", panel=TASK, metavar="2|3|4")
    ] = None,
    input_kind: Annotated[
        str | None,
        option("auto, clean, compressed or damaged", "--input", panel=TASK, metavar="KIND"),
    ] = None,
    model: Annotated[str | None, option("A model file or run folder of yours", panel=TASK, metavar="MODEL")] = None,
    best: Best = False,
    strength: Strength = 1.0,
    output: OutputOptions,
    pictures: PictureOptions,
    frames: Frames = "leave",
    computing: DeviceOptions,
    tiling: TilingOptions,
    report: ReportOptions,
) -> None:
    """Enlarge a picture or a folder, with the models that ship or one of your own.

    Where | separates choices, the first is the default; --scale is 4.
    """
    from translate.folders.plan import make_plan
    from translate.folders.translated_folder import run_plan as translate
    from translate.inference.upscaling import load_upscaler

    inputs = find_inputs(source, pictures)
    options = run_options(output, pictures, tiling, frames=frames, strength=strength)
    model = choose_own_model(model, best=best)
    loaded = load_upscaler(scale, input_kind, model=model, device=computing.device, precision=computing.precision)

    def plan(inputs: "Inputs") -> "Plan":
        return make_plan(loaded.translator, loaded.card.scaled_to, inputs, destination, options)

    def start(plan: "Plan", monitor: "Monitor") -> "Generator[Outcome, None, None]":
        return _tell_inputs(translate(loaded, plan, options, monitor))

    scale = loaded.translator.scale
    run_folders(inputs, plan, start, options, report, destination, scale=scale, watch=pictures.watch)


def _tell_inputs(stream: "Generator[Outcome, None, None]") -> "Generator[Outcome, None, None]":
    """Say at the end of a run what the pictures were taken for, where the model chose that itself."""
    from datasets.errors import count_of

    chosen: Counter[str] = Counter()
    with closing(stream):
        for outcome in stream:
            if "input" in outcome.record:
                chosen[outcome.record["input"]] += 1
            yield outcome
    if chosen.total() == 1:
        print_notes(f"taken as {reason}" for reason in chosen)
    elif chosen:
        kinds = Counter[str]()
        for reason, count in chosen.items():
            kinds[reason.partition(":")[0]] += count
        print_notes(["taken " + ", ".join(f"as {kind}: {count_of(count, 'file')}" for kind, count in kinds.items())])
