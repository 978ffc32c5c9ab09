"""TIFF files from pixels, for `datasets.codecs.encoding`.

Written by hand, from strips that Pillow compresses, since Pillow writes no 16-bit colour, OpenCV no metadata, and
tifffile needs imagecodecs for LZW.
"""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, TiffImagePlugin

from datasets.codecs.blocks.descriptive import read_description, state_resolution
from datasets.codecs.blocks.directories import BYTE, UNDEFINED, Tags, Values, build_block, longs, shorts
from datasets.codecs.origin import TIFF_COMPRESSIONS, Origin
from datasets.codecs.picture import Pixels

_TIFF_COMPRESSION_TAGS = {"none": 1, "lzw": 5, "deflate": 8, "packbits": 32773}


def encode_tiff(samples: Pixels, origin: Origin) -> tuple[bytes, list[str]]:
    """Return a TIFF of (H, W, 1 to 4) samples, of which two or four have alpha, and notes on what could not be kept."""
    notes: list[str] = []
    if samples.shape[2] == 2 and samples.dtype == np.uint16:
        # Tried: neither Pillow nor OpenCV opens 16-bit gray TIFF with alpha.
        samples = samples[:, :, [0, 0, 0, 1]]
        notes.append("gray with alpha became RGB with alpha: 16-bit TIFF of the former is opened by few")
    samples = np.ascontiguousarray(samples).astype(f"<u{samples.dtype.itemsize}")
    compression = origin.tiff_compression or "deflate"
    described = read_description(origin.exif or b"")
    if not described.complete:
        notes.append("damaged EXIF was dropped")
    tags = described.main | _build_tiff_tags(samples, origin)
    if compression in {"lzw", "deflate"}:
        tags[TiffImagePlugin.PREDICTOR] = shorts(2)  # differences to the left neighbour compress far better
        samples[:, 1:] -= samples[:, :-1]
    strips, rows = _compress_tiff_strips(samples, compression)
    tags[TiffImagePlugin.COMPRESSION] = shorts(_TIFF_COMPRESSION_TAGS[compression])
    tags[TiffImagePlugin.ROWSPERSTRIP] = longs(rows)
    tags[TiffImagePlugin.STRIPBYTECOUNTS] = longs(*map(len, strips))
    tags[TiffImagePlugin.STRIPOFFSETS] = longs(*(0 for _ in strips))  # only the length counts yet
    start = len(build_block(tags, described.below))
    starts = np.cumsum([start, *(len(strip) for strip in strips[:-1])])
    tags[TiffImagePlugin.STRIPOFFSETS] = longs(*(int(start) for start in starts))
    return b"".join([build_block(tags, described.below), *strips]), notes


def _build_tiff_tags(samples: Pixels, origin: Origin) -> Tags:
    height, width, channels = samples.shape
    tags = {
        TiffImagePlugin.IMAGEWIDTH: longs(width),
        TiffImagePlugin.IMAGELENGTH: longs(height),
        TiffImagePlugin.BITSPERSAMPLE: shorts(*(8 * samples.dtype.itemsize,) * channels),
        TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: shorts(1 if channels < 3 else 2),
        TiffImagePlugin.SAMPLESPERPIXEL: shorts(channels),
        TiffImagePlugin.PLANAR_CONFIGURATION: shorts(1),
    }
    if channels in {2, 4}:
        tags[TiffImagePlugin.EXTRASAMPLES] = shorts(2)  # straight
    if origin.dpi is not None:
        tags |= state_resolution(origin.dpi)
    if origin.icc is not None:
        tags[TiffImagePlugin.ICCPROFILE] = Values(UNDEFINED, origin.icc)
    if origin.xmp is not None:
        tags[TiffImagePlugin.XMP] = Values(BYTE, origin.xmp)
    return tags


def _compress_tiff_strips(samples: Pixels, compression: str) -> tuple[Sequence[bytes], int]:
    """Return the compressed strips of a TIFF, and the number of rows in each but the last."""
    rows = samples.view(np.uint8).reshape(samples.shape[0], -1)
    buffer = io.BytesIO()
    plain = Image.frombytes("L", (rows.shape[1], rows.shape[0]), rows.tobytes())
    plain.save(buffer, "TIFF", compression=TIFF_COMPRESSIONS[compression])
    data = buffer.getvalue()
    with Image.open(buffer, formats=["TIFF"]) as image:
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        tags = image.tag_v2
        places = zip(tags[TiffImagePlugin.STRIPOFFSETS], tags[TiffImagePlugin.STRIPBYTECOUNTS], strict=True)
        return [data[start : start + count] for start, count in places], int(tags[TiffImagePlugin.ROWSPERSTRIP])
