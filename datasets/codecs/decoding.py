"""Pixels from picture files, for `datasets.codecs.images`.

No single library reads every picture faithfully. Pillow opens all files and decodes 8 bits, but it cuts 16-bit colour
to 8, so OpenCV decodes that; `tiff.py` adds what TIFF needs. None of them may turn a picture, since each does it in its
own way.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin

from datasets.codecs import metadata
from datasets.codecs.blocks.gif import measure_gif_canvas
from datasets.codecs.libraries import silent_opencv
from datasets.codecs.origin import Origin, PictureError, format_name, read_exif, read_origin
from datasets.codecs.picture import PIXEL_LIMIT, FramesError, Header, Pixels
from datasets.codecs.repair import explain, read_jpeg_frame, repair

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")


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


def _refuse_vast_frames(stream: BinaryIO) -> None:
    """Refuse a GIF with frames that no screen holds: Pillow takes memory for the first one when it opens the file."""
    if stream.read(4) == b"GIF8":
        stream.seek(0)
        width, height = measure_gif_canvas(stream.read())
        if width * height > PIXEL_LIMIT:
            raise PictureError(f"has frames of {width} × {height} pixels, and the limit is {PIXEL_LIMIT:,}")
    stream.seek(0)


@contextmanager
def open_repaired(stream: BinaryIO) -> Iterator[Image.Image]:
    """Open a picture with Pillow, if need be after a repair; where that fails, say what the file is instead."""
    _refuse_vast_frames(stream)
    try:
        with report_damage("unknown"):
            image = open_image(stream)
    except PictureError as error:
        stream.seek(0)
        repaired, notes = repair(stream.read())
        if not notes:
            raise PictureError(explain(stream)) from error
        try:
            with report_damage("unknown"):
                image = open_image(io.BytesIO(repaired))
        except PictureError:
            raise PictureError(explain(stream)) from error
    with image:
        yield image


def read_header(stream: BinaryIO) -> Header:
    """Return the header of a picture file, without decoding its pixels.

    Raises:
        PictureError: It has several frames, or cannot be opened.
    """
    with open_repaired(stream) as image:
        format = format_name(image)
        with report_damage(format):
            refuse_frames(image)
            channels, depth, alpha = read_shape(image)
            width, height = image.size
            orientation = read_orientation(image, stream)
            if orientation > 4:
                width, height = height, width
        return Header(width, height, channels, depth, alpha, format, orientation)


def refuse_frames(image: Image.Image) -> None:
    """Raise PictureError if an open picture is animated."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and format_name(image) != "JPEG":
        raise FramesError(f"is animated ({frames} frames), and one picture was expected: save its frames apart")


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
    block = read_exif(image, stream)
    return valid_orientation(None if block is None else metadata.read_number(block, metadata.ORIENTATION))


def valid_orientation(orientation: Any) -> int:
    """Return an EXIF orientation, 1 to 8; 1 for anything else."""
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _read_raw_mode(image: Image.Image) -> str:
    """Return Pillow's name for the layout of the pixels in the file."""
    tile: Any = image.tile[0] if isinstance(image, PngImagePlugin.PngImageFile) and image.tile else None
    return "" if tile is None else tile.args if isinstance(tile.args, str) else tile.args[0]


def _read_bits(image: Image.Image) -> int:
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
    data, repairs = repair(data)
    stream = io.BytesIO(data)
    with open_repaired(stream) as image:
        format = format_name(image)
        refuse_frames(image)
        _, depth, _ = read_shape(image)
        orientation = read_orientation(image, stream)
        frame = read_jpeg_frame(data)
        if frame is not None and frame.lossless:
            repairs = [*repairs, "lossless JPEG becomes lossy where JPEG is written"]
        with report_damage(format):
            if depth == 8 or image.mode.startswith("I;16"):
                pixels, alpha, notes = decode_pillow(image)
            else:
                pixels, alpha, notes = _decode_deep_png(image, data)
        origin = read_origin(image, data, turned=orientation != 1)
        if image.mode == "CMYK":
            origin = replace(origin, icc=None)  # the pixels are no longer in its colours
        return pixels, alpha, replace(origin, notes=(*repairs, *notes, *origin.notes)), orientation


def decode_pillow(image: Image.Image) -> tuple[Pixels, Pixels | None, list[str]]:
    """Return the pixels and the alpha of an open picture that Pillow decodes faithfully, and notes."""
    channels, raw_mode = read_shape(image)[0], _read_raw_mode(image)
    notes = []
    key = None
    converted = image
    if image.mode in {"P", "PA"}:
        notes.append(f"the palette became {'true colour' if channels == 3 else 'gray'}")
        transparent = image.mode == "PA" or "transparency" in image.info
        converted = image.convert("RGBA" if transparent else "RGB")
    elif image.mode == "CMYK":
        converted, note = convert_cmyk(image)
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


def convert_cmyk(image: Image.Image) -> tuple[Image.Image, str]:
    """Return a CMYK picture in RGB, and a note on how; by hand, since `Image.convert` ignores the colour profile."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            return convert_to_srgb(image, profile), "CMYK was converted to sRGB through its profile"
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB"), "CMYK without a usable profile was converted to RGB by rule of thumb"


def _decode_deep_png(image: Image.Image, data: bytes) -> tuple[Pixels, Pixels | None, list[str]]:
    """Decode a 16-bit PNG of more than one channel."""
    key = image.info.get("transparency")
    gray = _read_raw_mode(image).startswith("LA")
    image.load()  # finds damage in silence, where libpng within OpenCV would write to the terminal
    samples = decode_opencv(_strip_png(data))  # OpenCV gives gray with alpha as four channels
    pixels = samples[:, :, : 1 if gray else 3]
    alpha = samples[:, :, 3] if samples.shape[2] == 4 else None
    return pixels, alpha if key is None else _make_key_alpha(pixels, np.atleast_1d(key)), []


def decode_opencv(data: bytes) -> NDArray[np.uint16]:
    """Return the samples (H, W, C) of a 16-bit picture, in the order RGB."""
    with silent_opencv() as cv2:
        samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise PictureError("is a 16-bit picture that is damaged or coded in a rare way: save it again as PNG")
    samples = samples.reshape(*samples.shape[:2], -1)
    order = [0] if samples.shape[2] == 1 else [2, 1, 0, 3][: samples.shape[2]]
    return np.asarray(samples[:, :, order], np.uint16)


def _strip_png(data: bytes) -> bytes:
    """Return a PNG of pixels alone, since libpng within OpenCV comments on odd profiles on the terminal."""
    needed = [chunk for chunk in metadata.find_png_chunks(io.BytesIO(data)) if chunk.name in {b"IHDR", b"IDAT"}]
    chunks = [metadata.build_png_chunk(name, data[start : start + length]) for name, start, length in needed]
    return b"".join([metadata.PNG_SIGNATURE, *chunks, metadata.build_png_chunk(b"IEND", b"")])


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
