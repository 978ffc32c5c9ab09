"""What a run reads: a picture, a folder, or several of both."""

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Inputs:
    """Pictures and folders to read.

    Attributes:
        paths: All of them, each once.
        root: The folder that the names of the outputs are relative to.
    """

    paths: tuple[Path, ...]
    root: Path

    @classmethod
    def of(cls, source: "Source") -> "Inputs":
        """Return the inputs for a path, or several; one that does not exist may be a pattern such as `*.jpg`.

        A folder's pictures keep their paths in it, and those of several inputs their paths in the folder that all have
        in common.
        """
        if isinstance(source, Inputs):
            return source
        given = [Path(source)] if isinstance(source, str | Path) else [Path(path) for path in source]
        paths = tuple(dict.fromkeys(path for pattern in given for path in _expand(pattern)))
        if len(paths) == 1:
            return cls(paths, paths[0] if paths[0].is_dir() else paths[0].parent)
        return cls(paths, _common_folder(paths))

    @property
    def is_folder(self) -> bool:
        """Whether the outputs need a folder: there are several inputs, or the only one is a folder or within one."""
        return len(self.paths) != 1 or self.paths[0].is_dir() or self.paths[0].parent != self.root

    def name_of(self, path: Path) -> Path:
        """Return a path relative to the root."""
        try:
            return Path(os.path.relpath(path, self.root))
        except ValueError:  # on another drive of Windows
            return Path(path.name)

    def __str__(self) -> str:
        return str(self.paths[0]) if len(self.paths) == 1 else f"{len(self.paths)} inputs in {self.root}"


Source = Path | str | Sequence[Path | str] | Inputs


def read_list(lines: Iterable[str]) -> list[Path]:
    """Return the paths in a list, one a line.

    Blanks around a path do not count, nor do empty lines, nor comments: lines that begin with "#", unless a file is
    called so.
    """
    names = [line.strip() for line in lines]
    return [Path(name) for name in names if name and (not name.startswith("#") or Path(name).exists())]


def is_pattern(path: Path) -> bool:
    """Return whether a path that does not exist was meant as a pattern."""
    return not WILDCARDS.isdisjoint(str(path))


def _expand(path: Path) -> list[Path]:
    """Return what a pattern matches, or the path itself, which may well contain a character of patterns."""
    if not is_pattern(path) or path.exists():
        return [path]
    return [Path(match) for match in sorted(glob.glob(str(path), recursive=True))] or [path]


def _common_folder(paths: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath([path.absolute().parent for path in paths]))
    except ValueError:  # none, or on different drives of Windows
        return Path()
