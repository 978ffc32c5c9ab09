"""idx files, as MNIST and Fashion-MNIST publish them: all pictures in one file, all labels in another.

LeCun, Cortes, Burges: The MNIST database. Two bytes 0, the type of the values, the number of dimensions, each
dimension as 32 bits with the highest first, then the values; the whole usually gzipped.
"""

import gzip
import hashlib
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from datasets.contract import DataConfig, OpenedData, Pictures
from datasets.errors import DataError
from datasets.pixels import resize
from datasets.storage.memory import InMemory, split_rows

TRAINING, VALIDATION = "train", "t10k"  # how the files of the published split begin
BYTES = 8  # the type of value that pictures and labels have
GZIP = b"\x1f\x8b"

Bytes = NDArray[np.uint8]


class IdxConfig(DataConfig):
    """A folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, and t10k-… of both, which are held out.

    Each may be gzipped. All of it stays in memory, a byte a pixel.
    """

    batch_type: ClassVar[type[Pictures]] = Pictures
    size_key: ClassVar[str | None] = "data.size"
    kind: Literal["idx"] = "idx"
    size: int = Field(28, ge=1)  # pixels on a side of what is learned from; 28 are the published files' own
    fit: Literal["pad", "resize"] = "pad"  # how others become so large: by a frame around them, or scaled
    padding: int = Field(0, ge=0, le=255)  # the frame's gray; 0 is black, as the published files' background
    domains: tuple[str, ...] = ()  # names of the labels, from the smallest on; empty: the numbers themselves

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        twice = sorted({name for name in self.domains if self.domains.count(name) > 1})
        if twice:
            raise ValueError(f"domains: {twice[0]} stands for more than one label")
        return self

    @property
    def channels(self) -> tuple[int]:
        """Grays."""
        return (1,)

    @property
    def training_size(self) -> int:
        """Pixels on a side of the pictures."""
        return self.size

    def open(self, root: Path) -> OpenedData:
        """Read the files under `root`.

        Raises:
            DataError: One is missing or damaged, or they do not belong together.
        """
        training = self._read(root, TRAINING)
        published = _find(root, VALIDATION, "images") is not None
        validation = self._read(root, VALIDATION) if published else training.some([])
        fingerprint = _fingerprint(training, validation)
        numbers = np.unique(training.labels)
        names = self.domains or tuple(map(str, numbers.tolist()))
        if len(names) != len(numbers):
            raise DataError(
                f"{root}: has {len(numbers)} kinds of label, from {numbers[0]} to {numbers[-1]}, and data.domains has "
                f"{len(names)} names"
            )
        strange = np.setdiff1d(validation.labels, numbers)
        if len(strange):
            raise DataError(
                f"{root}: the label {strange[0]} is in its {VALIDATION} files, and not in its {TRAINING} ones"
            )
        if not published:
            learned, held = split_rows(len(training.labels), self.validation_fraction)
            training, validation = training.some(learned), training.some(held)
        return OpenedData(self._samples(training, numbers), self._samples(validation, numbers), fingerprint, (), names)

    def _read(self, root: Path, split: str) -> "Part":
        """The pictures and labels of a split, checked."""
        images, labels = (read_idx(_path(root, split, what)) for what in ("images", "labels"))
        if images.ndim != 3 or not images.size:
            raise DataError(
                f"{root}: expected {split} pictures of one gray byte a pixel, numbered, high and wide; found the "
                f"dimensions {_times(images.shape)}"
            )
        if labels.shape != images.shape[:1]:
            raise DataError(
                f"{root}: has {len(images)} {split} pictures and labels of the dimensions {_times(labels.shape)}; "
                "expected one for each: fetch both files anew, from one source"
            )
        largest = max(images.shape[1:])
        if self.fit == "pad" and largest > self.size:
            raise DataError(
                f"{root}: its pictures have {images.shape[2]}x{images.shape[1]} pixels, and data.size is {self.size}; "
                f"set data.size to {largest} or more, or data.fit=resize"
            )
        return Part(split, images, labels, list(range(len(labels))))

    def _samples(self, part: "Part", numbers: Bytes) -> InMemory:
        labels = np.searchsorted(numbers, part.labels).astype(np.int64)
        names = [f"{part.split}/{row}" for row in part.rows]
        return InMemory(torch.from_numpy(self._fitted(part.images))[:, None], torch.from_numpy(labels), names)

    def _fitted(self, images: Bytes) -> Bytes:
        """(N, H, W) as (N, size, size)."""
        height, width = images.shape[1:]
        if (height, width) == (self.size, self.size):
            return images.copy()  # what was read may not be written to, and torch wants to be able to
        if self.fit == "resize":
            scaled = np.empty((len(images), self.size, self.size), np.uint8)
            for image, place in zip(images, scaled, strict=True):
                place[...] = resize(image[:, :, np.newaxis], self.size, self.size)[:, :, 0]
            return scaled
        top, left = (self.size - height) // 2, (self.size - width) // 2
        frame = ((0, 0), (top, self.size - height - top), (left, self.size - width - left))
        return np.pad(images, frame, constant_values=self.padding)


@dataclass(frozen=True)
class Part:
    """Pictures (N, H, W) and labels (N,) of a split, and where they stand in its files."""

    split: str
    images: Bytes
    labels: Bytes
    rows: list[int]

    def some(self, rows: list[int]) -> "Part":
        """Those at some places."""
        return Part(self.split, self.images[rows], self.labels[rows], [self.rows[row] for row in rows])


def read_idx(path: Path) -> Bytes:
    """The array of bytes that an idx file holds, gzipped or not; it cannot be written to.

    Raises:
        DataError: It is damaged, or holds something else than bytes.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(GZIP) else content
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path}: is a damaged or cut-off gzip file: fetch it anew") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(
            f"{path}: is no idx file: it begins with {content[:4].hex(' ') or 'nothing'}, expected 00 00 08"
        )
    kind, dimensions = content[2:4]
    if kind != BYTES:
        raise DataError(f"{path}: expected an idx file of unsigned bytes, found values of the type {kind:#04x}")
    head = 4 + 4 * dimensions
    if len(content) < head:
        raise DataError(f"{path}: is cut off within its head: fetch it anew")
    shape = struct.unpack(f">{dimensions}I", content[4:head])
    if len(content) - head != math.prod(shape):
        raise DataError(
            f"{path}: says that it holds {_times(shape)} values, and holds {len(content) - head}: fetch it anew"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _find(root: Path, split: str, what: Literal["images", "labels"]) -> Path | None:
    """Where a file lies; some programs that unpack turn the dash before idx into a dot."""
    rank = 3 if what == "images" else 1
    names = [f"{split}-{what}{dash}idx{rank}-ubyte{suffix}" for suffix in ("", ".gz") for dash in "-."]
    return next((root / name for name in names if (root / name).is_file()), None)


def _path(root: Path, split: str, what: Literal["images", "labels"]) -> Path:
    path = _find(root, split, what)
    if path is None:
        rank = 3 if what == "images" else 1
        there = sorted(path.name for path in root.iterdir() if "idx" in path.name) if root.is_dir() else []
        raise DataError(
            f"{root}: expected {split}-{what}-idx{rank}-ubyte or the same with .gz, as MNIST publishes them, found "
            + (", ".join(there[:8]) or "no idx file")
        )
    return path


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "none"


def _fingerprint(*parts: Part) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.split} {part.images.shape}\n".encode())
        digest.update(part.images.tobytes() + part.labels.tobytes())
    return digest.hexdigest()[:16]
