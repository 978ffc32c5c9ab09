"""Read torch's files of whole trainings, in which Lightning's callbacks and settings lie beside the weights.

torch reads files with `weights_only`: of everything but tensors and plain values it reads a name and refuses it. Here
an empty class takes the place of what the libraries of trainings leave behind, so that LaMa's published checkpoint, for
one, can be read. None of these libraries is imported, and nothing of theirs runs.
"""

import re
from collections import OrderedDict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch.serialization import safe_globals

# What is left out: all of Lightning and of OmegaConf, in which settings are kept, and the types that these refer to.
PACKAGES = ("pytorch_lightning.", "lightning.", "lightning_fabric.", "omegaconf.", "typing.")
TYPES = ("argparse.Namespace", "collections.defaultdict", "dict", "list", "tuple", "str", "int", "float", "bool")


class Nothing:
    """Stands for an object that is left out: it takes whatever the file says of it, and keeps nothing."""

    def __new__(cls, *arguments: Any, **options: Any) -> "Nothing":
        """Make one, whatever the arguments are."""
        return super().__new__(cls)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        """Ignore the state."""


def load_pickle(path: Path, *, mmap: bool) -> Any:
    """Return what a file of torch's holds, with `Nothing` for what is left out.

    Raises:
        UnpicklingError: It holds more than weights, plain values and what is left out.
        Exception: As `torch.load`, of files that are damaged.
    """
    names: list[str] = []
    while True:
        try:
            with safe_globals([_stand_in(name) for name in names]):
                return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        except UnpicklingError as error:
            refused = re.search(r"GLOBAL ([\w.]+\w)", str(error))
            name = "" if refused is None else refused[1]
            if name in names or not (name.startswith(PACKAGES) or name in TYPES):
                raise
            names.append(name)


def _stand_in(name: str) -> tuple[Any, str]:
    """Return what stands for a name, and the name as torch's reader calls it; only true dictionaries may have items."""
    return OrderedDict if name.endswith("Dict") else Nothing, name if "." in name else f"builtins.{name}"
