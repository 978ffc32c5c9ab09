"""JPEG XL in and out, through imagecodecs."""

import struct
from dataclasses import replace
from typing import BinaryIO

import imagecodecs
import numpy as np

from datasets.codecs import encoding
from datasets.codecs.blocks.xmp import CREDENTIALS, GAIN_MAP
from datasets.codecs.decoding import report_damage
from datasets.codecs.depths import scale_bits
from datasets.codecs.extras.boxes import build_box, find_boxes
from datasets.codecs.extras.jpeg_xl_header import JpegXlHeader, parse_header
from datasets.codecs.extras.origins import build_origin
from datasets.codecs.origin import Origin, PictureError
from datasets.codecs.picture import Header, Picture, Pixels

_CODESTREAM = b"\xff\x0a"
_CODED = frozenset({b"jxlc", b"jxlp"})
_LOST = {b"jhgm": GAIN_MAP, b"jumb": CREDENTIALS}  # boxes that are not kept


def read_header(stream: BinaryIO) -> Header:
    """Return the header of a JPEG XL file.

    Raises:
        PictureError: It is animated, has floating-point samples, or is damaged.
    """
    header = _parse(stream.read())
    width, height = (header.width, header.height)[:: -1 if header.orientation > 4 else 1]
    depth = 8 if header.bits <= 8 else 16
    return Header(width, height, 1 if header.gray else 3, depth, header.alpha, "JXL")


def decode(data: bytes) -> tuple[Pixels, Pixels | None, Origin, int]:
    """Return the pixels, the alpha and the origin of a JPEG XL file; libjxl turns the pixels upright."""
    header = _parse(data)
    with report_damage("JPEG XL"):
        samples = np.asarray(imagecodecs.jpegxl_decode(data))
    colours = 1 if header.gray else 3
    samples = scale_bits(samples.reshape(*samples.shape[:2], -1), header.bits)
    alpha = samples[:, :, colours] if header.alpha else None
    pixels = samples[:, :, :colours]
    return pixels, alpha, _read_origin(data, header), 1


def encode(format: str, picture: Picture, quality: int | None) -> tuple[bytes, list[str]]:
    """Return a JPEG XL file of a picture, and notes; lossless unless `quality` is given or its origin was lossy."""
    origin = picture.origin or Origin("PNG")
    samples = encoding.stack_alpha(picture.pixels, picture.alpha)
    lossy = origin.format in {"JPEG", "HEIC"} or origin.jpeg_xl_lossy or origin.webp_quality is not None
    samples = samples[:, :, 0] if samples.shape[2] == 1 else samples
    if quality is None and not lossy:
        data = imagecodecs.jpegxl_encode(samples, lossless=True, usecontainer=True)
    else:
        distance = _to_distance(quality or origin.webp_quality or 90)
        data = imagecodecs.jpegxl_encode(samples, lossless=False, distance=distance, usecontainer=True)
    parts = [bytes(data)]
    if origin.exif is not None:
        parts.append(build_box(b"Exif", struct.pack(">I", 0) + origin.exif))  # where the TIFF block begins
    if origin.xmp is not None:
        parts.append(build_box(b"xml ", origin.xmp))
    return b"".join(parts), []


def _to_distance(quality: int) -> float:
    """Return libjxl's distance for a quality of JPEG, as its `JxlEncoderDistanceFromQuality` has it."""
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25


def _parse(data: bytes) -> JpegXlHeader:
    stream = data
    if not data.startswith(_CODESTREAM):
        parts = [box.data[4 if box.name == b"jxlp" else 0 :] for box in find_boxes(data) if box.name in _CODED]
        stream = b"".join(parts)
    with report_damage("JPEG XL"):
        header = parse_header(stream)
    if header.animated:
        raise PictureError("is an animated JPEG XL, and only still ones are read: save its frames apart")
    if header.floating or header.bits > 16:
        kind = "floating-point" if header.floating else f"{header.bits}-bit"
        raise PictureError(f"has {kind} pixels, which are not read: save it with 8 or 16 bits a channel")
    if header.multiplied:
        raise PictureError("is a JPEG XL picture whose colours are multiplied with alpha, which is not read")
    return header


def _read_origin(data: bytes, header: JpegXlHeader) -> Origin:
    exif = xmp = None
    dropped = ["the colour profile, which cannot be read from JPEG XL"] if header.profile else []
    dropped += [f"{header.others} extra channels"] if header.others else []
    for box in () if data.startswith(_CODESTREAM) else find_boxes(data):
        name, content = box
        dropped += [_LOST[name]] if name in _LOST else []
        if name == b"brob":  # compressed with Brotli
            name, content = content[:4], bytes(imagecodecs.brotli_decode(content[4:]))
        if name == b"Exif" and len(content) > 4:
            exif = content[4 + struct.unpack(">I", content[:4])[0] :]
        elif name == b"xml ":
            xmp = content
    standard = header.primaries in {1, 2} and header.transfer in {1, 2, 13}
    colour = () if standard else ((b"cICP", bytes([header.primaries, header.transfer, 0, 1])),)
    origin = build_origin("JXL", 1 if header.gray else 3, exif=exif, xmp=xmp, colour=colour, dropped=dropped)
    return replace(origin, jpeg_xl_lossy=header.lossy)
