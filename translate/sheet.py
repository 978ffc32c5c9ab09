"""Contact sheets: rows of pictures next to each other, for human eyes."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.images import Picture, write
from datasets.pixels import Pixels, as_floats, resized, with_channels

GAP = 6  # pixels between pictures
TITLE = 26  # pixels above a column


def contact_sheet(rows: Sequence[Sequence[Pixels]], titles: Sequence[str], path: Path, height: int = 256) -> None:
    """Write rows of (H, W, C) pictures, all scaled to one height, under a title a column."""
    columns = len(titles)
    scaled = [[_cell(pixels, height) for pixels in row] for row in rows]
    widths = [max(row[column].shape[1] for row in scaled) for column in range(columns)]
    sheet = np.full((TITLE + (height + GAP) * len(rows), sum(widths) + GAP * (columns - 1), 3), 255, np.uint8)
    left = 0
    for column, title in enumerate(titles):
        cv2.putText(sheet, title, (left + 4, TITLE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        for index, row in enumerate(scaled):
            top = TITLE + index * (height + GAP)
            sheet[top : top + height, left : left + row[column].shape[1]] = row[column]
        left += widths[column] + GAP
    write(Picture(sheet), path)


def _cell(pixels: Pixels, height: int) -> NDArray[np.uint8]:
    colours = with_channels(as_floats(pixels), 3)
    eight_bit: NDArray[np.uint8] = (colours * 255).round().astype(np.uint8)
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    return np.asarray(resized(eight_bit, width, height), np.uint8)
