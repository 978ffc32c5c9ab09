"""`translate sample`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from translate.cli.common import (
    Device,
    Json,
    Precision,
    absolute,
    console,
    count_outcomes,
    describe_outcome,
    finish,
    parse_options,
    print_json,
    show_progress,
)

if TYPE_CHECKING:
    from translate.sampling.outputs import SampleOptions, SamplePlan
    from translate.sampling.sampler import LoadedSampler

# What to make besides single pictures of a seed, and which options each takes.
MODES = {
    "interpolate": {"steps", "truncation", "format"},
    "arithmetic": {"seed", "format"},
    "manifold": {"steps", "axes"},
    "": {"count", "seed", "truncation", "grid", "format"},
}


def sample(
    model: Annotated[str, typer.Argument(help="A model file, or a run folder (its last model).")],
    destination: Annotated[Path, typer.Argument(metavar="OUT", help="The folder for what is made.")],
    count: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Pictures, of each class; 16 if not given, of points 1000."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed makes the same pictures; 0 if not given.")
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME[,NAME]", help="What to make, of a model that has classes; all, if none."),
    ] = None,
    truncation: Annotated[
        float | None,
        typer.Option(metavar="T", help="Draw again what is farther from 0 than this: better pictures, more alike."),
    ] = None,
    grid: Annotated[
        bool,
        typer.Option("--grid", help="Besides the pictures write grid.png: the first 100, or a row of 10 a class."),
    ] = False,
    interpolate: Annotated[
        str | None,
        typer.Option(metavar="A,B[,C…]", help="Go from the first picture of seed A to that of seed B; with a strip."),
    ] = None,
    arithmetic: Annotated[
        str | None,
        typer.Option(metavar='"A - B + C"', help="The picture of the sum of three pictures' latents; with a strip."),
    ] = None,
    manifold: Annotated[
        bool, typer.Option("--manifold", help="A sheet of what two numbers of the latent make, evenly by chance.")
    ] = False,
    axes: Annotated[
        str | None, typer.Option(metavar="I,J", help="The two numbers of --manifold, from 0; others are 0.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Pictures of each way, 8 if not given; of a manifold's side, 20."),
    ] = None,
    batch: Annotated[
        int, typer.Option(help="Pictures computed at once; another number may change a pixel's last bit.")
    ] = 16,
    on_exists: Annotated[str, typer.Option(help="error, skip (what is up to date) or overwrite.")] = "error",
    image_format: Annotated[
        str | None, typer.Option("--format", help="png (the default), jpeg, webp, tiff or bmp.")
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    json: Json = False,
) -> None:
    """Make pictures from noise: OUT/000000.png and so on, of a model with classes in a folder a class.

    A seed and a class always make the same pictures, however many; points go to points.csv and a plot.

    --arithmetic takes names with ' - ' and ' + ' between them, in quotes where one holds such a sign.

    A model without an encoder searches for the latents of these pictures, and says how near it came.
    """
    from translate.sampling.outputs import SampleOptions, run_samples
    from translate.sampling.sampler import load_sampler

    mode = _mode({"interpolate": interpolate, "arithmetic": arithmetic, "manifold": manifold or None})
    given = {
        "count": count,
        "seed": seed,
        "truncation": truncation,
        "grid": grid or None,
        "axes": axes,
        "steps": steps,
        "format": image_format,
    }
    _refuse_unused(mode, given)
    options = parse_options(
        SampleOptions,
        classes=(),
        truncation=truncation,
        batch=batch,
        on_exists=on_exists,
        save={"format": image_format or "png"},
    )
    if options.save.format == "keep":
        _refuse("--format keep: there is no file whose format to keep; choose png, jpeg, webp, tiff or bmp")
    loaded = load_sampler(model, device=device, precision=precision)
    options = options.model_copy(update={"classes": _names(classes or [], loaded.sampler.domains)})
    plan = _plan(mode, loaded, destination, {**given, "interpolate": interpolate, "arithmetic": arithmetic}, options)
    screen = console()
    for note in plan.notes:
        screen.print(f"note: {note}", markup=False)
    outcomes, interrupted = show_progress(run_samples(loaded, plan), len(plan.pieces))
    counts = count_outcomes(outcomes)
    if json:
        files = [describe_outcome(outcome) for outcome in outcomes]
        print_json({"out": absolute(destination), "counts": counts, "notes": list(plan.notes), "files": files})
    finish(counts, destination, interrupted=interrupted)


def _mode(modes: dict[str, Any]) -> str:
    asked = [mode for mode, value in modes.items() if value is not None]
    if len(asked) > 1:
        _refuse(f"{' and '.join(f'--{mode}' for mode in asked)}: exclude each other; ask for one at a time")
    return asked[0] if asked else ""


def _refuse_unused(mode: str, given: dict[str, Any]) -> None:
    """Refuse an option that would do nothing."""
    for option, value in given.items():
        if value is not None and option not in MODES[mode]:
            takers = [f"--{other}" for other, options in MODES.items() if other and option in options]
            if mode:
                _refuse(f"--{option}: has no meaning with --{mode}; leave it out")
            _refuse(f"--{option}: has a meaning only with {' or '.join(takers)}")


def _names(given: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """The names in what was given: each by itself, or several with commas between them."""
    return tuple(
        name for text in given for name in ([text] if text in known else [part.strip() for part in text.split(",")])
    )


def _numbers(option: str, text: str, least: int, most: int) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not least <= len(parts) <= most or not all(part.isascii() and part.isdigit() for part in parts):
        amount = f"{least}" if least == most else f"{least} or more"
        _refuse(f"--{option} {text}: expected {amount} whole numbers with commas between them, as in 0,1")
    return [int(part) for part in parts]


def _plan(
    mode: str, loaded: "LoadedSampler", destination: Path, given: dict[str, Any], options: "SampleOptions"
) -> "SamplePlan":
    from translate.sampling.arithmetic import plan_arithmetic
    from translate.sampling.samples import plan_interpolation, plan_manifold, plan_samples

    seed = given["seed"] or 0
    if mode == "interpolate":
        seeds = _numbers("interpolate", given["interpolate"], 2, 1000)
        return plan_interpolation(loaded, destination, seeds, given["steps"], options)
    if mode == "arithmetic":
        return plan_arithmetic(loaded, destination, given["arithmetic"], seed, options)
    if mode == "manifold":
        axes = None if given["axes"] is None else _numbers("axes", given["axes"], 2, 2)
        chosen = None if axes is None else (axes[0], axes[1])
        return plan_manifold(loaded, destination, chosen, given["steps"], options)
    return plan_samples(loaded, destination, given["count"], seed, bool(given["grid"]), options)


def _refuse(sentence: str) -> NoReturn:
    from datasets.errors import UserError

    raise UserError(sentence)
