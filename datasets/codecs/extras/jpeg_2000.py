"""JPEG 2000 in and out, through imagecodecs: files of boxes (JP2) and bare codestreams (J2K)."""

import struct
from typing import BinaryIO, NamedTuple

import imagecodecs
import numpy as np

from datasets.codecs import encoding
from datasets.codecs.decoding import report_damage
from datasets.codecs.depths import scale_bits
from datasets.codecs.extras.boxes import Box, build_box, find_boxes
from datasets.codecs.extras.origins import build_origin
from datasets.codecs.origin import Origin, PictureError
from datasets.codecs.picture import Header, Picture, Pixels

_CODESTREAM = b"\xff\x4f\xff\x51"
# The names of `uuid` boxes, by the JPEG group's and Adobe's convention.
_EXIF_BOX, _XMP_BOX = b"JpgTiffExif->JP2", bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_ENUMERATED_GRAY, _ENUMERATED_RGB = 17, 16


class _Layout(NamedTuple):
    """What a codestream's SIZ segment says (ISO/IEC 15444-1, A.5.1), and whether alpha is among its components."""

    width: int
    height: int
    components: int
    bits: int
    alpha: bool

    @property
    def colours(self) -> int:
        return self.components - self.alpha


def read_header(stream: BinaryIO) -> Header:
    """Return the header of a JPEG 2000 file.

    Raises:
        PictureError: It is damaged, or its picture would lose depth or channels.
    """
    data = stream.read()
    layout = _parse(data)
    channels, depth = min(layout.colours, 3), 8 if layout.bits <= 8 else 16
    return Header(layout.width, layout.height, channels, depth, layout.alpha, _format(data))


def decode(data: bytes) -> tuple[Pixels, Pixels | None, Origin, int]:
    """Return the pixels, the alpha and the origin of a JPEG 2000 file, which knows no orientation."""
    layout = _parse(data)
    origin = _read_origin(data, layout.colours)
    with report_damage("JPEG 2000"):
        # Of a whole file, the decoder would convert the colours by the profile, which is kept here.
        samples = np.asarray(imagecodecs.jpeg2k_decode(data if origin.icc is None else _find_codestream(data)))
        samples = samples.reshape(layout.height, layout.width, -1)
        if samples.shape[2] != layout.components:
            raise ValueError(f"{samples.shape[2]} channels where {layout.components} were declared")
    samples = scale_bits(samples, layout.bits)
    alpha = samples[:, :, layout.colours] if layout.alpha else None
    return samples[:, :, : layout.colours], alpha, origin, 1


def encode(format: str, picture: Picture, quality: int | None) -> tuple[bytes, list[str]]:
    """Return a JPEG 2000 file of a picture, lossless, and notes; JPEG 2000 knows no `quality` as JPEG has it."""
    origin = picture.origin or Origin("PNG")
    samples = encoding.stack_alpha(picture.pixels, picture.alpha)
    data = imagecodecs.jpeg2k_encode(
        samples[:, :, 0] if samples.shape[2] == 1 else samples,
        level=0,
        codecformat=format.lower(),
        reversible=True,
        mct=samples.shape[2] >= 3,
    )
    notes = [] if quality is None else ["JPEG 2000 is written without loss: `quality` changes nothing"]
    return (bytes(data) if format == "J2K" else _complete(bytes(data), picture, origin)), notes


def _complete(data: bytes, picture: Picture, origin: Origin) -> bytes:
    """Return a JP2 file with the colours, the alpha and the metadata that its encoder left out."""
    parts: list[bytes] = []
    for name, content in find_boxes(data):
        if name == b"jp2h":
            inner = [box for box in find_boxes(content) if box.name not in {b"colr", b"cdef"}]
            content = b"".join(build_box(*box) for box in [*inner, *_describe_channels(picture, origin.icc)])
        if name == b"jp2c":
            parts += [build_box(b"uuid", _EXIF_BOX + origin.exif)] if origin.exif else []
            parts += [build_box(b"uuid", _XMP_BOX + origin.xmp)] if origin.xmp else []
        parts.append(build_box(name, content))
    return b"".join(parts)


def _describe_channels(picture: Picture, icc: bytes | None) -> list[Box]:
    """Return the boxes that say what the channels are (ISO/IEC 15444-1, I.5.3.3 and I.5.3.6)."""
    gray = picture.channels == 1
    number = struct.pack(">I", _ENUMERATED_GRAY if gray else _ENUMERATED_RGB)
    boxes = [Box(b"colr", b"\1\0\0" + number if icc is None else b"\2\0\0" + icc)]
    if picture.alpha is not None:
        entries = [(place, 0, place + 1) for place in range(picture.channels)] + [(picture.channels, 1, 0)]
        table = b"".join(struct.pack(">3H", *entry) for entry in entries)
        boxes.append(Box(b"cdef", struct.pack(">H", len(entries)) + table))
    return boxes


def _format(data: bytes) -> str:
    return "J2K" if data.startswith(_CODESTREAM) else "JP2"


def _find_codestream(data: bytes) -> bytes:
    if data.startswith(_CODESTREAM):
        return data
    found = next((box.data for box in find_boxes(data) if box.name == b"jp2c"), None)
    if found is None:
        raise ValueError("it holds no picture")
    return found


def _parse(data: bytes) -> _Layout:
    with report_damage("JPEG 2000"):
        boxes = [] if data.startswith(_CODESTREAM) else [*find_boxes(data)]
        stream = _find_codestream(data)
        width, height, left, top = struct.unpack_from(">4I", stream, 8)
        (components,) = struct.unpack_from(">H", stream, 40)
        if not components or width <= left or height <= top:
            raise ValueError("it has no pixels")
        depths = {stream[42 + 3 * place] for place in range(components)}
        steps = {stream[43 + 3 * place : 45 + 3 * place] for place in range(components)}
    header = [*find_boxes(next((box.data for box in boxes if box.name == b"jp2h"), b""))]
    if any(box.name == b"pclr" for box in header):
        raise PictureError("is a JPEG 2000 picture with a palette, which is not read: save it in true colour")
    bits = max(depths) + 1
    if len(depths) > 1 or bits > 16 or components > 4 or steps != {b"\1\1"}:
        kind = "signed" if max(depths) & 0x80 else f"{bits}-bit"
        raise PictureError(
            f"is a JPEG 2000 picture of {components} {kind} channels, which are not read: "
            "save it as gray or RGB of 8 or 16 bits"
        )
    return _Layout(width - left, height - top, components, bits, components in {2, 4})


def _read_origin(data: bytes, channels: int) -> Origin:
    icc = exif = xmp = None
    for name, content in () if data.startswith(_CODESTREAM) else find_boxes(data):
        if name == b"jp2h":
            profiles = [box.data[3:] for box in find_boxes(content) if box.name == b"colr" and box.data[:1] in b"\2\3"]
            icc = profiles[0] if profiles else None
        elif name == b"uuid" and content.startswith(_EXIF_BOX):
            exif = content[len(_EXIF_BOX) :]
        elif name == b"uuid" and content.startswith(_XMP_BOX):
            xmp = content[len(_XMP_BOX) :]
        elif name == b"xml " and xmp is None and b"xmpmeta" in content:
            xmp = content
    return build_origin(_format(data), channels, icc=icc, exif=exif, xmp=xmp)
