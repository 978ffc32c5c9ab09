"""idx files, as MNIST and Fashion-MNIST are published: all pictures in one file, all labels in another.

LeCun, Cortes, Burges: The MNIST database. An idx file is two zero bytes, the type of the values, the number of
dimensions, each dimension as a big-endian 32-bit number, and the values; it is usually gzipped.
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
from datasets.storage.memory import PicturesInMemory, split_rows

TRAINING, VALIDATION = "train", "t10k"  # the beginnings of the published files' names
UNSIGNED_BYTES = 0x08  # the type of the values of pictures and labels
GZIP = b"\x1f\x8b"

Bytes = NDArray[np.uint8]


class IdxConfig(DataConfig):
    """A folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, and t10k-… of both, which are held out.

    Each may be gzipped. All pictures stay in memory, with one byte per pixel. `validation_fraction` is used only where
    there are no t10k files.
    """

    batch_type: ClassVar[type[Pictures]] = Pictures
    size_key: ClassVar[str | None] = "data.size"
    kind: Literal["idx"] = "idx"
    size: int = Field(
        default=28, ge=1, description="pixels on a side of the pictures; 28 is that of the published files"
    )
    fit: Literal["pad", "resize"] = Field(
        default="pad", description="how pictures of another size are brought to that size"
    )
    padding: int = Field(
        default=0, ge=0, le=255, description="gray level of the padding; 0 is black, the published files' background"
    )
    domains: tuple[str, ...] = Field(
        default=(), description="names of the labels in ascending order; empty: their numbers"
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        duplicates = sorted({name for name in self.domains if self.domains.count(name) > 1})
        if duplicates:
            raise ValueError(f"domains: {duplicates[0]} is the name of more than one label")
        return self

    @property
    def channels(self) -> tuple[int]:
        """Channels of the pictures: one, since they are gray."""
        return (1,)

    @property
    def training_size(self) -> int:
        """Pixels on a side of the pictures."""
        return self.size

    def open(self, root: Path) -> OpenedData[Pictures]:
        """Read the files under `root`.

        Raises:
            DataError: A file is missing or damaged, or files do not belong together.
        """
        training = self._read_split(root, TRAINING)
        published = find_idx_file(root, VALIDATION, "images") is not None
        validation = self._read_split(root, VALIDATION) if published else training.select([])
        fingerprint = _fingerprint_arrays(training, validation)
        numbers = np.unique(training.labels)
        names = self.domains or tuple(map(str, numbers.tolist()))
        if len(names) != len(numbers):
            raise DataError(
                f"{root}: has {len(numbers)} different labels, from {numbers[0]} to {numbers[-1]}, and data.domains "
                f"has {len(names)} names; give one name for each label"
            )
        unknown = np.setdiff1d(validation.labels, numbers)
        if len(unknown):
            raise DataError(
                f"{root}: the label {unknown[0]} is in its {VALIDATION} files, and not in its {TRAINING} ones; "
                "download all files again, from one source"
            )
        if not published:
            for_training, held_out = split_rows(len(training.labels), self.validation_fraction)
            training, validation = training.select(for_training), training.select(held_out)
        return OpenedData(
            self._to_samples(training, numbers), self._to_samples(validation, numbers), fingerprint, (), names
        )

    def _read_split(self, root: Path, split: str) -> "IdxSplit":
        """Return the pictures and labels of a split.

        Raises:
            DataError: A file is missing or damaged, or the two do not belong together.
        """
        images, labels = (read_idx(_require_file(root, split, what)) for what in ("images", "labels"))
        if images.ndim != 3 or not images.size:
            raise DataError(
                f"{root}: expected {split} pictures of the dimensions count, height and width; found the dimensions "
                f"{_format_shape(images.shape)}"
            )
        if labels.shape != images.shape[:1]:
            raise DataError(
                f"{root}: has {len(images)} {split} pictures and labels of the dimensions "
                f"{_format_shape(labels.shape)}; expected one label for each: download both again, from one source"
            )
        largest = max(images.shape[1:])
        if self.fit == "pad" and largest > self.size:
            raise DataError(
                f"{root}: its pictures have {images.shape[2]}x{images.shape[1]} pixels, and data.size is {self.size}; "
                f"set data.size to {largest} or more, or data.fit=resize"
            )
        return IdxSplit(split, images, labels, list(range(len(labels))))

    def _to_samples(self, split: "IdxSplit", numbers: Bytes) -> PicturesInMemory:
        labels = np.searchsorted(numbers, split.labels).astype(np.int64)
        names = [f"{split.name}/{row}" for row in split.rows]
        return PicturesInMemory(torch.from_numpy(self._fit(split.images))[:, None], torch.from_numpy(labels), names)

    def _fit(self, images: Bytes) -> Bytes:
        """Return pictures (N, H, W) as (N, size, size)."""
        height, width = images.shape[1:]
        if (height, width) == (self.size, self.size):
            return images.copy()  # the array is read-only, which torch warns of
        if self.fit == "resize":
            scaled = np.empty((len(images), self.size, self.size), np.uint8)
            for image, result in zip(images, scaled, strict=True):
                result[...] = resize(image[:, :, np.newaxis], self.size, self.size)[:, :, 0]
            return scaled
        top, left = (self.size - height) // 2, (self.size - width) // 2
        margins = ((0, 0), (top, self.size - height - top), (left, self.size - width - left))
        return np.pad(images, margins, constant_values=self.padding)


@dataclass(frozen=True)
class IdxSplit:
    """Pictures (N, H, W) and labels (N,) of a split, and their rows in its files."""

    name: str
    images: Bytes
    labels: Bytes
    rows: list[int]

    def select(self, rows: list[int]) -> "IdxSplit":
        """Return the pictures and labels at some rows."""
        return IdxSplit(self.name, self.images[rows], self.labels[rows], [self.rows[row] for row in rows])


def read_idx(path: Path) -> Bytes:
    """Return the array of an idx file of bytes, gzipped or not; the array is read-only.

    Raises:
        DataError: The file is damaged, or its values are not unsigned bytes.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(GZIP) else content
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path}: is a damaged or cut-off gzip file: download it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(
            f"{path}: is not an idx file: it begins with {content[:4].hex(' ') or 'nothing'}, expected 00 00 08"
        )
    kind, dimensions = content[2:4]
    if kind != UNSIGNED_BYTES:
        raise DataError(f"{path}: expected an idx file of unsigned bytes, found values of the type {kind:#04x}")
    header_size = 4 + 4 * dimensions
    if len(content) < header_size:
        raise DataError(f"{path}: is cut off within its header: download it again")
    shape = struct.unpack(f">{dimensions}I", content[4:header_size])
    if len(content) - header_size != math.prod(shape):
        raise DataError(
            f"{path}: states {_format_shape(shape)} values, and holds {len(content) - header_size}: download it again"
        )
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)


def find_idx_file(root: Path, split: str, what: Literal["images", "labels"]) -> Path | None:
    """Return the path of a file, or None; some unpackers turn the dash before idx into a dot."""
    rank = 3 if what == "images" else 1
    names = [f"{split}-{what}{dash}idx{rank}-ubyte{suffix}" for suffix in ("", ".gz") for dash in "-."]
    return next((root / name for name in names if (root / name).is_file()), None)


def _require_file(root: Path, split: str, what: Literal["images", "labels"]) -> Path:
    path = find_idx_file(root, split, what)
    if path is None:
        rank = 3 if what == "images" else 1
        found = sorted(path.name for path in root.iterdir() if "idx" in path.name) if root.is_dir() else []
        raise DataError(
            f"{root}: expected {split}-{what}-idx{rank}-ubyte or the same with .gz, as MNIST publishes them, found "
            + (", ".join(found[:8]) or "no idx file")
        )
    return path


def _format_shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "none"


def _fingerprint_arrays(*splits: IdxSplit) -> str:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(f"{split.name} {split.images.shape}\n".encode())
        digest.update(split.images.tobytes() + split.labels.tobytes())
    return digest.hexdigest()[:16]
