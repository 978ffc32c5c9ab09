"""Pixels from picture files, for `datasets.codecs.images`.

No single library reads every picture faithfully. Pillow opens all files and decodes 8 bits, but it cuts 16-bit colour
to 8, so OpenCV decodes that, and tifffile where a TIFF's samples lie in separate planes, which OpenCV misreads. None of
them may turn a picture, since each does it in its own way.
"""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from datasets.codecs import metadata
from datasets.codecs.libraries import silent_opencv, silent_tifffile
from datasets.codecs.origin import Origin, PictureError, format_name, read_exif, read_origin
from datasets.codecs.picture import Pixels

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
_DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "RGB", "RGBA"})  # Pillow's, where a file has 16 bits
_MODES = _DEEP_MODES | {"1", "L", "LA", "P", "PA", "CMYK", "YCbCr"}


@contextmanager
def report_damage(format: str) -> Iterator[None]:
    """Turn whatever a library raises at a damaged file into a PictureError; `format` is what the file claims to be."""
    try:
        yield
    except (PictureError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the picture's
        reason = " ".join(str(error).split())
        raise PictureError(
            f"is a damaged or cut-off {format} picture ({reason}): restore it from its source"
        ) from error


def open_image(stream: BinaryIO) -> Image.Image:
    """Open a picture file with Pillow, without decoding it; raises Image.UnidentifiedImageError."""
    return Image.open(stream, formats=FORMATS)


def refuse_unfaithful(image: Image.Image) -> None:
    """Raise PictureError if reading an open picture would lose frames, depth or colour."""
    format = format_name(image)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and format == "TIFF":
        raise PictureError(f"has {frames} pages, and only one-page TIFF is read: save its pages as single files")
    if frames > 1 and format != "JPEG":
        raise PictureError(f"is animated ({frames} frames), and only still pictures are read: save its frames first")
    bits = _read_bits(image)
    if image.mode not in _MODES:
        kind = {"F": "floating-point", "I": "32-bit or signed", "LAB": "Lab"}.get(image.mode, image.mode)
        raise PictureError(f"has {kind} pixels, which are not read: save it as 8 or 16 bits a channel, gray or RGB")
    if bits > 8 and (bits != 16 or image.mode not in _DEEP_MODES):
        raise PictureError(
            f"has {bits}-bit {image.mode} pixels, which are not read: save it as gray or RGB of 8 or 16 bits"
        )


def read_shape(image: Image.Image) -> tuple[int, int, bool]:
    """Return the channels (1 or 3), the depth (8 or 16) and whether there is alpha, from an open picture's header."""
    transparent = "transparency" in image.info
    alpha = transparent or image.mode in {"LA", "PA", "RGBA"}
    depth = 16 if _read_bits(image) == 16 else 8
    if image.mode in {"P", "PA"}:
        return (1 if _palette_is_gray(image) else 3), depth, alpha
    gray = image.mode in {"1", "L", "LA"} or image.mode.startswith("I;16") or _read_raw_mode(image).startswith("LA")
    return (1 if gray else 3), depth, alpha


def read_orientation(image: Image.Image, stream: BinaryIO) -> int:
    """Return the EXIF orientation, 1 to 8, of an open picture; 1 where the file has none or an invalid one."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        value = image.tag_v2.get(metadata.ORIENTATION)
    else:
        block = read_exif(image, stream)
        value = None if block is None else metadata.read_number(block, metadata.ORIENTATION)
    return _valid_orientation(value)


def _valid_orientation(orientation: Any) -> int:
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _read_raw_mode(image: Image.Image) -> str:
    """Return Pillow's name for the layout of the pixels in the file."""
    tile: Any = image.tile[0] if isinstance(image, PngImagePlugin.PngImageFile) and image.tile else None
    return "" if tile is None else tile.args if isinstance(tile.args, str) else tile.args[0]


def _read_bits(image: Image.Image) -> int:
    """Return the bits per sample in the file."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))))
    return 16 if image.mode.startswith("I;16") or ";16" in _read_raw_mode(image) else 8


def _palette_is_gray(image: Image.Image) -> bool:
    palette = image.palette
    if palette is None:
        return False
    probe = Image.new("P", (1, 1))  # `getpalette` of the picture itself would decode it
    probe.putpalette(bytes(palette.palette), palette.rawmode or palette.mode)
    colours = np.array(probe.getpalette("RGB"), np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def decode(data: bytes) -> tuple[Pixels, Pixels | None, Origin, int]:
    """Return the pixels (H, W, 1 or 3), the alpha (H, W), the origin and the EXIF orientation, 1 to 8, of a file.

    The pixels are as they lie in the file: the caller turns them as the orientation says.
    """
    tiff_orientation = 1
    if data[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        # The libraries turn TIFFs unasked, each in its own way: give them no reason to.
        tiff_orientation = _valid_orientation(metadata.read_number(data, metadata.ORIENTATION))
        data = metadata.patch_numbers(data, {metadata.ORIENTATION: 1})
    stream = io.BytesIO(data)
    with open_image(stream) as image:
        format = format_name(image)
        channels, depth, _ = read_shape(image)
        orientation = tiff_orientation if format == "TIFF" else read_orientation(image, stream)
        raw_mode = _read_raw_mode(image)
        with report_damage(format):
            if isinstance(image, TiffImagePlugin.TiffImageFile):
                _check_strips(image.tag_v2, data)
            if depth == 8 or (image.mode.startswith("I;16") and format == "PNG"):
                pixels, alpha, notes = _decode_pillow(image, channels, raw_mode)
            else:
                pixels, alpha, notes = _decode_deep(image, data)
        origin = read_origin(image, data, turned=orientation != 1)
        if image.mode == "CMYK":
            origin = replace(origin, icc=None)  # the pixels are no longer in its colours
        return pixels, alpha, replace(origin, notes=(*notes, *origin.notes)), orientation


def _check_strips(tags: TiffImagePlugin.ImageFileDirectory_v2, data: bytes) -> None:
    """Raise if compressed strips or tiles are cut off or, for deflate, do not match their checksums.

    Otherwise libtiff within Pillow would write to the terminal, and the one within OpenCV would return wrong pixels.
    """
    compression = tags.get(TiffImagePlugin.COMPRESSION, 1)
    starts = tags.get(TiffImagePlugin.STRIPOFFSETS) or tags.get(TiffImagePlugin.TILEOFFSETS) or ()
    counts = tags.get(TiffImagePlugin.STRIPBYTECOUNTS) or tags.get(TiffImagePlugin.TILEBYTECOUNTS) or ()
    for start, count in zip(starts, counts, strict=False) if compression != 1 else ():
        if start + count > len(data):
            raise ValueError(f"{start + count - len(data)} bytes are missing")
        if compression in {8, 32946}:
            zlib.decompress(data[start : start + count])


def _decode_pillow(image: Image.Image, channels: int, raw_mode: str) -> tuple[Pixels, Pixels | None, list[str]]:
    notes = []
    key = None
    converted = image
    if image.mode in {"P", "PA"}:
        notes.append(f"the palette became {'true colour' if channels == 3 else 'gray'}")
        transparent = image.mode == "PA" or "transparency" in image.info
        converted = image.convert("RGBA" if transparent else "RGB")
    elif image.mode == "CMYK":
        converted, note = _convert_cmyk(image)
        notes.append(note)
    elif image.mode in {"1", "YCbCr"}:
        key = image.info.get("transparency")
        converted = image.convert("L" if image.mode == "1" else "RGB")
        notes += ["one bit a pixel became eight"] if image.mode == "1" else []
    else:
        key = image.info.get("transparency")
    array = np.asarray(converted)
    array = array.astype(np.uint16 if array.dtype.itemsize == 2 else np.uint8, copy=False)
    if array.ndim == 2:
        array = array[:, :, None]
    if key is not None:
        steps = {"L;2": 85, "L;4": 17}.get(raw_mode, 1)  # the key is stored at the file's own depth
        return array, _make_key_alpha(array, np.atleast_1d(key) * steps), notes
    alpha = array[:, :, -1] if array.shape[2] in {2, 4} else None
    return array[:, :, :channels], alpha, notes


def _make_key_alpha(pixels: Pixels, key: NDArray[np.int_]) -> Pixels:
    """Return the alpha (H, W) of a picture in which one colour stands for transparent."""
    return np.where((pixels == key).all(axis=2), 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)


def _convert_cmyk(image: Image.Image) -> tuple[Image.Image, str]:
    """Return a CMYK picture in RGB, and a note on how; by hand, since `Image.convert` ignores the colour profile."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            return convert_to_srgb(image, profile), "CMYK was converted to sRGB through its profile"
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB"), "CMYK without a usable profile was converted to RGB by rule of thumb"


def _decode_deep(image: Image.Image, data: bytes) -> tuple[Pixels, Pixels | None, list[str]]:
    """Decode 16 bits: all TIFF, and PNG of more than one channel."""
    key = image.info.get("transparency")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        planes = image.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2 and image.mode.startswith("RGB")
        samples = _decode_tiff_planes(data) if planes else _decode_opencv(data)
        if image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:
            samples = 0xFFFF - samples  # white is zero, which OpenCV leaves as it is
        alpha = samples[:, :, 3] if image.mode == "RGBA" else None
        pixels = samples[:, :, : 1 if image.mode.startswith("I;16") else 3]
        if alpha is not None and image.tag_v2.get(TiffImagePlugin.EXTRASAMPLES, (0,))[0] == 1:
            return _unmultiply(pixels, alpha), alpha, []
        return pixels, alpha, []
    gray = _read_raw_mode(image).startswith("LA")
    image.load()  # finds damage in silence, where libpng within OpenCV would write to the terminal
    samples = _decode_opencv(_strip_png(data))  # OpenCV gives gray with alpha as four channels
    pixels = samples[:, :, : 1 if gray else 3]
    alpha = samples[:, :, 3] if samples.shape[2] == 4 else None
    return pixels, alpha if key is None else _make_key_alpha(pixels, np.atleast_1d(key)), []


def _decode_opencv(data: bytes) -> NDArray[np.uint16]:
    """Return the samples (H, W, C) of a 16-bit picture, in the order RGB."""
    with silent_opencv() as cv2:
        samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise PictureError("is a 16-bit picture that is damaged or coded in a rare way: save it again as PNG")
    samples = samples.reshape(*samples.shape[:2], -1)
    order = [0] if samples.shape[2] == 1 else [2, 1, 0, 3][: samples.shape[2]]
    return np.asarray(samples[:, :, order], np.uint16)


def _decode_tiff_planes(data: bytes) -> NDArray[np.uint16]:
    with silent_tifffile() as tifffile, tifffile.TiffFile(io.BytesIO(data)) as file:
        return np.moveaxis(np.asarray(file.pages[0].asarray(), np.uint16), 0, -1)


def _strip_png(data: bytes) -> bytes:
    """Return a PNG of pixels alone, since libpng within OpenCV comments on odd profiles on the terminal."""
    needed = [chunk for chunk in metadata.find_png_chunks(io.BytesIO(data)) if chunk.name in {b"IHDR", b"IDAT"}]
    chunks = [metadata.build_png_chunk(name, data[start : start + length]) for name, start, length in needed]
    return b"".join([metadata.PNG_SIGNATURE, *chunks, metadata.build_png_chunk(b"IEND", b"")])


def _unmultiply(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Return the colours of pixels whose colours were multiplied with alpha."""
    scale = np.float32(0xFFFF) / np.maximum(alpha, 1).astype(np.float32)[:, :, None]
    return np.clip(np.rint(pixels * scale), 0, 0xFFFF).astype(pixels.dtype)


def convert_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return an 8-bit picture in RGB, converted to sRGB from the colours of an ICC profile."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    if image.mode == "L":
        flags |= ImageCms.Flags.NOOPTIMIZE  # measured: the fast way misses dark grays by up to 10 of 255
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    result = ImageCms.profileToProfile(image, source, target, renderingIntent=intent, outputMode="RGB", flags=flags)
    assert result is not None  # None is returned only for conversions in place
    return result
