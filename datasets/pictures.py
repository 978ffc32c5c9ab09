"""Pictures to learn from one by one, with or without labels: any tree of files, a folder a class, or a table."""

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Tag

from datasets.augment import CropConfig
from datasets.contract import OpenedData, Pictures, Samples, Settings, discriminate_by
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
from datasets.storage.listing import is_junk, natural_key
from datasets.storage.tables import read_table


class NoLabels(Settings):
    """Any tree of pictures; nothing is known of what they show."""

    kind: Literal["none"] = "none"

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[dict[str, str], list[str]]:
        """An empty label for every picture."""
        return {file.name: "" for file in files}, []


class FolderLabels(Settings):
    """The folders directly under the root are the classes; what lies in one, however deep, is of its class."""

    kind: Literal["folders"] = "folders"

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[dict[str, str], list[str]]:
        """The label of each picture by its name, and a sentence about what has none, or is empty."""
        labels = {file.name: Path(file.name).parts[0] for file in files if len(Path(file.name).parts) > 1}
        folders = [path for path in sorted(root.iterdir()) if path.is_dir() and not is_junk(path.name)]
        if not labels:
            there = f"nothing usable in {', '.join(path.name for path in folders)}" if folders else "no folder"
            raise DataError(
                f"{root}: expected a folder of pictures for each class, such as cats/1.jpg and dogs/1.jpg, found "
                f"{there} and {len(files)} usable pictures beside them; sort them into folders, or set "
                "data.labels.kind to csv or none"
            )
        problems = [f"{file.path}: lies in no class folder" for file in files if file.name not in labels]
        for folder in folders:
            if folder.is_symlink():
                problems.append(f"{folder}: is a link to a folder, and those are not followed")
            elif folder.name not in labels.values():
                problems.append(f"{folder}: is a class folder without a usable picture")
        return labels, problems


class TableLabels(Settings):
    """A table with a head, separated by commas, one row a picture: its path under the root, and its label."""

    kind: Literal["csv"] = "csv"
    table: str = "labels.csv"  # its path under the root
    file_column: str = "file"
    label_column: str = "label"

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[dict[str, str], list[str]]:
        """The label of each picture by its name, and sentences about rows without a picture and the reverse."""
        path = root / self.table
        names = {file.name for file in files}
        labels: dict[str, str] = {}
        unsure = set()
        problems = []
        _, rows = read_table(path, self.file_column, self.label_column)
        for name, label in ((name, row[self.label_column]) for name, row in rows if row[self.label_column]):
            if labels.setdefault(name, label) != label:
                problems.append(f"{path}: calls {name} both {labels[name]} and {label}")
                unsure.add(name)
            elif name not in names and not os.path.isfile(root / name):  # unlike Path's, whatever the name
                problems.append(f"{path}: labels {name}, and there is no such picture")
        problems += [f"{file.path}: has no label in {path.name}" for file in files if file.name not in labels]
        return {name: label for name, label in labels.items() if name in names - unsure}, problems


LabelsConfig = Annotated[
    Annotated[NoLabels, Tag("none")] | Annotated[FolderLabels, Tag("folders")] | Annotated[TableLabels, Tag("csv")],
    discriminate_by("kind", "none"),
]


class PicturesConfig(PictureDataConfig):
    """Pictures to learn to make, take apart, or tell apart."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    kind: Literal["pictures"] = "pictures"
    labels: LabelsConfig = NoLabels()
    picture_channels: Channels = 3
    crop: CropConfig = CropConfig()

    @property
    def channels(self) -> tuple[int]:
        """Of the pictures."""
        return (self.picture_channels,)

    def open(self, root: Path) -> OpenedData:
        """Find and check every picture under `root`, and its label.

        Raises:
            DataError: A picture or a label cannot be used and `skip_bad` is off, or too little is left.
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
                f"{root}: every picture is of the class {domains[0]}, and labels tell apart at least two; add another, "
                "or set data.labels.kind=none"
            )
        places = {file.name: place for place, label in enumerate(domains) for file in classes[label]}
        training, validation = self._split(list(classes.values()))
        return OpenedData(
            LabelledPictures(self, training, places, training=True),
            LabelledPictures(self, validation, places, training=False),
            fingerprint(classes),
            tuple(problems),
            tuple(domains),
        )

    def _split(self, classes: Sequence[Sequence[ImageFile]]) -> tuple[list[ImageFile], list[ImageFile]]:
        """Pictures to learn from, and pictures held out; no class is held out as a whole."""
        training, validation = split_held_out(itertools.chain(*classes), self.validation_fraction)
        learned = set(training)
        needed = {files[0] for files in classes if learned.isdisjoint(files)}
        return training + [f for f in validation if f in needed], [f for f in validation if f not in needed]


class LabelledPictures(Samples[Pictures]):
    """Pictures as samples, with the places of their labels among the domains; 0 without labels."""

    def __init__(
        self, config: PicturesConfig, files: Sequence[ImageFile], places: Mapping[str, int], *, training: bool
    ) -> None:
        self.files = files
        self.places = places
        self.squares = Squares(files, config.crop, config.picture_channels, config.cache_gib, training=training)

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        """The picture's path within the folder."""
        return self.files[index].name

    def sample(self, index: int, seed: int) -> Pictures:
        """The picture at `index`, cut and coloured by the draws of `seed`."""
        return Pictures(self.squares.cut(index, seed), torch.tensor(self.places.get(self.name(index), 0)))
