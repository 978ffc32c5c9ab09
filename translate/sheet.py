"""Contact sheets: pictures in rows and columns, with titles."""

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.codecs.encoding import encode
from datasets.codecs.images import Picture, write_picture
from datasets.pixels import Pixels, convert_channels, resize, to_floats

GAP = 6  # pixels between pictures
TITLE = 26  # pixels above a column
MARGIN = 4  # pixels beside a title
VISIBLE = 64  # pixels on a side below which a picture is enlarged, to be seen on a screen; chosen by eye
MINIMUM = 180  # pixels of width for the title of a column
FONT = cv2.FONT_HERSHEY_SIMPLEX


def contact_sheet(rows: Sequence[Sequence[Pixels]], titles: Sequence[str], path: Path, height: int = 256) -> None:
    """Write rows of (H, W, C) pictures, all scaled to one height, with a title above each column."""
    columns = len(titles)
    scaled = [[_to_cell(pixels, height) for pixels in row] for row in rows]
    widths = [max(row[column].shape[1] for row in scaled) for column in range(columns)]
    sheet = np.full((TITLE + (height + GAP) * len(rows), sum(widths) + GAP * (columns - 1), 3), 255, np.uint8)
    left = 0
    for column, title in enumerate(titles):
        cv2.putText(sheet, title, (left + MARGIN, TITLE - 8), FONT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        for index, row in enumerate(scaled):
            top = TITLE + index * (height + GAP)
            sheet[top : top + height, left : left + row[column].shape[1]] = row[column]
        left += widths[column] + GAP
    write_picture(Picture(sheet), path)


def write_rows(rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]], titles: Sequence[str], path: Path) -> None:
    """Write rows of (H, W, 3) pictures of any sizes, each under its caption, with a title above each column.

    A row may be shorter than the others.
    """
    columns = max(len(pictures) for _, pictures in rows)
    widths = [
        max([MINIMUM, *(pictures[column].shape[1] for _, pictures in rows if column < len(pictures))])
        for column in range(columns)
    ]
    heights = [max(picture.shape[0] for picture in pictures) for _, pictures in rows]
    sheet = np.full(
        (TITLE + sum(2 * GAP + TITLE + h for h in heights), sum(widths) + GAP * (columns - 1), 3), 255, np.uint8
    )
    lefts = [sum(widths[:column]) + GAP * column for column in range(columns)]
    for left, title in zip(lefts, titles, strict=False):
        write_text(sheet, title, left + MARGIN, TITLE - 8)
    top = TITLE
    for (caption, pictures), height in zip(rows, heights, strict=True):
        write_text(sheet, caption, MARGIN, top + TITLE - 8)
        top += TITLE
        for left, picture in zip(lefts, pictures, strict=False):
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        top += height + 2 * GAP
    write_picture(Picture(sheet), path)


def write_text(sheet: NDArray[np.uint8], text: str, left: int, bottom: int) -> None:
    """Write a line of text into a sheet (H, W, 3), in any script where OpenCV has its font; else in ASCII."""
    if hasattr(cv2, "FontFace"):  # since 5.0
        _, drawn = cv2.putText(sheet, text, (left, bottom), (0, 0, 0), cv2.FontFace("uni"), 14)
        sheet[:] = drawn
    else:
        ascii_only = text.replace("→", "->").encode("ascii", "replace").decode()
        cv2.putText(sheet, ascii_only, (left, bottom), FONT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)


def tile_images(pictures: Sequence[Pixels], columns: int, titles: Sequence[str] = (), gap: int = 2) -> Pixels:
    """Return pictures (H, W, C) of equal size in rows of `columns`, left to right, on white.

    Pictures of fewer than 64 pixels are enlarged by a whole factor, each pixel a square.

    Args:
        pictures: In the order of the rows.
        columns: Pictures in a row.
        titles: What is written at the left of each row, if anything.
        gap: Pixels between pictures.
    """
    # Placed here, since importing torchvision for `make_grid` takes as long as importing torch, and its outer border,
    # and the two more channels that it gives gray pictures, would have to be cut off.
    factor = -(-VISIBLE // max(pictures[0].shape[:2]))
    height, width = (factor * side for side in pictures[0].shape[:2])
    left = max((cv2.getTextSize(title, FONT, 0.5, 1)[0][0] + 2 * MARGIN for title in titles), default=0)
    rows = -(-len(pictures) // columns)
    size = (rows * (height + gap) - gap, left + columns * (width + gap) - gap)
    sheet = np.full((*size, 3 if titles else pictures[0].shape[2]), 255, np.uint8)
    for index, picture in enumerate(pictures):
        y, x = index // columns * (height + gap), left + index % columns * (width + gap)
        sheet[y : y + height, x : x + width] = picture.repeat(factor, 0).repeat(factor, 1)
    for row, title in enumerate(titles):
        middle = row * (height + gap) + height // 2
        cv2.putText(sheet, title, (MARGIN, middle + 5), FONT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return sheet


def to_data_url(pixels: Pixels, format: str = "PNG") -> str:
    """Return pixels (H, W, C) as the address of a picture within a page, "data:image/png;base64,…"; also JPEG."""
    data, _ = encode(format, Picture(pixels), None)
    return f"data:image/{format.lower()};base64,{base64.b64encode(data).decode()}"


def add_caption(pixels: Pixels, captions: Sequence[str]) -> Pixels:
    """Return a picture (H, W, C), enlarged as by `tile_images`, under lines of text that are cut to its width."""
    factor = -(-VISIBLE // max(pixels.shape[:2]))
    large = pixels.repeat(factor, 0).repeat(factor, 1)
    return np.concatenate([*(_draw_line(caption, large.shape) for caption in captions), large])


def _draw_line(caption: str, shape: tuple[int, ...]) -> Pixels:
    text = caption
    while text and cv2.getTextSize(text, FONT, 0.5, 1)[0][0] > shape[1]:
        caption = caption[:-1]
        text = f"{caption}…" if caption else ""
    bar = np.full((TITLE, *shape[1:]), 255, np.uint8)
    cv2.putText(bar, text, (0, TITLE - 8), FONT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return bar


def _to_cell(pixels: Pixels, height: int) -> NDArray[np.uint8]:
    """Return a picture in 8-bit colours, scaled to a height."""
    colours = convert_channels(to_floats(pixels), 3)
    eight_bit: NDArray[np.uint8] = (colours * 255).round().astype(np.uint8)
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    return np.asarray(resize(eight_bit, width, height), np.uint8)
