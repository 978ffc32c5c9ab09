"""What the fuzzing feeds to the program: for each target good inputs to start from, and how an input is used.

Bytes are put where a stranger's file would put them: whole files, or one block (EXIF, XMP, a colour profile) within a
file that is otherwise good, since damage there must not hide behind a wrong checksum. A `UserError` is a good answer;
anything else that is raised is a fault.
"""

import contextlib
import functools
import io
import json
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
import torch
import yaml
from PIL import Image, ImageCms, PngImagePlugin
from safetensors.torch import save

from datasets.codecs.frames import read_frames, write_frames
from datasets.codecs.images import Picture, SaveOptions, read_header, read_picture, write_picture
from datasets.errors import UserError
from datasets.idx import read_idx
from datasets.masks.reading import read_mask
from datasets.storage.listing import find_pictures
from translate.experiment import Experiment, load_experiment, override_experiment
from translate.folders.jobs import Job
from translate.folders.manifest import Manifest
from translate.inference.model_file import Card, load_network
from translate.run_folder import RunFolder
from translate.settings.overrides import apply_override

PIXEL_LIMIT = 1_000_000  # of what is decoded, so that an input costs milliseconds
SIZE = (24, 16)
TINY = (
    "model.generator.depth=3",
    "model.generator.width=2",
    "model.discriminator.layers=1",
    "model.discriminator.width=2",
    "data.crop.load=null",
    "data.crop.size=16",
)
FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect"}

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


def forbid_execution() -> None:
    """Make this process raise if anything starts a program or opens a connection, for the rest of its life."""

    def check(event: str, _: tuple[Any, ...]) -> None:
        if event in FORBIDDEN:
            raise AssertionError(f"an input led to {event}")

    sys.addaudithook(check)


def run(target: Target, data: bytes, folder: Path) -> None:
    """Use an input; raises what is a fault."""
    with contextlib.suppress(UserError):
        target.use(data, folder)


# Pictures


@functools.cache
def _pixels(channels: int = 3, depth: int = 8) -> Any:
    kind = np.uint8 if depth == 8 else np.uint16
    shape = (SIZE[1], SIZE[0], channels)
    return np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)


def _save(format: str, image: Image.Image | None = None, **options: Any) -> bytes:
    stream = io.BytesIO()
    (image or Image.fromarray(_pixels())).save(stream, format, **options)
    return stream.getvalue()


def _save_tiff(array: Any, **options: Any) -> bytes:
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
    thumbnail = struct.pack(">7I", 1, 4, 4, 12, 48, 10, 0x180001) + _save("JPEG")[:200]
    return b"Photoshop 3.0\0" + resource(0x0404, iptc) + resource(0x040C, thumbnail) + resource(0x03ED, b"\0" * 16)


@functools.cache
def _whole_files() -> tuple[bytes, ...]:
    metadata: dict[str, Any] = {"exif": b"Exif\0\0" + _exif(), "icc_profile": _profile()}
    palette = Image.fromarray(_pixels()).quantize(16)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "words", zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    deep = _pixels(3, 16)
    frames: dict[str, Any] = {"save_all": True, "append_images": [Image.new("RGB", SIZE)], "duration": 40, "loop": 0}
    return (
        _save("JPEG", **metadata, xmp=XMP, comment=b"words"),
        _save("JPEG", progressive=True, subsampling=0),
        _save("JPEG", Image.new("CMYK", SIZE, (10, 20, 30, 40))),
        _save("MPO", append_images=[Image.new("RGB", SIZE)], save_all=True),
        _save("PNG", pnginfo=text, **metadata),
        _save("PNG", palette, transparency=3),
        _save("PNG", Image.fromarray(_pixels(1, 16)[:, :, 0])),
        _save("PNG", **frames),
        cv2.imencode(".png", deep)[1].tobytes(),
        _save("WEBP", **metadata, xmp=XMP),
        _save("WEBP", Image.new("RGBA", SIZE, (1, 2, 3, 4)), lossless=True),
        _save("WEBP", **frames),
        _save("BMP"),
        _save("BMP", palette),
        _save("GIF", palette),
        _save("GIF", **frames),
        _save("AVIF", **metadata),
        _save("ICO"),
        _save("PPM"),
        _save("TGA"),
        _save("JPEG2000"),
        *_tiffs(),
    )


@functools.cache
def _tiffs() -> tuple[bytes, ...]:
    deep, gray = _pixels(3, 16), _pixels(1, 16)[:, :, 0]
    planes = np.moveaxis(deep, 2, 0)
    return (
        _save("TIFF", exif=_exif(), icc_profile=_profile()),
        _save("TIFF", compression="tiff_lzw"),
        _save("TIFF", Image.fromarray(_pixels()).convert("1"), compression="group4"),
        _save("TIFF", compression="jpeg"),
        _save("TIFF", Image.fromarray(_pixels()).convert("LAB")),
        _save("TIFF", save_all=True, append_images=[Image.new("RGB", SIZE)]),
        _save_tiff(deep, photometric="rgb", compression="zlib", predictor=True),
        _save_tiff(planes, photometric="rgb", planarconfig="separate", compression="zlib"),
        _save_tiff(deep, photometric="rgb", bigtiff=True),
        _save_tiff(deep, photometric="rgb", tile=(16, 16), byteorder=">"),
        _save_tiff(gray, photometric="miniswhite"),
        _save_tiff(_pixels(4), photometric="rgb", extrasamples=["assocalpha"]),
        _save_tiff(np.concatenate([deep, deep[..., :2]], 2), photometric="rgb", extrasamples=["unassalpha", 0]),
        _save_tiff(gray.astype(np.float32), photometric="minisblack"),
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


def _use_frames(data: bytes, folder: Path) -> None:
    """Read all frames, and write them in every format that holds several."""
    path = folder / "input.png"
    path.write_bytes(data)
    frames = read_frames(path, limit=PIXEL_LIMIT)
    for suffix in (".png", ".gif", ".webp", ".tif"):
        with contextlib.suppress(UserError):
            write_frames(frames, folder / f"output{suffix}")


def _frames() -> tuple[bytes, ...]:
    second = Image.fromarray(_pixels()[::-1].copy())
    options: dict[str, Any] = {"save_all": True, "append_images": [second], "duration": [40, 90], "loop": 2}
    return (
        _save("GIF", Image.fromarray(_pixels()).quantize(16), **options, disposal=2),
        _save("GIF", Image.new("RGBA", SIZE, (1, 2, 3, 0)), **options),
        _save("PNG", **options, default_image=True),
        _save("WEBP", **options, lossless=True),
        _save("TIFF", save_all=True, append_images=[second]),
    )


def _wrap_jpeg(marker: int, data: bytes) -> bytes:
    whole = _save("JPEG")
    return whole[:2] + bytes([0xFF, marker]) + struct.pack(">H", min(len(data), 65533) + 2) + data[:65533] + whole[2:]


def _wrap_png(*chunks: tuple[bytes, bytes]) -> bytes:
    whole = _save("PNG")
    new = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return whole[:33] + new + whole[33:]  # 33: after the signature and IHDR


def _wrap_webp(name: bytes, data: bytes, flag: int) -> bytes:
    still = _save("WEBP")[12:]
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
    _use_picture(_save_tiff(_pixels(), photometric="rgb", extratags=[(700, 1, len(data), data, True)]), folder)


def _use_profile(data: bytes, folder: Path) -> None:
    _use_picture(_wrap_jpeg(0xE2, b"ICC_PROFILE\0\1\1" + data), folder)
    _use_picture(_wrap_png((b"iCCP", b"name\0\0" + zlib.compress(data))), folder)
    _use_picture(_save("TIFF", Image.new("CMYK", (4, 4)), icc_profile=data), folder)


def _use_jpeg_segments(data: bytes, folder: Path) -> None:
    """The input is a list of segments: a marker's byte, a length of two bytes, the data."""
    whole, segments = _save("JPEG"), b""
    while len(data) > 3:
        marker, length = data[0] % 16 + 0xE0, int.from_bytes(data[1:3], "big")
        segments += bytes([0xFF, marker]) + struct.pack(">H", len(data[3 : 3 + length]) + 2) + data[3 : 3 + length]
        data = data[3 + length :]
    _use_picture(whole[:2] + segments + whole[2:], folder)


def _jpeg_segments() -> tuple[bytes, ...]:
    def segment(marker: int, data: bytes) -> bytes:
        return bytes([marker]) + len(data).to_bytes(2, "big") + data

    mpf = _save("MPO", append_images=[Image.new("RGB", SIZE)], save_all=True)
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


def _use_mask(data: bytes, folder: Path) -> None:
    path = folder / "mask.png"
    path.write_bytes(data)
    read_mask(path, read_header(_photo(folder)), limit=PIXEL_LIMIT)


def _photo(folder: Path) -> Path:
    path = folder / "photo.png"
    path.write_bytes(_save("PNG"))
    return path


def _masks() -> tuple[bytes, ...]:
    hole = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    hole[4:9, 5:12] = 2
    return (
        _save("PNG", Image.fromarray(hole)),
        _save("PNG", Image.fromarray(hole * 127)),
        _save("PNG", Image.fromarray(hole.astype(np.uint16) * 255)),
        _save("PNG", Image.fromarray(hole > 0)),
        _save("GIF", Image.fromarray(hole * 100).convert("P")),
        _save("PNG", Image.merge("LA", [Image.new("L", SIZE), Image.fromarray(hole * 127)])),
        _save_tiff(hole),
    )


# Model files, runs, settings


@functools.cache
def _experiment() -> Experiment:
    return load_experiment("pix2pix", (*TINY, "model.generator.name=unet"))


@functools.cache
def _weights() -> dict[str, torch.Tensor]:
    return {name: value.contiguous() for name, value in _experiment().model.translator().state_dict().items()}


def _card() -> bytes:
    card = Card(experiment=_experiment(), step=3, trained_size=16, metrics={"l1": 0.5}, licence="CC0-1.0")
    return json.dumps(card.model_dump(mode="json"), sort_keys=True).encode()


def _use_model_file(data: bytes, folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(data)
    network, card = load_network(path)
    assert card.step is not None
    with torch.inference_mode():
        for parameter in network.parameters():
            assert parameter.numel() < 1e8


def _model_files() -> tuple[bytes, ...]:
    return (save(_weights(), {"translate": _card().decode()}),)


def _use_card(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "replace")
    _use_model_file(save(_weights(), {"translate": text}), folder)


def _use_state(data: bytes, folder: Path) -> None:
    """The input is the pickle within a state, in an archive that is otherwise good."""
    run = RunFolder(folder)
    with zipfile.ZipFile(io.BytesIO(_save_state())) as good, zipfile.ZipFile(run.state, "w") as archive:
        for name in good.namelist():
            archive.writestr(name, data if name.endswith("data.pkl") else good.read(name))
    state = run.read_state(torch.device("cpu"))
    assert isinstance(state, dict)


@functools.cache
def _save_state() -> bytes:
    stream = io.BytesIO()
    torch.save({"format": 2, "step": 3, "recipe": {"w": torch.zeros(4)}, "own": [{}], "text": "words"}, stream)
    return stream.getvalue()


def _states() -> tuple[bytes, ...]:
    with zipfile.ZipFile(io.BytesIO(_save_state())) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
        attack = b"cposix\nsystem\n(S'true'\ntR."  # what a pickle that runs a program looks like
        return archive.read(name), attack


def _use_run_config(data: bytes, folder: Path) -> None:
    run = RunFolder(folder)
    run.config.write_bytes(data)
    run.read_config()


def _run_configs() -> tuple[bytes, ...]:
    tree = {"format": 2, **_experiment().model_dump(mode="json"), "facts": {"threads": 1}}
    return (yaml.safe_dump(tree, sort_keys=False).encode(),)


def _use_recipe(data: bytes, folder: Path) -> None:
    path = folder / "recipe.yaml"
    path.write_bytes(data)
    load_experiment(path)


def _recipes() -> tuple[bytes, ...]:
    configs = Path(__file__).parents[2] / "configs"
    return tuple(path.read_bytes() for path in sorted(configs.glob("*.yaml")))


def _use_override(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "replace")
    apply_override({"model": {"name": "pix2pix"}}, text)
    override_experiment(_experiment(), [text])


# Lists and tables


def _use_labels(data: bytes, folder: Path) -> None:
    for name in ("a.png", "b.png", "more/c.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_save("PNG"))
    (folder / "labels.csv").write_bytes(data)
    _open_attributes(folder, "data.labels.kind=csv", "data.labels.table=labels.csv")


def _open_attributes(folder: Path, *overrides: str) -> None:
    sizes = ("data.crop.load=null", "data.crop.size=64")
    load_experiment("stargan", (*overrides, *sizes)).data.open(folder)


def _tables() -> tuple[bytes, ...]:
    rows = "file,smile,hat\na.png,1,0\nb.png,0,1\nmore/c.png,1,1\n"
    return (
        rows.encode(),
        rows.replace(",", ";").encode("utf-16"),
        ("\ufeff" + rows.replace(",", "\t").replace("\n", "\r\n")).encode(),
        b'"file" , "smile" \n".\\a.png",1\n',
        b"3\nSmiling Hat\na.png  1 -1\nb.png -1  1\nmore/c.png  1  1\n",
    )


def _use_celeba(data: bytes, folder: Path) -> None:
    pictures = folder / "img_align_celeba"
    pictures.mkdir(exist_ok=True)
    for name in ("000001.jpg", "000002.jpg", "000003.jpg", "000004.jpg"):
        (pictures / name).write_bytes(_save("JPEG"))
    (folder / "list_attr_celeba.txt").write_bytes(data)
    _open_attributes(
        folder, "data.labels.kind=celeba", "data.labels.attributes=[Smiling, Hat]", "data.labels.groups=[]"
    )


CELEBA = b"4\nSmiling Hat\n" + b"".join(
    b"00000%d.jpg %2d %2d\n" % row for row in ((1, 1, 1), (2, 1, 1), (3, -1, -1), (4, -1, -1))
)


def _use_manifest(data: bytes, folder: Path) -> None:
    path = folder / "manifest.jsonl"
    path.write_bytes(data)
    manifest = Manifest(path, "model", {"scale": 2})
    job = Job(Path("a.png"), folder / "a.png", folder / "out.png")
    manifest.is_current(job, "digest")
    manifest.begin(job, "digest")


def _manifests() -> tuple[bytes, ...]:
    line = {"v": 1, "name": "a.png", "status": "ok", "source": "digest", "to": None, "model": "model", "options": "x"}
    return (json.dumps(line).encode() + b"\n" + json.dumps({**line, "status": "writing"}).encode(),)


def _use_idx(data: bytes, folder: Path) -> None:
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(data)
    read_idx(path)


def _use_names(data: bytes, folder: Path) -> None:
    """The input is a list of file names, one a line."""
    for name in data.split(b"\n")[:20]:
        cleaned = os.fsdecode(name.replace(b"\0", b"").replace(b"/", b""))[:60]
        if cleaned not in {"", ".", ".."}:
            with contextlib.suppress(OSError):
                (folder / f"{cleaned}.png").touch()
    listing = find_pictures(folder)
    assert {path.suffix for path in listing.pictures} <= {".png"}


TARGETS = {
    "picture files": Target(_whole_files, _use_picture),
    "TIFF files": Target(_tiffs, _use_picture),
    "HEIC, JPEG XL, JPEG 2000": Target(_extra_files, _use_extra),
    "frames": Target(_frames, _use_frames),
    "EXIF": Target(lambda: (_exif(),), _use_exif),
    "XMP": Target(lambda: (XMP,), _use_xmp),
    "colour profiles": Target(lambda: (_profile(),), _use_profile),
    "JPEG segments": Target(_jpeg_segments, _use_jpeg_segments),
    "PNG chunks": Target(_png_chunks, _use_png_chunks),
    "masks": Target(_masks, _use_mask),
    "model files": Target(_model_files, _use_model_file),
    "cards of model files": Target(lambda: (_card(),), _use_card),
    "states of runs": Target(_states, _use_state),
    "configurations of runs": Target(_run_configs, _use_run_config),
    "recipes": Target(_recipes, _use_recipe),
    "overrides": Target(lambda: (b"training.steps=10", b"model.generator={name: unet, width: 8}"), _use_override),
    "tables of labels": Target(_tables, _use_labels),
    "CelebA's list": Target(lambda: (CELEBA,), _use_celeba),
    "manifests": Target(_manifests, _use_manifest),
    "idx files": Target(lambda: (b"\0\0\x08\x03" + struct.pack(">3I", 2, 3, 4) + bytes(24),), _use_idx),
    "file names": Target(lambda: ("a1\nÉ2\n①3\nphoto2²3".encode(), b"CON\n\xff\xfe\n..."), _use_names),
}
