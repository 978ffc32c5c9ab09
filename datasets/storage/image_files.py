"""Picture files of a data set: which can be used, which are held out, and crops read from them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from torch import Tensor

from datasets.augment import CropConfig, Cropper
from datasets.codecs.formats import FORMAT_OF
from datasets.codecs.images import read_header, read_picture
from datasets.contract import derive_seed
from datasets.errors import UserError
from datasets.pixels import Pixels, convert_channels, show_alpha, take_off, to_tensor
from datasets.storage.listing import Listing, find_pictures
from datasets.storage.names import encode_name, natural_key, stem_of
from datasets.storage.threads import BoundedCache, ordered_map

Channels = Literal[1, 3, 4]
T = TypeVar("T")

CHECKING_THREADS = 4  # chosen by hand: checking waits for the disk as much as for the processor
PROBLEMS_SHOWN = 20  # chosen by hand: what fits on a screen


class Named(Protocol):
    """Anything that has a name within its folder."""

    @property
    def name(self) -> str:
        """The path within the folder."""
        ...


N = TypeVar("N", bound=Named)


@dataclass(frozen=True)
class ImageFile:
    """A picture file: its path within its folder, and its whole path."""

    name: str
    path: Path

    @property
    def stem(self) -> str:
        """The name without its suffix, by which two folders of the same pictures are matched."""
        return stem_of(Path(self.name))


def find_usable(folder: Path, *, decode: bool) -> tuple[list[ImageFile], list[str]]:
    """Return the usable pictures under a folder, and a sentence about each other one.

    With `decode`, every picture is decoded to check it; without, only its header is read.
    """
    listing = find_pictures(folder)

    def find_problem(file: ImageFile) -> None:
        if decode:
            read_picture(file.path)
        else:
            read_header(file.path)

    files, problems = filter_valid(
        [ImageFile(path.as_posix(), folder / path) for path in listing.pictures], find_problem
    )
    return files, describe_unsupported(folder, listing) + problems


def filter_valid(items: Sequence[T], find_problem: Callable[[T], str | None]) -> tuple[list[T], list[str]]:
    """Return the items without a problem, and a sentence about each other one; checked on threads.

    `find_problem` returns the sentence or None, or raises UserError.
    """

    def check(item: T) -> str | None:
        try:
            return find_problem(item)
        except UserError as error:
            return str(error)

    problems = list(ordered_map(check, items, threads=CHECKING_THREADS, ahead=64))
    valid = [item for item, sentence in zip(items, problems, strict=True) if sentence is None]
    return valid, [sentence for sentence in problems if sentence is not None]


def describe_unsupported(root: Path, listing: Listing) -> list[str]:
    """Return a sentence about each file of a known kind that cannot be read."""
    return [f"{root / path}: {kind} cannot be read" for path, kind in listing.unsupported]


def describe_problems(root: Path, problems: Sequence[str]) -> str:
    """Return the message that refuses a folder, with the first problems found in it."""
    shown = "".join(f"\n  {problem}" for problem in problems[:PROBLEMS_SHOWN])
    more = f"\n  and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
    return (
        f"{root}: {len(problems)} of its pictures cannot be used; repair them, or leave them out with "
        f"data.skip_bad=true:{shown}{more}"
    )


def split_held_out(items: Iterable[N], fraction: float) -> tuple[list[N], list[N]]:
    """Return the items for training and those for validation, each in the natural order of their names.

    The `fraction` with the smallest hashes of their names is held out, at least one where there are two, so that an
    item rarely changes sides when others are added or removed.
    """
    ranked = sorted(items, key=lambda item: hashlib.sha256(encode_name(item.name)).digest())
    count = count_held_out(len(ranked), fraction)
    by_name = [sorted(part, key=lambda item: natural_key(Path(item.name))) for part in (ranked[count:], ranked[:count])]
    return by_name[0], by_name[1]


def count_held_out(count: int, fraction: float) -> int:
    """Return how many of `count` samples to hold out; of two or more at least 1 if any, and never all."""
    held_out = round(fraction * count)
    return min(max(held_out, 1), count - 1) if fraction and count > 1 else held_out


def fingerprint_files(groups: Mapping[str, Sequence[ImageFile]]) -> str:
    """Return a hash of the names and sizes of files, and of the names of their groups."""
    digest = hashlib.sha256()
    for name, files in groups.items():
        digest.update(encode_name(f"{name}\0{len(files)}\n"))
        for file in files:
            digest.update(encode_name(f"{file.name}\0{file.path.stat().st_size}\n"))
    return digest.hexdigest()[:16]


def count_alpha(paths: Iterable[Path]) -> int:
    """Return how many of some usable picture files have alpha."""
    candidates = {path for path in paths if FORMAT_OF.get(path.suffix.lower()) != "JPEG"}  # which never has
    return sum(ordered_map(lambda path: read_header(path).alpha, candidates, threads=CHECKING_THREADS, ahead=64))


class CropReader:
    """Reads crops (channels, size, size) in [-1, 1] from files, and caches decoded pictures while they fit.

    Transparent pictures are laid on `background`; see `PictureDataConfig`.
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        crop: CropConfig,
        channels: Channels,
        cache_gib: float,
        background: str | None,
        *,
        training: bool,
    ) -> None:
        self.files = files
        self.channels = channels
        self.background = background
        self.cropper = Cropper(crop, training=training)
        self._resized = BoundedCache(self._read_resized, lambda pixels: pixels.nbytes, cache_gib * 2**30)

    def read(self, index: int, seed: int) -> Tensor:
        """Return a crop of the file at `index`; the square and the changes of colour are drawn from `seed`."""
        pixels = take_off(self.cropper.crop(self._resized(index), seed), self.background)
        return to_tensor(convert_channels(self.cropper.recolour(pixels, derive_seed(seed, 0)), self.channels))

    def _read_resized(self, index: int) -> Pixels:
        picture = read_picture(self.files[index].path)
        return self.cropper.resize(show_alpha(picture, self.background, self.channels))
