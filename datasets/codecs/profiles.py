"""The colours of a picture as a file format can state them: by ICC profiles, by PNG's chunks, or converted to sRGB."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from datasets.codecs import encoding
from datasets.codecs.blocks.colour import Stated, read_chunks
from datasets.codecs.blocks.icc import build_profile, read_profile_code_points
from datasets.codecs.origin import Origin, PictureError
from datasets.codecs.picture import Pixels, SaveOptions

_DISPLAY = frozenset({b"mDCV", b"cLLI"})  # the display on which HDR was graded, and how light its content is


def fit_colour(
    pixels: Pixels, origin: Origin, format: str, options: SaveOptions, notes: list[str]
) -> tuple[Pixels, Origin]:
    """Return pixels and an origin that describes their colours in a way that `format` can hold; `notes` grow.

    Raises:
        PictureError: The colours cannot be converted to sRGB, as `options` ask.
    """
    channels = pixels.shape[2]
    if origin.icc is not None:
        space = _read_space(origin.icc)
        if space != ("GRAY" if channels == 1 else "RGB"):
            notes.append(f"the colour profile was dropped: it is for {space}, and the pixels are not")
            origin = replace(origin, icc=None)
    chunks = dict(origin.png_colour)
    stated = read_chunks(chunks, profile=origin.icc is not None)
    if b"cICP" in chunks and (stated is None or stated.hdr is None) and read_chunks({b"cICP": chunks[b"cICP"]}) is None:
        notes.append("its cICP names colours that are not known, and was ignored")
    if options.color == "srgb":
        return _convert_to_srgb(pixels, origin, stated)
    if format == "PNG":
        return pixels, origin
    if chunks:
        origin = _replace_chunks(origin, chunks, stated, format, 3 if format == "WEBP" else channels, notes)
    if format == "WEBP" and origin.icc is not None and _read_space(origin.icc) == "GRAY":
        notes.append(f"the gray colour profile was dropped: {format} holds colour only")
        origin = replace(origin, icc=None)
    return pixels, origin


def _read_space(profile: bytes) -> str:
    return profile[16:20].decode("latin-1").strip()  # ICC.1:2022, table 17


def _convert_to_srgb(pixels: Pixels, origin: Origin, stated: Stated | None) -> tuple[Pixels, Origin]:
    profile = origin.icc if stated is None else None
    named = read_chunks({b"cICP": read_profile_code_points(profile)}) if profile is not None else stated
    if named is not None and named.hdr is not None:
        raise PictureError(
            f"has HDR colours ({named.hdr}), which become sRGB only by a choice of how to darken highlights: "
            "set `color` to keep, or convert it with an HDR editor"
        )
    if stated is not None and stated.colours is not None:
        profile = build_profile(stated.colours, pixels.shape[2])
    if profile is not None:
        if pixels.dtype != np.uint8:
            raise PictureError("converting to sRGB is for 8 bits, and this has 16: set `color` to keep")
        pixels = encoding.to_srgb(pixels.astype(np.uint8, copy=False), profile)
    return pixels, replace(origin, icc=None, png_colour=())


def _replace_chunks(
    origin: Origin, chunks: Iterable[bytes], stated: Stated | None, format: str, channels: int, notes: list[str]
) -> Origin:
    """Return an origin whose profile says what PNG's chunks did, for a format that has none."""
    profile = origin.icc
    if stated is not None and stated.hdr is not None:
        kept = "" if profile is None else "; its colour profile stays"
        notes.append(f"what states its HDR colours ({stated.hdr}) was dropped: {format} has no place for it{kept}")
    elif stated is not None:
        profile = None if stated.colours is None else build_profile(stated.colours, channels)
        if profile is not None and "icc" in encoding.HOLDS[format]:
            notes.append("a colour profile was made from PNG's colour chunks")
    if _DISPLAY & set(chunks) and (stated is None or stated.hdr is None):
        notes.append(f"mDCV and cLLI were dropped: {format} has no place for them")
    return replace(origin, icc=profile, png_colour=())
