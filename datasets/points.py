"""Points in the plane, whose distribution is to be learned, such as the mixtures in `datasets.mixtures`.

A point is a picture of a single pixel with two channels, x and y, so that models of pictures can learn from points.
"""

import hashlib
import math
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.contract import DataConfig, OpenedData, Pictures
from datasets.errors import DataError
from datasets.storage.atomic import replace_file
from datasets.storage.memory import PicturesInMemory, split_rows
from datasets.storage.tables import decode_text

TABLE = "points.csv"
HEADER = "x,y"
LARGEST = 1e18  # of coordinates; the squares of larger ones overflow float32


class PointsConfig(DataConfig):
    """A folder with the table points.csv: a header of x,y and one row for each point."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    kind: Literal["points"] = "points"

    @property
    def channels(self) -> tuple[int]:
        """Channels of the points: x and y."""
        return (2,)

    @property
    def training_size(self) -> int:
        """1: a point is a single pixel."""
        return 1

    def open(self, root: Path) -> OpenedData[Pictures]:
        """Read the table under `root`.

        Raises:
            DataError: The table is missing, or holds something else than points.
        """
        points = read_points(root / TABLE)
        splits = split_rows(len(points), self.validation_fraction)
        training, validation = (
            PicturesInMemory(
                torch.from_numpy(points[rows])[:, :, None, None],
                torch.zeros(len(rows), dtype=torch.int64),
                [f"row {row + 2}" for row in rows],  # as spreadsheets count
            )
            for rows in splits
        )
        return OpenedData(training, validation, hashlib.sha256(points.tobytes()).hexdigest()[:16], ())


def read_points(path: Path) -> NDArray[np.float32]:
    """Return the points (N, 2) of a table.

    Raises:
        DataError: The table is missing, or holds something else than points.
    """
    try:
        text = decode_text(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{path}: expected a table of points, found nothing; draw one with translate data mixture"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if text is None:
        raise DataError(f"{path}: expected a table of points, found something else than text")
    header, *lines = text.splitlines() or [""]
    delimiter = next((delimiter for delimiter in ",;\t" if delimiter in header), ",")
    names = [name.strip().strip('"').lower() for name in header.split(delimiter)]
    if sorted(name for name in names if name) != ["x", "y"]:
        raise DataError(f"{path}: expected {HEADER} in the first line, found {header.strip()[:40] or 'nothing'}")
    points = [
        _parse_point(path, number, line, delimiter, names) for number, line in enumerate(lines, 2) if line.strip()
    ]
    if not points:
        raise DataError(f"{path}: holds no points below its header")
    return np.array(points, np.float32)


def write_points(points: NDArray[np.float32], path: Path) -> None:
    """Write points (N, 2) as a table from which `read_points` returns the same numbers."""
    with replace_file(path) as partial:
        np.savetxt(partial, points, fmt="%.9g", delimiter=",", header=HEADER, comments="")


def _parse_point(path: Path, number: int, line: str, delimiter: str, names: list[str]) -> tuple[float, float]:
    """Return x and y; beside another delimiter, a comma is the decimal sign."""
    try:
        values = dict(zip(names, line.split(delimiter), strict=True))
        x, y = (float(values[name].strip('" ').replace(",", ".")) for name in ("x", "y"))
    except ValueError:
        x = y = math.nan
    if not (abs(x) < LARGEST and abs(y) < LARGEST):
        raise DataError(f"{path}: line {number}: expected two numbers, found {line.strip()[:40]}")
    return x, y
