"""Names of files and folders: which of them mean the same, and in which order people expect them.

One name has several spellings: "é" is one character or two (NFC and NFD in Unicode), as macOS and archives made there
have it, and Windows and macOS take "IMG" and "img" for one name.
"""

import re
from pathlib import PurePath

from datasets.contract import normalize_name


def fold_name(name: str) -> str:
    """Return the same for all names that are one file on a system that ignores case and spelling."""
    return normalize_name(normalize_name(name).casefold())


def stem_of(path: PurePath) -> str:
    """Return a path without its suffix, by which files of two folders are matched."""
    return normalize_name(path.with_suffix("").as_posix())


def encode_name(name: str) -> bytes:
    """Return bytes to hash a name by, equal for all its spellings, even if it is not valid Unicode."""
    return normalize_name(name).encode("utf-8", "surrogatepass")


def natural_key(path: PurePath) -> tuple[list[tuple[int, int, str]], str]:
    """Return a sort key by which `2.png` comes before `10.png`, however the names are spelled."""
    parts = re.split(r"(\d+)", normalize_name(path.as_posix()))
    # `isdigit` is also true of ① and ², which `\d` does not match and `int` refuses.
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts], path.as_posix()
