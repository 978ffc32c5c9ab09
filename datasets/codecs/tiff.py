"""TIFF files in: which of their many kinds a file is, and its pixels.

Pillow decodes 8 bits, and OpenCV 16 where the samples of a pixel lie together. tifffile describes every file, and
decodes what the other two refuse or misread: separate planes, more channels than four, pages behind the first, and the
codings of imagecodecs where that is installed.
"""

import io
import struct
import zlib
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image, TiffImagePlugin

from datasets.codecs import decoding, metadata
from datasets.codecs.formats import describe_absence, is_installed
from datasets.codecs.libraries import silent_tifffile
from datasets.codecs.origin import Origin, PictureError, read_origin
from datasets.codecs.picture import FramesError, Header, Pixels

_OPENCV_COMPRESSIONS = frozenset({1, 5, 8, 32773, 32946})  # none, LZW, deflate, PackBits, deflate's older number
_WITHOUT_CODECS = frozenset({1, 8, 32773, 32946})  # that tifffile decodes by itself
_WEBP = 50001  # the libtiff within Pillow does not decode it
_COLOURS = {0: "gray", 1: "gray", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "Lab"}
_COLOURS |= {10: "Lab", 32803: "camera RAW", 32844: "LogL", 32845: "LogLuv", 34892: "camera RAW"}
_CAMERA_RAW = frozenset({32803, 34892})
_SAMPLES = {"gray": 1, "RGB": 3, "palette": 1, "CMYK": 4, "YCbCr": 3}
_BITS = {"gray": (1, 2, 4, 8, 16), "RGB": (8, 16), "palette": (1, 2, 4, 8), "CMYK": (8,), "YCbCr": (8,)}
_TYPES = {2: "signed ", 3: "floating-point ", 4: "untyped ", 5: "complex ", 6: "complex "}  # of SampleFormat
_DNG_VERSION = 50706
MOST_PAGES = 10_000  # of a file; chosen by hand: each costs a tenth of a millisecond to count
_UNUSED_TAG = 65112  # a private number, under which nobody looks for anything


class Layout(NamedTuple):
    """How a page of a TIFF file stores its picture.

    Attributes:
        width: In pixels, as it lies in the file.
        height: In pixels, as it lies in the file.
        color: "gray", "RGB", "palette", "CMYK" or "YCbCr".
        inverted: White is zero.
        bits: Of a sample.
        alpha: The position of alpha among the samples of a pixel, or None.
        multiplied: The colours are multiplied with alpha.
        dropped: Samples of a pixel that are neither colour nor alpha.
        planar: Each sample has a plane of its own.
        compression: Its number in TIFF.
        orientation: EXIF's, 1 to 8.
        notes: What of the file is not read.
    """

    width: int
    height: int
    color: str
    inverted: bool
    bits: int
    alpha: int | None
    multiplied: bool
    dropped: int
    planar: bool
    compression: int
    orientation: int
    notes: tuple[str, ...]


def read_header(stream: BinaryIO) -> Header:
    """Return the header of the one picture of a TIFF file.

    Raises:
        PictureError: The file has several pages, or its picture would lose depth or colour.
    """
    with decoding.report_damage("TIFF"), silent_tifffile() as tifffile, tifffile.TiffFile(stream) as file:
        layout = describe_page(_find_page(file, None)[0])
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
        found, notes = _find_page(file, page)
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
        return max(1, len(_find_pictures(file)))


def page_size(data: bytes, page: int) -> tuple[int, int]:
    """Return the width and the height of a page, as it lies in the file."""
    with decoding.report_damage("TIFF"), silent_tifffile() as tifffile, tifffile.TiffFile(io.BytesIO(data)) as file:
        found = _find_page(file, page)[0]
        return int(found.imagewidth), int(found.imagelength)


def describe_page(page: Any) -> Layout:
    """Return how a page, as tifffile gives it, stores its picture.

    Raises:
        PictureError: Reading it would lose depth or colour.
    """
    color = _COLOURS.get(int(page.photometric), f"photometric {int(page.photometric)}")
    if color == "camera RAW" or _DNG_VERSION in page.tags:
        raise PictureError("is a camera RAW file, whatever its name says: rename it to .dng, or convert it to TIFF")
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    form = page.sampleformat if isinstance(page.sampleformat, int) else max(page.sampleformat)
    if color != "gray" and TiffImagePlugin.BITSPERSAMPLE not in page.tags:
        raise ValueError("its directory is incomplete")
    if page.imagedepth > 1:
        raise PictureError(f"has {page.imagedepth} layers of depth, and only flat pictures are read")
    if form != 1 or bits not in _BITS.get(color, ()):
        raise PictureError(
            f"has {bits}-bit {_TYPES.get(int(form), '')}{color} pixels, which are not read: "
            "save it as gray or RGB of 8 or 16 bits a channel"
        )
    extra = page.samplesperpixel - _SAMPLES[color]
    kinds = page.tags.valueof(TiffImagePlugin.EXTRASAMPLES)
    kinds = (kinds,) if isinstance(kinds, int) else kinds or ((2,) if extra == 1 else ())  # as Pillow takes it
    alpha = next((place for place, kind in enumerate(kinds[:extra]) if kind in {1, 2}), None)
    dropped = extra - (alpha is not None)
    if extra < 0 or (color in {"gray", "palette"} and dropped > 1):
        raise PictureError(f"has {page.samplesperpixel} bands of {color}, which are not read: save it as gray or RGB")
    notes = [f"{dropped} extra {'channel was' if dropped == 1 else 'channels were'} dropped"] if dropped else []
    return Layout(
        page.imagewidth,
        page.imagelength,
        color,
        int(page.photometric) == 0,
        bits,
        None if alpha is None else _SAMPLES[color] + alpha,
        alpha is not None and kinds[alpha] == 1,
        dropped,
        int(page.planarconfig) == 2,
        int(page.compression),
        decoding.valid_orientation(page.tags.valueof(metadata.ORIENTATION)),
        tuple(notes),
    )


def _find_page(file: Any, number: int | None) -> tuple[Any, list[str]]:
    """Return a page of a TIFF file, and notes on what lies around it."""
    pages = _find_pictures(file)
    if not pages:
        raise ValueError("its directory is missing")
    if number is None and len(pages) > 1:
        raise FramesError(f"has {len(pages)} pages, and one picture was expected: save its pages apart")
    images = (file.imagej_metadata or {}).get("images", 1) if file.is_imagej else 1
    if isinstance(images, int) and images > len(pages):
        raise PictureError(f"has {images} layers, and only one-page TIFF is read: save its layers as single files")
    page = pages[number or 0]
    below = [copy.aspage() for copy in page.pages or ()] if page.subifds else []
    if any(copy.imagewidth > page.imagewidth or int(copy.photometric) in _CAMERA_RAW for copy in below):
        raise PictureError(
            "holds a small picture, and its full one in a subdirectory, as camera RAW does: rename it to what it is, "
            "such as .nef or .dng"
        )
    smaller = len(_list_pages(file)) - len(pages)
    return page, [f"{smaller} smaller copies or masks within the file were dropped"] if smaller else []


def _find_pictures(file: Any) -> list[Any]:
    """Return the pages that are pictures of their own: no masks, no thumbnails, no reduced copies of another page."""
    pages = _list_pages(file)
    full = [page for page in pages if not page.subfiletype & 5]  # 1: a reduced copy, 4: a mask
    full = full or pages[:1]
    return [page for place, page in enumerate(full) if place == 0 or not _is_reduced(page, full[0])]


def _list_pages(file: Any) -> list[Any]:
    """Return all pages; raises ValueError where directories lead back to an earlier one, which tifffile follows."""
    pages: dict[int, Any] = {}
    for lazy in file.pages:
        if lazy.offset in pages:
            raise ValueError("its directories form a loop")
        if len(pages) == MOST_PAGES:
            raise ValueError(f"it has more than {MOST_PAGES} pages")
        page = pages[lazy.offset] = lazy.aspage()
        if not isinstance(page.imagewidth, int) or not isinstance(page.imagelength, int):
            raise ValueError("its width or height is not one number")
    return list(pages.values())


def _is_reduced(page: Any, first: Any) -> bool:
    """Return whether an undeclared page is a thumbnail: at most half as large as the first, and of the same shape."""
    scale = first.imagewidth / page.imagewidth
    return bool(scale >= 2 and abs(first.imagelength / scale - page.imagelength) <= 1)


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
    pixels = samples[:, :, : _SAMPLES[layout.color]]
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
