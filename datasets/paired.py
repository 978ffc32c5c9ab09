"""Pairs of pictures: from two folders, from files with two halves, or from single pictures that are degraded."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
from pydantic import Tag, model_validator
from torch import Tensor

from datasets.augment import CropConfig, Cropper
from datasets.codecs.images import Picture, read_header, read_picture
from datasets.contract import OpenedData, Paired, Samples, Settings, derive_seed, discriminate_by
from datasets.degradations.batches import BATCHED, convert_batch, degrade_batch, recolour_batch
from datasets.degradations.degrade import DEGRADATIONS, DegradationName, check_strength, degrade
from datasets.devices import move
from datasets.errors import DataError
from datasets.picture_data import PictureDataConfig
from datasets.pixels import Floats, Pixels, convert_channels, show_alpha, take_off, to_tensor
from datasets.storage.image_files import Channels, count_alpha, describe_unsupported, filter_valid, split_held_out
from datasets.storage.listing import describe_folders, find_entry, find_pictures
from datasets.storage.names import encode_name, stem_of
from datasets.storage.threads import BoundedCache


@dataclass(frozen=True)
class Pair:
    """The name and the two files of a pair; both paths are equal where one file holds both pictures."""

    name: str
    source: Path
    target: Path


class PairFolders(Settings):
    """Two folders of pictures, which are pairs where their paths within the folders are equal up to the suffix."""

    kind: Literal["folders"] = "folders"
    source: str = "A"
    target: str = "B"

    def find_pairs(self, root: Path) -> tuple[list[Pair], list[str]]:
        """Return the pairs under `root`, and a sentence about each file without a partner."""
        sources, problems = self._find_by_stem(root, self.source)
        targets, more = self._find_by_stem(root, self.target)
        problems += more
        for files, others, folder in ((sources, targets, self.target), (targets, sources, self.source)):
            problems += [f"{files[stem]}: has no partner in {folder}" for stem in files if stem not in others]
        common = [stem for stem in sources if stem in targets]
        return [Pair(stem, sources[stem], targets[stem]) for stem in common], problems

    def read_pair(self, pair: Pair) -> tuple[Picture, Picture]:
        """Return both pictures."""
        return read_picture(pair.source), read_picture(pair.target)

    def find_problem(self, pair: Pair) -> str | None:
        """Return a sentence about why the pair cannot be used, or None; only the files' headers are read."""
        source, target = read_header(pair.source), read_header(pair.target)
        if (source.width, source.height) == (target.width, target.height):
            return None
        sizes = f"{source.width}x{source.height} and {target.width}x{target.height}"
        return f"{pair.name}: source and target differ in size, {sizes}"

    def _find_by_stem(self, root: Path, folder: str) -> tuple[dict[str, Path], list[str]]:
        place = find_entry(root, folder)
        if not place.is_dir():
            raise DataError(
                f"{root}: expected the folders {self.source} and {self.target}, found {describe_folders(root)}; "
                "name yours with data.pairs.source and data.pairs.target"
            )
        files: dict[str, Path] = {}
        listing = find_pictures(place)
        problems = describe_unsupported(place, listing)
        for path in listing.pictures:
            stem = stem_of(path)
            if stem in files:
                problems.append(f"{place / path}: {files[stem].name} has the same stem")
            else:
                files[stem] = place / path
        return files, problems


class SideBySidePairs(Settings):
    """Files that each hold a pair: two pictures of equal width, side by side."""

    kind: Literal["side-by-side"] = "side-by-side"
    source: Literal["left", "right"] = "left"

    def find_pairs(self, root: Path) -> tuple[list[Pair], list[str]]:
        """Return the pairs under `root`, one for every picture, and a sentence about each unreadable file."""
        return pair_every_picture(root)

    def read_pair(self, pair: Pair) -> tuple[Picture, Picture]:
        """Return both halves."""
        picture = read_picture(pair.source)
        alphas = (None, None) if picture.alpha is None else np.hsplit(picture.alpha, 2)
        left, right = map(Picture, np.hsplit(picture.pixels, 2), alphas)
        return (left, right) if self.source == "left" else (right, left)

    def find_problem(self, pair: Pair) -> str | None:
        """Return a sentence about why the file has no two equal halves, or None."""
        width = read_header(pair.source).width
        return f"{pair.name}: {width} pixels wide, which has no two equal halves" if width % 2 else None


class DerivedPairs(Settings):
    """Any folder of pictures, each of which is a target; its source is the target, degraded."""

    kind: Literal["derived"] = "derived"
    degradation: DegradationName = "gray"
    strength: float | None = None  # null: the degradation's own default

    def find_pairs(self, root: Path) -> tuple[list[Pair], list[str]]:
        """Return the pairs under `root`, one for every picture, and a sentence about each unreadable file."""
        check_strength(self.degradation, self.strength)
        return pair_every_picture(root)

    def read_pair(self, pair: Pair) -> tuple[Picture, Picture]:
        """Return the target twice; the source is degraded only after cropping."""
        picture = read_picture(pair.target)
        return picture, picture

    def find_problem(self, pair: Pair) -> str | None:
        """Return None; a file that is not a picture raises PictureError."""
        read_header(pair.target)
        return None


PairsConfig = Annotated[
    Annotated[PairFolders, Tag("folders")]
    | Annotated[SideBySidePairs, Tag("side-by-side")]
    | Annotated[DerivedPairs, Tag("derived")],
    discriminate_by("kind", "folders"),
]


class PairedConfig(PictureDataConfig):
    """Pairs of pictures, to learn the translation from source to target."""

    batch_type: ClassVar[type[Paired]] = Paired
    kind: Literal["paired"] = "paired"
    pairs: PairsConfig = PairFolders()
    source_channels: Channels | None = None  # null: those of the degradation's result, or else of the target
    target_channels: Channels = 3
    crop: CropConfig = CropConfig()

    @model_validator(mode="after")
    def _check_alpha(self) -> Self:
        if 4 in self.channels and isinstance(self.pairs, DerivedPairs):
            raise ValueError("degraded pictures have no alpha; set source_channels and target_channels to 1 or 3")
        if self.channels in ((4, 3), (4, 1)):
            raise ValueError("source_channels is 4, which needs a target with alpha; set target_channels to 4 too")
        return self

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the source and the target."""
        degraded = DEGRADATIONS[self.pairs.degradation].channels if isinstance(self.pairs, DerivedPairs) else None
        return self.source_channels or degraded or self.target_channels, self.target_channels

    def open(self, root: Path) -> OpenedData[Paired]:
        """Find and check every pair under `root`.

        Raises:
            DataError: A pair cannot be used and `skip_bad` is off, or too few are left.
        """
        pairs, problems = self.pairs.find_pairs(root)
        valid, more = filter_valid(pairs, self._find_problem)
        problems += more
        self.check_problems(root, problems)
        training, validation = split_held_out(valid, self.validation_fraction)
        if not training:
            raise DataError(f"{root}: found no {'usable ' if problems else ''}pair of pictures to learn from")
        return OpenedData(
            PicturePairs(self, training, training=True),
            PicturePairs(self, validation, training=False),
            _fingerprint_pairs(valid),
            tuple(problems),
            with_alpha=count_alpha(path for pair in valid for path in (pair.source, pair.target)),
        )

    def _find_problem(self, pair: Pair) -> str | None:
        problem = self.pairs.find_problem(pair)
        if problem is None and self.skip_bad:
            self.pairs.read_pair(pair)
        return problem


class PicturePairs(Samples[Paired]):
    """Pairs as samples, (C, size, size) tensors in [-1, 1]."""

    def __init__(self, config: PairedConfig, pairs: Sequence[Pair], *, training: bool) -> None:
        self.config = config
        self.pairs = pairs
        self.cropper = Cropper(config.crop, training=training)
        self._resized = BoundedCache(self._read_resized, _count_bytes, config.cache_gib * 2**30)

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        """Return the pair's path within the folder."""
        return self.pairs[index].name

    def sample(self, index: int, seed: int) -> Paired:
        """Return a crop of the pair at `index`, drawn from `seed`; a derived source is degraded."""
        source, target = self.crop(index, seed)
        target = self.cropper.recolour(target, derive_seed(seed, 0))
        derivation = self.config.pairs
        if isinstance(derivation, DerivedPairs):
            source = degrade(target, derivation.degradation, derivation.strength, derive_seed(seed, 1))
        else:
            source = self.cropper.recolour(source, derive_seed(seed, 1))
        source_channels, target_channels = self.config.channels
        return Paired(_to_tensor(source, source_channels), _to_tensor(target, target_channels))

    def without_degradation(self) -> "UndegradedPairs | None":
        """Return the same pairs with colour changes and degradation left to `finish`, where batches can have them."""
        derivation = self.config.pairs
        if isinstance(derivation, DerivedPairs) and derivation.degradation in BATCHED:
            return UndegradedPairs(self, derivation)
        return None

    def crop(self, index: int, seed: int) -> tuple[Floats, Floats]:
        """Return the same square of the source and the target at `index`, (size, size, 1, 3 or 4) in [0, 1]."""
        source, target = self.cropper.crop_pair(*self._resized(index), seed=seed)
        return take_off(source, self.config.background), take_off(target, self.config.background)

    def _read_resized(self, index: int) -> tuple[Pixels, Pixels]:
        source, target = self.config.pairs.read_pair(self.pairs[index])
        channels, background = self.config.channels, self.config.background
        resized = self.cropper.resize(show_alpha(target, background, channels[1]))
        if source is target:
            return resized, resized
        return self.cropper.resize(show_alpha(source, background, channels[0])), resized


class Undegraded(NamedTuple):
    """Targets (B, 3, H, W) in [-1, 1], which of them are gray (B,) bool, and their colour changes (B, 8) or (B, 0)."""

    image: Tensor
    is_gray: Tensor
    colours: Tensor


class UndegradedPairs(Samples[Undegraded]):
    """The targets of derived pairs, recoloured and degraded in batches on the device."""

    def __init__(self, pairs: PicturePairs, derivation: DerivedPairs) -> None:
        self.pairs = pairs
        self.derivation = derivation

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        """Return the pair's path within the folder."""
        return self.pairs.name(index)

    def sample(self, index: int, seed: int) -> Undegraded:
        """Return the target at `index`, cropped, with what `PicturePairs.sample` would draw for its colours."""
        _, target = self.pairs.crop(index, seed)
        is_gray = torch.tensor(target.shape[2] == 1)
        return Undegraded(_to_tensor(target, 3), is_gray, self.pairs.cropper.draw_colours(derive_seed(seed, 0)))

    def finish(self, batch: Undegraded, seeds: Sequence[int], device: torch.device) -> Paired:
        """Return the pairs on `device`."""
        target = recolour_batch(move(batch.image, device), batch.colours)
        noise_seeds = [derive_seed(seed, 1) for seed in seeds]
        source = degrade_batch(target, self.derivation.degradation, self.derivation.strength, noise_seeds)
        # A gray picture gets gray noise.
        is_gray = move(batch.is_gray, device).view(-1, 1, 1, 1)
        source = torch.where(is_gray, source[:, :1], source)
        source_channels, target_channels = self.pairs.config.channels
        return Paired(convert_batch(source, source_channels), convert_batch(target, target_channels))


def _count_bytes(pictures: tuple[Pixels, Pixels]) -> int:
    source, target = pictures
    return target.nbytes + (0 if source is target else source.nbytes)


def _to_tensor(pixels: Floats, channels: int) -> Tensor:
    return to_tensor(convert_channels(pixels, channels))


def pair_every_picture(root: Path) -> tuple[list[Pair], list[str]]:
    """Return a pair of a file with itself for every picture under `root`, and a sentence about each unreadable file."""
    listing = find_pictures(root)
    pairs = [Pair(path.as_posix(), root / path, root / path) for path in listing.pictures]
    return pairs, describe_unsupported(root, listing)


def _fingerprint_pairs(pairs: Sequence[Pair]) -> str:
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(encode_name(f"{pair.name}\0{pair.source.stat().st_size}\0{pair.target.stat().st_size}\n"))
    return digest.hexdigest()[:16]
