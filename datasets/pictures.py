"""Single pictures with or without labels: any tree of files, one folder for each class, or a table of labels."""

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, Tag

from datasets.augment import CropConfig
from datasets.contract import OpenedData, Pictures, Samples, Settings, discriminate_by, normalize_name
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
from datasets.storage.listing import find_entry, is_junk
from datasets.storage.names import natural_key
from datasets.storage.tables import match_files, read_table


class NoLabels(Settings):
    """Any tree of pictures, without labels."""

    kind: Literal["none"] = "none"

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[dict[str, str], list[str]]:
        """Return an empty label for every picture, by its name."""
        return {file.name: "" for file in files}, []


class FolderLabels(Settings):
    """The folders directly under the root are the classes; all pictures in one, however deep, are of its class."""

    kind: Literal["folders"] = "folders"

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[dict[str, str], list[str]]:
        """Return the label of each picture by its name, and a sentence about each picture or folder without one."""
        parts = {file.name: Path(file.name).parts for file in files}
        labels = {name: normalize_name(folder) for name, (folder, *inside) in parts.items() if inside}
        folders = [path for path in sorted(root.iterdir()) if path.is_dir() and not is_junk(path.name)]
        if not labels:
            found = f"nothing usable in {', '.join(path.name for path in folders)}" if folders else "no folder"
            raise DataError(
                f"{root}: expected a folder of pictures for each class, such as cats/1.jpg and dogs/1.jpg, found "
                f"{found} and {len(files)} usable pictures beside them; sort them into folders, or set "
                "data.labels.kind to csv or none"
            )
        problems = [f"{file.path}: is not in a class folder" for file in files if file.name not in labels]
        for folder in folders:
            if folder.is_symlink():
                problems.append(f"{folder}: is a link to a folder, and links are not followed")
            elif normalize_name(folder.name) not in labels.values():
                problems.append(f"{folder}: is a class folder without a usable picture")
        return labels, problems


class TableLabels(Settings):
    """A table with a header and one row for each picture: its path under the root, and its label."""

    kind: Literal["csv"] = "csv"
    table: str = Field(default="labels.csv", description="path of the table within the data's folder")
    file_column: str = Field(default="file", description="column of the pictures' paths")
    label_column: str = Field(default="label", description="column of the labels")

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[dict[str, str], list[str]]:
        """Return the label of each picture by its name, and sentences about rows without pictures and the reverse."""
        path = find_entry(root, self.table)
        names = {file.name for file in files}
        labels: dict[str, str] = {}
        contradicted = set()
        problems = []
        _, rows = read_table(path, self.file_column, self.label_column)
        labelled = [(name, row) for name, row in rows if row[self.label_column]]
        for name, row in match_files(path, labelled, [file.name for file in files]):
            label = row[self.label_column]
            if labels.setdefault(name, label) != label:
                problems.append(f"{path}: labels {name} both {labels[name]} and {label}")
                contradicted.add(name)
            elif name not in names and not os.path.isfile(root / name):  # Path.is_file raises if it is too long
                problems.append(f"{path}: labels {name}, which does not exist")
        problems += [f"{file.path}: has no label in {path.name}" for file in files if file.name not in labels]
        return {name: label for name, label in labels.items() if name in names - contradicted}, problems


LabelsConfig = Annotated[
    Annotated[NoLabels, Tag("none")] | Annotated[FolderLabels, Tag("folders")] | Annotated[TableLabels, Tag("csv")],
    discriminate_by("kind", "none"),
]


class PicturesConfig(PictureDataConfig):
    """Single pictures, for models that generate, encode or classify."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    kind: Literal["pictures"] = "pictures"
    labels: LabelsConfig = NoLabels()
    picture_channels: Channels = Field(
        default=3, description="that pictures are read with: 1 gray, 3 colour, 4 colour and alpha"
    )
    crop: CropConfig = CropConfig()

    @property
    def channels(self) -> tuple[int]:
        """Channels of the pictures."""
        return (self.picture_channels,)

    def open(self, root: Path) -> OpenedData[Pictures]:
        """Find and check every picture under `root`, and its label.

        Raises:
            DataError: A picture or a label cannot be used and `skip_bad` is off, or too few pictures are left.
        """
        files, problems = find_usable(root, decode=self.skip_bad)
        labels, more = self.labels.read(root, files)
        problems += more
        self.check_problems(root, problems)
        classes: dict[str, list[ImageFile]] = {}
        for file in files:
            if file.name in labels:
                classes.setdefault(labels[file.name], []).append(file)
        if not classes:
            raise DataError(f"{root}: found no {'usable ' if problems else ''}picture to learn from")
        domains = sorted(classes, key=lambda label: natural_key(Path(label)))
        if isinstance(self.labels, NoLabels):
            domains = []
        elif len(domains) == 1:
            raise DataError(
                f"{root}: every picture is of the class {domains[0]}, and at least 2 classes are needed; add one, or "
                "set data.labels.kind=none"
            )
        label_indices = {file.name: index for index, label in enumerate(domains) for file in classes[label]}
        training, validation = self._split(list(classes.values()))
        return OpenedData(
            LabelledPictures(self, training, label_indices, training=True),
            LabelledPictures(self, validation, label_indices, training=False),
            fingerprint_files(classes),
            tuple(problems),
            tuple(domains),
            with_alpha=count_alpha(file.path for files in classes.values() for file in files),
        )

    def _split(self, classes: Sequence[Sequence[ImageFile]]) -> tuple[list[ImageFile], list[ImageFile]]:
        """Return the pictures for training and those held out; of each class at least one is for training."""
        training, validation = split_held_out(itertools.chain(*classes), self.validation_fraction)
        for_training = set(training)
        needed = {files[0] for files in classes if for_training.isdisjoint(files)}
        return training + [f for f in validation if f in needed], [f for f in validation if f not in needed]


class LabelledPictures(Samples[Pictures]):
    """Pictures as samples; labels are indices into the domains, or 0 where there are none."""

    def __init__(
        self, config: PicturesConfig, files: Sequence[ImageFile], labels: Mapping[str, int], *, training: bool
    ) -> None:
        self.files = files
        self.labels = labels
        self.crops = CropReader(
            files, config.crop, config.picture_channels, config.cache_gib, config.background, training=training
        )

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        """Return the picture's path within the folder."""
        return self.files[index].name

    def sample(self, index: int, seed: int) -> Pictures:
        """Return a crop of the picture at `index`, drawn from `seed`, and its label."""
        return Pictures(self.crops.read(index, seed), torch.tensor(self.labels.get(self.name(index), 0)))
