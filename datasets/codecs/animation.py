"""Files of several pictures from pictures: GIF, animated PNG and WebP, TIFF of several pages.

GIF and animated PNG are put together by hand from pictures that Pillow and zlib compress: Pillow drops a frame that
equals the one before it, stores only what changed, and rounds times.
"""

import io
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from PIL import GifImagePlugin, Image, TiffImagePlugin

from datasets.codecs import encoding, metadata
from datasets.codecs.origin import Origin
from datasets.codecs.picture import Picture

GIF_COLOURS = 256


@dataclass(frozen=True)
class Timing:
    """How an animation runs.

    Attributes:
        durations: Of each frame, in milliseconds.
        loop: How often it is repeated, as the file states it; 0: for ever, None: not stated, which means once.
        still: The first picture is no frame: viewers that cannot animate show it.
    """

    durations: tuple[float, ...]
    loop: int | None = 0
    still: bool = False


def encode(format: str, picture: Picture, quality: int | None) -> tuple[bytes, list[str]]:
    """Return a GIF of one picture, and notes, as `datasets.codecs.encoding` calls the writers of formats."""
    return _encode_gif([picture], Timing((0,)), quality)


def _encode_gif(pictures: Sequence[Picture], timing: Timing, quality: int | None = None) -> tuple[bytes, list[str]]:
    """Return a GIF of 8-bit pictures of one size, and notes; GIF knows no `quality`."""
    height, width = pictures[0].pixels.shape[:2]
    parts = [b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0)]  # 0x70: 8 bits a primary
    if len(pictures) > 1 and timing.loop is not None:
        parts.append(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", timing.loop, 0))
    notes: dict[str, None] = {}
    for picture, duration in zip(pictures, timing.durations, strict=True):
        image, more = _to_palette(picture)
        options = (
            {} if len(pictures) == 1 else {"duration": duration, "disposal": 2 if picture.alpha is not None else 1}
        )
        if picture.alpha is not None:
            options["transparency"] = GIF_COLOURS - 1
        parts += GifImagePlugin.getdata(image, (0, 0), include_color_table=True, **options)
        notes |= dict.fromkeys(more)
    return b"".join([*parts, b";"]), [*notes]


def _to_palette(picture: Picture) -> tuple[Image.Image, list[str]]:
    """Return a picture in a palette, whose last colour is transparent where there is alpha, and notes."""
    colours = GIF_COLOURS - (picture.alpha is not None)
    rgb = encoding.to_image(np.broadcast_to(picture.pixels, (*picture.pixels.shape[:2], 3)), None)
    exact = rgb.getcolors(colours) is not None
    image = rgb.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    notes = [] if exact else [f"the colours were reduced to {colours}: GIF holds no more"]
    if picture.alpha is None:
        return image, notes
    indices = np.where(picture.alpha < 128, GIF_COLOURS - 1, np.asarray(image)).astype(np.uint8)
    palette = (image.getpalette() or [])[: 3 * colours]
    result = Image.fromarray(indices, "L")
    result.putpalette(palette + [0] * (3 * GIF_COLOURS - len(palette)))
    if not np.isin(picture.alpha, (0, 255)).all():
        notes.append("alpha became all or nothing: GIF holds no more")
    return result, notes


def _encode_apng(pictures: Sequence[Picture], timing: Timing, quality: int | None) -> tuple[bytes, list[str]]:
    """Return an animated PNG: the first picture's file, with the pixels of the others behind its own as frames."""
    files, notes = _encode_each("PNG", pictures, None)
    plays = 1 if timing.loop is None else timing.loop
    control = metadata.build_png_chunk(b"acTL", struct.pack(">II", len(pictures) - timing.still, plays))
    before, pixels, after = [metadata.PNG_SIGNATURE], list[bytes](), list[bytes]()
    sequence = 0
    for number, (file, picture, duration) in enumerate(zip(files, pictures, timing.durations, strict=True)):
        if number or not timing.still:
            time = Fraction(duration / 1000).limit_denominator(1000)
            place = (sequence, picture.width, picture.height, 0, 0, time.numerator, time.denominator, 0, 0)
            pixels.append(metadata.build_png_chunk(b"fcTL", struct.pack(">5I2H2B", *place)))
            sequence += 1
        own = len(pixels)
        for name, start, length in metadata.find_png_chunks(io.BytesIO(file)):
            body = file[start : start + length]
            if name == b"IDAT":
                head = struct.pack(">I", sequence) if number else b""
                pixels.append(metadata.build_png_chunk(b"fdAT" if number else name, head + body))
                sequence += number > 0
            elif number == 0:
                (before if len(pixels) == own else after).append(metadata.build_png_chunk(name, body))
                before += [control] if name == b"IHDR" else []
    return b"".join([*before, *pixels, *after]), notes


def _encode_webp(pictures: Sequence[Picture], timing: Timing, quality: int | None) -> tuple[bytes, list[str]]:
    """Return an animated WebP; libwebp joins frames that are equal, and shows them as long as both."""
    images = [encoding.to_image(picture.pixels, picture.alpha) for picture in pictures]
    options = encoding.build_webp_options(pictures[0].origin or Origin("PNG"), quality)
    durations = [round(duration) for duration in timing.durations]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=images[1:],
        duration=durations,
        loop=1 if timing.loop is None else timing.loop,
        **{key: value for key, value in options.items() if value is not None},
    )
    return buffer.getvalue(), []


def _encode_tiff(pictures: Sequence[Picture], timing: Timing, quality: int | None) -> tuple[bytes, list[str]]:
    """Return a TIFF of several pages, each of which keeps its own metadata."""
    files, notes = _encode_each("TIFF", pictures, quality)
    buffer = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(buffer) as joined:
        for file in files:
            joined.write(file)
            joined.newFrame()
    return buffer.getvalue(), notes


def _encode_each(format: str, pictures: Sequence[Picture], quality: int | None) -> tuple[list[bytes], list[str]]:
    files = [encoding.encode(format, picture, quality) for picture in pictures]
    return [data for data, _ in files], [*dict.fromkeys(note for _, notes in files for note in notes)]


ENCODERS: Mapping[str, Callable[[Sequence[Picture], Timing, int | None], tuple[bytes, list[str]]]] = {
    "GIF": _encode_gif,
    "PNG": _encode_apng,
    "WEBP": _encode_webp,
    "TIFF": _encode_tiff,
}
"""Of the formats that hold several pictures."""
