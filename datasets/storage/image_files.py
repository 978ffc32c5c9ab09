"""Files to learn from: which can be used, which are held out, and squares cut from them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from torch import Tensor

from datasets.augment import CropConfig, Cropper
from datasets.codecs.images import read_header, read_picture
from datasets.contract import derive_seed
from datasets.errors import UserError
from datasets.pixels import Pixels, convert_channels, drop_alpha, to_tensor
from datasets.storage.listing import Found, find_pictures, natural_key
from datasets.storage.threads import BoundedCache, ordered_map

Channels = Literal[1, 3]
T = TypeVar("T")


class Named(Protocol):
    """What has a name within its folder."""

    @property
    def name(self) -> str:
        """Its path."""
        ...


N = TypeVar("N", bound=Named)


@dataclass(frozen=True)
class ImageFile:
    """A picture, and what it is called within its folder."""

    name: str
    path: Path

    @property
    def stem(self) -> str:
        """The name without its suffix; a true counterpart has the same."""
        return Path(self.name).with_suffix("").as_posix()


def find_usable(folder: Path, *, decode: bool) -> tuple[list[ImageFile], list[str]]:
    """The pictures under a folder that can be used, and a sentence about each other one.

    With `decode` every picture is decoded to see; without, its head is read.
    """
    found = find_pictures(folder)

    def problem(file: ImageFile) -> None:
        if decode:
            read_picture(file.path)
        else:
            read_header(file.path)

    files, problems = filter_valid([ImageFile(path.as_posix(), folder / path) for path in found.pictures], problem)
    return files, describe_unsupported(folder, found) + problems


def filter_valid(items: Sequence[T], problem: Callable[[T], str | None]) -> tuple[list[T], list[str]]:
    """The items without a problem, and the sentences about the others, told or raised as UserError; on threads."""

    def verdict(item: T) -> str | None:
        try:
            return problem(item)
        except UserError as error:
            return str(error)

    verdicts = list(ordered_map(verdict, items, threads=4, ahead=64))
    good = [item for item, said in zip(items, verdicts, strict=True) if said is None]
    return good, [said for said in verdicts if said is not None]


def describe_unsupported(root: Path, found: Found) -> list[str]:
    """A sentence about each file that is known and cannot be read."""
    return [f"{root / path}: {kind} cannot be read" for path, kind in found.unsupported]


def describe_problems(root: Path, problems: Sequence[str]) -> str:
    """The sentence that refuses a folder, with the first problems found in it."""
    shown = "".join(f"\n  {problem}" for problem in problems[:20])
    more = f"\n  and {len(problems) - 20} more" if len(problems) > 20 else ""
    return (
        f"{root}: {len(problems)} of its pictures cannot be used; mend them, or leave them out with "
        f"--set data.skip_bad=true:{shown}{more}"
    )


def split_held_out(items: Iterable[N], share: float) -> tuple[list[N], list[N]]:
    """Training and validation pairs, or pictures; each stays on its side when others come or go, nearly always.

    The `share` with the smallest hashes of their names is held out, at least one where there are two.
    """
    ranked = sorted(items, key=lambda item: hashlib.sha256(item.name.encode()).digest())
    count = count_held_out(len(ranked), share)
    by_name = [sorted(part, key=lambda item: natural_key(Path(item.name))) for part in (ranked[count:], ranked[:count])]
    return by_name[0], by_name[1]


def count_held_out(count: int, share: float) -> int:
    """How many of `count` samples a share is: at least one, and not all, where there are two and any are wanted."""
    held = round(share * count)
    return min(max(held, 1), count - 1) if share and count > 1 else held


def fingerprint(groups: Mapping[str, Sequence[ImageFile]]) -> str:
    """Of the names and sizes of files, and of what each group of them is called."""
    digest = hashlib.sha256()
    for name, files in groups.items():
        digest.update(f"{name}\0{len(files)}\n".encode())
        for file in files:
            digest.update(f"{file.name}\0{file.path.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


class Squares:
    """Squares cut from files, (channels, size, size) in [-1, 1]; what is decoded stays while there is room."""

    def __init__(
        self, files: Sequence[ImageFile], crop: CropConfig, channels: Channels, cache_gib: float, *, training: bool
    ) -> None:
        self.files = files
        self.channels = channels
        self.cropper = Cropper(crop, training=training)
        self._scaled = BoundedCache(self._read, lambda pixels: pixels.nbytes, cache_gib * 2**30)

    def cut(self, place: int, seed: int) -> Tensor:
        """A square of the file at `place`, cut and coloured by the draws of `seed`."""
        pixels = self.cropper.cut(self._scaled(place), seed)
        return to_tensor(convert_channels(self.cropper.recolour(pixels, derive_seed(seed, 0)), self.channels))

    def _read(self, place: int) -> Pixels:
        """The picture at the scale that squares are cut out at."""
        return self.cropper.scaled(drop_alpha(read_picture(self.files[place].path)))
