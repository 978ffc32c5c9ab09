"""Camera RAW in, developed by LibRaw through rawpy: the camera's white balance, sRGB, 16 bits, upright."""

import io
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import rawpy

from datasets.codecs.blocks.descriptive import read_description
from datasets.codecs.blocks.directories import build_block
from datasets.codecs.extras.origins import build_origin
from datasets.codecs.origin import Origin, PictureError
from datasets.codecs.picture import Header, Pixels

_QUARTER_TURNS = frozenset({5, 6})  # of LibRaw's `flip`


def read_header(stream: BinaryIO) -> Header:
    """Return the header of a RAW file's picture, as it will be once it is developed.

    Raises:
        PictureError: LibRaw does not know the camera, or the file is damaged.
    """
    with _open(stream) as raw:
        sizes = raw.sizes
        width, height = sizes.iwidth, sizes.iheight
        if sizes.flip in _QUARTER_TURNS:
            width, height = height, width
        return Header(width, height, 3, 16, False, "RAW")


def decode(data: bytes) -> tuple[Pixels, Pixels | None, Origin, int]:
    """Return the pixels and the origin of a RAW file; they are upright, and there is no alpha."""
    with _open(io.BytesIO(data)) as raw:
        try:
            pixels = np.asarray(raw.postprocess(use_camera_wb=True, output_bps=16), np.uint16)
        except rawpy.LibRawError as error:
            raise PictureError(_describe(error)) from error
    exif = _read_exif(data)
    origin = build_origin("RAW", 3, exif=exif, dropped=() if exif else ("EXIF",))
    note = "developed from camera RAW with the camera's white balance"
    return pixels, None, replace(origin, icc=None, notes=(note, *origin.notes)), 1  # LibRaw gives sRGB


def _open(stream: BinaryIO) -> Any:
    try:
        return rawpy.imread(stream)
    except rawpy.LibRawError as error:
        raise PictureError(_describe(error)) from error


def _describe(error: Exception) -> str:
    reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
    return f"is a damaged camera RAW file, or of an unknown camera ({reason}): convert it to DNG or TIFF"


def _read_exif(data: bytes) -> bytes | None:
    """Return the tags that describe the picture, from a RAW file that is built like TIFF, as most are."""
    heads = {b"II": b"II*\0", b"MM": b"MM\0*"}  # Olympus and Panasonic write other numbers there
    if data[:2] not in heads:
        return None
    main, below, _ = read_description(heads[data[:2]] + data[4:])
    return build_block(main, below) if main or below else None
