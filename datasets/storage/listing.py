"""Which pictures a folder holds."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from datasets.codecs.images import SUFFIXES, UNSUPPORTED
from datasets.errors import DataError

JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx", "manifest.jsonl"})


@dataclass(frozen=True)
class Found:
    """The files under a folder, as paths within it, in natural order.

    Attributes:
        pictures: Files whose suffix says that they can be read.
        unsupported: What cannot be read, each with what it is: pictures ("HEIC"), folders that cannot be listed.
        others: How many files are no pictures at all; hidden files and system junk are not counted.
        links: How many links to folders there are; they are not followed.
    """

    pictures: tuple[Path, ...]
    unsupported: tuple[tuple[Path, str], ...]
    others: int
    links: int

    def notes(self) -> list[str]:
        """Sentences about what was left alone."""
        notes = [f"left alone, since they are no pictures: {self.others} files"] if self.others else []
        return notes + ([f"not followed, since they are links: {self.links} folders"] if self.links else [])


def find_pictures(root: Path, *, recurse: bool = True) -> Found:
    """Look through `root`; links to folders are not followed, so no loop can form.

    Raises:
        DataError: `root` is missing or no folder.
    """
    if not root.is_dir():
        raise DataError(f"{root}: expected a folder, found {'a file' if root.exists() else 'nothing'}")
    pictures: list[Path] = []
    unsupported: list[tuple[Path, str]] = []
    others = links = 0

    def keep(error: OSError) -> None:
        unsupported.append((Path(error.filename).relative_to(root), "a folder that gives no access"))

    for folder, subfolders, files in os.walk(root, onerror=keep):
        subfolders[:] = [name for name in subfolders if recurse and not is_junk(name)]
        links += sum(Path(folder, name).is_symlink() for name in subfolders)
        for name in files:
            path = Path(folder, name).relative_to(root)
            suffix = path.suffix.lower()
            if is_junk(name):
                continue
            if suffix in SUFFIXES:
                pictures.append(path)
            elif suffix in UNSUPPORTED:
                unsupported.append((path, UNSUPPORTED[suffix]))
            else:
                others += 1
    return Found(
        tuple(sorted(pictures, key=natural_key)),
        tuple(sorted(unsupported, key=lambda item: natural_key(item[0]))),
        others,
        links,
    )


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """A sort key by which `2.png` stands before `10.png`."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts]


def is_junk(name: str) -> bool:
    """Whether a file or folder is hidden, or put there by a system."""
    return name.startswith(".") or name.lower() in JUNK
