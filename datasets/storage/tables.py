"""Tables of labels: a header, and one row for each picture.

Spreadsheets, scripts and other machines write them in many ways: with commas, semicolons or tabs, in UTF-8, UTF-16 or a
Windows code page, with an index column, blanks around the values, and paths that start somewhere else.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from datasets.contract import find_name, normalize_name
from datasets.errors import DataError
from datasets.storage.names import fold_name

DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # which Excel writes above the header, and reads
NO_NAME = re.compile(r"|Unnamed: \d+")  # of a column: an index that pandas wrote, or wrote again

Rows = list[tuple[str, dict[str, str]]]
"""For each row the picture's path within the folder, and the other values by column."""


def read_table(path: Path, file_column: str, *needed: str) -> tuple[list[str], Rows]:
    """Return the columns other than `file_column`, and all rows that name a picture.

    Columns without a name are left out, and a value that a short row lacks is an empty string. Upper and lower case of
    columns count only where the table has both; `needed` columns, which have to be there, are called as they are here.

    Raises:
        DataError: The table is missing, is not text, lacks a column or has it twice, or a row has too many values.
    """
    lines, delimiter = _find_delimiter(read_text(path, "a table of labels"), (file_column, *needed))
    reader = _read_csv(lines, delimiter)
    try:
        numbered = [(reader.line_num, cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise DataError(f"{path}: expected a table of labels, and cannot read it: {error}") from None
    header = [_clean(cell) for cell in numbered[0][1]] if numbered else []
    columns = _name_columns(path, header, file_column, needed)
    rows: Rows = []
    for number, cells in numbered[1:]:
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise DataError(
                f"{path}: line {number} has {len(cells)} values, and there are {len(columns)} columns; put a value "
                "that contains the separator into quotation marks"
            )
        values = dict(zip(columns, [*map(str.strip, cells), *[""] * len(columns)], strict=False))
        if values[file_column]:
            name = PurePosixPath(values.pop(file_column)).as_posix()
            rows.append((name, {column: values[column] for column in values if not NO_NAME.fullmatch(column)}))
    return [name for name in columns if name != file_column and not NO_NAME.fullmatch(name)], rows


def read_text(path: Path, expected: str) -> str:
    """Return the text of a file that a person or a spreadsheet wrote: in UTF-8, UTF-16 or Windows' cp1252.

    Raises:
        DataError: The file is missing or is not text; `expected` says what it should be.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: expected {expected}, found nothing; set data.labels.table") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if data.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
        raise DataError(f"{path}: expected {expected} as text, found a spreadsheet's own format; save it as CSV")
    text = decode_text(data)
    if text is None:
        raise DataError(f"{path}: expected {expected}, found something else than text; save it as CSV in UTF-8")
    return text


def decode_text(data: bytes) -> str | None:
    """Return text in UTF-8, UTF-16 or Windows' cp1252, without a byte order mark; None if it is something else."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif data[:2].count(0) == 1:
        encodings = ["utf-16-le" if data[1:2] == b"\0" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.removeprefix("\ufeff")
    return None


def find_column(name: str, columns: Sequence[str]) -> int | None:
    """Return the index of a column: that of this name, or the only one that differs from it in case alone."""
    index = find_name(name, columns)
    if index is not None:
        return index
    alike = [position for position, column in enumerate(columns) if fold_name(column) == fold_name(name)]
    return alike[0] if len(alike) == 1 else None


def match_files(path: Path, rows: Rows, names: Sequence[str]) -> Rows:
    """Return the rows of a table with the names that their pictures have in the folder, as far as they are there.

    A row may spell a path with backslashes, in other Unicode or in other case, or leave out the suffix, which Windows
    hides. If no row names a picture so, their paths may start in another folder, such as that of another machine, which
    is the same for all. A file's name alone is enough where it is unique.

    Raises:
        DataError: There are rows and pictures, and no row names a picture.
    """
    files = _Files(names)
    found = [files.find(name) for name, _ in rows]
    if not any(found):
        found = files.find_moved([_slash(name) for name, _ in rows])
    found = [file or files.find_bare(_slash(name)) for file, (name, _) in zip(found, rows, strict=True)]
    if rows and names and not any(found):
        raise DataError(
            f"{path}: no row names a picture that is there: the first row names {rows[0][0]}, and the first picture is "
            f"{names[0]}; correct the paths, which start in the folder of the table"
        )
    return [(file or _slash(name), values) for file, (name, values) in zip(found, rows, strict=True)]


class _Files:
    """The pictures of a folder, to be found by what tables call them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.exact = {normalize_name(name): name for name in names}
        self.folded = _keep_unique((fold_name(name), name) for name in names)
        self.stems = _keep_unique((fold_name(str(PurePosixPath(name).with_suffix(""))), name) for name in names)
        self.by_file_name: dict[str, list[str]] = {}
        for name in names:
            self.by_file_name.setdefault(fold_name(PurePosixPath(name).name), []).append(name)

    def find(self, name: str) -> str | None:
        """Return the picture that a row names by its path; None if it is not there, or not the only one."""
        for spelled in (name, _slash(name)):
            folded = fold_name(spelled)
            found = self.exact.get(normalize_name(spelled)) or self.folded.get(folded) or self.stems.get(folded)
            if found is not None:
                return found
        return None

    def find_bare(self, name: str) -> str | None:
        """Return the only picture of a file's name, wherever it is; None if there is none, or several."""
        files = self.by_file_name.get(fold_name(name), [])
        return files[0] if len(files) == 1 else None

    def find_moved(self, names: Sequence[str]) -> list[str | None]:
        """Return the pictures of rows, if their paths become right by one change of where all of them start."""
        candidates = [self._find_most_alike(name) for name in names]
        starts = Counter((before, after) for before, after, file in candidates if file is not None).most_common(2)
        if not starts or (starts[1:] and starts[0][1] == starts[1][1]):
            return [None] * len(names)
        return [file if (before, after) == starts[0][0] else None for before, after, file in candidates]

    def _find_most_alike(self, name: str) -> tuple[str, str, str | None]:
        """Return where a row's path and that of the only picture that ends most like it start, and the picture."""
        files = self.by_file_name.get(fold_name(PurePosixPath(name).name), [])
        common = [_count_common_end(PurePosixPath(name).parts, PurePosixPath(file).parts) for file in files]
        if not files or common.count(max(common)) > 1:
            return "", "", None
        file = files[common.index(max(common))]
        before, after = (PurePosixPath(path).parents[max(common) - 1].as_posix() for path in (name, file))
        return before, after, file


def _count_common_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if fold_name(a) != fold_name(b):
            break
        count += 1
    return count


def _keep_unique(items: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    """Return values by key, None where a key has several."""
    found: dict[str, str | None] = {}
    for key, value in items:
        found[key] = None if key in found else value
    return found


def _slash(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).as_posix()


def _name_columns(path: Path, header: Sequence[str], file_column: str, needed: Sequence[str]) -> list[str]:
    """Return the names of the columns, those that have to be there as they are called by the caller."""
    columns = [*header]
    wanted = (file_column, *needed)
    for name in wanted:
        position = find_column(name, header)
        if position is None:
            shown = ", ".join(column for column in header if column) or "nothing"
            raise DataError(
                f"{path}: expected the column{'s' if needed else ''} {' and '.join(wanted)}, separated by commas, "
                f"semicolons or tabs, found {shown}; name yours with data.labels.file_column"
                + (" and data.labels.label_column" if needed else "")
            )
        columns[position] = name
    for name, count in Counter(columns).items():
        if count > 1 and not NO_NAME.fullmatch(name):
            raise DataError(f"{path}: has {count} columns {name}; remove or rename all but one")
    return columns


def _find_delimiter(text: str, wanted: Sequence[str]) -> tuple[list[str], str]:
    """Return the lines without one that only names what separates columns, and what does."""
    lines = list(io.StringIO(text, newline=""))
    start = next((index for index, line in enumerate(lines) if line.strip()), 0)
    named = SEPARATOR_LINE.fullmatch(lines[start]) if lines else None
    if named is not None:
        return [*lines[:start], "\n", *lines[start + 1 :]], named[1]

    def count_columns(delimiter: str) -> tuple[int, int]:
        columns = [_clean(cell) for cell in next(_read_csv(lines[start : start + 1], delimiter), [])]
        return sum(find_column(name, columns) is not None for name in wanted), len(columns)

    return lines, max(DELIMITERS, key=count_columns)


def _read_csv(lines: Iterable[str], delimiter: str) -> Any:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _clean(cell: str) -> str:
    return normalize_name(cell.strip().strip("\ufeff").strip())
