"""Pictures with labels, of one set or of two: attributes from a table, or classes from folders.

The five attributes of CelebA that are the default, and the way in which two sets are joined, are those of Choi et al.
2018 (StarGAN, arXiv:1711.09020).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Tag, model_validator

from datasets.augment import CropConfig
from datasets.contract import Attributed, LabelSet, OpenedData, Samples, Settings, discriminate_by
from datasets.errors import DataError
from datasets.picture_data import PictureDataConfig
from datasets.pictures import FolderLabels
from datasets.storage.image_files import (
    Channels,
    CropReader,
    ImageFile,
    find_usable,
    fingerprint_files,
    split_held_out,
)
from datasets.storage.listing import natural_key
from datasets.storage.tables import read_table

YES, NO = frozenset({"1", "true", "yes"}), frozenset({"0", "-1", "false", "no"})

# By a file's name, whether it has each label, in the order of the label set's names.
Labels = dict[str, tuple[bool, ...]]


class ClassFolders(Settings):
    """The folders directly under the root are the classes; all pictures in one, however deep, are of its class."""

    kind: Literal["folders"] = "folders"

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[LabelSet, Labels, list[str]]:
        """Return the classes, each picture's class, and a sentence about each picture that has none."""
        classes, problems = FolderLabels().read(root, files)
        names = tuple(sorted(set(classes.values()), key=lambda name: natural_key(Path(name))))
        labels = {file: tuple(name == label for name in names) for file, label in classes.items()}
        return LabelSet(names=names, classes=True), labels, problems


class AttributeTable(Settings):
    """A comma-separated table with a header and one row for each picture: its path, and 1, 0 or -1 per attribute."""

    kind: Literal["csv"] = "csv"
    table: str = "labels.csv"
    file_column: str = "file"
    attributes: tuple[str, ...] = ()  # columns to learn; empty: all
    groups: tuple[tuple[str, ...], ...] = ()  # of attributes that exclude each other, such as colours of hair

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[LabelSet, Labels, list[str]]:
        """Return the attributes, those of each picture, and a sentence about each missing or unclear row."""
        path = root / self.table
        columns, rows = read_table(path, self.file_column)
        label_set = _check_attributes(path, self.attributes or tuple(columns), self.groups, columns)
        found: dict[str, dict[str, str]] = {}
        contradicted: dict[str, str] = {}  # a sentence by picture
        for name, row in rows:
            values = {attribute: row[attribute] for attribute in label_set.names}
            if found.setdefault(name, values) != values:
                contradicted[name] = f"{name}: {path.name} has two rows for it, and they differ"
        values_of_files = {file.name: found.get(file.name) for file in files if file.name not in contradicted}
        labels, problems = _parse_values(path, label_set, values_of_files)
        return label_set, labels, problems + [contradicted[file.name] for file in files if file.name in contradicted]


class CelebATable(Settings):
    """`list_attr_celeba.txt` as it is published; its pictures may be in any folder under the root."""

    kind: Literal["celeba"] = "celeba"
    table: str = "list_attr_celeba.txt"
    attributes: tuple[str, ...] = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
    groups: tuple[tuple[str, ...], ...] = (("Black_Hair", "Blond_Hair", "Brown_Hair"),)

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[LabelSet, Labels, list[str]]:
        """Return the attributes, those of each picture, and a sentence about each missing or unclear row."""
        path = root / self.table
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            raise DataError(f"{path}: expected CelebA's table, found nothing; set data.labels.table") from None
        except (UnicodeDecodeError, OSError) as error:
            raise DataError(f"{path}: cannot be read as a table: {error}") from None
        if len(lines) < 2 or not lines[0].strip().isdigit():
            raise DataError(
                f"{path}: expected CelebA's table: a line with a count, one with names, and one for each picture; set "
                "data.labels.kind=csv for another table"
            )
        columns = lines[1].split()
        label_set = _check_attributes(path, self.attributes, self.groups, columns)
        positions = [columns.index(attribute) + 1 for attribute in label_set.names]
        rows = {row[0]: row for row in map(str.split, lines[2:]) if row}
        values_of_files: dict[str, dict[str, str] | None] = {}
        for file in files:
            row = rows.get(Path(file.name).name)
            values = [row[position] if position < len(row) else "" for position in positions] if row else []
            values_of_files[file.name] = dict(zip(label_set.names, values, strict=True)) if row else None
        return label_set, *_parse_values(path, label_set, values_of_files)


LabelsConfig = Annotated[
    Annotated[ClassFolders, Tag("folders")]
    | Annotated[AttributeTable, Tag("csv")]
    | Annotated[CelebATable, Tag("celeba")],
    discriminate_by("kind", "folders"),
]


class SecondSet(Settings):
    """A second set of pictures, with labels of its own."""

    folder: str
    labels: LabelsConfig = ClassFolders()


class AttributesConfig(PictureDataConfig):
    """Pictures with the labels of one set, or of two sets, of which neither has the other's labels."""

    batch_type: ClassVar[type[Attributed]] = Attributed
    kind: Literal["attributes"] = "attributes"
    folder: str = "."  # of the first set, within the data's folder
    labels: LabelsConfig = ClassFolders()
    second: SecondSet | None = None  # shown as often as the first, however many pictures either has
    picture_channels: Channels = 3
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
            files, more = find_usable(root / folder, decode=self.skip_bad)
            label_set, labels, unclear = config.read(root / folder, files)
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
        self.crops = CropReader(every, config.crop, config.picture_channels, config.cache_gib, training=training)

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


def _check_attributes(
    path: Path, attributes: Sequence[str], groups: Sequence[Sequence[str]], columns: Sequence[str]
) -> LabelSet:
    """Return the wanted attributes as a label set, if a table has columns for them."""
    _refuse_unknown(path, attributes, columns, "the table's columns are")
    for group in groups:
        _refuse_unknown(path, group, attributes, "a group is of chosen attributes, which are")
    return LabelSet(names=tuple(attributes), exclusive=tuple(tuple(group) for group in groups))


def _refuse_unknown(path: Path, names: Iterable[str], known: Sequence[str], meaning: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(f"{path}: there is no {', '.join(unknown)}; {meaning} {', '.join(known) or 'none'}")


def _parse_values(
    path: Path, label_set: LabelSet, values_of_files: dict[str, dict[str, str] | None]
) -> tuple[Labels, list[str]]:
    """Return each picture's labels, and a sentence about each picture whose row is missing or unclear."""
    labels: Labels = {}
    problems: list[str] = []
    for name, row in values_of_files.items():
        if row is None:
            problems.append(f"{name}: has no row in {path.name}")
            continue
        values = {attribute: value.strip().lower() for attribute, value in row.items()}
        unclear = [f"{attribute}={row[attribute]}" for attribute, value in values.items() if value not in YES | NO]
        if unclear:
            problems.append(f"{name}: {path.name} has {', '.join(unclear)}, and 1 or 0 was expected")
        else:
            labels[name] = tuple(values[attribute] in YES for attribute in label_set.names)
    return labels, problems
