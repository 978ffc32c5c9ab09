"""Pages of TIFF files: which of them are pictures, and how each stores its own."""

from typing import Any, NamedTuple

from PIL import TiffImagePlugin

from datasets.codecs import decoding, metadata
from datasets.codecs.origin import PictureError
from datasets.codecs.picture import FramesError

_COLOURS = {0: "gray", 1: "gray", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "Lab"}
_COLOURS |= {10: "Lab", 32803: "camera RAW", 32844: "LogL", 32845: "LogLuv", 34892: "camera RAW"}
_CAMERA_RAW = frozenset({32803, 34892})
SAMPLES = {"gray": 1, "RGB": 3, "palette": 1, "CMYK": 4, "YCbCr": 3}
_BITS = {"gray": (1, 2, 4, 8, 16), "RGB": (8, 16), "palette": (1, 2, 4, 8), "CMYK": (8,), "YCbCr": (8,)}
_TYPES = {2: "signed ", 3: "floating-point ", 4: "untyped ", 5: "complex ", 6: "complex "}  # of SampleFormat
_DNG_VERSION = 50706
MOST_PAGES = 10_000  # of a file; chosen by hand: each costs a tenth of a millisecond to count


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
    extra = page.samplesperpixel - SAMPLES[color]
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
        None if alpha is None else SAMPLES[color] + alpha,
        alpha is not None and kinds[alpha] == 1,
        dropped,
        int(page.planarconfig) == 2,
        int(page.compression),
        decoding.valid_orientation(page.tags.valueof(metadata.ORIENTATION)),
        tuple(notes),
    )


def find_page(file: Any, number: int | None) -> tuple[Any, list[str]]:
    """Return a page of a TIFF file, and notes on what lies around it."""
    pages = find_pictures(file)
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


def find_pictures(file: Any) -> list[Any]:
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
