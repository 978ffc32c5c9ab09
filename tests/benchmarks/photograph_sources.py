"""Where freely licensed photographs come from: Debian packages and public repositories, with authors and licences.

Authors and licences are read from what the sources say of each file: Debian's copyright files (DEP-5), Plasma's
metadata, lists of credits. Where a source names its contributors only together, so does the list.
"""

import fnmatch
import json
import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PICTURE = re.compile(r"\.(jpe?g|png|webp)$", re.IGNORECASE)


class Photograph(NamedTuple):
    """The bytes of a picture file, and where they come from."""

    source: str
    name: str
    content: bytes
    author: str
    licence: str


class Repository(NamedTuple):
    """A repository on GitHub: which of its files are photographs, and whose they are where no list says more."""

    pattern: str
    author: str
    licence: str


# Licences as the repositories' own licence files had them in November 2026.
REPOSITORIES = {
    "UbuntuKylin/ubuntukylin-wallpapers": Repository(PICTURE.pattern, "Ubuntu Kylin contributors", "CC-BY-SA-3.0"),
    "cjdowner/interfaces": Repository(r"^1000 x 1000/", "Pexels, see CREDITS.md", "CC0-1.0"),
    "LukeSmithxyz/based.cooking": Repository(PICTURE.pattern, "contributors of based.cooking", "Unlicense"),
    "ronaldl29/public-domain-recipes": Repository(
        PICTURE.pattern, "contributors of public-domain-recipes", "Unlicense"
    ),
    "dedbox/gallery": Repository(r"^imgs/", "Eric Griffis", "CC-BY-SA-4.0"),
    "18F/18f.gsa.gov": Repository(PICTURE.pattern, "18F, US government", "CC0-1.0"),
    "getsolus/artwork": Repository(r"^backgrounds/", "see Attribution", "CC-BY-SA-4.0"),
    "BuddiesOfBudgie/budgie-backgrounds": Repository(PICTURE.pattern, "Buddies of Budgie contributors", "CC0-1.0"),
    "elementary/wallpapers": Repository(r"^backgrounds/", "as the file is named", "see debian/copyright"),
    "pop-os/wallpapers": Repository(r"^original/(?!kate|nick).*jpg$", "as the file is named, on Unsplash", "CC0-1.0"),
}
PACKAGES = (
    "gcompris-qt-data",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "mate-backgrounds",
    "plasma-workspace-wallpapers",
    "ukui-wallpapers",
    "lxqt-themes",
)


def find_photographs(place: Path) -> Iterator[Photograph]:
    """Download what is not yet in the folder `place`, and yield every picture file of every source."""
    for package in PACKAGES:
        yield from _of_package(package, _unpack(package, place))
    for name, repository in REPOSITORIES.items():
        yield from _of_repository(name, repository, _clone(name, place))


def _unpack(package: str, place: Path) -> Path:
    folder = place / package
    if not folder.exists():
        subprocess.run(["apt-get", "download", package], cwd=place, check=True)
        (archive,) = place.glob(f"{package}_*.deb")
        subprocess.run(["dpkg", "-x", archive, folder], check=True)
    return folder


def _clone(name: str, place: Path) -> Path:
    folder = place / name.replace("/", "+")
    if not folder.exists():
        subprocess.run(["git", "clone", "--depth=1", f"https://github.com/{name}", folder], check=True)
    return folder


def _of_repository(name: str, repository: Repository, folder: Path) -> Iterator[Photograph]:
    credits = _read_attribution(folder / "Attribution")
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder).as_posix()
        if not PICTURE.search(path.name) or not re.search(repository.pattern, within, re.IGNORECASE):
            continue
        author, licence = credits.get(path.stem, (repository.author, repository.licence))
        yield Photograph(f"https://github.com/{name}", within, path.read_bytes(), author, licence)


def _of_package(package: str, folder: Path) -> Iterator[Photograph]:
    copyright_file = folder / "usr/share/doc" / package / "copyright"
    stanzas = list(_read_stanzas(copyright_file.read_text(encoding="utf-8")))
    largest: dict[str, tuple[str, bytes]] = {}  # Plasma has each wallpaper in many sizes
    for name, content in sorted(_contents(folder), key=lambda item: -len(item[1])):
        largest.setdefault(name.split("/contents/")[0], (name, content))
    for name, content in sorted(largest.values()):
        author, licence = _of_plasma(folder / name) or _find_stanza(stanzas, name)
        yield Photograph(f"Debian {package}", name, content, author, licence)


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".rcc":
            yield from ((name, content) for name, content in read_resources(path) if PICTURE.search(name))
        elif path.is_file() and PICTURE.search(path.name):
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def read_resources(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files in a resource file of Qt, as its `rcc` writes them."""
    data = path.read_bytes()
    version, tree, contents, names = struct.unpack(">IIII", data[4:20])
    size = 22 if version >= 2 else 14  # bytes of a node
    waiting = [(0, "")]
    while waiting:
        index, folder = waiting.pop()
        node = data[tree + index * size :]
        name_offset, flags = struct.unpack(">IH", node[:6])
        start = names + name_offset
        (length,) = struct.unpack(">H", data[start : start + 2])
        name = data[start + 6 : start + 6 + 2 * length].decode("utf-16-be") if index else ""
        if flags & 2:  # a folder
            count, first = struct.unpack(">II", node[6:14])
            waiting += [(child, f"{folder}{name}/") for child in range(first, first + count)]
        elif not flags & 4:  # not compressed by zstd
            (offset,) = struct.unpack(">I", node[10:14])
            (length,) = struct.unpack(">I", data[contents + offset : contents + offset + 4])
            content = data[contents + offset + 4 : contents + offset + 4 + length]
            yield folder + name, zlib.decompress(content[4:]) if flags & 1 else content


def _read_stanzas(text: str) -> Iterator[tuple[list[str], str, str]]:
    """Yield patterns, authors and licence of each `Files` paragraph of a copyright file in DEP-5's form."""
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(\S+):((?:.*\n?)(?:[ \t]+.*\n?)*)", paragraph, re.MULTILINE))
        if "Files" in fields:
            author = re.sub(r"\s+", " ", fields.get("Copyright", "")).strip()
            yield fields["Files"].split(), author, fields.get("License", "").split("\n")[0].strip()


def _find_stanza(stanzas: list[tuple[list[str], str, str]], name: str) -> tuple[str, str]:
    """Return author and licence by the last paragraph that names the file, which may be installed elsewhere."""
    found = ("see the package's copyright file", "see the package's copyright file")
    for patterns, author, licence in stanzas:
        for pattern in patterns:
            same_name = Path(pattern).stem == Path(name).stem
            if pattern == "*" or same_name or fnmatch.fnmatch(name, f"*{pattern.removeprefix('src/activities')}"):
                found = author, licence
    return found


def _of_plasma(path: Path) -> tuple[str, str] | None:
    """Return author and licence of a Plasma wallpaper by its metadata; None for other pictures."""
    metadata = path.parents[2] / "metadata.json"
    if not metadata.is_file():
        return None
    plugin = json.loads(metadata.read_text(encoding="utf-8"))["KPlugin"]
    return ", ".join(author["Name"] for author in plugin.get("Authors", ())), plugin.get("License", "")


def _read_attribution(path: Path) -> dict[str, tuple[str, str]]:
    """Return author and licence by stem, from Solus' list; empty where there is no list."""
    if not path.is_file():
        return {}
    found = re.findall(r"Files?: .*/(.+)\.\w+\nAuthors?: (.+)\nLicense: (.+)", path.read_text(encoding="utf-8"))
    return {stem: (author.split(" (")[0], licence.split(" (")[0]) for stem, author, licence in found}
