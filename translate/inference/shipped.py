"""The models that ship with the program, by name. Beside each file lies its model card, with the same name."""

from pathlib import Path

from datasets.errors import UserError

SCALE = 4  # of an upscaler where none is asked for
# Of upscalers' names, by the kind of their input.
SUFFIXES = {"clean": "", "compressed": "-compressed", "damaged": "-damaged"}


def pretrained_folder() -> Path:
    """Return the folder of the models: inside the package `models`, installed or in a checkout."""
    return Path(__file__).parents[2] / "models" / "pretrained"


def builtin_models() -> dict[str, Path]:
    """Return the files of all models that ship, by name."""
    return {path.stem: path for path in sorted(pretrained_folder().glob("*.safetensors"))}


def upscaler_name(scale: int | None = None, input_kind: str = "clean") -> str:
    """Return the name of the upscaler that ships for a scale and a kind of input.

    Raises:
        UserError: None ships for these.
    """
    scale = scale or SCALE
    if input_kind not in SUFFIXES:
        raise UserError(f"`input_kind` {input_kind}: expected auto, {', '.join(SUFFIXES)}")
    shipped = builtin_models()
    name = f"upscale-x{scale}{SUFFIXES[input_kind]}"
    if name not in shipped:
        scales = [n for n in range(2, 10) if f"upscale-x{n}{SUFFIXES[input_kind]}" in shipped]
        known = ", ".join(map(str, scales)) or "none"
        raise UserError(f"`scale` {scale}: of {input_kind} pictures the models that ship enlarge {known} times")
    return name
