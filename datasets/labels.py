"""Labels of pictures, for `datasets.attributes`: class folders, tables of attributes, and CelebA's list."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from datasets.contract import LabelSet, Settings
from datasets.errors import DataError, suggest
from datasets.pictures import FolderLabels
from datasets.storage.image_files import ImageFile
from datasets.storage.listing import find_entry
from datasets.storage.names import fold_name, natural_key
from datasets.storage.tables import Rows, find_column, match_files, read_table, read_text

YES, NO = frozenset({"true", "yes", "t", "y"}), frozenset({"false", "no", "f", "n"})  # beside 1, and 0 or -1

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
    """A table with a header and one row for each picture: its path, and 1, 0 or -1 per attribute."""

    kind: Literal["csv"] = "csv"
    table: str = Field(default="labels.csv", description="path of the table within the set's folder")
    file_column: str = Field(default="file", description="column of the pictures' paths")
    attributes: tuple[str, ...] = Field(default=(), description="columns to learn; empty: all")
    groups: tuple[tuple[str, ...], ...] = Field(
        default=(), description="of attributes that exclude each other, such as colours of hair"
    )

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[LabelSet, Labels, list[str]]:
        """Return the attributes, those of each picture, and a sentence about each missing or unclear row."""
        path = find_entry(root, self.table)
        columns, rows = read_table(path, self.file_column)
        return _learn_columns(path, self.attributes or tuple(columns), self.groups, columns, rows, files)


class CelebATable(Settings):
    """CelebA's list of attributes; its pictures may be in any folder under the root, and may be PNG.

    It is read as it is published, `list_attr_celeba.txt`, and as it is also redistributed: with commas in
    `list_attr_celeba.csv`, which is looked for where the other is not there.
    """

    kind: Literal["celeba"] = "celeba"
    table: str = Field(default="list_attr_celeba.txt", description="path of CelebA's list within the set's folder")
    attributes: tuple[str, ...] = Field(
        default=("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young"),
        description="to learn, of the forty in the list",
    )
    groups: tuple[tuple[str, ...], ...] = Field(
        default=(("Black_Hair", "Blond_Hair", "Brown_Hair"),), description="of attributes that exclude each other"
    )

    def read(self, root: Path, files: Sequence[ImageFile]) -> tuple[LabelSet, Labels, list[str]]:
        """Return the attributes, those of each picture, and a sentence about each missing or unclear row."""
        path = find_entry(root, self.table)
        redistributed = path.with_suffix(".csv")
        path = redistributed if redistributed.is_file() and not path.exists() else path
        columns, rows = _parse_celeba(path)
        stems = {_stem(name): values for name, values in rows}
        of_files = [(file.name, stems[_stem(file.name)]) for file in files if _stem(file.name) in stems]
        return _learn_columns(path, self.attributes, self.groups, columns, of_files or rows, files)


def _parse_celeba(path: Path) -> tuple[list[str], Rows]:
    """Return the columns of CelebA's list, and its rows, from either of its layouts."""
    lines = [line for line in read_text(path, "CelebA's table").splitlines() if line.strip()]
    has_count = bool(lines) and lines[0].strip().isdecimal()
    header = lines[has_count] if len(lines) > 1 + has_count else ""
    if not has_count and (names := re.split(r"[,;\t]", header))[1:]:
        return read_table(path, next((name for name in map(_clean, names) if name), ""))
    columns = header.split()
    rows = [(cells[0], cells[1:]) for cells in map(str.split, lines[1 + has_count :])]
    if not rows or len(rows[0][1]) not in (len(columns), len(columns) - 1):
        raise DataError(
            f"{path}: expected CelebA's table: a line with a count, one with names, and one for each picture; set "
            "data.labels.kind=csv for another table"
        )
    columns = columns[len(columns) - len(rows[0][1]) :]  # some copies name the column of files, too
    padded = [(name, [*values, *[""] * len(columns)][: len(columns)]) for name, values in rows]
    return columns, [(name, dict(zip(columns, values, strict=True))) for name, values in padded]


def _learn_columns(
    path: Path,
    attributes: tuple[str, ...],
    groups: tuple[tuple[str, ...], ...],
    columns: Sequence[str],
    rows: Rows,
    files: Sequence[ImageFile],
) -> tuple[LabelSet, Labels, list[str]]:
    """Return the chosen columns of a table as labels of pictures, and a sentence about each that has none."""
    _refuse_unknown(path, attributes, columns, "the table's columns are")
    for group in groups:
        _refuse_unknown(path, group, attributes, "a group is of chosen attributes, which are")
    chosen = {name: columns[find_column(name, columns) or 0] for name in attributes}
    found: dict[str, dict[str, str]] = {}
    contradicted: set[str] = set()
    for name, row in match_files(path, rows, [file.name for file in files]):
        values = {attribute: row[column] for attribute, column in chosen.items()}
        if found.setdefault(name, values) != values:
            contradicted.add(name)
    labels: Labels = {}
    problems: list[str] = []
    for name in (file.name for file in files):
        if name not in found:
            problems.append(f"{name}: has no row in {path.name}")
        elif name in contradicted:
            problems.append(f"{name}: {path.name} has two rows for it, and they differ")
        elif (unclear := _describe_unclear(found[name])) is not None:
            problems.append(
                f"{name}: {path.name} has {unclear}, and 1 or 0 was expected; choose the columns to learn with "
                "data.labels.attributes"
            )
        else:
            labels[name] = tuple(bool(_parse_value(value)) for value in found[name].values())
    exclusive = tuple(tuple(attributes[find_column(name, attributes) or 0] for name in group) for group in groups)
    return LabelSet(names=attributes, exclusive=exclusive), labels, problems


def _refuse_unknown(path: Path, names: Iterable[str], known: Sequence[str], meaning: str) -> None:
    unknown = [name for name in names if find_column(name, known) is None]
    if unknown:
        near = suggest(unknown[0], known)
        hint = f"; {near}" if near.endswith("?") else ""
        raise DataError(f"{path}: there is no {', '.join(unknown)}; {meaning} {', '.join(known) or 'none'}{hint}")


def _describe_unclear(values: Mapping[str, str]) -> str | None:
    unclear = [f"{attribute}={value}" for attribute, value in values.items() if _parse_value(value) is None]
    return ", ".join(unclear) or None


def _parse_value(text: str) -> bool | None:
    """Return what a value says, which may have a point or a comma as the decimal sign; None if that is unclear."""
    word = text.strip().casefold()
    if word in YES | NO:
        return word in YES
    try:
        number = float(word.replace(",", "."))
    except ValueError:
        return None
    return number == 1 if number in (1, 0, -1) else None


def _clean(name: str) -> str:
    return name.strip().strip('"')


def _stem(name: str) -> str:
    return fold_name(PurePosixPath(name).stem)
