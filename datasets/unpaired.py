"""Two folders of pictures without partners, such as horses and zebras, of any sizes and numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator

from datasets.augment import CropConfig
from datasets.contract import OpenedData, Samples, Unpaired, derive_seed
from datasets.errors import DataError
from datasets.picture_data import PictureDataConfig
from datasets.storage.image_files import (
    Channels,
    CropReader,
    ImageFile,
    count_alpha,
    find_usable,
    fingerprint_files,
    split_held_out,
)
from datasets.storage.listing import describe_folders, find_entry


class UnpairedConfig(PictureDataConfig):
    """Two folders of pictures to translate between; the names of the folders are those of the domains.

    The folder of domain `A` may also be called `trainA`, as in the data sets of CycleGAN's authors.
    """

    batch_type: ClassVar[type[Unpaired]] = Unpaired
    kind: Literal["unpaired"] = "unpaired"
    a: str = Field(default="A", description="folder and name of the first domain")
    b: str = Field(default="B", description="folder and name of the second domain")
    truth: bool = Field(
        default=False,
        description="pictures of equal names in both folders are pairs, with which translations of those held out"
        " are compared",
    )
    picture_channels: Channels = Field(
        default=3, description="that pictures are read with: 1 gray, 3 colour, 4 colour and alpha"
    )
    crop: CropConfig = CropConfig()

    @model_validator(mode="after")
    def _check_folders(self) -> "UnpairedConfig":
        if self.a == self.b:
            raise ValueError(f"a and b are both {self.a}, and two folders are needed")
        return self

    @property
    def channels(self) -> tuple[int]:
        """Channels of the pictures of both domains."""
        return (self.picture_channels,)

    def open(self, root: Path) -> OpenedData[Unpaired]:
        """Find and check every picture of both folders.

        Raises:
            DataError: A folder is missing or has fewer than two pictures, a picture cannot be used and `skip_bad` is
                off, or there are no pairs although `truth` is on.
        """
        problems: list[str] = []
        sides = []
        for name in (self.a, self.b):
            files, more = find_usable(self._find_folder(root, name), decode=self.skip_bad)
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
            fingerprint_files({self.a: sides[0], self.b: sides[1]}),
            tuple(problems),
            (self.a, self.b),
            with_alpha=count_alpha(file.path for side in sides for file in side),
        )

    def _find_folder(self, root: Path, name: str) -> Path:
        for folder in (find_entry(root, name), find_entry(root, f"train{name}")):
            if folder.is_dir():
                return folder
        raise DataError(
            f"{root}: expected the folders {self.a} and {self.b}, or train{self.a} and train{self.b}, "
            f"found {describe_folders(root)}; name yours with data.a and data.b"
        )

    def _split(
        self, root: Path, a: list[ImageFile], b: list[ImageFile]
    ) -> tuple[list[list[ImageFile]], list[list[ImageFile]]]:
        """Return both domains' pictures for training, and those held out: with `truth`, these are pairs."""
        if not self.truth:
            parts = [split_held_out(side, self.validation_fraction) for side in (a, b)]
            return [training for training, _ in parts], [held_out for _, held_out in parts]
        stems = [{file.stem: file for file in side} for side in (a, b)]
        common = [file for file in a if file.stem in stems[1]]
        if not common:
            raise DataError(
                f"{root}: data.truth says that pictures of equal names in {self.a} and {self.b} are pairs, and no name "
                "is in both; set data.truth=false"
            )
        # A fraction of the folders and not of the pairs, since of pictures without partners few may be common.
        fraction = self.validation_fraction * min(len(a), len(b)) / len(common)
        hold_all = fraction >= 1 and len(common) < min(len(a), len(b))  # others are left to train on
        held_out = {file.stem for file in (common if hold_all else split_held_out(common, min(fraction, 1.0))[1])}
        training = [[file for file in side if file.stem not in held_out] for side in (a, b)]
        return training, [[by_stem[file.stem] for file in common if file.stem in held_out] for by_stem in stems]


class UnpairedPictures(Samples[Unpaired]):
    """Pictures of both domains as samples; in training they are put together at random."""

    def __init__(
        self, config: UnpairedConfig, a: Sequence[ImageFile], b: Sequence[ImageFile], *, training: bool
    ) -> None:
        self.config = config
        self.a, self.b = a, b
        self.training = training
        self.crops = CropReader(
            [*a, *b], config.crop, config.picture_channels, config.cache_gib, config.background, training=training
        )

    def __len__(self) -> int:
        return max(len(self.a), len(self.b)) if self.a and self.b else 0

    def name(self, index: int) -> str:
        """Return the path of the first domain's picture within its folder."""
        return self.a[index % len(self.a)].name

    def sample(self, index: int, seed: int) -> Unpaired:
        """Return a crop of a picture of each domain, drawn apart from each other.

        In training, `index` counts the pictures of the larger domain, and the other's picture is drawn. Held-out
        pictures are put together in their order; with `truth`, they are pairs.
        """
        first, second = index % len(self.a), index % len(self.b)
        if self.training and len(self.a) >= len(self.b):
            second = _draw_index(len(self.b), seed)
        elif self.training:
            first = _draw_index(len(self.a), seed)
        truth = self.config.truth and not self.training
        return Unpaired(
            self.crops.read(first, derive_seed(seed, 0)),
            self.crops.read(len(self.a) + second, derive_seed(seed, 1)),
            torch.tensor(truth),
        )


def _draw_index(count: int, seed: int) -> int:
    return int(np.random.default_rng(derive_seed(seed, 2)).integers(count))
