"""Pictures for super-resolution: any folder of large ones, made small while training, or pairs of small and large."""

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
from datasets.degradations.reductions import BicubicReduction, CompressedReduction, RealWorldReduction
from datasets.degradations.resampling import kernel_reach, shrink_padded
from datasets.devices import move
from datasets.errors import DataError
from datasets.pairs import Pair, PairFolders, pair_every_picture
from datasets.picture_data import PictureDataConfig
from datasets.pixels import Floats, Pixels, show_alpha, to_floats, to_tensor
from datasets.storage.image_files import (
    ImageFile,
    count_alpha,
    filter_valid,
    fingerprint_files,
    split_held_out,
)
from datasets.storage.names import encode_name
from datasets.storage.threads import BoundedCache

Scale = Literal[2, 3, 4]


class SmallFolder(Settings):
    """Two folders of large and small pictures, whose names are equal up to the suffix."""

    kind: Literal["folders"] = "folders"
    small: str = Field(default="LR", description="folder of the small pictures")
    large: str = Field(default="HR", description="folder of the large pictures")


SmallConfig = Annotated[
    Annotated[BicubicReduction, Tag("bicubic")]
    | Annotated[RealWorldReduction, Tag("real-world")]
    | Annotated[CompressedReduction, Tag("compressed")]
    | Annotated[SmallFolder, Tag("folders")],
    discriminate_by("kind", "bicubic"),
]


class PatchConfig(CropSettings):
    """How squares, called patches, are cropped from the large pictures, which are never scaled for it."""

    size: int = Field(
        default=96, ge=1, description="pixels on a side of the large patches; 96 in SRGAN (arXiv:1609.04802)"
    )
    turn: bool = Field(default=True, description="mirror half of the patches and turn them by quarters")
    validation_size: int | None = Field(
        default=None, ge=1, description="pixels on a side of the centre patches for validation; null: as size"
    )


class SuperResolutionConfig(PictureDataConfig):
    """Large and small pictures of the same scenes."""

    batch_type: ClassVar[type[Paired]] = Paired
    kind: Literal["super-resolution"] = "super-resolution"
    scale: Scale = Field(default=4, description="how many times larger the large pictures are")
    small: SmallConfig = BicubicReduction()
    crop: PatchConfig = PatchConfig()
    cache_gib: float = Field(
        default=2.0,
        gt=0,
        description="memory for decoded pixels, in GiB; where whole pictures do not fit, a window of each is kept",
    )

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        for name, size in (("size", self.crop.size), ("validation_size", self.validation_size)):
            if size % self.scale:
                raise ValueError(f"crop.{name} is {size}, and scale {self.scale} needs a multiple of {self.scale}")
        return self

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the small and the large pictures."""
        return 3, 3

    @property
    def target_scale(self) -> int:
        """How many times larger the large pictures are."""
        return self.scale

    @property
    def validation_size(self) -> int:
        """Pixels on a side of the large patches for validation."""
        return self.crop.validation_size or self.crop.size

    def open(self, root: Path) -> OpenedData[Paired]:
        """Find and check every picture under `root`.

        Raises:
            DataError: A picture cannot be used and `skip_bad` is off, or too few are left.
        """
        pairs, problems = self._find_pairs(root)
        valid, more = filter_valid(pairs, self._find_problem)
        problems += more
        self.check_problems(root, problems)
        training, validation = split_held_out(valid, self.validation_fraction)
        if not training:
            raise DataError(f"{root}: found no {'usable ' if problems else ''}picture to learn from")
        return OpenedData(
            PatchPairs(self, training, training=True),
            PatchPairs(self, validation, training=False),
            fingerprint_files(
                {
                    "small": [ImageFile(pair.name, pair.source) for pair in valid if pair.source != pair.target],
                    "large": [ImageFile(pair.name, pair.target) for pair in valid],
                }
            ),
            tuple(problems),
            with_alpha=count_alpha(path for pair in valid for path in (pair.source, pair.target)),
        )

    def _find_pairs(self, root: Path) -> tuple[list[Pair], list[str]]:
        if isinstance(self.small, SmallFolder):
            return PairFolders(source=self.small.small, target=self.small.large).find_pairs(root)
        return pair_every_picture(root)

    def _find_problem(self, pair: Pair) -> str | None:
        needed = max(self.crop.size, self.validation_size if self.validation_fraction else 0)
        large = read_header(pair.target)
        if min(large.width, large.height) < needed:
            return f"{pair.name}: {large.width}x{large.height} pixels, smaller than the patches of {needed}"
        if isinstance(self.small, SmallFolder):
            small = read_header(pair.source)
            if (small.width * self.scale, small.height * self.scale) != (large.width, large.height):
                sizes = f"{small.width}x{small.height} and {large.width}x{large.height}"
                return f"{pair.name}: {sizes} pixels, and the large one is to be {self.scale} times the other"
        if self.skip_bad:
            read_picture(pair.source)
            read_picture(pair.target)
        return None


class _DecodedPair(NamedTuple):
    """Pixels (H, W, 3) of a picture or of a window of it; `small` is None where it is made from `large`."""

    large: Pixels
    small: Pixels | None


class PatchPairs(Samples[Paired]):
    """Patches of pictures as samples: small (3, size / scale, size / scale), large (3, size, size), in [-1, 1].

    In training, each picture is as many samples as whole patches fit into it, and each sample is a random patch. In
    validation each picture is one sample, its centre.
    """

    def __init__(self, config: SuperResolutionConfig, pairs: Sequence[Pair], *, training: bool) -> None:
        self.config = config
        self.pairs = pairs
        self.training = training
        self.size = config.crop.size if training else config.validation_size
        capacity = config.cache_gib * 2**30
        self._bytes_per_picture = capacity / max(len(pairs), 1)
        self._decoded = BoundedCache(self._decode, lambda decoded: decoded.large.nbytes, capacity)
        counts = [self._count_patches(pair) if training else 1 for pair in pairs]
        self._picture = [index for index, count in enumerate(counts) for _ in range(count)]

    def __len__(self) -> int:
        return len(self._picture)

    def name(self, index: int) -> str:
        """Return the picture's path within the folder."""
        return self.pairs[self._picture[index]].name

    def sample(self, index: int, seed: int) -> Paired:
        """Return a patch of the picture at `index`: drawn from `seed` in training, else the centre."""
        large, small = self._decoded(self._picture[index])
        rng = np.random.default_rng(seed)
        scale = self.config.scale
        top, left = self._choose_corner(large, rng)
        if small is not None:
            rows, columns = top // scale, left // scale
            source = to_floats(small[rows : rows + self.size // scale, columns : columns + self.size // scale])
            top, left = rows * scale, columns * scale
        target = to_floats(large[top : top + self.size, left : left + self.size])
        if isinstance(self.config.small, RealWorldReduction):
            source = degrade_twice(target, scale, derive_seed(seed, 0))
        elif small is None:
            source = shrink_padded(_crop_with_margin(large, top, left, self.size, kernel_reach(scale)), scale)
            source = np.round(np.clip(source, 0, 1) * 255) / np.float32(255)  # as an 8-bit file would hold it
        if isinstance(self.config.small, CompressedReduction):
            source = self.config.small.apply(source, np.random.default_rng(derive_seed(seed, 0)))
        source, target = self._turn([source, target], rng)
        return Paired(to_tensor(source), to_tensor(target))

    def without_degradation(self) -> "UndegradedPatches | None":
        """Return the same patches with their bicubic reduction left to `finish`; None where it is another."""
        return UndegradedPatches(self) if isinstance(self.config.small, BicubicReduction) else None

    def crop_with_margin(self, index: int, seed: int) -> Floats:
        """Return the large patch of `sample` in [0, 1], turned alike, with `kernel_reach(scale)` pixels around it."""
        large, _ = self._decoded(self._picture[index])
        rng = np.random.default_rng(seed)
        patch = _crop_with_margin(large, *self._choose_corner(large, rng), self.size, kernel_reach(self.config.scale))
        return self._turn([patch], rng)[0]

    def _choose_corner(self, large: Pixels, rng: np.random.Generator) -> tuple[int, int]:
        """Return the top and left of a patch: drawn in training, else those of the centre."""
        rows, columns = (side - self.size for side in large.shape[:2])
        if self.training:
            return int(rng.integers(rows + 1)), int(rng.integers(columns + 1))
        return rows // 2, columns // 2

    def _turn(self, pictures: Sequence[Floats], rng: np.random.Generator) -> list[Floats]:
        """Return pictures mirrored and turned alike, at random, in training if the settings say so."""
        if not (self.training and self.config.crop.turn):
            return list(pictures)
        mirrored, quarters = bool(rng.integers(2)), int(rng.integers(4))
        return [np.rot90(pixels[:, ::-1] if mirrored else pixels, quarters) for pixels in pictures]

    def _count_patches(self, pair: Pair) -> int:
        header = read_header(pair.target)
        return (header.width // self.size) * (header.height // self.size)

    def _decode(self, index: int) -> _DecodedPair:
        """Return a picture, or as large a window of it as its part of the memory allows."""
        pair = self.pairs[index]
        large = self._read_rgb(pair.target)
        small = None if pair.source == pair.target else self._read_rgb(pair.source)
        fraction = math.sqrt(min(self._bytes_per_picture / large.nbytes, 1.0))  # of each side
        if fraction == 1:
            return _DecodedPair(large, small)
        scale, rng = self.config.scale, np.random.default_rng(derive_seed(*encode_name(pair.name)))
        height, width = (max(self.size, int(side * fraction)) // scale * scale for side in large.shape[:2])
        top = int(rng.integers((large.shape[0] - height) // scale + 1))
        left = int(rng.integers((large.shape[1] - width) // scale + 1))
        if small is not None:
            small = small[top : top + height // scale, left : left + width // scale].copy()
        window = large[scale * top : scale * top + height, scale * left : scale * left + width]
        return _DecodedPair(window.copy(), small)  # a copy, so that the rest of the picture is freed

    def _read_rgb(self, path: Path) -> Pixels:
        pixels = show_alpha(read_picture(path), self.config.background)
        return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


class PatchesWithMargin(NamedTuple):
    """Large patches with the r = `kernel_reach(scale)` pixels around them, (B, 3, size + 2r, size + 2r) in [-1, 1]."""

    image: Tensor


class UndegradedPatches(Samples[PatchesWithMargin]):
    """The large patches of `PatchPairs`, made small in batches on the device."""

    def __init__(self, patches: PatchPairs) -> None:
        self.patches = patches

    def __len__(self) -> int:
        return len(self.patches)

    def name(self, index: int) -> str:
        """Return the picture's path within the folder."""
        return self.patches.name(index)

    def sample(self, index: int, seed: int) -> PatchesWithMargin:
        """Return the large patch at `index` with the pixels around it."""
        return PatchesWithMargin(to_tensor(self.patches.crop_with_margin(index, seed)))

    def finish(self, batch: PatchesWithMargin, seeds: Sequence[int], device: torch.device) -> Paired:
        """Return the small and the large patches on `device`."""
        scale = self.patches.config.scale
        image, reach = move(batch.image, device), kernel_reach(scale)
        return Paired(shrink_batch(image, scale), image[:, :, reach:-reach, reach:-reach].contiguous())


def _crop_with_margin(pixels: Pixels, top: int, left: int, size: int, reach: int) -> Floats:
    """Return a square and the pixels around it as floats; beyond its border the picture is mirrored."""
    height, width = pixels.shape[:2]
    above, before = min(reach, top), min(reach, left)
    below, after = min(reach, height - top - size), min(reach, width - left - size)
    floats = to_floats(pixels[top - above : top + size + below, left - before : left + size + after])
    missing = ((reach - above, reach - below), (reach - before, reach - after), (0, 0))
    return np.pad(floats, missing, mode="symmetric") if any(map(any, missing)) else floats
