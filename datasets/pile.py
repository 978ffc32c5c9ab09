"""A folder of pictures to learn from one by one: which can be used, cut into squares, remembered."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from datasets.augment import CropConfig, Cropper
from datasets.contract import seed_of
from datasets.errors import UserError
from datasets.folder import find
from datasets.images import read, read_header
from datasets.paired import unsupported
from datasets.pixels import Pixels, as_tensor, opaque, with_channels
from datasets.threads import Kept, ordered_map


@dataclass(frozen=True)
class File:
    """A picture, and what it is called within its folder."""

    name: str
    path: Path

    @property
    def stem(self) -> str:
        """The name without its suffix; a true counterpart has the same."""
        return Path(self.name).with_suffix("").as_posix()


def usable(folder: Path, *, decode: bool) -> tuple[list[File], list[str]]:
    """The pictures under a folder that can be used, and a sentence about each other one.

    With `decode` every picture is decoded to see; without, its head is read.
    """
    found = find(folder)
    files = [File(path.as_posix(), folder / path) for path in found.pictures]

    def verdict(file: File) -> str | None:
        try:
            if decode:
                read(file.path)
            else:
                read_header(file.path)
            return None
        except UserError as error:
            return str(error)

    verdicts = list(ordered_map(verdict, files, threads=4, ahead=64))
    good = [file for file, problem in zip(files, verdicts, strict=True) if problem is None]
    return good, unsupported(folder, found) + [problem for problem in verdicts if problem is not None]


def fingerprint(sides: Sequence[Sequence[File]]) -> str:
    """Of the names and sizes of files, by the folder they belong to."""
    digest = hashlib.sha256()
    for side in sides:
        for file in side:
            digest.update(f"{file.name}\0{file.path.stat().st_size}\n".encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


class Squares:
    """Squares cut from files, (channels, size, size) in [-1, 1]; what is decoded stays while there is room."""

    def __init__(
        self, files: Sequence[File], crop: CropConfig, channels: int, cache_gib: float, *, training: bool
    ) -> None:
        self.files = files
        self.channels = channels
        self.cropper = Cropper(crop, training=training)
        self._scaled = Kept(self._read, lambda pixels: pixels.nbytes, cache_gib * 2**30)

    def cut(self, place: int, seed: int) -> Tensor:
        """A square of the file at `place`, cut and coloured by the draws of `seed`."""
        pixels = self.cropper.cut(self._scaled(place), seed)
        return as_tensor(with_channels(self.cropper.recolour(pixels, seed_of(seed, 0)), self.channels))

    def _read(self, place: int) -> Pixels:
        """The picture at the scale that squares are cut out at."""
        return self.cropper.scaled(opaque(read(self.files[place].path)))
