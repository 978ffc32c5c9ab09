"""The kinds of picture files there are, by their suffixes, and what reading or writing one needs."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

CONVERT = "convert it to PNG, TIFF or JPEG"


class Extra(NamedTuple):
    """An optional library: the extra of ours that installs it, its module, and its name for pip."""

    extra: str
    module: str
    package: str


_RAW = ".3fr .arw .cr2 .cr3 .dng .erf .nef .nrw .orf .pef .raf .raw .rw2 .sr2 .srw .x3f"
_SUFFIXES_OF = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "JXL": (".jxl",),
    "JP2": (".jp2", ".jpf", ".jpx"),
    "J2K": (".j2k", ".j2c", ".jpc"),
    "HEIC": (".heic", ".heif", ".hif"),
    "RAW": tuple(_RAW.split()),
}
_HEIC, _CAMERA, _CODECS = (
    Extra("heic", "pi_heif", "pi-heif"),
    Extra("raw", "rawpy", "rawpy"),
    Extra("codecs", "imagecodecs", "imagecodecs"),
)
EXTRA_OF: Mapping[str, Extra] = {"HEIC": _HEIC, "RAW": _CAMERA, "JXL": _CODECS, "JP2": _CODECS, "J2K": _CODECS}
"""What reading and writing a format needs beyond this program's own dependencies."""

TITLES: Mapping[str, str] = {"RAW": "camera RAW", "JXL": "JPEG XL", "JP2": "JPEG 2000", "J2K": "JPEG 2000"}
"""Formats whose names for people differ from those in the code."""

READ_ONLY = frozenset({"HEIC", "RAW"})


def is_installed(module: str) -> bool:
    """Return whether an optional module can be imported; it is not imported."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


_ABSENT = frozenset(format for format, extra in EXTRA_OF.items() if not is_installed(extra.module))

SUFFIXES_OF: Mapping[str, tuple[str, ...]] = {
    format: suffixes for format, suffixes in _SUFFIXES_OF.items() if format not in _ABSENT
}
FORMAT_OF = {suffix: format for format, suffixes in SUFFIXES_OF.items() for suffix in suffixes}
SUFFIXES: frozenset[str] = frozenset(FORMAT_OF)
"""Lower-case suffixes of the pictures that are read."""
WRITTEN_SUFFIXES: frozenset[str] = frozenset(suffix for suffix in FORMAT_OF if FORMAT_OF[suffix] not in READ_ONLY)
"""Lower-case suffixes of the pictures that are written."""

UNSUPPORTED: Mapping[str, str] = {
    **{suffix: TITLES.get(format, format) for format in _ABSENT for suffix in _SUFFIXES_OF[format]},
    **dict.fromkeys((".psd", ".psb"), "Photoshop"),
    **dict.fromkeys((".pbm", ".pgm", ".ppm", ".pnm"), "Netpbm"),
    **{".avif": "AVIF", ".exr": "OpenEXR", ".hdr": "Radiance HDR", ".jxr": "JPEG XR", ".dds": "DirectDraw"},
    **{".ico": "icon", ".qoi": "QOI", ".svg": "SVG", ".tga": "Targa", ".xcf": "GIMP"},
}
"""Lower-case suffixes of picture files that cannot be read, with the names of their kinds."""


def describe_absence(format: str) -> str:
    """Return how to get the library without which a format is neither read nor written, as the end of a sentence."""
    extra = EXTRA_OF[format]
    return f"without {extra.package}: get it with pip install {extra.package} (the extra [{extra.extra}])"


def describe_unsupported(kind: str) -> str:
    """Return a sentence on why files of a kind are not read, or read and not written again, and the remedy."""
    format = next((format for format in EXTRA_OF if TITLES.get(format, format) == kind), None)
    if format in _ABSENT:
        return f"{kind} cannot be read {describe_absence(format)}"
    if format == "RAW":
        return "camera RAW is read, and not written: set `format` to tiff or png, which hold its 16 bits"
    if format is not None:
        return f"{kind} is read, and not written: set `format` to jpeg, png, webp or tiff"
    return f"{kind} cannot be read" + (f": {CONVERT}" if kind in UNSUPPORTED.values() else "")
