"""Picture files from pixels, for `datasets.codecs.images`.

Pillow encodes JPEG, WebP and 8-bit PNG and BMP. 16-bit PNG is written by hand and compressed by zlib, since Pillow
writes no 16-bit colour, and OpenCV writes no metadata and no gray with alpha.
"""

import io
import struct
import zlib
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin

from datasets.codecs import metadata
from datasets.codecs.blocks.extended_xmp import split_packet
from datasets.codecs.decoding import convert_to_srgb
from datasets.codecs.libraries import configured_pillow, silent_opencv
from datasets.codecs.origin import Origin, PictureError
from datasets.codecs.picture import Picture, Pixels
from datasets.codecs.tiff_encoding import encode_tiff

# In pixels: libjpeg's, libwebp's, and the largest signed 32-bit number.
LARGEST_SIDE = {"JPEG": 65500, "WEBP": 16383, "GIF": 65535}
LARGEST_SIDE |= dict.fromkeys(("PNG", "TIFF", "BMP", "JXL", "JP2", "J2K"), 2**31 - 1)
DEEP = frozenset({"PNG", "TIFF", "JXL", "JP2", "J2K"})  # formats that hold 16 bits
WITH_ALPHA = frozenset({"PNG", "WEBP", "TIFF", "BMP", "GIF", "JXL", "JP2", "J2K"})
HOLDS = {
    "JPEG": ("icc", "exif", "xmp", "iptc", "comment"),
    "PNG": ("icc", "exif", "xmp", "text"),
    "WEBP": ("icc", "exif", "xmp"),
    "TIFF": ("icc", "exif", "xmp"),
    "BMP": (),
    "GIF": (),
    "JXL": ("exif", "xmp"),
    "JP2": ("icc", "exif", "xmp"),
    "J2K": (),
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
JPEG_ROOM = {"exif": 65533, "iptc": 65533 - 27, "comment": 65533}

# Formats whose writers are modules of their own, imported when first needed.
_ELSEWHERE = {"GIF": "animation", "JXL": "extras.jpeg_xl", "JP2": "extras.jpeg_2000", "J2K": "extras.jpeg_2000"}


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
    if format in _ELSEWHERE:
        module = import_module(f"datasets.codecs.{_ELSEWHERE[format]}")
        data, more = module.encode(format, picture, quality)
    elif format == "TIFF":
        data, more = encode_tiff(stack_alpha(pixels, alpha), origin)
    elif pixels.dtype == np.uint16:
        data, more = _encode_deep_png(pixels, alpha, origin), []
    elif format == "PNG":
        data, more = _add_colour_chunks(_encode_pillow(pixels, alpha, "PNG", _build_png_options(origin)), origin), []
    elif format == "JPEG":
        data, more = _encode_jpeg(pixels, origin, quality)
    elif format == "WEBP":
        data, more = _encode_pillow(pixels, alpha, "WEBP", build_webp_options(origin, quality)), []
    else:
        data, more = _encode_bmp(pixels, alpha, origin), []
    return data, notes + more


def stack_alpha(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """Return (H, W, C) samples with alpha as the last channel."""
    return np.ascontiguousarray(pixels if alpha is None else np.dstack([pixels, alpha]))


def to_image(pixels: Pixels, alpha: Pixels | None) -> Image.Image:
    """Return 8-bit pixels (H, W, 1 or 3) and alpha (H, W) as Pillow's picture."""
    samples = stack_alpha(pixels, alpha)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2]]
    return Image.frombytes(mode, (samples.shape[1], samples.shape[0]), samples.tobytes())


def _encode_pillow(pixels: Pixels, alpha: Pixels | None, format: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    to_image(pixels, alpha).save(buffer, format, **{key: value for key, value in options.items() if value is not None})
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
        key: getattr(origin, key) for key in ("iptc", "comment")
    }
    for key, value in segments.items():
        if value is not None and len(value) > JPEG_ROOM[key]:
            segments[key] = None
            notes.append(f"{NAMES[key]} was dropped: {len(value)} bytes are more than a JPEG segment holds")
    iptc = segments.pop("iptc")
    options: dict[str, Any] = {**segments, "icc_profile": origin.icc, "dpi": origin.dpi}
    options["extra"] = b"" if iptc is None else _build_photoshop_segment(iptc)
    if origin.xmp is not None:
        packet = split_packet(origin.xmp)
        if packet is None:
            notes.append(f"XMP was dropped: {len(origin.xmp)} damaged bytes are more than a JPEG segment holds")
        else:
            options["xmp"] = packet[0]
            options["extra"] += b"".join(packet[1])
    options["subsampling"] = (origin.jpeg_subsampling or 0) if channels == 3 else None
    if quality is None and origin.jpeg_tables:
        # Baseline JPEG holds no coarser steps; libjpeg would write others too, and a caution to the terminal.
        options["qtables"] = [[min(step, 255) for step in table] for table in origin.jpeg_tables]
    else:
        options["quality"] = quality or 95  # chosen by hand
    return options, notes


def _build_photoshop_segment(iptc: bytes) -> bytes:
    """Return the JPEG segment in which Photoshop, and everybody after it, keeps IPTC."""
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    return b"\xff\xed" + struct.pack(">H", len(block) + 2) + block


def build_webp_options(origin: Origin, quality: int | None) -> dict[str, Any]:
    """Return how Pillow is to write a WebP file like that of an origin."""
    options: dict[str, Any] = {
        "icc_profile": origin.icc,
        "exif": _add_exif_heading(origin.exif),
        "xmp": origin.xmp,
        "exact": True,
    }
    if quality is None and origin.format == "WEBP" and origin.webp_quality is None:
        options |= {"lossless": True, "quality": 75}  # here "quality" is effort, and 75 libwebp's default
    else:
        options["quality"] = quality or origin.webp_quality or 90
    return options


def _build_png_options(origin: Origin) -> dict[str, Any]:
    info = PngImagePlugin.PngInfo()
    for key, value in origin.text:
        info.add_text(key, value)
    if origin.xmp is not None:
        info.add_itxt("XML:com.adobe.xmp", origin.xmp.decode("utf-8", "replace"))
    kept = {"icc_profile": origin.icc, "exif": _add_exif_heading(origin.exif), "dpi": origin.dpi, "pnginfo": info}
    return {**kept, "compress_level": PNG_LEVEL}


def _add_colour_chunks(data: bytes, origin: Origin) -> bytes:
    """Return a PNG file with the chunks that state its colours; Pillow does not write all of them."""
    chunks = (chunk for chunk in origin.png_colour if chunk[0] != b"sRGB" or origin.icc is None)  # either of the two
    return metadata.insert_png_chunks(data, chunks)


def _encode_deep_png(pixels: Pixels, alpha: Pixels | None, origin: Origin) -> bytes:
    """Return a 16-bit PNG: Pillow writes a file of one pixel with all metadata, whose pixel is then replaced."""
    samples = stack_alpha(pixels, alpha)
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
    shell = _add_colour_chunks(shell, origin)
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


def to_srgb(pixels: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """Return 8-bit pixels in sRGB, converted from the colours of an ICC profile; gray stays gray."""
    gray = pixels.shape[2] == 1
    source = np.arange(256, dtype=np.uint8).reshape(1, 256, 1) if gray else pixels  # few values, converted exactly
    try:
        converted = np.asarray(convert_to_srgb(to_image(source, None), profile))
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise PictureError(f"has a colour profile that cannot be used ({error}): set `color` to keep") from error
    return converted[0, :, 0][pixels] if gray else converted


def recompress(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return (H, W, 1 or 3) pixels after a round trip through JPEG of `quality`, 1 to 100, at 4:2:0."""
    data = _encode_pillow(pixels, None, "JPEG", {"quality": quality, "subsampling": 2})
    with configured_pillow, Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return np.array(image).reshape(pixels.shape)
