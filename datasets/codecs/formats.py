"""The kinds of picture files there are, by their suffixes and by their first bytes."""

from collections.abc import Mapping

from datasets.codecs import metadata

SUFFIXES_OF = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
}
FORMAT_OF = {suffix: format for format, suffixes in SUFFIXES_OF.items() for suffix in suffixes}
SUFFIXES: frozenset[str] = frozenset(FORMAT_OF)
"""Lower-case suffixes of the pictures that are read."""

_RAW = ".3fr .arw .cr2 .cr3 .dng .erf .nef .nrw .orf .pef .raf .raw .rw2 .sr2 .srw .x3f"
UNSUPPORTED: Mapping[str, str] = {
    **dict.fromkeys(_RAW.split(), "camera RAW"),
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIC"),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx"), "JPEG 2000"),
    **dict.fromkeys((".psd", ".psb"), "Photoshop"),
    **dict.fromkeys((".pbm", ".pgm", ".ppm", ".pnm"), "Netpbm"),
    **{".apng": "animated PNG", ".avif": "AVIF", ".exr": "OpenEXR", ".gif": "GIF", ".hdr": "Radiance HDR"},
    **{".ico": "icon", ".jxl": "JPEG XL", ".svg": "SVG", ".tga": "Targa", ".xcf": "GIMP"},
}
"""Lower-case suffixes of picture files that cannot be read, with the names of their kinds."""

# The first bytes of files, to name the kind of a file that cannot be opened.
_BEGINNINGS = {
    b"\xff\xd8\xff": "damaged or cut-off JPEG",
    metadata.PNG_SIGNATURE: "damaged or cut-off PNG",
    b"II*\0": "damaged, cut-off or rarely coded TIFF",
    b"MM\0*": "damaged, cut-off or rarely coded TIFF",
    b"BM": "damaged or cut-off BMP",
    b"GIF8": "GIF",
    b"8BPS": "Photoshop",
    b"\0\0\0\x0cJXL": "JPEG XL",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"%PDF": "PDF",
    b"<svg": "SVG",
}
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC"}


def describe_unreadable(beginning: bytes) -> str:
    """Return what a file is that cannot be opened, and what to do about it, from its first 64 bytes."""
    if not beginning:
        return "is empty (0 bytes): restore it from its source"
    kind = _BRANDS.get(beginning[8:12]) if beginning[4:8] == b"ftyp" else None
    kind = "damaged or cut-off WebP" if beginning[8:12] == b"WEBP" else kind
    kind = kind or next((name for start, name in _BEGINNINGS.items() if beginning.startswith(start)), None)
    if kind is None:
        return "is not a picture, whatever its name says: remove or rename it"
    if kind.startswith("damaged"):
        return f"is a {kind} picture: restore it from its source"
    return f"is a {kind} file, whatever its name says: convert it to PNG, TIFF or JPEG"
