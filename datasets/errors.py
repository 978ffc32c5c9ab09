"""Errors that the user can fix, and their words. Imports are light here, so that the command line starts quickly."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar


class UserError(Exception):
    """Something that the user can fix: one sentence with what was expected, what was found and what to do.

    It is shown without a traceback. Where the sentence speaks of a setting of the caller's, it names it as Python does
    and in backticks, such as `on_exists`; the command line writes the name of its option there, --on-exists.

    Attributes:
        exit_code: What the program then ends with.
    """

    exit_code: ClassVar[int] = 2


class OptionError(UserError):
    """An option of a function has a value that is not allowed, or there is no such option.

    Attributes:
        option: Its name in Python.
        reason: What was expected and what was found.
    """

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"`{option}`: {reason}")
        self.option = option
        self.reason = reason

    def __reduce__(self) -> tuple[type["OptionError"], tuple[str, str]]:
        return type(self), (self.option, self.reason)


class DataError(UserError):
    """The pictures, or their arrangement in folders, cannot be used."""

    exit_code = 5


def suggest(name: str, known: Iterable[str], kind: str = "there are") -> str:
    """Return what was probably meant by a name that is not known, as "did you mean a?", or else all that are known.

    Upper and lower case are alike, and so are "-", "_" and blanks. `kind` begins the list, as in "there are a, b".
    """
    names = [*known]
    spelled = {_spell(one): one for one in reversed(names)}
    near = difflib.get_close_matches(_spell(name), spelled, n=1)
    if near:
        return f"did you mean {spelled[near[0]]}?"
    return f"{kind} {', '.join(names)}" if names else "there are none"


def suggest_path(path: str | Path) -> str:
    """Return "; did you mean b?" for a path that does not exist beside one of nearly its name; else nothing."""
    place = Path(path)
    folder = place.parent
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return ""
    near = difflib.get_close_matches(place.name, names, n=1)
    return f"; did you mean {folder / near[0]}?" if near else ""


def count_of(count: int, noun: str) -> str:
    """Return a number and a noun, as "1 file" or "2 files"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _spell(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")
