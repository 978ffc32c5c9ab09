"""Files of several pictures: animated GIF, WebP and PNG, and TIFF of several pages; read, and written as they were.

Every frame is the whole canvas as a viewer shows it, so that a model may change any pixel of it: what the file said of
parts that are left over from earlier frames is applied while it is read.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datasets.codecs import decoding, tiff
from datasets.codecs.animation import ENCODERS, Timing
from datasets.codecs.blocks.gif import measure_gif_canvas
from datasets.codecs.fitting import fit_to_format
from datasets.codecs.images import PIXEL_LIMIT, choose_format, on_file, turn_upright
from datasets.codecs.kinds import identify
from datasets.codecs.metadata import find_webp_chunks
from datasets.codecs.origin import Origin, PictureError, read_origin
from datasets.codecs.picture import Picture, SaveOptions
from datasets.codecs.vp8 import estimate_webp_quality
from datasets.storage.atomic import replace_file

ANIMATED = frozenset({"GIF", "PNG", "WEBP"})  # beside TIFF, the formats that hold several pictures


@dataclass(frozen=True)
class Frames:
    """The pictures of one file, in order.

    Attributes:
        pictures: Each frame as it is seen, or each page; the first has the file's origin.
        timing: How an animation runs; None: pages.
    """

    pictures: tuple[Picture, ...]
    timing: Timing | None


def count_frames(path: Path) -> int:
    """Return how many pictures a file holds: 1 for every format that holds no more.

    Raises:
        PictureError: The file cannot be read.
    """
    with on_file(path), path.open("rb") as stream:
        format = identify(stream).name
        if format == "TIFF":
            return tiff.count_pages(stream)
        if format not in ANIMATED:
            return 1
        with decoding.open_repaired(stream) as image, decoding.report_damage(format):
            return int(getattr(image, "n_frames", 1))


def read_frames(path: Path | str, *, limit: int = PIXEL_LIMIT) -> Frames:
    """Return all pictures of a file; `limit` is the largest number of pixels in all that is decoded.

    Raises:
        PictureError: The file cannot be read faithfully.
    """
    path = Path(path)
    count = count_frames(path)
    with on_file(path):
        data = path.read_bytes()
        if identify(io.BytesIO(data)).name == "TIFF":
            return _read_pages(data, count, limit)
        return _read_animation(data, count, limit)


def write_frames(frames: Frames, path: Path | str, options: SaveOptions | None = None) -> tuple[str, ...]:
    """Write several pictures as one file, in the format of its suffix, and return notes on what could not be kept.

    Raises:
        PictureError: The format holds one picture only, or not such ones, or the file cannot be written.
    """
    path, options = Path(path), options or SaveOptions()
    with on_file(path):
        format = choose_format(path, options)
        refuse_format(format, len(frames.pictures))
        if format != "TIFF" and len({picture.pixels.shape[:2] for picture in frames.pictures}) > 1:
            raise PictureError(f"{format} holds frames of one size, and these differ: choose tiff")
        fitted = [fit_to_format(picture, format, options) for picture in frames.pictures]
        pictures = [picture for picture, _ in fitted]
        data, more = ENCODERS[format](pictures, frames.timing or Timing((1000.0,) * len(pictures)), options.quality)
        with replace_file(path, durable=False) as partial:
            partial.write_bytes(data)
    return (*dict.fromkeys(note for _, notes in fitted for note in notes), *more)


def refuse_format(format: str, count: int) -> None:
    """Raise PictureError if a format cannot hold so many pictures."""
    if count > 1 and format not in ENCODERS:
        raise PictureError(f"{format} holds one picture, and this has {count}: choose gif, png, webp or tiff")


def _refuse_too_many(width: int, height: int, count: int, limit: int) -> None:
    if width * height * count > limit:
        size = f"{count} frames of {width} × {height} pixels"
        raise PictureError(f"has {size}, and the limit is {limit:,} in all: make it smaller or cut it into parts")


def _read_pages(data: bytes, count: int, limit: int) -> Frames:
    pictures: list[Picture] = []
    for page in range(count):
        width, height = tiff.page_size(data, page)
        _refuse_too_many(width, height, 1, limit - sum(picture.width * picture.height for picture in pictures))
        pixels, alpha, origin, orientation = tiff.decode(data, page)
        upright = None if alpha is None else turn_upright(alpha, orientation)
        pictures.append(Picture(turn_upright(pixels, orientation), upright, origin))
    return Frames(tuple(pictures), None)


def _read_animation(data: bytes, count: int, limit: int) -> Frames:
    with decoding.open_repaired(io.BytesIO(data)) as image, decoding.report_damage(str(image.format)):
        width, height = image.size if image.format != "GIF" else measure_gif_canvas(data)
        _refuse_too_many(width, height, count, limit)
        channels, depth, _ = decoding.read_shape(image)
        if depth > 8:
            raise PictureError("is an animated PNG of 16 bits, which is not read: save it with 8 bits")
        loop = _read_loop(image)
        arrays, durations = [], []
        for number in range(count):
            image.seek(number)
            arrays.append(np.asarray(image.convert("RGBA")))
            durations.append(float(image.info.get("duration", 0)))
        origin = _read_origin(image, data)
        still = bool(getattr(image, "default_image", False))
    return Frames(_to_pictures(arrays, channels, origin), Timing(tuple(durations), loop, still))


def _read_loop(image: Image.Image) -> int | None:
    """Return how often an animation runs; 0: for ever, None: once, since a GIF does not say."""
    loop = image.info.get("loop")
    return int(loop) if loop is not None else None if image.format == "GIF" else 0


def _read_origin(image: Any, data: bytes) -> Origin:
    image.seek(0)
    origin = read_origin(image, data, turned=False)
    if origin.format != "WEBP":
        return origin
    first = next((chunk for chunk in find_webp_chunks(data) if chunk.name == b"ANMF"), None)
    if first is None:
        return origin
    inner = data[:12] + data[first.start + 16 : first.start + first.length]  # 16 bytes of place and time come first
    return replace(origin, webp_quality=estimate_webp_quality(inner))


def _to_pictures(arrays: Sequence[np.ndarray], channels: int, origin: Origin) -> tuple[Picture, ...]:
    """Return frames (H, W, 4) as pictures of one kind: all gray or none, all with alpha or none."""
    gray = channels == 1 and all((array[:, :, :1] == array[:, :, 1:3]).all() for array in arrays)
    opaque = all((array[:, :, 3] == 255).all() for array in arrays)
    return tuple(
        Picture(
            np.ascontiguousarray(array[:, :, : 1 if gray else 3]),
            None if opaque else np.ascontiguousarray(array[:, :, 3]),
            origin if number == 0 else replace(origin, notes=()),
        )
        for number, array in enumerate(arrays)
    )
