"""What the fuzzing feeds to the readers of pictures: for each target good inputs, and how an input is used.

Bytes are put where a stranger's file would put them: whole files, or one block (EXIF, XMP, a colour profile) within a
file that is otherwise good, since damage there must not hide behind a wrong checksum.
"""

import contextlib
import functools
import io
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from datasets.codecs.images import Picture, SaveOptions, read_header, read_picture, write_picture
from datasets.errors import UserError

PIXEL_LIMIT = 1_000_000  # of what is decoded, so that an input costs milliseconds
SIZE = (24, 16)

Use = Callable[[bytes, Path], None]


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes:
        seeds: Returns good inputs to begin with.
        use: Uses an input as the program would; the folder is empty and may be written to.
    """

    seeds: Callable[[], Sequence[bytes]]
    use: Use


@functools.cache
def make_pixels(channels: int = 3, depth: int = 8) -> Any:
    kind = np.uint8 if depth == 8 else np.uint16
    shape = (SIZE[1], SIZE[0], channels)
    return np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)


def save_picture(format: str, image: Image.Image | None = None, **options: Any) -> bytes:
    stream = io.BytesIO()
    (image or Image.fromarray(make_pixels())).save(stream, format, **options)
    return stream.getvalue()


def save_tiff(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, metadata=None, **options)
    return stream.getvalue()


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x0132] = 6, "a description", "2024:01:01 00:00:00"
    exif.get_ifd(0x8769).update({0x9286: b"ASCII\0\0\0words", 0xA002: 24, 0x829A: (1, 50)})
    exif.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
    return exif.tobytes()[6:]


XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description tiff:Orientation="6" '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/" '
    b'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="99">'
    b"<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType='Resource'><xmpGImg:image>/9j/4AAQ</xmpGImg:image></rdf:li>"
    b'</rdf:Alt></xmp:Thumbnails></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


@functools.cache
def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _photoshop() -> bytes:
    def resource(number: int, data: bytes) -> bytes:
        return (
            b"8BIM"
            + struct.pack(">H", number)
            + b"\0\0"
            + struct.pack(">I", len(data))
            + data
            + b"\0" * (len(data) % 2)
        )

    iptc = b"\x1c\x02\x78\x00\x05words"
    thumbnail = struct.pack(">7I", 1, 4, 4, 12, 48, 10, 0x180001) + save_picture("JPEG")[:200]
    return b"Photoshop 3.0\0" + resource(0x0404, iptc) + resource(0x040C, thumbnail) + resource(0x03ED, b"\0" * 16)


@functools.cache
def _whole_files() -> tuple[bytes, ...]:
    metadata: dict[str, Any] = {"exif": b"Exif\0\0" + _exif(), "icc_profile": _profile()}
    palette = Image.fromarray(make_pixels()).quantize(16)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "words", zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    deep = make_pixels(3, 16)
    frames: dict[str, Any] = {"save_all": True, "append_images": [Image.new("RGB", SIZE)], "duration": 40, "loop": 0}
    return (
        save_picture("JPEG", **metadata, xmp=XMP, comment=b"words"),
        save_picture("JPEG", progressive=True, subsampling=0),
        save_picture("JPEG", Image.new("CMYK", SIZE, (10, 20, 30, 40))),
        save_picture("MPO", append_images=[Image.new("RGB", SIZE)], save_all=True),
        save_picture("PNG", pnginfo=text, **metadata),
        save_picture("PNG", palette, transparency=3),
        save_picture("PNG", Image.fromarray(make_pixels(1, 16)[:, :, 0])),
        save_picture("PNG", **frames),
        cv2.imencode(".png", deep)[1].tobytes(),
        save_picture("WEBP", **metadata, xmp=XMP),
        save_picture("WEBP", Image.new("RGBA", SIZE, (1, 2, 3, 4)), lossless=True),
        save_picture("WEBP", **frames),
        save_picture("BMP"),
        save_picture("BMP", palette),
        save_picture("GIF", palette),
        save_picture("GIF", **frames),
        save_picture("AVIF", **metadata),
        save_picture("ICO"),
        save_picture("PPM"),
        save_picture("TGA"),
        save_picture("JPEG2000"),
        *_tiffs(),
    )


@functools.cache
def _tiffs() -> tuple[bytes, ...]:
    deep, gray = make_pixels(3, 16), make_pixels(1, 16)[:, :, 0]
    planes = np.moveaxis(deep, 2, 0)
    return (
        save_picture("TIFF", exif=_exif(), icc_profile=_profile()),
        save_picture("TIFF", compression="tiff_lzw"),
        save_picture("TIFF", Image.fromarray(make_pixels()).convert("1"), compression="group4"),
        save_picture("TIFF", compression="jpeg"),
        save_picture("TIFF", Image.fromarray(make_pixels()).convert("LAB")),
        save_picture("TIFF", save_all=True, append_images=[Image.new("RGB", SIZE)]),
        save_tiff(deep, photometric="rgb", compression="zlib", predictor=True),
        save_tiff(planes, photometric="rgb", planarconfig="separate", compression="zlib"),
        save_tiff(deep, photometric="rgb", bigtiff=True),
        save_tiff(deep, photometric="rgb", tile=(16, 16), byteorder=">"),
        save_tiff(gray, photometric="miniswhite"),
        save_tiff(make_pixels(4), photometric="rgb", extrasamples=["assocalpha"]),
        save_tiff(np.concatenate([deep, deep[..., :2]], 2), photometric="rgb", extrasamples=["unassalpha", 0]),
        save_tiff(gray.astype(np.float32), photometric="minisblack"),
    )


def _read(data: bytes, folder: Path, suffix: str = ".png") -> Picture:
    path = folder / f"input{suffix}"
    path.write_bytes(data)
    read_header(path)
    return read_picture(path, limit=PIXEL_LIMIT)


def _use_picture(data: bytes, folder: Path) -> None:
    """Read a picture, and write it in every format, since what a file held travels to other formats."""
    picture = _read(data, folder)
    for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp"):
        with contextlib.suppress(UserError):
            write_picture(picture, folder / f"output{suffix}")
    with contextlib.suppress(UserError):
        write_picture(picture, folder / "srgb.png", SaveOptions(color="srgb"))


def _use_extra(data: bytes, folder: Path) -> None:
    """Read a picture of a kind that an optional library decodes, and write it as PNG and as JPEG XL."""
    picture = _read(data, folder)
    for suffix in (".png", ".jxl"):
        with contextlib.suppress(UserError):
            write_picture(picture, folder / f"output{suffix}")


def _extra_files() -> tuple[bytes, ...]:
    fixtures = Path(__file__).parents[1] / "fixtures" / "pictures"
    return tuple(path.read_bytes() for path in sorted(fixtures.iterdir()) if path.suffix != ".md")


def _wrap_jpeg(marker: int, data: bytes) -> bytes:
    whole = save_picture("JPEG")
    return whole[:2] + bytes([0xFF, marker]) + struct.pack(">H", min(len(data), 65533) + 2) + data[:65533] + whole[2:]


def _wrap_png(*chunks: tuple[bytes, bytes]) -> bytes:
    whole = save_picture("PNG")
    new = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return whole[:33] + new + whole[33:]  # 33: after the signature and IHDR


def _wrap_webp(name: bytes, data: bytes, flag: int) -> bytes:
    still = save_picture("WEBP")[12:]
    size = (SIZE[0] - 1).to_bytes(3, "little") + (SIZE[1] - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([flag, 0, 0, 0]) + size
    body = b"WEBP" + extended + still + name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _use_exif(data: bytes, folder: Path) -> None:
    _use_picture(_wrap_jpeg(0xE1, b"Exif\0\0" + data), folder)
    _use_picture(_wrap_png((b"eXIf", data)), folder)
    _use_picture(_wrap_webp(b"EXIF", data, 8), folder)
    with contextlib.suppress(UserError):
        _use_picture(data, folder)  # a block of EXIF is a TIFF without pixels


def _use_xmp(data: bytes, folder: Path) -> None:
    _use_picture(_wrap_jpeg(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + data), folder)
    _use_picture(_wrap_png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + data)), folder)
    _use_picture(_wrap_webp(b"XMP ", data, 4), folder)
    _use_picture(save_tiff(make_pixels(), photometric="rgb", extratags=[(700, 1, len(data), data, True)]), folder)


def _use_profile(data: bytes, folder: Path) -> None:
    _use_picture(_wrap_jpeg(0xE2, b"ICC_PROFILE\0\1\1" + data), folder)
    _use_picture(_wrap_png((b"iCCP", b"name\0\0" + zlib.compress(data))), folder)
    _use_picture(save_picture("TIFF", Image.new("CMYK", (4, 4)), icc_profile=data), folder)


def _use_jpeg_segments(data: bytes, folder: Path) -> None:
    """The input is a list of segments: a marker's byte, a length of two bytes, the data."""
    whole, segments = save_picture("JPEG"), b""
    while len(data) > 3:
        marker, length = data[0] % 16 + 0xE0, int.from_bytes(data[1:3], "big")
        segments += bytes([0xFF, marker]) + struct.pack(">H", len(data[3 : 3 + length]) + 2) + data[3 : 3 + length]
        data = data[3 + length :]
    _use_picture(whole[:2] + segments + whole[2:], folder)


def _jpeg_segments() -> tuple[bytes, ...]:
    def segment(marker: int, data: bytes) -> bytes:
        return bytes([marker]) + len(data).to_bytes(2, "big") + data

    mpf = save_picture("MPO", append_images=[Image.new("RGB", SIZE)], save_all=True)
    start = mpf.index(b"MPF\0")
    length = int.from_bytes(mpf[start - 2 : start], "big") - 2
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(">II", len(XMP), 0) + XMP
    return (
        segment(13, _photoshop()),
        segment(2, mpf[start : start + length]),
        segment(1, b"http://ns.adobe.com/xap/1.0/\0" + XMP) + segment(1, extended),
        segment(0, b"JFIF\0\1\2\1\0\x48\0\x48\0\0") + segment(14, b"Adobe\0\x64\0\0\0\0\2"),
    )


def _use_png_chunks(data: bytes, folder: Path) -> None:
    """The input is a list of chunks without checksums: a length of two bytes, a name, the data."""
    chunks = []
    while len(data) > 6:
        length = int.from_bytes(data[:2], "big")
        chunks.append((data[2:6], data[6 : 6 + length]))
        data = data[6 + length :]
    _use_picture(_wrap_png(*chunks), folder)


def _png_chunks() -> tuple[bytes, ...]:
    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(2, "big") + name + data

    primaries = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    return (
        chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"cHRM", primaries),
        chunk(b"cICP", bytes([12, 13, 0, 1])) + chunk(b"mDCV", b"\0" * 24) + chunk(b"cLLI", b"\0" * 8),
        chunk(b"sBIT", b"\5\5\5") + chunk(b"bKGD", b"\0" * 6) + chunk(b"tIME", b"\7\xe8\1\1\1\1\1"),
        chunk(b"tRNS", b"\0" * 6) + chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"words" * 9)) + chunk(b"tEXt", b"Title\0words"),
        chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", b"\0" * 26),
        chunk(b"iTXt", b"Raw profile type exif\0\0\0\0\0\nexif\n   4\n4d4d002a"),
    )


PICTURES = {
    "picture files": Target(_whole_files, _use_picture),
    "TIFF files": Target(_tiffs, _use_picture),
    "HEIC, JPEG XL, JPEG 2000": Target(_extra_files, _use_extra),
    "EXIF": Target(lambda: (_exif(),), _use_exif),
    "XMP": Target(lambda: (XMP,), _use_xmp),
    "colour profiles": Target(lambda: (_profile(),), _use_profile),
    "JPEG segments": Target(_jpeg_segments, _use_jpeg_segments),
    "PNG chunks": Target(_png_chunks, _use_png_chunks),
}
