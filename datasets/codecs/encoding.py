"""Picture files from pixels, for `datasets.codecs.images`.

Pillow encodes JPEG, WebP and 8-bit PNG and BMP. Two writers stay by hand, from parts that Pillow and zlib compress:
- 16-bit PNG, since Pillow writes no 16-bit colour, and OpenCV writes no metadata and no gray with alpha.
- TIFF, since Pillow writes no 16-bit colour, OpenCV no metadata, and tifffile needs imagecodecs for LZW.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin, TiffTags

from datasets.codecs import metadata
from datasets.codecs.decoding import convert_to_srgb
from datasets.codecs.libraries import configured_pillow, silent_opencv
from datasets.codecs.origin import DAMAGED_TAGS, TIFF_COMPRESSIONS, TIFF_HEAD, Origin, PictureError, copy_tags
from datasets.codecs.picture import Picture, Pixels

# In pixels: libjpeg's, libwebp's, and the largest signed 32-bit number.
LARGEST_SIDE = {"JPEG": 65500, "WEBP": 16383, "PNG": 2**31 - 1, "TIFF": 2**31 - 1, "BMP": 2**31 - 1}
DEEP = frozenset({"PNG", "TIFF"})  # formats that hold 16 bits
WITH_ALPHA = frozenset({"PNG", "WEBP", "TIFF", "BMP"})
HOLDS = {
    "JPEG": ("icc", "exif", "xmp", "iptc", "comment"),
    "PNG": ("icc", "exif", "xmp", "text"),
    "WEBP": ("icc", "exif", "xmp"),
    "TIFF": ("icc", "exif", "xmp"),
    "BMP": (),
}
NAMES = {
    "icc": "colour profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "comment": "JPEG comment",
    "text": "PNG text",
}
# zlib's level. Measured: its default of 6 makes photographs a few per cent smaller, in 1.5 to 2.6 times the time.
PNG_LEVEL = 4
# Bytes that fit into a JPEG segment beside its length and its heading.
JPEG_ROOM = {"exif": 65533, "xmp": 65533 - 29, "iptc": 65533 - 27, "comment": 65533}

_TIFF_COMPRESSION_TAGS = {"none": 1, "lzw": 5, "deflate": 8, "packbits": 32773}


def encode(format: str, picture: Picture, quality: int | None) -> tuple[bytes, list[str]]:
    """Return a picture as a file's bytes, and notes on the metadata that the format cannot hold.

    `datasets.codecs.fitting` has to have fitted the picture to the format. `quality` None: as the origin's.
    """
    pixels, alpha, origin = picture.pixels, picture.alpha, picture.origin or Origin("PNG")
    notes = [
        f"{NAMES[part]} was dropped: {format} holds none"
        for part in NAMES
        if part not in HOLDS[format] and getattr(origin, part)
    ]
    if format == "TIFF":
        data, more = _encode_tiff(pixels, alpha, origin)
    elif pixels.dtype == np.uint16:
        data, more = _encode_deep_png(pixels, alpha, origin), []
    elif format == "PNG":
        data, more = _encode_pillow(pixels, alpha, "PNG", _build_png_options(origin)), []
    elif format == "JPEG":
        data, more = _encode_jpeg(pixels, origin, quality)
    elif format == "WEBP":
        data, more = _encode_pillow(pixels, alpha, "WEBP", _build_webp_options(origin, quality)), []
    else:
        data, more = _encode_bmp(pixels, alpha, origin), []
    return data, notes + more


def _stack_alpha(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """Return (H, W, C) samples with alpha as the last channel."""
    return np.ascontiguousarray(pixels if alpha is None else np.dstack([pixels, alpha]))


def _to_image(pixels: Pixels, alpha: Pixels | None) -> Image.Image:
    samples = _stack_alpha(pixels, alpha)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2]]
    return Image.frombytes(mode, (samples.shape[1], samples.shape[0]), samples.tobytes())


def _encode_pillow(pixels: Pixels, alpha: Pixels | None, format: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    _to_image(pixels, alpha).save(buffer, format, **{key: value for key, value in options.items() if value is not None})
    return buffer.getvalue()


def _add_exif_heading(exif: bytes | None) -> bytes | None:
    return None if exif is None else b"Exif\0\0" + exif


def _encode_jpeg(pixels: Pixels, origin: Origin, quality: int | None) -> tuple[bytes, list[str]]:
    options, notes = _build_jpeg_options(origin, quality, pixels.shape[2])
    data = _encode_pillow(pixels, None, "JPEG", options)
    if origin.jpeg_progressive:
        # Pillow's buffer for a progressive file has, beside metadata, a byte per pixel or 64 kB, and it fails where a
        # file outgrows that. The baseline file tells about how large it becomes; 0.8 is a margin chosen by hand.
        metadata_size = sum(len(value) for value in options.values() if isinstance(value, bytes))
        if len(data) - metadata_size < 0.8 * max(2**16, pixels.shape[0] * pixels.shape[1]):
            data = _encode_pillow(pixels, None, "JPEG", {**options, "progressive": True})
        else:
            notes.append("progressive JPEG became baseline")
    return data, notes


def _build_jpeg_options(origin: Origin, quality: int | None, channels: int) -> tuple[dict[str, Any], list[str]]:
    notes = []
    segments: dict[str, bytes | None] = {"exif": _add_exif_heading(origin.exif)} | {
        key: getattr(origin, key) for key in ("xmp", "iptc", "comment")
    }
    for key, value in segments.items():
        if value is not None and len(value) > JPEG_ROOM[key]:
            segments[key] = None
            notes.append(f"{NAMES[key]} was dropped: {len(value)} bytes are more than a JPEG segment holds")
    iptc = segments.pop("iptc")
    options: dict[str, Any] = {**segments, "icc_profile": origin.icc, "dpi": origin.dpi}
    options["extra"] = b"" if iptc is None else _build_photoshop_segment(iptc)
    options["subsampling"] = (origin.jpeg_subsampling or 0) if channels == 3 else None
    if quality is None and origin.jpeg_tables:
        options["qtables"] = [list(table) for table in origin.jpeg_tables]
    else:
        options["quality"] = quality or 95  # chosen by hand
    return options, notes


def _build_photoshop_segment(iptc: bytes) -> bytes:
    """Return the JPEG segment in which Photoshop, and everybody after it, keeps IPTC."""
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    return b"\xff\xed" + struct.pack(">H", len(block) + 2) + block


def _build_webp_options(origin: Origin, quality: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "icc_profile": origin.icc,
        "exif": _add_exif_heading(origin.exif),
        "xmp": origin.xmp,
        "exact": True,
    }
    if quality is None and origin.format == "WEBP" and origin.webp_quality is None:
        return {**options, "lossless": True, "quality": 75}  # here "quality" is effort, and 75 libwebp's default
    return {**options, "quality": quality or origin.webp_quality or 90}


def _build_png_options(origin: Origin) -> dict[str, Any]:
    info = PngImagePlugin.PngInfo()
    if origin.icc is None:
        for name, data in origin.png_colour:
            info.add(name, data)
    for key, value in origin.text:
        info.add_text(key, value)
    if origin.xmp is not None:
        info.add_itxt("XML:com.adobe.xmp", origin.xmp.decode("utf-8", "replace"))
    kept = {"icc_profile": origin.icc, "exif": _add_exif_heading(origin.exif), "dpi": origin.dpi, "pnginfo": info}
    return {**kept, "compress_level": PNG_LEVEL}


def _encode_deep_png(pixels: Pixels, alpha: Pixels | None, origin: Origin) -> bytes:
    """Return a 16-bit PNG: Pillow writes a file of one pixel with all metadata, whose pixel is then replaced."""
    samples = _stack_alpha(pixels, alpha)
    height, width, channels = samples.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = metadata.build_png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    rows = samples.astype(">u2").view(np.uint8).reshape(height, -1)
    filtered = np.full((height, rows.shape[1] + 1), 2, np.uint8)  # filter 2: each row less the one above
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    body = zlib.compress(filtered.tobytes(), PNG_LEVEL)
    limit = 2**30  # bytes of a chunk; the format's own limit is 2**31 - 1
    bodies = [metadata.build_png_chunk(b"IDAT", body[start : start + limit]) for start in range(0, len(body), limit)]
    shell = _encode_pillow(np.zeros((1, 1, 1), np.uint8), None, "PNG", _build_png_options(origin))
    chunks = [metadata.PNG_SIGNATURE]
    for name, start, length in metadata.find_png_chunks(io.BytesIO(shell)):
        own = {b"IHDR": [header], b"IDAT": bodies}
        chunks += own.get(name, [metadata.build_png_chunk(name, shell[start : start + length])])
    return b"".join(chunks)


def _encode_bmp(pixels: Pixels, alpha: Pixels | None, origin: Origin) -> bytes:
    if alpha is None:
        return _encode_pillow(pixels, None, "BMP", {"dpi": origin.dpi})
    colours = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    with silent_opencv() as cv2:  # alpha in the BMP files that Pillow writes is found by no reader, Pillow included
        _, buffer = cv2.imencode(".bmp", np.dstack([colours[:, :, ::-1], alpha]))
    data = bytearray(buffer.tobytes())
    x, y = origin.dpi or (96.0, 96.0)  # what Pillow writes where nothing is known
    struct.pack_into("<ii", data, 38, round(x / 0.0254), round(y / 0.0254))
    return bytes(data)


def _encode_tiff(pixels: Pixels, alpha: Pixels | None, origin: Origin) -> tuple[bytes, list[str]]:
    """Return a TIFF of either depth: Pillow compresses the rows as bytes, and the directory is built here."""
    notes: list[str] = []
    if alpha is not None and pixels.shape[2] == 1 and pixels.dtype == np.uint16:
        # Tried: neither Pillow nor OpenCV opens 16-bit gray TIFF with alpha.
        pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
        notes.append("gray with alpha became RGB with alpha: 16-bit TIFF of the former is opened by few")
    samples = _stack_alpha(pixels, alpha).astype(f"<u{pixels.dtype.itemsize}")
    compression = origin.tiff_compression or "deflate"
    directory = _build_tiff_directory(samples, alpha is not None, origin, notes)
    if compression in {"lzw", "deflate"}:
        directory[TiffImagePlugin.PREDICTOR] = 2  # differences to the left neighbour compress far better
        samples[:, 1:] -= samples[:, :-1]
    strips = _compress_tiff_strips(samples, compression, directory)
    buffer = io.BytesIO()
    directory.save(buffer)
    buffer.writelines(strips)
    return buffer.getvalue(), notes


def _build_tiff_directory(
    samples: Pixels, alpha: bool, origin: Origin, notes: list[str]
) -> TiffImagePlugin.ImageFileDirectory_v2:
    directory = TiffImagePlugin.ImageFileDirectory_v2(TIFF_HEAD)
    height, width, channels = samples.shape
    if origin.exif is not None:
        try:
            exif = Image.Exif()
            exif.load(origin.exif)
            copy_tags(exif, directory)
            directory.tobytes()  # damaged tags raise only now
        except DAMAGED_TAGS:
            notes.append("damaged EXIF was dropped")
            directory = TiffImagePlugin.ImageFileDirectory_v2(TIFF_HEAD)
    directory[TiffImagePlugin.IMAGEWIDTH] = width
    directory[TiffImagePlugin.IMAGELENGTH] = height
    directory[TiffImagePlugin.BITSPERSAMPLE] = (8 * samples.dtype.itemsize,) * channels
    directory[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 1 if channels < 3 else 2
    directory[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    directory[TiffImagePlugin.PLANAR_CONFIGURATION] = 1
    if alpha:
        directory[TiffImagePlugin.EXTRASAMPLES] = 2  # straight
    if origin.dpi is not None:
        directory[TiffImagePlugin.X_RESOLUTION], directory[TiffImagePlugin.Y_RESOLUTION] = origin.dpi
        directory[TiffImagePlugin.RESOLUTION_UNIT] = 2
    if origin.icc is not None:
        directory[TiffImagePlugin.ICCPROFILE] = origin.icc
    if origin.xmp is not None:
        directory[TiffImagePlugin.XMP] = origin.xmp
    return directory


def _compress_tiff_strips(
    samples: Pixels, compression: str, directory: TiffImagePlugin.ImageFileDirectory_v2
) -> Sequence[bytes]:
    """Return the compressed strips of a TIFF, and enter their places into its directory."""
    rows = samples.view(np.uint8).reshape(samples.shape[0], -1)
    buffer = io.BytesIO()
    plain = Image.frombytes("L", (rows.shape[1], rows.shape[0]), rows.tobytes())
    plain.save(buffer, "TIFF", compression=TIFF_COMPRESSIONS[compression])
    data = buffer.getvalue()
    with Image.open(buffer, formats=["TIFF"]) as image:
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        tags = image.tag_v2
        counts = tags[TiffImagePlugin.STRIPBYTECOUNTS]
        strips = [
            data[start : start + count] for start, count in zip(tags[TiffImagePlugin.STRIPOFFSETS], counts, strict=True)
        ]
        directory[TiffImagePlugin.ROWSPERSTRIP] = tags[TiffImagePlugin.ROWSPERSTRIP]
    directory[TiffImagePlugin.COMPRESSION] = _TIFF_COMPRESSION_TAGS[compression]
    directory.tagtype[TiffImagePlugin.STRIPBYTECOUNTS] = TiffTags.LONG
    directory[TiffImagePlugin.STRIPBYTECOUNTS] = counts
    directory.tagtype[TiffImagePlugin.STRIPOFFSETS] = TiffTags.LONG
    starts = np.cumsum([0, *counts[:-1]])
    directory[TiffImagePlugin.STRIPOFFSETS] = tuple(int(start) for start in starts)  # `save` adds its own length
    return strips


def to_srgb(pixels: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """Return 8-bit pixels in sRGB, converted from the colours of an ICC profile; gray stays gray."""
    try:
        converted = convert_to_srgb(_to_image(pixels, None), profile)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise PictureError(f"has a colour profile that cannot be used ({error}): set `color` to keep") from error
    return np.asarray(converted)[:, :, : pixels.shape[2]]


def recompress(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return (H, W, 1 or 3) pixels after a round trip through JPEG of `quality`, 1 to 100, at 4:2:0."""
    data = _encode_pillow(pixels, None, "JPEG", {"quality": quality, "subsampling": 2})
    with configured_pillow, Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return np.array(image).reshape(pixels.shape)
