"""Points of the plane to learn a distribution from, such as the mixtures that `datasets.mixtures` draws.

A point is a picture of two channels, x and y, and a single pixel: whatever learns from pictures learns from points.
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
from datasets.storage.memory import InMemory, split_rows

TABLE = "points.csv"
HEAD = "x,y"
LARGEST = 1e18  # coordinate; the squares of larger ones leave float32


class PointsConfig(DataConfig):
    """A folder with the table points.csv: under a head of x,y one row a point."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    kind: Literal["points"] = "points"

    @property
    def channels(self) -> tuple[int]:
        """x and y."""
        return (2,)

    @property
    def training_size(self) -> int:
        """A single pixel."""
        return 1

    def open(self, root: Path) -> OpenedData:
        """Read the table under `root`.

        Raises:
            DataError: It is missing, or holds something else than points.
        """
        points = read_points(root / TABLE)
        parts = split_rows(len(points), self.validation_fraction)
        training, validation = (
            InMemory(
                torch.from_numpy(points[rows])[:, :, None, None],
                torch.zeros(len(rows), dtype=torch.int64),
                [f"row {row + 2}" for row in rows],  # as a spreadsheet counts
            )
            for rows in parts
        )
        return OpenedData(training, validation, hashlib.sha256(points.tobytes()).hexdigest()[:16], ())


def read_points(path: Path) -> NDArray[np.float32]:
    """The points of a table, (N, 2).

    Raises:
        DataError: It is missing, or holds something else than points.
    """
    points = []
    try:
        with path.open(encoding="utf-8-sig") as file:
            head = file.readline().strip()
            if head.replace(" ", "") != HEAD:
                raise DataError(f"{path}: expected {HEAD} in the first line, found {head[:40] or 'nothing'}")
            points = [_point(path, number, line) for number, line in enumerate(file, 2) if line.strip()]
    except FileNotFoundError:
        raise DataError(
            f"{path}: expected a table of points, found nothing; draw one with translate data mixture"
        ) from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: expected a table of points, found something else than text") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if not points:
        raise DataError(f"{path}: holds no points below its head")
    return np.array(points, np.float32)


def write_points(points: NDArray[np.float32], path: Path) -> None:
    """Write (N, 2) points as a table that gives back the same numbers."""
    with replace_file(path) as partial:
        np.savetxt(partial, points, fmt="%.9g", delimiter=",", header=HEAD, comments="")


def _point(path: Path, number: int, line: str) -> tuple[float, float]:
    try:
        x, y = map(float, line.split(","))
    except ValueError:
        x = y = math.nan
    if not (abs(x) < LARGEST and abs(y) < LARGEST):
        raise DataError(f"{path}: line {number}: expected two numbers, found {line.strip()[:40]}")
    return x, y
