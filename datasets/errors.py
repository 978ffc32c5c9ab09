"""What a person can fix; imports nothing, so that saying it costs nothing."""

from typing import ClassVar


class UserError(Exception):
    """Something a person can fix: one sentence with what was expected, what was found and what to do.

    It is shown without a traceback; `exit_code` is what the program then ends with.
    """

    exit_code: ClassVar[int] = 2


class DataError(UserError):
    """The pictures, or the way they lie in their folders, cannot be used."""

    exit_code = 5
