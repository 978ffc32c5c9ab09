"""Names of files and folders: which of them mean the same, and in which order people expect them.

One name has several spellings: "é" is one character or two (NFC and NFD in Unicode), as macOS and archives made there
have it, and Windows and macOS take "IMG" and "img" for one name.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePath

from datasets.contract import normalize_name

FORBIDDEN = '/\\:*?"<>|'  # in names, on one system or another
# Devices of Windows, whatever follows after a dot.
RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {a + b for a in ("COM", "LPT") for b in "123456789¹²³"}


def fold_name(name: str) -> str:
    """Return the same for all names that are one file on a system that ignores case and spelling."""
    return normalize_name(normalize_name(name).casefold())


def stem_of(path: PurePath) -> str:
    """Return a path without its suffix, by which files of two folders are matched."""
    return normalize_name(path.with_suffix("").as_posix())


class FileSet:
    """Resolved paths of files and folders; each is in it under all names that it has.

    Where a file system ignores case or the spelling of letters, a file has several.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._by_name: dict[str, set[Path]] = {}
        for path in paths:
            self._by_name.setdefault(fold_name(str(path)), set()).add(path)

    def __contains__(self, path: Path) -> bool:
        """Return whether a resolved path leads to one of the files."""
        alike = self._by_name.get(fold_name(str(path)), set())
        return path in alike or any(_is_one(path, other) for other in alike)


def _is_one(path: Path, other: Path) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:  # one of them does not exist
        return False


def encode_name(name: str) -> bytes:
    """Return bytes to hash a name by, equal for all its spellings, even if it is not valid Unicode."""
    return normalize_name(name).encode("utf-8", "surrogatepass")


def find_windows_problem(path: PurePath) -> str | None:
    """Return why Windows cannot have a file or folder of this path, given within a folder; None if it can."""
    for part in path.parts:
        forbidden = sorted({character for character in part if character in FORBIDDEN or ord(character) < 32})
        if forbidden:
            return f"{part!r} contains {', '.join(map(repr, forbidden))}"
        if part.partition(".")[0].strip().upper() in RESERVED:
            return f"{part!r} is the name of a device"
        if part != part.rstrip(" ."):
            return f"{part!r} ends in a space or a dot"
    return None


def natural_key(path: PurePath) -> tuple[list[tuple[int, int, str]], str]:
    """Return a sort key by which `2.png` comes before `10.png`, however the names are spelled."""
    parts = re.split(r"(\d+)", normalize_name(path.as_posix()))
    # `isdigit` is also true of ① and ², which `\d` does not match and `int` refuses.
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts], path.as_posix()
