"""The models that ship: small weights by name, each with a card beside it that tells what it was made of."""

from pathlib import Path


def pretrained_folder() -> Path:
    """Where they lie: inside the package `models`, installed or in a checkout."""
    return Path(__file__).parents[2] / "models" / "pretrained"


def builtin_models() -> dict[str, Path]:
    """The files of all of them, by name."""
    return {path.stem: path for path in sorted(pretrained_folder().glob("*.safetensors"))}
