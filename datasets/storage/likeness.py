"""Files that are alike: names that a person would take for one, and contents that are equal byte for byte."""

import difflib
import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from datasets.storage.names import fold_name

# What data sets add to the names of one side of a pair.
_ENDINGS = re.compile(r"(mask|label|labels|source|target|input|output|real|fake|gt|lr|hr|x[234]|[ab])$")
FEW = 50  # names that are compared letter by letter with others, which takes long; chosen by hand
ALIKE = 0.85  # of difflib's ratio; chosen by hand: a letter in seven may differ


class Lookalikes:
    """Finds the name that was probably meant by one that is not there.

    Alike are names that differ in case, separators, leading zeros or usual endings, and those with a letter wrong.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._by_key: dict[str, str] = {}
        for name in self._names:
            self._by_key.setdefault(_simplify(name), name)
        self._searched = 0

    def find(self, name: str) -> str | None:
        """Return the name that looks most like `name`, or None."""
        near = self._by_key.get(_simplify(name))
        if near is not None or self._searched >= FEW or re.search(r"\d", name):
            return near  # names with other numbers look alike, and are other pictures
        self._searched += 1
        return next(iter(difflib.get_close_matches(name, self._names, n=1, cutoff=ALIKE)), None)


def _simplify(name: str) -> str:
    plain = re.sub(r"[\s_.()-]+", "", fold_name(name))
    plain = re.sub(r"\d+", lambda found: str(int(found[0])), plain)
    shorter = _ENDINGS.sub("", plain)
    return shorter or plain


def find_equal_files(paths: Sequence[Path]) -> list[list[Path]]:
    """Return groups of files that are equal byte for byte; only files of one size are read."""
    by_size: dict[int, list[Path]] = {}
    for path in paths:
        by_size.setdefault(path.stat().st_size, []).append(path)
    groups: dict[tuple[int, bytes], list[Path]] = {}
    for size, alike in by_size.items():
        for path in alike if len(alike) > 1 else ():
            with path.open("rb") as file:
                groups.setdefault((size, hashlib.file_digest(file, "sha256").digest()), []).append(path)
    return [group for group in groups.values() if len(group) > 1]
