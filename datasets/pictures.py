"""Pictures to learn from one by one, with or without labels: a tree of files, class folders, or a table."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, Tag

from datasets.augment import CropConfig
from datasets.contract import Opened, Pictures, Settings, chosen_by
from datasets.errors import DataError
from datasets.folder import natural
from datasets.paired import Channels, held_out, listed
from datasets.pile import File, Squares, fingerprint, usable


class NoLabels(Settings):
    """Any tree of pictures; nothing is known of what they show."""

    kind: Literal["none"] = "none"

    def read(self, root: Path, files: Sequence[File]) -> tuple[dict[str, str], list[str]]:
        """No label for any picture."""
        return {}, []


class FolderLabels(Settings):
    """The folders directly under the root are the classes; what lies in them, however deep, is of that class."""

    kind: Literal["folders"] = "folders"

    def read(self, root: Path, files: Sequence[File]) -> tuple[dict[str, str], list[str]]:
        """Each picture's folder, and a sentence about each picture that lies in none."""
        labels = {file.name: Path(file.name).parts[0] for file in files if len(Path(file.name).parts) > 1}
        if not labels:
            there = [f"{len(files)} pictures beside each other" if files else "no pictures"]
            raise DataError(
                f"{root}: expected a folder of pictures for each class, as in {root.name}/cats and {root.name}/dogs, "
                f"found {there[0]}; sort them into folders, or set data.labels.kind=csv"
            )
        empty = sorted(
            path.name
            for path in root.iterdir()
            if path.is_dir() and not path.name.startswith(".") and path.name not in labels.values()
        )
        problems = [f"{root / name}: a class folder without a usable picture" for name in empty]
        return labels, problems + [f"{file.path}: lies in no class folder" for file in files if file.name not in labels]


class TableLabels(Settings):
    """A table with a header, one row a picture: its path under the root, and its label."""

    kind: Literal["csv"] = "csv"
    table: str = "labels.csv"
    file_column: str = "file"
    label_column: str = "label"

    def read(self, root: Path, files: Sequence[File]) -> tuple[dict[str, str], list[str]]:
        """Each picture's label, and a sentence about each label without a picture and picture without a label."""
        path = root / self.table
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = csv.DictReader(file)
                columns = list(rows.fieldnames or [])
                for column in (self.file_column, self.label_column):
                    if column not in columns:
                        raise DataError(
                            f"{path}: expected the columns {self.file_column} and {self.label_column}, found "
                            f"{', '.join(columns) or 'nothing'}; name yours with --set data.labels.file_column=… "
                            "--set data.labels.label_column=…"
                        )
                table = {(row[self.file_column] or "").strip(): (row[self.label_column] or "").strip() for row in rows}
        except FileNotFoundError:
            raise DataError(f"{path}: expected a table of labels, found nothing; set data.labels.table=…") from None
        except (UnicodeDecodeError, csv.Error, OSError) as error:
            raise DataError(f"{path}: cannot be read as a table: {error}") from None
        names = {file.name for file in files}
        labels = {name: label for name, label in table.items() if name in names and label}
        problems = [f"{path}: {name}: there is no such usable picture" for name in table if name not in names]
        return labels, problems + [
            f"{file.path}: has no label in {path.name}" for file in files if file.name not in labels
        ]


LabelsConfig = Annotated[
    Annotated[NoLabels, Tag("none")] | Annotated[FolderLabels, Tag("folders")] | Annotated[TableLabels, Tag("csv")],
    chosen_by("kind", "none"),
]


class PicturesConfig(Settings):
    """Pictures to learn to make, take apart, or tell apart."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    size_key: ClassVar[str] = "data.crop.size"
    kind: Literal["pictures"] = "pictures"
    labels: LabelsConfig = NoLabels()
    picture_channels: Channels = 3
    crop: CropConfig = CropConfig()
    validation_share: float = Field(0.1, ge=0, lt=1)  # of the pictures, chosen by a hash of their names
    cache_gib: float = Field(1.0, ge=0)  # of decoded pictures that are kept in memory
    # Leave out pictures that cannot be used, instead of refusing the folder; each is then decoded once to see.
    skip_bad: bool = False

    @property
    def channels(self) -> tuple[int]:
        """Of the pictures."""
        return (self.picture_channels,)

    @property
    def size(self) -> int:
        """Pixels on a side of the squares that are learned from."""
        return self.crop.size

    @property
    def scaled_to(self) -> int | None:
        """The shorter side to which pictures are scaled; None: they keep theirs."""
        return self.crop.scaled_to

    def open(self, root: Path) -> Opened:
        """Find and check every picture under `root`, and its label.

        Raises:
            DataError: A picture or a label cannot be used and `skip_bad` is off, or too little is left.
        """
        files, problems = usable(root, decode=self.skip_bad)
        labels, more = self.labels.read(root, files)
        problems += more
        if problems and not self.skip_bad:
            raise DataError(listed(root, problems))
        labelled = not isinstance(self.labels, NoLabels)
        files = [file for file in files if file.name in labels] if labelled else files
        domains = tuple(sorted(set(labels.values()), key=lambda label: natural(Path(label))))
        if not files:
            raise DataError(f"{root}: found no {'usable ' if problems else ''}picture to learn from")
        if labelled and len(domains) < 2:
            raise DataError(f"{root}: every picture is of the class {domains[0]}; labels tell apart at least two")
        indices = {name: domains.index(label) for name, label in labels.items()}
        training, validation = held_out(files, self.validation_share)
        return Opened(
            Labelled(self, training, indices, training=True),
            Labelled(self, validation, indices, training=False),
            fingerprint(
                [[file for file in files if indices.get(file.name, 0) == at] for at in range(len(domains) or 1)]
            ),
            tuple(problems),
            domains,
        )


class Labelled:
    """Pictures as samples, with the indices of their labels, or 0 without."""

    def __init__(
        self, config: PicturesConfig, files: Sequence[File], indices: dict[str, int], *, training: bool
    ) -> None:
        self.files = files
        self.indices = indices
        self.squares = Squares(files, config.crop, config.picture_channels, config.cache_gib, training=training)

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        """The picture's path within the folder."""
        return self.files[index].name

    def sample(self, index: int, seed: int) -> Pictures:
        """The picture at `index`, cut by the draws of `seed`."""
        label = self.indices.get(self.files[index].name, 0)
        return Pictures(self.squares.cut(index, seed), torch.tensor(label))
