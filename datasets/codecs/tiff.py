"""TIFF files in: the pixels of a page, which `datasets.codecs.tiff_pages` describes.

Pillow decodes 8 bits, and OpenCV 16 where the samples of a pixel lie together. tifffile describes every file, and
decodes what the other two refuse or misread: separate planes, more channels than four, pages behind the first, and the
codings of imagecodecs where that is installed.
"""

import io
import struct
import zlib
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from datasets.codecs import decoding, metadata
from datasets.codecs.formats import describe_absence, is_installed
from datasets.codecs.libraries import silent_tifffile
from datasets.codecs.origin import Origin, PictureError, read_origin
from datasets.codecs.picture import Header, Pixels
from datasets.codecs.tiff_pages import SAMPLES, Layout, describe_page, find_page, find_pictures

_OPENCV_COMPRESSIONS = frozenset({1, 5, 8, 32773, 32946})  # none, LZW, deflate, PackBits, deflate's older number
_WITHOUT_CODECS = frozenset({1, 8, 32773, 32946})  # that tifffile decodes by itself
_WEBP = 50001  # the libtiff within Pillow does not decode it
_UNUSED_TAG = 65112  # a private number, under which nobody looks for anything


def read_header(stream: BinaryIO) -> Header:
    """Return the header of the one picture of a TIFF file.

    Raises:
        PictureError: The file has several pages, or its picture would lose depth or colour.
    """
    with decoding.report_damage("TIFF"), silent_tifffile() as tifffile, tifffile.TiffFile(stream) as file:
        layout = describe_page(find_page(file, None)[0])
        channels = 1 if layout.color == "gray" else 3
        if layout.color == "palette":
            stream.seek(0)
            with decoding.open_image(stream) as image:
                channels = decoding.read_shape(image)[0]
    width, height = layout.width, layout.height
    if layout.orientation > 4:
        width, height = height, width
    depth, alpha = max(layout.bits, 8), layout.alpha is not None
    return Header(width, height, channels, depth, alpha, "TIFF", layout.orientation)


def decode(data: bytes, page: int | None = None) -> tuple[Pixels, Pixels | None, Origin, int]:
    """Return the pixels, the alpha, the origin and the orientation of a TIFF file, as `decoding.decode` does.

    `page` counts from 0, over all pages that `count_pages` counts; None: the only one.
    """
    # The libraries turn TIFFs unasked, each in its own way: give them no reason to.
    neutral = metadata.patch_numbers(data, {metadata.ORIENTATION: 1})
    with decoding.report_damage("TIFF"), silent_tifffile() as tifffile, tifffile.TiffFile(io.BytesIO(data)) as file:
        found, notes = find_page(file, page)
        layout = describe_page(found)
        _check_strips(found, data)
        if found.offset != file.pages[0].offset:
            neutral = _point_to(data, found)
        with _open(neutral) or decoding.open_image(io.BytesIO(_declare_plain(neutral, found))) as image:
            origin = read_origin(image, neutral, turned=layout.orientation != 1)
        pixels, alpha, more = _decode_page(neutral, found, layout)
        if layout.compression not in TiffImagePlugin.COMPRESSION_INFO:
            name = getattr(found.compression, "name", str(found.compression)).lower()
            origin = replace(origin, tiff_compression="deflate")
            more = [*more, f"compression {name} within TIFF became deflate"]
    if layout.color == "CMYK":
        origin = replace(origin, icc=None)  # the pixels are no longer in its colours
    return pixels, alpha, replace(origin, notes=(*more, *layout.notes, *notes, *origin.notes)), layout.orientation


def count_pages(stream: BinaryIO) -> int:
    """Return how many pictures a TIFF file holds, smaller copies and masks of one aside."""
    stream.seek(0)
    with decoding.report_damage("TIFF"), silent_tifffile() as tifffile, tifffile.TiffFile(stream) as file:
        return max(1, len(find_pictures(file)))


def page_size(data: bytes, page: int) -> tuple[int, int]:
    """Return the width and the height of a page, as it lies in the file."""
    with decoding.report_damage("TIFF"), silent_tifffile() as tifffile, tifffile.TiffFile(io.BytesIO(data)) as file:
        found = find_page(file, page)[0]
        return int(found.imagewidth), int(found.imagelength)


def _check_strips(page: Any, data: bytes) -> None:
    """Raise if compressed strips or tiles are cut off or, for deflate, do not match their checksums.

    Otherwise libtiff within Pillow would write to the terminal, and the one within OpenCV would return wrong pixels.
    """
    compression = int(page.compression)
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if start + count > len(data) and count:
            raise ValueError(f"{start + count - len(data)} bytes are missing")
        if compression in {8, 32946} and count:
            zlib.decompress(data[start : start + count])


def _patch_entry(data: bytearray, page: Any, tag: int, number: int, value: int) -> None:
    """Turn an entry of a page's directory, if it has it, into one whole number."""
    entry = page.tags.get(tag)
    if entry is not None:
        big = page.parent.is_bigtiff
        layout = page.parent.byteorder + ("HHQH6x" if big else "HHIH2x")
        struct.pack_into(layout, data, entry.offset, number, 3, 1, value)


def _point_to(data: bytes, page: Any) -> bytes:
    """Return a TIFF file whose first page is `page`, upright."""
    result = bytearray(data)
    _patch_entry(result, page, metadata.ORIENTATION, metadata.ORIENTATION, 1)
    big = page.parent.is_bigtiff
    struct.pack_into(page.parent.byteorder + ("Q" if big else "I"), result, 8 if big else 4, page.offset)
    return bytes(result)


def _declare_plain(data: bytes, page: Any) -> bytes:
    """Return a TIFF file that declares 8-bit gray or RGB, which Pillow opens whatever its pixels are."""
    result = bytearray(data)
    gray = int(page.photometric) in {0, 1}
    numbers = {TiffImagePlugin.BITSPERSAMPLE: 8, TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: 1 if gray else 2}
    numbers |= {TiffImagePlugin.SAMPLESPERPIXEL: 1 if gray else 3, TiffImagePlugin.SAMPLEFORMAT: 1}
    numbers |= {TiffImagePlugin.PLANAR_CONFIGURATION: 1}
    for tag, value in numbers.items():
        _patch_entry(result, page, tag, tag, value)
    _patch_entry(result, page, TiffImagePlugin.EXTRASAMPLES, _UNUSED_TAG, 0)
    if int(page.compression) not in TiffImagePlugin.COMPRESSION_INFO:
        _patch_entry(result, page, TiffImagePlugin.COMPRESSION, TiffImagePlugin.COMPRESSION, 1)
    return bytes(result)


def _decode_page(data: bytes, page: Any, layout: Layout) -> tuple[Pixels, Pixels | None, list[str]]:
    """Return the pixels and the alpha of the first page of `data`, which `page` describes, and notes."""
    several = layout.dropped + (layout.alpha is not None)
    with _open(data) or nullcontext() as image:
        if image is not None and layout.bits <= 8 and _agrees(image, layout):
            return decoding.decode_pillow(image)
    plain = not layout.planar and several <= (layout.color != "gray") and layout.compression in _OPENCV_COMPRESSIONS
    samples = decoding.decode_opencv(data) if layout.bits == 16 and plain else _decode_tifffile(page, layout)
    profile = page.tags.valueof(TiffImagePlugin.ICCPROFILE)
    return _split(samples, layout, profile if isinstance(profile, bytes) else None)


def _open(data: bytes) -> Image.Image | None:
    """Return a TIFF file as Pillow opens it, or None if it is not one of the kinds that Pillow knows."""
    try:
        return decoding.open_image(io.BytesIO(data))
    except (KeyError, OSError, ValueError, TypeError):
        return None


def _agrees(image: Image.Image, layout: Layout) -> bool:
    """Return whether Pillow decodes a page, and sees alpha where there is some, and only there."""
    alpha = (image.mode in {"LA", "PA", "RGBA"}) == (layout.alpha is not None)
    return alpha and not (layout.planar and layout.dropped) and layout.compression != _WEBP


def _decode_tifffile(page: Any, layout: Layout) -> Pixels:
    """Return the samples (H, W, C) of a page."""
    coded = layout.compression not in _WITHOUT_CODECS
    if coded and not is_installed("imagecodecs"):
        name = getattr(page.compression, "name", str(page.compression)).lower()
        kind = f"a TIFF of {layout.bits}-bit {layout.color} and compression {name}"
        raise PictureError(f"is {kind}, which cannot be read {describe_absence('JXL')}")
    samples = np.asarray(page.asarray())
    samples = np.moveaxis(samples, 0, -1) if page.axes == "SYX" else samples
    samples = samples.reshape(layout.height, layout.width, -1)
    if samples.dtype not in (np.uint8, np.uint16):
        raise PictureError(f"has {layout.bits}-bit {layout.color} pixels in a rare coding: save it again as PNG")
    return samples


def _split(samples: Pixels, layout: Layout, profile: bytes | None) -> tuple[Pixels, Pixels | None, list[str]]:
    """Return the pixels (H, W, 1 or 3) and the alpha (H, W) of samples (H, W, C), and notes."""
    pixels = samples[:, :, : SAMPLES[layout.color]]
    pixels = np.iinfo(pixels.dtype).max - pixels if layout.inverted else pixels
    alpha = None if layout.alpha is None else samples[:, :, layout.alpha]
    if alpha is not None and layout.multiplied:
        pixels = _unmultiply(pixels, alpha)
    if layout.color != "CMYK":
        return pixels, alpha, []
    inks = Image.frombytes("CMYK", (layout.width, layout.height), np.ascontiguousarray(pixels).tobytes())
    inks.info["icc_profile"] = profile
    converted, note = decoding.convert_cmyk(inks)
    return np.array(converted), alpha, [note]


def _unmultiply(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Return the colours of pixels whose colours were multiplied with alpha."""
    highest = np.iinfo(pixels.dtype).max
    scale = np.float32(highest) / np.maximum(alpha, 1).astype(np.float32)[:, :, None]
    return np.clip(np.rint(pixels * scale), 0, highest).astype(pixels.dtype)
