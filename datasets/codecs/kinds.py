"""What a file is by its content, whatever its name says."""

import os
import struct
from typing import BinaryIO, NamedTuple

from datasets.codecs.formats import CONVERT, EXTRA_OF, SUFFIXES_OF, TITLES, describe_absence
from datasets.codecs.metadata import PNG_SIGNATURE

HEAD = 4096  # bytes in which the beginnings below, and the boxes of HEIC and AVIF that name their coding, are found

# The first bytes of files. Those of camera RAW come before TIFF, which many of them are besides.
_PICTURES = {
    b"\xff\xd8\xff": "JPEG",
    PNG_SIGNATURE: "PNG",
    b"FUJIFILMCCD-RAW": "RAW",
    b"II*\0\x10\0\0\0CR": "RAW",
    b"IIRO": "RAW",
    b"IIRS": "RAW",
    b"MMOR": "RAW",
    b"IIU\0": "RAW",
    b"FOVb": "RAW",
    b"\0MRM": "RAW",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"II\xbc": "JPEG XR",
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"\0\0\0\x0cJXL ": "JXL",
    b"\xff\x0a": "JXL",
    b"\0\0\0\x0cjP": "JP2",
    b"\xff\x4f\xff\x51": "J2K",
    b"8BPS": "Photoshop",
    b"\0\0\1\0": "icon",
    b"\0\0\2\0": "cursor",
    b"icns": "Apple icon",
    b"qoif": "QOI",
    b"DDS ": "DirectDraw (DDS)",
    b"v/1\1": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"#?RGBE": "Radiance HDR",
    b"gimp xcf": "GIMP",
    b"farbfeld": "farbfeld",
    b"SIMPLE  =": "FITS",
    b"BPG\xfb": "BPG",
    b"FLIF": "FLIF",
    b"AT&TFORM": "DjVu",
    b"\x8aMNG": "MNG",
    b"\x8bJNG": "JNG",
    b"\x01\xda": "SGI",
    b"\x59\xa6\x6a\x95": "Sun raster",
    b"/* XPM": "XPM",
    b"\xd7\xcd\xc6\x9a": "WMF",
    b"%PDF": "PDF",
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
}
_OTHERS = {
    b"PK\3\4": "a zip archive",
    b"PK\5\6": "an empty zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"\x1aE\xdf\xa3": "a film",
    b"OggS": "sound or a film",
    b"ID3": "sound",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"SQLite format 3": "a database",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"\0\5\x16\7": "what macOS stores beside a file",
}
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"crx ": "RAW", b"jxl ": "JXL", b"jp2 ": "JP2"}
_BRANDS |= dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "HEIC")
_TARGA_FOOTER = b"TRUEVISION-XFILE.\0"


# What a file that is no picture is, and the remedy.
_LFS_POINTER = "a Git LFS pointer, which stands for a file that was not fetched: run git lfs pull"
_WEB_PAGE = "a web page, which a failed download leaves under a picture's name: download the picture again"
_REMOVE = "not a picture, whatever its name says: remove or rename it"


class Kind(NamedTuple):
    """What a file is: a picture, by its format in SUFFIXES_OF or its name for people, or none, in a sentence's end."""

    name: str
    picture: bool = True


def identify(stream: BinaryIO) -> Kind:
    """Return what a file is by its content; afterwards the stream is at its start."""
    stream.seek(0)
    head = stream.read(HEAD)
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - len(_TARGA_FOOTER)))
    tail = stream.read()
    stream.seek(0)
    if head[4:8] == b"ftyp":
        return _identify_boxes(head)
    if head[:4] == b"RIFF":
        riff = {b"WEBP": Kind("WEBP"), b"AVI ": _other("a film"), b"WAVE": _other("sound")}
        return riff.get(head[8:12], Kind(_REMOVE, False))
    if head.startswith(b"\0\0\2\0") and _is_targa(head, size):
        return Kind("Targa")  # its first bytes are a cursor's too
    found = next((Kind(name) for start, name in _PICTURES.items() if head.startswith(start)), None)
    found = found or next((_other(name) for start, name in _OTHERS.items() if head.startswith(start)), None)
    if found is not None:
        return found
    if head[:1] == b"P" and head[1:2] in b"1234567fF" and head[2:3].isspace():
        return Kind("Netpbm")
    if tail == _TARGA_FOOTER or _is_targa(head, size):
        return Kind("Targa")
    return _identify_text(head, size)


def describe_unreadable(stream: BinaryIO) -> str:
    """Return what a file is that cannot be opened, and what to do about it, as a sentence without its subject."""
    kind = identify(stream)
    title = TITLES.get(kind.name, kind.name)
    if not kind.picture:
        return f"is {kind.name}"
    if kind.name in SUFFIXES_OF:
        return f"is a damaged or cut-off {title} picture: restore it from its source"
    article = "an" if title[0] in "AEIOaeio" or title == "SVG" else "a"
    if kind.name in EXTRA_OF:
        return f"is {article} {title} file, which cannot be read {describe_absence(kind.name)}"
    return f"is {article} {title} file, whatever its name says: {CONVERT}"


def _other(name: str) -> Kind:
    return Kind(f"{name}, and {_REMOVE}", picture=False)


def _identify_boxes(head: bytes) -> Kind:
    """Return what a file of ISO boxes is: by its brands, and where these leave it open, by the coding of its items."""
    (length,) = struct.unpack(">I", head[:4])
    brands = [head[8:12], *(head[start : start + 4] for start in range(16, min(length, len(head)), 4))]
    named = next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
    if named is not None:
        return Kind(named)
    if {b"mif1", b"msf1", b"miaf"} & {*brands}:
        return Kind("AVIF" if b"av01" in head and b"hvc1" not in head else "HEIC")
    return _other("a film")


def _is_targa(head: bytes, size: int) -> bool:
    """Return whether a header is one of a Targa file, which has no signature: every field has to make sense."""
    if len(head) < 18:
        return False
    _, palette, kind, _, colours, depth, _, _, width, height, bits, flags = struct.unpack("<BBBHHBHHHHBB", head[:18])
    palette_sound = (palette, depth > 0, colours > 0) in {(0, False, False), (1, True, True)}
    kinds = {1: (8,), 2: (15, 16, 24, 32), 3: (8, 16)}
    coded = kind - 8 if kind > 8 else kind
    room = size >= 18 + (width * height * bits // 8 if kind < 9 else 1)
    return palette_sound and bits in kinds.get(coded, ()) and width > 0 < height and flags < 64 and room


def _identify_text(head: bytes, size: int) -> Kind:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return Kind("empty (0 bytes): restore it from its source", picture=False)
    if not head.strip(b"\0"):
        return Kind("filled with zeros, as a failed copy leaves it: restore it from its source", picture=False)
    if head.startswith(b"version https://git-lfs"):
        return Kind(_LFS_POINTER, picture=False)
    if b"<svg" in text and text.startswith(b"<"):
        return Kind("SVG")
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return Kind(_WEB_PAGE, picture=False)
    if head[257:262] == b"ustar":
        return _other("a tar archive")
    if head[128:132] == b"DICM":
        return Kind("DICOM")
    try:
        head.decode() if size <= len(head) else head[:-4].decode("utf-8", "strict")
    except UnicodeDecodeError:
        return Kind(_REMOVE, picture=False)
    return _other("text") if b"\0" not in head else Kind(_REMOVE, picture=False)
