"""Pairs of pictures as samples: cropped alike and, where the source is made from the target, degraded."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from datasets.augment import CropConfig, Cropper
from datasets.contract import OpenedData, Paired, Samples, derive_seed
from datasets.degradations.batches import BATCHED, convert_batch, degrade_batch, recolour_batch
from datasets.degradations.degrade import DEGRADATIONS, DegradationName, degrade
from datasets.devices import move
from datasets.errors import DataError
from datasets.pairs import DerivedPairs, Pair, PairFolders, PairsConfig
from datasets.picture_data import PictureDataConfig
from datasets.pixels import Floats, Pixels, convert_channels, show_alpha, take_off, to_tensor
from datasets.storage.image_files import Channels, count_alpha, filter_valid, split_held_out
from datasets.storage.names import encode_name
from datasets.storage.threads import BoundedCache


class PairedConfig(PictureDataConfig):
    """Pairs of pictures, to learn the translation from source to target."""

    batch_type: ClassVar[type[Paired]] = Paired
    kind: Literal["paired"] = "paired"
    pairs: PairsConfig = PairFolders()
    source_channels: Channels | None = Field(
        default=None,
        description="1 gray, 3 colour, 4 colour and alpha; null: those of the degradation's result, or else of "
        "the target",
    )
    target_channels: Channels = Field(default=3, description="1 gray, 3 colour, 4 colour and alpha")
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
            strength = derivation.draw_strength(derive_seed(seed, 2))
            source = degrade(target, derivation.degradation, strength, derive_seed(seed, 1))
        else:
            source = self.cropper.recolour(source, derive_seed(seed, 1))
        source_channels, target_channels = self.config.channels
        return Paired(_to_tensor(source, source_channels), _to_tensor(target, target_channels))

    def without_degradation(self) -> "UndegradedPairs | None":
        """Return the same pairs with colour changes and degradation left to `finish`, where batches can have them.

        A batch has one strength, so samples with a strength each stay as they are.
        """
        derivation = self.config.pairs
        if not isinstance(derivation, DerivedPairs) or derivation.degradation not in BATCHED:
            return None
        if isinstance(derivation.strength, tuple):
            return None
        return UndegradedPairs(self, derivation.degradation, derivation.strength)

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

    def __init__(self, pairs: PicturePairs, degradation: DegradationName, strength: float | None) -> None:
        self.pairs = pairs
        self.degradation: DegradationName = degradation
        self.strength = strength

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
        source = degrade_batch(target, self.degradation, self.strength, noise_seeds)
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


def _fingerprint_pairs(pairs: Sequence[Pair]) -> str:
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(encode_name(f"{pair.name}\0{pair.source.stat().st_size}\0{pair.target.stat().st_size}\n"))
    return digest.hexdigest()[:16]
