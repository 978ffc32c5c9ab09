"""Tables of labels: comma-separated values with a header, one row for each picture."""

import csv
from pathlib import Path, PurePosixPath

from datasets.errors import DataError

Rows = list[tuple[str, dict[str, str]]]
"""For each row the picture's path within the folder, and the other values by column."""


def read_table(path: Path, file_column: str, *needed: str) -> tuple[list[str], Rows]:
    """Return the columns other than `file_column`, and all rows that name a picture.

    A value that a short row lacks is an empty string. `needed`: columns that have to be there.

    Raises:
        DataError: The table is missing, is not text, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, restval="")
            columns = list(table.fieldnames or [])
            if not {file_column, *needed} <= set(columns):
                raise DataError(
                    f"{path}: expected the column{'s' if needed else ''} {' and '.join((file_column, *needed))}, "
                    f"separated by commas, found {', '.join(columns) or 'nothing'}; name yours with "
                    "data.labels.file_column" + (" and data.labels.label_column" if needed else "")
                )
            columns.remove(file_column)
            named = ((row[file_column].strip(), row) for row in table)
            rows = [
                (PurePosixPath(name).as_posix(), {column: row[column].strip() for column in columns})
                for name, row in named
                if name
            ]
    except FileNotFoundError:
        raise DataError(f"{path}: expected a table of labels, found nothing; set data.labels.table") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a table of labels in UTF-8, and cannot read it: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    return columns, rows
