"""Pictures with labels, of one set or of two: attributes from a table, or classes from folders.

The five attributes of CelebA that are the default, and the way in which two sets are joined, are those of Choi et al.
2018 (StarGAN, arXiv:1711.09020).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field, Tag, model_validator

from datasets.augment import CropConfig
from datasets.contract import Attributed, LabelSet, OpenedData, Samples, Settings, discriminate_by
from datasets.errors import DataError
from datasets.labels import AttributeTable, CelebATable, ClassFolders, Labels
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
from datasets.storage.listing import find_entry

LabelsConfig = Annotated[
    Annotated[ClassFolders, Tag("folders")]
    | Annotated[AttributeTable, Tag("csv")]
    | Annotated[CelebATable, Tag("celeba")],
    discriminate_by("kind", "folders"),
]


class SecondSet(Settings):
    """A second set of pictures, with labels of its own."""

    folder: str = Field(description="of the second set, within the data's folder")
    labels: LabelsConfig = ClassFolders()


class AttributesConfig(PictureDataConfig):
    """Pictures with the labels of one set, or of two sets, of which neither has the other's labels."""

    batch_type: ClassVar[type[Attributed]] = Attributed
    kind: Literal["attributes"] = "attributes"
    folder: str = Field(default=".", description="of the first set, within the data's folder")
    labels: LabelsConfig = ClassFolders()
    second: SecondSet | None = Field(
        default=None, description="a second set with labels of its own, shown as often as the first; null: none"
    )
    picture_channels: Channels = Field(
        default=3, description="that pictures are read with: 1 gray, 3 colour, 4 colour and alpha"
    )
    crop: CropConfig = CropConfig(load=128, size=128)  # 128 as in the paper

    @model_validator(mode="after")
    def _check_folders(self) -> Self:
        if self.second is not None and Path(self.second.folder) == Path(self.folder):
            raise ValueError(f"folder and second.folder are both {self.folder}, and each set needs a folder of its own")
        return self

    @property
    def channels(self) -> tuple[int]:
        """Channels of the pictures."""
        return (self.picture_channels,)

    def open(self, root: Path) -> OpenedData[Attributed]:
        """Find and check every picture and its labels.

        Raises:
            DataError: A picture or its labels cannot be used and `skip_bad` is off, or a label cannot be learned.
        """
        sets: list[_LabelledSet] = []
        problems: list[str] = []
        sources = [(self.folder, self.labels)] + ([(self.second.folder, self.second.labels)] if self.second else [])
        for folder, config in sources:
            place = find_entry(root, folder)
            files, more = find_usable(place, decode=self.skip_bad)
            label_set, labels, unclear = config.read(place, files)
            problems += more + unclear
            sets.append(_LabelledSet(label_set, [file for file in files if file.name in labels], labels))
        self.check_problems(root, problems)
        for one, (folder, _) in zip(sets, sources, strict=True):
            one.refuse_unlearnable_labels(root / folder)
        names = [name for one in sets for name in one.label_set.names]
        duplicate = next((name for name in names if names.count(name) > 1), None)
        if duplicate is not None:
            raise DataError(f"{root}: both sets have a label {duplicate}; give it another name in one of them")
        splits = [one.split(self.validation_fraction) for one in sets]
        return OpenedData(
            AttributedPictures(self, sets, [training for training, _ in splits], training=True),
            AttributedPictures(self, sets, [held_out for _, held_out in splits], training=False),
            fingerprint_files(
                {
                    name: [file for file in one.files if one.labels[file.name][index]]
                    for one in sets
                    for index, name in enumerate(one.label_set.names)
                }
            ),
            tuple(problems),
            tuple(names),
            tuple(one.label_set for one in sets),
            with_alpha=count_alpha(file.path for one in sets for file in one.files),
        )


@dataclass(frozen=True)
class _LabelledSet:
    """The usable pictures of one set, and their labels."""

    label_set: LabelSet
    files: list[ImageFile]
    labels: Labels

    def refuse_unlearnable_labels(self, folder: Path) -> None:
        """Raise DataError unless each label distinguishes at least two pictures from others."""
        for index, name in enumerate(self.label_set.names):
            count = sum(self.labels[file.name][index] for file in self.files)
            if count < 2:
                found = "a single picture is" if count else "no picture is"
                raise DataError(f"{folder}: {found} {name}; a domain is learned from many, and at least 2 are needed")
            if count == len(self.files):
                raise DataError(f"{folder}: every picture is {name}, so that {name} cannot be learned; leave it out")

    def split(self, fraction: float) -> tuple[list[ImageFile], list[ImageFile]]:
        """Return the pictures for training and those held out: of classes, a fraction of each."""
        if not self.label_set.classes:
            return split_held_out(self.files, fraction)
        classes = [
            [file for file in self.files if self.labels[file.name][index]] for index in range(len(self.label_set.names))
        ]
        splits = [split_held_out(files, fraction) for files in classes]
        return [file for training, _ in splits for file in training], [file for _, held in splits for file in held]


class AttributedPictures(Samples[Attributed]):
    """Pictures of one set or two as samples, with their own set's labels and zeros for the other's."""

    def __init__(
        self,
        config: AttributesConfig,
        sets: Sequence[_LabelledSet],
        files: Sequence[Sequence[ImageFile]],
        *,
        training: bool,
    ) -> None:
        self.sets = sets
        self.files = files  # by set
        self.training = training
        every = [file for one in files for file in one]
        self.crops = CropReader(
            every, config.crop, config.picture_channels, config.cache_gib, config.background, training=training
        )

    def __len__(self) -> int:
        counts = [len(files) for files in self.files]
        # The sets take turns, so that both count alike. In training the smaller one repeats; in validation none does.
        return len(counts) * (max(counts) if self.training and min(counts) else min(counts))

    def name(self, index: int) -> str:
        """Return the picture's path within its set's folder."""
        source, position = self._locate(index)
        return self.files[source][position].name

    def sample(self, index: int, seed: int) -> Attributed:
        """Return a crop of the picture at `index`, drawn from `seed`, with its labels."""
        source, position = self._locate(index)
        name = self.files[source][position].name
        label = [
            float(value)
            for number, one in enumerate(self.sets)
            for value in (one.labels[name] if number == source else (False,) * len(one.label_set.names))
        ]
        before = sum(len(files) for files in self.files[:source])
        return Attributed(self.crops.read(before + position, seed), torch.tensor(label), torch.tensor(source))

    def _locate(self, index: int) -> tuple[int, int]:
        """Return the set of a sample, and its position among the set's files."""
        position, source = divmod(index, len(self.files))
        return source, position % len(self.files[source])
