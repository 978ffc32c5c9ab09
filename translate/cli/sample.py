"""`translate sample`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from translate.cli.common import (
    COMPUTING,
    OUTPUT,
    TASK,
    Best,
    Json,
    choose_model,
    finish,
    flag,
    option,
    parse_options,
    print_notes,
    print_results,
)
from translate.cli.options import DeviceOptions, OnExists, expand_options
from translate.cli.progress import show_progress

if TYPE_CHECKING:
    from translate.sampling.outputs import SampleOptions, SamplePlan
    from translate.sampling.sampler import LoadedSampler

BETWEEN = "Instead of pictures of a seed"  # a panel of `--help`

# What can be made instead of pictures of a seed, which is the last, and the options that each takes.
MODES = {
    "interpolate": {"steps", "truncation", "format"},
    "arithmetic": {"seed", "format"},
    "manifold": {"steps", "axes"},
    "": {"count", "seed", "truncation", "steps", "grid", "format"},
}


@expand_options
def sample(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file, or a run folder.")],
    destination: Annotated[Path, typer.Argument(metavar="OUT", help="The folder for the results.")],
    count: Annotated[int | None, option("Per class; 16, or 1000 points", panel=TASK, metavar="N", min=1)] = None,
    seed: Annotated[int | None, option("For the random draws; 0 if not given", panel=TASK, metavar="N", min=0)] = None,
    classes: Annotated[
        list[str] | None, option("What to make; all classes if not given", "--class", panel=TASK, metavar="NAME[,NAME]")
    ] = None,
    best: Best = False,
    truncation: Annotated[
        float | None, option("Limit latents to ±T: better, more alike", panel=TASK, metavar="T")
    ] = None,
    grid: Annotated[bool, flag("Also write a sheet of the first pictures", "--grid", TASK)] = False,
    interpolate: Annotated[
        str | None, option("From one seed's picture to the next", panel=BETWEEN, metavar="A,B[,C…]")
    ] = None,
    arithmetic: Annotated[
        str | None, option("The picture of a sum of latents; see above", panel=BETWEEN, metavar='"A - B + C"')
    ] = None,
    manifold: Annotated[bool, flag("A sheet of what two numbers change", "--manifold", BETWEEN)] = False,
    axes: Annotated[str | None, option("Which two, counted from 0", panel=BETWEEN, metavar="I,J")] = None,
    steps: Annotated[
        int | None,
        option("Pictures between seeds, or on a side", panel=BETWEEN, metavar="N", min=1),
    ] = None,
    on_exists: OnExists = "error",
    image_format: Annotated[
        str | None, option("png jpeg webp tiff bmp gif jxl jp2", "--format", panel=OUTPUT, metavar="FORMAT")
    ] = None,
    *,
    computing: DeviceOptions,
    batch: Annotated[int, option("Pictures at once; 16 if not given", panel=COMPUTING, metavar="N")] = 16,
    json: Json = False,
) -> None:
    """Make pictures from noise: OUT/000000.png and so on, by class.

    The same seed and class always make the same pictures, whatever --count is;
    another --batch may change the last bit of a pixel. A model of points writes a
    table and a plot.

    --arithmetic takes files with ' - ' and ' + ' between them; put a name that
    contains such a sign in quotes. A model without an encoder searches for the
    latents of the files and reports how close it came.

    --steps is 8 between seeds and 20 on a side of --manifold, unless given. With
    neither, it is how many steps a diffusion model takes for a picture.

    Where | separates choices, the first is the default.
    """
    from translate.inference.monitor import Monitor
    from translate.sampling.sampled_folder import run_samples
    from translate.sampling.sampler import load_sampler

    mode = _choose_mode({"interpolate": interpolate, "arithmetic": arithmetic, "manifold": manifold or None})
    settings = {
        "count": count,
        "seed": seed,
        "truncation": truncation,
        "grid": grid or None,
        "axes": axes,
        "steps": steps,
        "format": image_format,
    }
    _refuse_unused(mode, settings)
    if mode and steps == 1:
        _refuse(f"--steps 1: expected 2 or more with --{mode}")
    options = _sample_options(truncation, batch, on_exists, image_format)
    model = choose_model(model, best=best)
    passes = None if mode else steps
    loaded = load_sampler(model, device=computing.device, precision=computing.precision, steps=passes)
    options = options.model_copy(update={"classes": _split_names(classes or [], loaded.sampler.domains)})
    settings |= {"interpolate": interpolate, "arithmetic": arithmetic}
    plan = _make_plan(mode, loaded, destination, settings, options)
    print_notes(plan.notes)
    monitor = Monitor()
    results = show_progress(run_samples(loaded, plan, monitor), len(plan.outputs), monitor)
    if json:
        print_results(results, destination, plan.notes)
    sheets = {output.name for output in plan.outputs if output.group is None}
    pictures = [outcome for outcome in results.outcomes if outcome.name not in sheets or outcome.status == "failed"]
    finish(replace(results, outcomes=pictures or results.outcomes), destination)  # a grid is no further picture


def _choose_mode(modes: dict[str, Any]) -> str:
    chosen = [mode for mode, value in modes.items() if value is not None]
    if len(chosen) > 1:
        _refuse(f"{' and '.join(f'--{mode}' for mode in chosen)}: exclude each other; ask for one at a time")
    return chosen[0] if chosen else ""


def _refuse_unused(mode: str, settings: dict[str, Any]) -> None:
    """Refuse an option that would do nothing."""
    for name, value in settings.items():
        if value is not None and name not in MODES[mode]:
            takers = [f"--{other}" for other, names in MODES.items() if other and name in names]
            if mode:
                _refuse(f"--{name}: has no meaning with --{mode}; leave it out")
            _refuse(f"--{name}: has a meaning only with {' or '.join(takers)}")


def _sample_options(truncation: float | None, batch: int, on_exists: str, image_format: str | None) -> "SampleOptions":
    from translate.sampling.outputs import SampleOptions

    save = {"format": image_format or "png", "background": "white"}  # for formats that hold no alpha
    options = parse_options(SampleOptions, truncation=truncation, batch=batch, on_exists=on_exists, save=save)
    if options.save.format == "keep":
        _refuse(
            "--format keep: there is no file whose format to keep; choose png, jpeg, webp, tiff, bmp, gif, jxl or jp2"
        )
    return options


def _split_names(texts: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in the texts: each is one name, or several with commas between them."""
    return tuple(
        name for text in texts for name in ([text] if text in known else [part.strip() for part in text.split(",")])
    )


def _parse_numbers(name: str, text: str, least: int, most: int) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not least <= len(parts) <= most or not all(part.isascii() and part.isdigit() for part in parts):
        amount = f"{least}" if least == most else f"{least} or more"
        _refuse(f"--{name} {text}: expected {amount} whole numbers with commas between them, as in 0,1")
    return [int(part) for part in parts]


def _make_plan(
    mode: str, loaded: "LoadedSampler", destination: Path, settings: dict[str, Any], options: "SampleOptions"
) -> "SamplePlan":
    from translate.sampling.arithmetic import plan_arithmetic
    from translate.sampling.samples import plan_interpolation, plan_manifold, plan_samples

    seed = settings["seed"] or 0
    if mode == "interpolate":
        seeds = _parse_numbers("interpolate", settings["interpolate"], 2, 1000)
        return plan_interpolation(loaded, destination, seeds, settings["steps"], options)
    if mode == "arithmetic":
        return plan_arithmetic(loaded, destination, settings["arithmetic"], seed, options)
    if mode == "manifold":
        numbers = None if settings["axes"] is None else _parse_numbers("axes", settings["axes"], 2, 2)
        axes = None if numbers is None else (numbers[0], numbers[1])
        return plan_manifold(loaded, destination, axes, settings["steps"], options)
    return plan_samples(loaded, destination, settings["count"], seed, bool(settings["grid"]), options)


def _refuse(message: str) -> NoReturn:
    from datasets.errors import UserError

    raise UserError(message)
