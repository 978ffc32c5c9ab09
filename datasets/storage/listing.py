"""The pictures in a folder."""

import os
from dataclasses import dataclass
from pathlib import Path

from datasets.codecs.images import SUFFIXES, UNSUPPORTED
from datasets.contract import find_name
from datasets.errors import DataError, count_of, suggest_path
from datasets.storage.names import natural_key

JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx", "manifest.jsonl"})


@dataclass(frozen=True)
class Listing:
    """The files under a folder, as paths within it, in natural order.

    Attributes:
        pictures: Files whose suffix says that they can be read.
        unsupported: Pictures and folders that cannot be read, each with its kind, such as "HEIC".
        others: Number of files that are not pictures; hidden files and the system's own are not counted.
        links: Number of links to folders, which are not followed.
    """

    pictures: tuple[Path, ...]
    unsupported: tuple[tuple[Path, str], ...]
    others: int
    links: int

    def describe_ignored(self) -> list[str]:
        """Return sentences about what is ignored."""
        notes = [f"ignored, since they are not pictures: {count_of(self.others, 'file')}"] if self.others else []
        return notes + ([f"ignored, since they are links: {count_of(self.links, 'folder')}"] if self.links else [])


def find_pictures(root: Path, *, recurse: bool = True) -> Listing:
    """Return the pictures under `root`; links to folders are not followed, so that no loop can form.

    Raises:
        DataError: `root` is missing or not a folder.
    """
    _check_folder(root)
    pictures: list[Path] = []
    unsupported: list[tuple[Path, str]] = []
    others = links = 0

    def note_refused_folder(error: OSError) -> None:
        unsupported.append((Path(error.filename).relative_to(root), "a folder that gives no access"))

    for folder, subfolders, files in os.walk(root, onerror=note_refused_folder):
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
    return Listing(
        tuple(sorted(pictures, key=natural_key)),
        tuple(sorted(unsupported, key=lambda item: natural_key(item[0]))),
        others,
        links,
    )


def find_entry(root: Path, name: str) -> Path:
    """Return the file or folder of this name under `root`, however the name is spelled in Unicode.

    If there is none, the path that it would have is returned.
    """
    place = root
    for part in Path(name).parts:
        if not (place / part).exists() and place.is_dir():
            part = next((other for other in os.listdir(place) if find_name(part, [other]) is not None), part)
        place /= part
    return place


def describe_folders(root: Path) -> str:
    """Return the names of the folders directly under `root`, in words, for a message about those that are missing.

    Raises:
        DataError: `root` is missing or not a folder.
    """
    _check_folder(root)
    names = sorted(path.name for path in root.iterdir() if path.is_dir())
    return f"the folders {', '.join(names)}" if names else "no folders"


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        found = "a file" if root.exists() else f"nothing{suggest_path(root)}"
        raise DataError(f"{root}: expected a folder, found {found}")


def is_junk(name: str) -> bool:
    """Return whether a file or folder is hidden, or made by the operating system or by this program."""
    return name.startswith(".") or name.lower() in JUNK
