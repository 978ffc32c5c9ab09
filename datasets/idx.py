"""idx files, as MNIST and Fashion-MNIST publish them: all pictures in one file, all labels in another.

LeCun, Cortes, Burges: THE MNIST DATABASE. Two zero bytes, the type of the values, the number of dimensions, each
dimension as 32 bits big-endian, then the values; all of it usually within gzip.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from datasets.contract import Opened, Pictures, Settings
from datasets.errors import DataError

UNSIGNED_BYTES = 0x08  # the only type of value that pictures and labels come in
SPLITS = ("train", "t10k")  # to learn from, and held out


class IdxConfig(Settings):
    """A folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and, held out, the same two of t10k.

    Each may end in .gz. Everything stays in memory, a byte a pixel.
    """

    batch_type: ClassVar[type[Pictures]] = Pictures
    size_key: ClassVar[str] = "data.side"
    kind: Literal["idx"] = "idx"
    side: int = Field(28, ge=1)  # pixels on a side of what is learned from; a wider frame is filled with `padding`
    padding: int = Field(0, ge=0, le=255)
    domains: tuple[str, ...] = ()  # names of the labels, from 0 on; empty: the numbers themselves
    limit: int | None = Field(None, ge=1)  # learn from the first so many only

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len(set(self.domains)) < len(self.domains):
            raise ValueError("domains: each label needs a name of its own")
        return self

    @property
    def channels(self) -> tuple[int]:
        """Grays."""
        return (1,)

    @property
    def size(self) -> int:
        """Pixels on a side of the squares that are learned from."""
        return self.side

    @property
    def scaled_to(self) -> int | None:
        """Pictures keep their scale."""
        return None

    def open(self, root: Path) -> Opened:
        """Read the files.

        Raises:
            DataError: One is missing or damaged, or they do not belong together.
        """
        images, labels = self._split(root, SPLITS[0])
        images, labels = images[: self.limit], labels[: self.limit]
        held = self._split(root, SPLITS[1]) if _path(root, SPLITS[1], "images").is_file() else (images[:0], labels[:0])
        count = int(max(labels.max(initial=0), held[1].max(initial=0))) + 1
        names = self.domains or tuple(map(str, range(count)))
        if len(names) < count:
            raise DataError(f"{root}: its labels reach {count - 1}, and data.domains names only {len(names)}")
        print_of = zlib.crc32(labels.tobytes(), zlib.crc32(images[:: max(1, len(images) // 1000)].tobytes()))
        return Opened(
            Images(self, images, labels, SPLITS[0]),
            Images(self, *held, SPLITS[1]),
            f"{len(images)}-{print_of:08x}",
            (),
            names,
        )

    def _split(self, root: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        images, labels = (read_idx(_path(root, split, kind)) for kind in ("images", "labels"))
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or not len(images):
            raise DataError(
                f"{root}: {split} has pictures of shape {images.shape} and labels of shape {labels.shape}; expected "
                "(n, height, width) and (n,)"
            )
        if max(images.shape[1:]) > self.side:
            raise DataError(
                f"{root}: its pictures have {images.shape[2]}x{images.shape[1]} pixels, and data.side is {self.side}; "
                f"set data.side={max(images.shape[1:])} or more"
            )
        return images, labels


class Images:
    """Pictures and labels in memory."""

    def __init__(self, config: IdxConfig, images: NDArray[np.uint8], labels: NDArray[np.uint8], split: str) -> None:
        height, width = images.shape[1:]
        top, left = (config.side - height) // 2, (config.side - width) // 2
        frame = ((0, 0), (top, config.side - height - top), (left, config.side - width - left))
        self.split = split
        self.images = torch.from_numpy(np.pad(images, frame, constant_values=config.padding))[:, None]
        self.labels = torch.from_numpy(labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        """The picture's place in its file."""
        return f"{self.split}/{index}"

    def sample(self, index: int, seed: int) -> Pictures:
        """The picture at `index`; nothing is drawn."""
        image, label = self.gather([index])
        return Pictures(image[0], label[0])

    def gather(self, indices: Sequence[int]) -> Pictures:
        """Many at once."""
        places = torch.tensor(indices)
        return Pictures(self.images[places].float().div_(127.5).sub_(1), self.labels[places])


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an idx file, gzipped or not.

    Raises:
        DataError: It is missing or damaged, or holds something else than bytes.
    """
    try:
        stored = path.read_bytes()
        content = gzip.decompress(stored) if path.suffix == ".gz" else stored
    except FileNotFoundError:
        raise DataError(f"{path}: expected an idx file, plain or with .gz, found none") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: is damaged or cut off: {error}") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTES:
        raise DataError(f"{path}: is no idx file of bytes; it begins with {content[:4].hex() or 'nothing'}")
    head = 4 + 4 * content[3]
    if len(content) < head:
        raise DataError(f"{path}: is cut off within its head")
    shape = struct.unpack(f">{content[3]}I", content[4:head])
    if len(content) - head != math.prod(shape):
        raise DataError(
            f"{path}: says that it holds {'x'.join(map(str, shape))} bytes, and holds {len(content) - head}: "
            "fetch it anew"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _path(root: Path, split: str, kind: str) -> Path:
    """Where a file lies, plain or zipped."""
    plain = root / f"{split}-{kind}-idx{3 if kind == 'images' else 1}-ubyte"
    zipped = plain.with_name(f"{plain.name}.gz")
    return zipped if zipped.is_file() and not plain.is_file() else plain
