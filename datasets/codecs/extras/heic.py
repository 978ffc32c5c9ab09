"""HEIC and HEIF in, through pi-heif, which decodes them and encodes nothing.

libheif turns the pixels as the file's own properties say; the orientation in EXIF repeats that and is not applied again
(ISO/IEC 23008-12, annex A).
"""

import io
from typing import Any, BinaryIO

import numpy as np
import pi_heif

from datasets.codecs.blocks.xmp import DEPTH, VIDEO
from datasets.codecs.decoding import report_damage
from datasets.codecs.depths import scale_bits
from datasets.codecs.extras.boxes import find_boxes
from datasets.codecs.extras.origins import build_origin
from datasets.codecs.origin import Origin, PictureError
from datasets.codecs.picture import Header, Pixels

_UNSPECIFIED = frozenset({0, 1, 2})  # primaries of ISO/IEC 23091-2 that are sRGB's, or not stated


def read_header(stream: BinaryIO) -> Header:
    """Return the header of a HEIC file's main picture.

    Raises:
        PictureError: The file is damaged, or a sequence.
    """
    image = _open(stream.read())[0]
    channels = 1 if image.mode.startswith("L") else 3
    width, height = image.size
    return Header(width, height, channels, 8 if image.info["bit_depth"] == 8 else 16, image.has_alpha, "HEIC")


def decode(data: bytes) -> tuple[Pixels, Pixels | None, Origin, int]:
    """Return the pixels, the alpha and the origin of a HEIC file's main picture, which is upright."""
    image, others = _open(data)
    with report_damage("HEIC"):
        samples = np.array(image)  # a copy, since the decoder's memory goes with `image`
    samples = samples.reshape(*samples.shape[:2], -1)[: image.size[1], : image.size[0]]
    samples = scale_bits(samples, int(image.info["bit_depth"]))
    alpha = samples[:, :, -1] if image.has_alpha else None
    pixels = samples[:, :, : samples.shape[2] - image.has_alpha]
    if alpha is not None and image.premultiplied_alpha:
        raise PictureError("is a HEIC picture whose colours are multiplied with alpha, which is not read")
    dropped = ["other pictures in the file"] if others else []
    dropped += [VIDEO] if any(box.name == b"mpvd" for box in find_boxes(data)) else []
    return pixels, alpha, _read_origin(image.info, pixels.shape[2], dropped), 1


def _open(data: bytes) -> tuple[Any, int]:
    """Return the main picture of a file, and how many others it holds."""
    with report_damage("HEIC"):
        file = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
        return file[file.primary_index], len(file) - 1


def _read_origin(info: dict[str, Any], channels: int, dropped: list[str]) -> Origin:
    dropped += [DEPTH] if info.get("depth_images") else []
    dropped += [name.rpartition(":")[2] for name in info.get("aux", {})]
    nclx = info.get("nclx_profile") or {}
    primaries, transfer = nclx.get("color_primaries", 2), nclx.get("transfer_characteristics", 2)
    colour = () if primaries in _UNSPECIFIED else ((b"cICP", bytes([primaries, transfer, 0, 1])),)
    icc, exif, xmp = (info.get(name) for name in ("icc_profile", "exif", "xmp"))
    return build_origin("HEIC", channels, icc=icc, exif=exif, xmp=xmp, colour=colour, dropped=dropped)
