"""Errors that the user can fix. Nothing is imported here, so that the command line starts quickly."""

from typing import ClassVar


class UserError(Exception):
    """Something that the user can fix: one sentence with what was expected, what was found and what to do.

    It is shown without a traceback. Where the sentence speaks of a setting of the caller's, it names it as Python does
    and in backticks, such as `on_exists`; the command line writes the name of its option there, --on-exists.

    Attributes:
        exit_code: What the program then ends with.
    """

    exit_code: ClassVar[int] = 2


class DataError(UserError):
    """The pictures, or their arrangement in folders, cannot be used."""

    exit_code = 5
