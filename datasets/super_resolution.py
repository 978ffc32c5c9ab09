"""Pictures to learn enlarging from: any folder of good ones, made smaller on the fly, or pairs of small and large."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
from pydantic import Field, Tag, model_validator
from torch import Tensor

from datasets.augment import CropSettings
from datasets.codecs.images import read_header, read_picture
from datasets.contract import OpenedData, Paired, Samples, Settings, derive_seed, discriminate_by
from datasets.degradations.batches import shrink_batch
from datasets.degradations.real_world import degrade_twice
from datasets.degradations.resampling import reach_of, shrink_inside
from datasets.errors import DataError
from datasets.paired import Folders, Pair
from datasets.picture_data import PictureDataConfig
from datasets.pixels import Floats, Pixels, drop_alpha, to_floats, to_tensor
from datasets.storage.image_files import (
    ImageFile,
    describe_unsupported,
    filter_valid,
    fingerprint_files,
    split_held_out,
)
from datasets.storage.listing import find_pictures
from datasets.storage.threads import BoundedCache

Scale = Literal[2, 3, 4]


class BicubicReduction(Settings):
    """Small pictures are the large ones made smaller, bicubic and antialiased, and rounded to 8 bit."""

    kind: Literal["bicubic"] = "bicubic"


class RealWorld(Settings):
    """Small pictures are the large ones made small and bad, as in `datasets.degradations.real_world`."""

    kind: Literal["real-world"] = "real-world"


class SmallFolder(Settings):
    """Two folders: large pictures, and the same ones small, under the same names up to the suffix."""

    kind: Literal["folders"] = "folders"
    small: str = "LR"
    large: str = "HR"


SmallConfig = Annotated[
    Annotated[BicubicReduction, Tag("bicubic")]
    | Annotated[RealWorld, Tag("real-world")]
    | Annotated[SmallFolder, Tag("folders")],
    discriminate_by("kind", "bicubic"),
]


class SquareConfig(CropSettings):
    """Which squares of the large pictures are learned from; nothing is ever scaled for it."""

    size: int = Field(96, ge=1)  # pixels on a side; the small squares are `scale` times smaller
    turn: bool = True  # mirror half of the squares and turn them by quarters
    validation_size: int | None = Field(None, ge=1)  # of the squares judged, from the middles; null: as `size`


class SuperResolutionConfig(PictureDataConfig):
    """Large and small pictures of the same scenes."""

    batch_type: ClassVar[type[Paired]] = Paired
    kind: Literal["super-resolution"] = "super-resolution"
    scale: Scale = 4
    small: SmallConfig = BicubicReduction()
    crop: SquareConfig = SquareConfig()
    # Of decoded pixels that are kept in memory. Where whole pictures do not fit, a window of each is kept instead, at a
    # place that its name decides, so that no picture is ever decoded for the sake of one square.
    cache_gib: float = Field(2.0, gt=0)

    @model_validator(mode="after")
    def _squares_can_be_shrunk(self) -> Self:
        for name, size in (("size", self.crop.size), ("validation_size", self.held_size)):
            if size % self.scale:
                raise ValueError(f"crop.{name} is {size}, and scale {self.scale} needs a multiple of {self.scale}")
        return self

    @property
    def channels(self) -> tuple[int, int]:
        """Of small and large pictures."""
        return 3, 3

    @property
    def target_scale(self) -> int:
        """How many times larger the large pictures are."""
        return self.scale

    @property
    def held_size(self) -> int:
        """Pixels on a side of the large squares that are judged."""
        return self.crop.validation_size or self.crop.size

    def open(self, root: Path) -> OpenedData:
        """Find and check every picture under `root`.

        Raises:
            DataError: A picture cannot be used and `skip_bad` is off, or too few are left.
        """
        pairs, problems = self._find(root)
        good, more = filter_valid(pairs, self._problem)
        problems += more
        self.check_problems(root, problems)
        training, validation = split_held_out(good, self.validation_fraction)
        if not training:
            raise DataError(f"{root}: found no {'usable ' if problems else ''}picture to learn from")
        return OpenedData(
            PatchPairs(self, training, training=True),
            PatchPairs(self, validation, training=False),
            fingerprint_files(
                {
                    "small": [ImageFile(pair.name, pair.source) for pair in good if pair.source != pair.target],
                    "large": [ImageFile(pair.name, pair.target) for pair in good],
                }
            ),
            tuple(problems),
        )

    def _find(self, root: Path) -> tuple[list[Pair], list[str]]:
        if isinstance(self.small, SmallFolder):
            return Folders(source=self.small.small, target=self.small.large).find_pairs(root)
        found = find_pictures(root)
        return [Pair(path.as_posix(), root / path, root / path) for path in found.pictures], describe_unsupported(
            root, found
        )

    def _problem(self, pair: Pair) -> str | None:
        needed = max(self.crop.size, self.held_size if self.validation_fraction else 0)
        large = read_header(pair.target)
        if min(large.width, large.height) < needed:
            return f"{pair.name}: {large.width}x{large.height} pixels, smaller than the squares of {needed}"
        if isinstance(self.small, SmallFolder):
            small = read_header(pair.source)
            if (small.width * self.scale, small.height * self.scale) != (large.width, large.height):
                sizes = f"{small.width}x{small.height} and {large.width}x{large.height}"
                return f"{pair.name}: {sizes} pixels, expected one {self.scale} times the other"
        if self.skip_bad:
            read_picture(pair.source)
            read_picture(pair.target)
        return None


class _Decoded(NamedTuple):
    """A picture, or a window of it, (H, W, 3) uint8 or uint16; `small` is None where it is made from `large`."""

    large: Pixels
    small: Pixels | None


class PatchPairs(Samples[Paired]):
    """Squares of pictures as samples: small (3, size / scale, size / scale), large (3, size, size), in [-1, 1].

    In training a picture stands for as many samples as whole squares fit into it, each drawn anew; held out, for one.
    """

    def __init__(self, config: SuperResolutionConfig, pairs: Sequence[Pair], *, training: bool) -> None:
        self.config = config
        self.pairs = pairs
        self.training = training
        self.size = config.crop.size if training else config.held_size
        room = config.cache_gib * 2**30
        self._share = room / max(len(pairs), 1)
        self._decoded = BoundedCache(self._read, lambda kept: kept.large.nbytes, room)
        counts = [self._squares(pair) if training else 1 for pair in pairs]
        self._picture = [place for place, count in enumerate(counts) for _ in range(count)]

    def __len__(self) -> int:
        return len(self._picture)

    def name(self, index: int) -> str:
        """The picture's path within the folder."""
        return self.pairs[self._picture[index]].name

    def sample(self, index: int, seed: int) -> Paired:
        """A square of the picture at `index`: drawn in training, else its middle."""
        large, small = self._decoded(self._picture[index])
        draws = np.random.default_rng(seed)
        scale = self.config.scale
        top, left = self._corner(large, draws)
        if small is not None:
            rows, columns = top // scale, left // scale
            less = to_floats(small[rows : rows + self.size // scale, columns : columns + self.size // scale])
            top, left = rows * scale, columns * scale
        cut = to_floats(large[top : top + self.size, left : left + self.size])
        if isinstance(self.config.small, RealWorld):
            less = degrade_twice(cut, scale, derive_seed(seed, 0))
        elif small is None:
            less = shrink_inside(_around(large, top, left, self.size, reach_of(scale)), scale)
            less = np.round(np.clip(less, 0, 1) * 255) / np.float32(255)  # as a file of 8 bits would hold it
        less, cut = self._turn([less, cut], draws)
        return Paired(to_tensor(less), to_tensor(cut))

    def undegraded(self) -> "UndegradedPatches | None":
        """Return the same squares with their bicubic reduction left to `finish`; None where it is another."""
        return UndegradedPatches(self) if isinstance(self.config.small, BicubicReduction) else None

    def surroundings(self, index: int, seed: int) -> Floats:
        """Return the large square of `sample` with the `reach_of(scale)` pixels around it, turned alike, in [0, 1]."""
        large, _ = self._decoded(self._picture[index])
        draws = np.random.default_rng(seed)
        around = _around(large, *self._corner(large, draws), self.size, reach_of(self.config.scale))
        return self._turn([around], draws)[0]

    def _corner(self, large: Pixels, draws: np.random.Generator) -> tuple[int, int]:
        """Top and left of a square: drawn in training, else those of the middle one."""
        rows, columns = (side - self.size for side in large.shape[:2])
        if self.training:
            return int(draws.integers(rows + 1)), int(draws.integers(columns + 1))
        return rows // 2, columns // 2

    def _turn(self, pictures: Sequence[Floats], draws: np.random.Generator) -> list[Floats]:
        """Mirror and turn pictures alike, at random, where that is asked for."""
        if not (self.training and self.config.crop.turn):
            return list(pictures)
        mirrored, quarters = bool(draws.integers(2)), int(draws.integers(4))
        return [np.rot90(pixels[:, ::-1] if mirrored else pixels, quarters) for pixels in pictures]

    def _squares(self, pair: Pair) -> int:
        head = read_header(pair.target)
        return (head.width // self.size) * (head.height // self.size)

    def _read(self, place: int) -> _Decoded:
        """The picture, or as large a window of it as its share of the memory allows."""
        pair = self.pairs[place]
        large = _coloured(drop_alpha(read_picture(pair.target)))
        small = None if pair.source == pair.target else _coloured(drop_alpha(read_picture(pair.source)))
        part = math.sqrt(min(self._share / large.nbytes, 1.0))
        if part == 1:
            return _Decoded(large, small)
        scale, draws = self.config.scale, np.random.default_rng(derive_seed(*pair.name.encode()))
        height, width = (max(self.size, int(side * part)) // scale * scale for side in large.shape[:2])
        top = int(draws.integers((large.shape[0] - height) // scale + 1))
        left = int(draws.integers((large.shape[1] - width) // scale + 1))
        if small is not None:
            small = small[top : top + height // scale, left : left + width // scale].copy()
        window = large[scale * top : scale * top + height, scale * left : scale * left + width]
        return _Decoded(window.copy(), small)  # a copy, so that the rest of the picture is let go


class Surroundings(NamedTuple):
    """Large squares with what is around them, (B, 3, size + 2r, size + 2r) in [-1, 1] with r = `reach_of(scale)`."""

    image: Tensor


class UndegradedPatches(Samples[Surroundings]):
    """The large squares of `PatchPairs`, made small in batches on the device."""

    def __init__(self, patches: PatchPairs) -> None:
        self.patches = patches

    def __len__(self) -> int:
        return len(self.patches)

    def name(self, index: int) -> str:
        """The picture's path within the folder."""
        return self.patches.name(index)

    def sample(self, index: int, seed: int) -> Surroundings:
        """Return the large square at `index` with what is around it."""
        return Surroundings(to_tensor(self.patches.surroundings(index, seed)))

    def finish(self, batch: Surroundings, seeds: Sequence[int], device: torch.device) -> Paired:
        """Return the small and the large squares on `device`."""
        scale = self.patches.config.scale
        image, reach = batch.image.to(device, non_blocking=True), reach_of(scale)
        return Paired(shrink_batch(image, scale), image[:, :, reach:-reach, reach:-reach].contiguous())


def _around(pixels: Pixels, top: int, left: int, size: int, reach: int) -> Floats:
    """A square and what is around it, as floats; beyond the border pixels go on as in a mirror."""
    height, width = pixels.shape[:2]
    above, before = min(reach, top), min(reach, left)
    below, after = min(reach, height - top - size), min(reach, width - left - size)
    inside = to_floats(pixels[top - above : top + size + below, left - before : left + size + after])
    missing = ((reach - above, reach - below), (reach - before, reach - after), (0, 0))
    return np.pad(inside, missing, mode="symmetric") if any(map(any, missing)) else inside


def _coloured(pixels: Pixels) -> Pixels:
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
