"""Pictures with labels: attributes from a table, or the class that their folder says; two such sets at once, too.

The five attributes of CelebA that are chosen by default, and the way two sets are joined, are those of StarGAN
(arXiv:1711.09020).
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
    ImageFile,
    Squares,
    find_usable,
    fingerprint,
    split_held_out,
)
from datasets.storage.listing import natural_key
from datasets.storage.tables import read_table

YES, NO = frozenset({"1", "true", "yes"}), frozenset({"0", "-1", "false", "no"})

# For each file's name whether it has each attribute, in the order of the label set's names.
Labels = dict[str, tuple[bool, ...]]


class ClassFolders(Settings):
    """The folders directly under the root are the classes; what lies in them, however deep, is of that class."""

    kind: Literal["folders"] = "folders"

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[LabelSet, Labels, list[str]]:
        """Each picture's class, and a sentence about each picture that has none."""
        classes, problems = FolderLabels().read(root, files)
        names = tuple(sorted(set(classes.values()), key=lambda name: natural_key(Path(name))))
        labels = {file: tuple(name == label for name in names) for file, label in classes.items()}
        return LabelSet(names=names, classes=True), labels, problems


class AttributeTable(Settings):
    """A table with a header, one row a picture: its path under the root, and 1 or 0 (or -1) for each attribute."""

    kind: Literal["csv"] = "csv"
    table: str = "labels.csv"
    file_column: str = "file"
    attributes: tuple[str, ...] = ()  # columns to learn; none: all
    groups: tuple[tuple[str, ...], ...] = ()  # of attributes that exclude each other, such as colours of hair

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[LabelSet, Labels, list[str]]:
        """Each picture's attributes, and a sentence about each picture whose row is missing or unclear."""
        path = root / self.table
        columns, rows = read_table(path, self.file_column)
        chosen = _label_set(path, self.attributes or tuple(columns), self.groups, columns)
        found: dict[str, dict[str, str]] = {}
        contradicted: dict[str, str] = {}  # pictures with a sentence about each
        for name, row in rows:
            values = {attribute: row[attribute] for attribute in chosen.names}
            if found.setdefault(name, values) != values:
                contradicted[name] = f"{name}: {path.name} has two rows for it, and they differ"
        asked = {file.name: found.get(file.name) for file in files if file.name not in contradicted}
        labels, problems = _told(path, chosen, asked)
        return chosen, labels, problems + [contradicted[file.name] for file in files if file.name in contradicted]


class CelebATable(Settings):
    """`list_attr_celeba.txt` as it is published; its pictures may lie in any folder under the root."""

    kind: Literal["celeba"] = "celeba"
    table: str = "list_attr_celeba.txt"
    attributes: tuple[str, ...] = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
    groups: tuple[tuple[str, ...], ...] = (("Black_Hair", "Blond_Hair", "Brown_Hair"),)

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[LabelSet, Labels, list[str]]:
        """Each picture's attributes, and a sentence about each picture whose row is missing or unclear."""
        path = root / self.table
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            raise DataError(f"{path}: expected CelebA's table, found nothing; set data.labels.table=…") from None
        except (UnicodeDecodeError, OSError) as error:
            raise DataError(f"{path}: cannot be read as a table: {error}") from None
        if len(lines) < 2 or not lines[0].strip().isdigit():
            raise DataError(f"{path}: expected a line with a count, one with names, and one a picture; use kind: csv?")
        columns = lines[1].split()
        chosen = _label_set(path, self.attributes, self.groups, columns)
        places = [columns.index(attribute) + 1 for attribute in chosen.names]
        rows = {row[0]: row for row in map(str.split, lines[2:]) if row}
        given: dict[str, dict[str, str] | None] = {}
        for file in files:
            row = rows.get(Path(file.name).name)
            values = [row[place] if place < len(row) else "" for place in places] if row else []
            given[file.name] = dict(zip(chosen.names, values, strict=True)) if row else None
        return chosen, *_told(path, chosen, given)


LabelsConfig = Annotated[
    Annotated[ClassFolders, Tag("folders")]
    | Annotated[AttributeTable, Tag("csv")]
    | Annotated[CelebATable, Tag("celeba")],
    discriminate_by("kind", "folders"),
]


class SecondSet(Settings):
    """Another set of pictures, labelled in another way."""

    folder: str
    labels: LabelsConfig = ClassFolders()


class AttributesConfig(PictureDataConfig):
    """Pictures with the labels of one set, or of two that know nothing of each other's labels."""

    batch_type: ClassVar[type[Attributed]] = Attributed
    kind: Literal["attributes"] = "attributes"
    folder: str = "."  # of the first set, within the data's
    labels: LabelsConfig = ClassFolders()
    second: SecondSet | None = None  # learned from as often as the first, however many pictures either has
    picture_channels: Channels = 3
    crop: CropConfig = CropConfig(load=128, size=128)

    @model_validator(mode="after")
    def _two_folders(self) -> Self:
        if self.second is not None and Path(self.second.folder) == Path(self.folder):
            raise ValueError(f"folder and second.folder are both {self.folder}: two sets lie in folders of their own")
        return self

    @property
    def channels(self) -> tuple[int]:
        """Of the pictures."""
        return (self.picture_channels,)

    def open(self, root: Path) -> OpenedData:
        """Find and check every picture and its labels.

        Raises:
            DataError: A picture or its labels cannot be used and `skip_bad` is off, or a label cannot be learned.
        """
        parts: list[_Part] = []
        problems: list[str] = []
        both = [(self.folder, self.labels)] + ([(self.second.folder, self.second.labels)] if self.second else [])
        for folder, config in both:
            files, more = find_usable(root / folder, decode=self.skip_bad)
            labels, held, unclear = config.read(root / folder, files)
            problems += more + unclear
            parts.append(_Part(labels, [file for file in files if file.name in held], held))
        self.check_problems(root, problems)
        for part, (folder, _) in zip(parts, both, strict=True):
            part.refuse_what_cannot_be_learned(root / folder)
        names = [name for part in parts for name in part.labels.names]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"{root}: both sets have a label {twice}; give it another name in one of them")
        splits = [part.split(self.validation_fraction) for part in parts]
        return OpenedData(
            AttributedPictures(self, parts, [learned for learned, _ in splits], training=True),
            AttributedPictures(self, parts, [held for _, held in splits], training=False),
            fingerprint(
                {
                    name: [file for file in part.files if part.held[file.name][at]]
                    for part in parts
                    for at, name in enumerate(part.labels.names)
                }
            ),
            tuple(problems),
            tuple(names),
            tuple(part.labels for part in parts),
        )


@dataclass(frozen=True)
class _Part:
    """The usable pictures of one set, and their labels."""

    labels: LabelSet
    files: list[ImageFile]
    held: Labels

    def refuse_what_cannot_be_learned(self, folder: Path) -> None:
        """Check that each label tells some pictures from some others."""
        for at, name in enumerate(self.labels.names):
            having = sum(self.held[file.name][at] for file in self.files)
            if having < 2:
                found = "a single picture is" if having else "no picture is"
                raise DataError(f"{folder}: {found} {name}; a domain is learned from many, and at least 2 are needed")
            if having == len(self.files):
                raise DataError(f"{folder}: every picture is {name}, so nothing tells what that means; leave it out")

    def split(self, share: float) -> tuple[list[ImageFile], list[ImageFile]]:
        """Pictures to learn from, and pictures held out: of classes a share of each, so that none is held out whole."""
        if not self.labels.classes:
            return split_held_out(self.files, share)
        classes = [[file for file in self.files if self.held[file.name][at]] for at in range(len(self.labels.names))]
        halves = [split_held_out(files, share) for files in classes]
        return [file for learned, _ in halves for file in learned], [file for _, held in halves for file in held]


class AttributedPictures(Samples[Attributed]):
    """Pictures of one set or two as samples, with the labels of their own set and zeros for the other's."""

    def __init__(
        self, config: AttributesConfig, parts: Sequence[_Part], files: Sequence[Sequence[ImageFile]], *, training: bool
    ) -> None:
        self.parts = parts
        self.files = files
        self.training = training
        every = [file for part in files for file in part]
        self.squares = Squares(every, config.crop, config.picture_channels, config.cache_gib, training=training)

    def __len__(self) -> int:
        counts = [len(part) for part in self.files]
        # In turns, so that both count alike: in training all are seen, and held-out ones are not seen twice.
        return len(counts) * (max(counts) if self.training and min(counts) else min(counts))

    def name(self, index: int) -> str:
        """The picture's path within its set's folder."""
        source, place = self._place(index)
        return self.files[source][place].name

    def sample(self, index: int, seed: int) -> Attributed:
        """The picture at `index`, cut by the draws of `seed`."""
        source, place = self._place(index)
        label = [
            float(value)
            for number, part in enumerate(self.parts)
            for value in (
                part.held[self.files[source][place].name] if number == source else (False,) * len(part.labels.names)
            )
        ]
        before = sum(len(part) for part in self.files[:source])
        return Attributed(self.squares.cut(before + place, seed), torch.tensor(label), torch.tensor(source))

    def _place(self, index: int) -> tuple[int, int]:
        place, source = divmod(index, len(self.files))
        return source, place % len(self.files[source])


def _label_set(
    path: Path, attributes: Sequence[str], groups: Sequence[Sequence[str]], columns: Sequence[str]
) -> LabelSet:
    """The chosen attributes, checked against a table's columns."""
    _refuse_unknown(path, attributes, columns, "the table's columns are")
    for group in groups:
        _refuse_unknown(path, group, attributes, "a group is of chosen attributes, which are")
    return LabelSet(names=tuple(attributes), exclusive=tuple(tuple(group) for group in groups))


def _refuse_unknown(path: Path, names: Iterable[str], known: Sequence[str], told: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(f"{path}: there is no {', '.join(unknown)}; {told} {', '.join(known) or 'none'}")


def _told(path: Path, chosen: LabelSet, given: dict[str, dict[str, str] | None]) -> tuple[Labels, list[str]]:
    """What the values of each picture's row say, and a sentence about each picture that they say too little of."""
    labels: Labels = {}
    problems: list[str] = []
    for name, row in given.items():
        if row is None:
            problems.append(f"{name}: has no row in {path.name}")
            continue
        values = {attribute: value.strip().lower() for attribute, value in row.items()}
        unclear = [f"{attribute}={row[attribute]}" for attribute, value in values.items() if value not in YES | NO]
        if unclear:
            problems.append(f"{name}: {path.name} says {', '.join(unclear)}, and 1 or 0 was expected")
        else:
            labels[name] = tuple(values[attribute] in YES for attribute in chosen.names)
    return labels, problems
