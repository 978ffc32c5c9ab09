"""Two piles of pictures that have no partners: horses here, zebras there, of any sizes and counts."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import model_validator

from datasets.augment import CropConfig
from datasets.contract import OpenedData, Samples, Unpaired, derive_seed
from datasets.errors import DataError
from datasets.picture_data import PictureDataConfig
from datasets.storage.image_files import (
    Channels,
    ImageFile,
    Squares,
    find_usable,
    fingerprint,
    split_held_out,
)


class UnpairedConfig(PictureDataConfig):
    """Two folders of pictures to learn translations between; the folders' names are those of the domains.

    The folder of domain `A` may also be called `trainA`, as published data sets have it.
    """

    batch_type: ClassVar[type[Unpaired]] = Unpaired
    kind: Literal["unpaired"] = "unpaired"
    a: str = "A"
    b: str = "B"
    truth: bool = False  # pictures of one stem in both folders are pairs: those held out are judged by each other
    picture_channels: Channels = 3
    crop: CropConfig = CropConfig()

    @model_validator(mode="after")
    def _two_domains(self) -> "UnpairedConfig":
        if self.a == self.b:
            raise ValueError(f"a and b are both {self.a}: translations go from one folder's kind to another's")
        return self

    @property
    def channels(self) -> tuple[int]:
        """Of both domains' pictures."""
        return (self.picture_channels,)

    def open(self, root: Path) -> OpenedData:
        """Find and check every picture of both folders.

        Raises:
            DataError: A folder is missing or empty, a picture cannot be used and `skip_bad` is off, or no truth is
                found where some was said to be.
        """
        problems: list[str] = []
        sides = []
        for name in (self.a, self.b):
            files, more = self._side(root, name)
            sides.append(files)
            problems += more
        self.check_problems(root, problems)
        for name, files in zip((self.a, self.b), sides, strict=True):
            if len(files) < 2:
                found = f"a single {'usable ' if problems else ''}picture" if files else "no picture"
                raise DataError(
                    f"{root}: {name} holds {found}; a domain is learned from many, and at least 2 are needed"
                )
        training, validation = self._split(root, sides[0], sides[1])
        return OpenedData(
            UnpairedPictures(self, *training, training=True),
            UnpairedPictures(self, *validation, training=False),
            fingerprint({self.a: sides[0], self.b: sides[1]}),
            tuple(problems),
            (self.a, self.b),
        )

    def _side(self, root: Path, name: str) -> tuple[list[ImageFile], list[str]]:
        """The usable pictures of a domain, and a sentence about each other one."""
        return find_usable(self._folder(root, name), decode=self.skip_bad)

    def _folder(self, root: Path, name: str) -> Path:
        for folder in (root / name, root / f"train{name}"):
            if folder.is_dir():
                return folder
        there = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        raise DataError(
            f"{root}: expected the folders {self.a} and {self.b}, or train{self.a} and train{self.b}, found "
            + (f"the folders {', '.join(there)}" if there else "no folders")
            + "; name yours with --set data.a=… --set data.b=…"
        )

    def _split(
        self, root: Path, a: list[ImageFile], b: list[ImageFile]
    ) -> tuple[list[list[ImageFile]], list[list[ImageFile]]]:
        """Both domains' pictures to learn from, and those held out, in pairs where there is a truth."""
        if not self.truth:
            parts = [split_held_out(side, self.validation_fraction) for side in (a, b)]
            return [learned for learned, _ in parts], [held for _, held in parts]
        stems = [{file.stem: file for file in side} for side in (a, b)]
        common = [file for file in a if file.stem in stems[1]]
        if not common:
            raise DataError(
                f"{root}: data.truth says that pictures of one name in {self.a} and {self.b} are pairs, and no name is "
                "in both; set data.truth=false"
            )
        # A share of the folders, and not of the pairs: of pictures that are never shown in pairs few may be common.
        share = self.validation_fraction * min(len(a), len(b)) / len(common)
        enough = share >= 1 and len(common) < min(len(a), len(b))  # the others are left to learn from
        held = {file.stem for file in (common if enough else split_held_out(common, min(share, 1.0))[1])}
        learned = [[file for file in side if file.stem not in held] for side in (a, b)]
        return learned, [[stem_to[file.stem] for file in common if file.stem in held] for stem_to in stems]


class UnpairedPictures(Samples[Unpaired]):
    """Pictures of both domains as samples; which of them meet in a sample is drawn, so that nothing pairs them."""

    def __init__(
        self, config: UnpairedConfig, a: Sequence[ImageFile], b: Sequence[ImageFile], *, training: bool
    ) -> None:
        self.config = config
        self.a, self.b = a, b
        self.training = training
        self.squares = Squares([*a, *b], config.crop, config.picture_channels, config.cache_gib, training=training)

    def __len__(self) -> int:
        return max(len(self.a), len(self.b)) if self.a and self.b else 0

    def name(self, index: int) -> str:
        """The name of the picture of the first domain."""
        return self.a[index % len(self.a)].name

    def sample(self, index: int, seed: int) -> Unpaired:
        """A picture of each domain, each cut and coloured by itself.

        In training the domain with more pictures is walked through, and the other's picture is drawn.
        Samples held out meet in order; where there is a truth, both show the same.
        """
        first, second = index % len(self.a), index % len(self.b)
        if self.training and len(self.a) >= len(self.b):
            second = _draw(len(self.b), seed)
        elif self.training:
            first = _draw(len(self.a), seed)
        truth = self.config.truth and not self.training
        return Unpaired(
            self.squares.cut(first, derive_seed(seed, 0)),
            self.squares.cut(len(self.a) + second, derive_seed(seed, 1)),
            torch.tensor(truth),
        )


def _draw(count: int, seed: int) -> int:
    return int(np.random.default_rng(derive_seed(seed, 2)).integers(count))
