"""The libraries of the extra `judge`, imported where they are used."""

import importlib
import warnings
from typing import Any

from datasets.errors import UserError


def import_extra(name: str) -> Any:
    """Return a module of the extra `judge`; what it changes in the process's warnings on import is undone.

    Raises:
        UserError: It is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries' own imports
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise UserError(
                f"this needs {name.partition('.')[0].replace('_', '-')}, found no {error.name}; "
                "install it with pip install 'translate-images[judge]'"
            ) from None
