"""What lies behind the picture in a file: the video of a motion photo, more pictures, an application's own data."""

import io
import re
from collections.abc import Iterable, Iterator

from datasets.codecs import metadata
from datasets.codecs.blocks.pictures import find_jpeg_end
from datasets.codecs.blocks.xmp import CREDENTIALS, GAIN_MAP, VIDEO

PICTURES = "the pictures behind the first one (a preview or a gain map)"
OTHER = "data behind the picture"
# The box that begins an MP4 or QuickTime file: its length, its name, and a brand.
_VIDEO = re.compile(rb"\0\0..ftyp[0-9A-Za-z ]{4}", re.DOTALL)
_SEGMENTS = (
    (b"urn:iso:std:iso:ts:21496:-1\0", GAIN_MAP),
    (b"HDR_RI ", GAIN_MAP),  # JPEG-HDR
    (b"FLIR\0", "the thermal data (FLIR)"),
)
_PATH = re.compile(rb"8BIM(..)", re.DOTALL)
_GAIN_MAP = re.compile(rb"hdr-gain-map|hdrgainmap|HDRGainMap|urn:iso:std:iso:ts:21496:-1", re.IGNORECASE)


def find_trailing(format: str, data: bytes) -> bytes:
    """Return what lies behind the end of the picture in a JPEG, PNG or WebP file; zeros and line ends do not count."""
    end: int | None = None
    if format == "JPEG":
        end = find_jpeg_end(data)
    elif format == "PNG":
        end = next(
            (c.start + c.length + 4 for c in metadata.find_png_chunks(io.BytesIO(data)) if c.name == b"IEND"), None
        )
    elif format == "WEBP":
        end = 8 + int.from_bytes(data[4:8], "little")
    return b"" if end is None or not data[end:].strip(b"\0\xff\r\n") else data[end:]


def describe_trailing(trailing: bytes) -> Iterator[str]:
    """Yield what there is, in the words of the notes to the user."""
    video = _VIDEO.search(trailing)
    if video is not None:
        yield VIDEO
        trailing = trailing[: video.start()]
    pictures, position = 0, 0
    while (start := trailing.find(b"\xff\xd8\xff", position)) >= 0:
        end = find_jpeg_end(trailing, start)
        pictures += end is not None
        position = start + 1 if end is None else end
    if _GAIN_MAP.search(trailing):
        yield GAIN_MAP
        pictures -= 1
    if pictures > 0:
        yield PICTURES
    elif trailing and video is None and not position:
        yield OTHER


def describe_segments(segments: Iterable[bytes]) -> Iterator[str]:
    """Yield what a JPEG's application segments hold that is not kept, in the words of the notes to the user."""
    for segment in segments:
        yield from (name for heading, name in _SEGMENTS if segment.startswith(heading))
        if segment.startswith(b"JP") and b"c2pa" in segment:  # in JUMBF boxes
            yield CREDENTIALS
        for path in _PATH.finditer(segment) if segment.startswith(b"Photoshop 3.0\0") else ():
            if 2000 <= int.from_bytes(path[1], "big") <= 2998:
                yield "Photoshop paths"
