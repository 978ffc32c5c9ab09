"""What the fuzzing feeds to the program: for each target good inputs to start from, and how an input is used.

Single pictures are in `fuzz_pictures`. A `UserError` is a good answer; anything else that is raised is a fault.
"""

import contextlib
import functools
import io
import json
import os
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from fuzz_pictures import PICTURES, PIXEL_LIMIT, SIZE, Target, make_pixels, save_picture, save_tiff
from PIL import Image
from safetensors.torch import save

from datasets.codecs.frames import read_frames, write_frames
from datasets.codecs.images import read_header
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

TINY = (
    "model.generator.depth=3",
    "model.generator.width=2",
    "model.discriminator.layers=1",
    "model.discriminator.width=2",
    "data.crop.load=null",
    "data.crop.size=16",
)
FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect"}


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


# Frames and masks


def _use_frames(data: bytes, folder: Path) -> None:
    """Read all frames, and write them in every format that holds several."""
    path = folder / "input.png"
    path.write_bytes(data)
    frames = read_frames(path, limit=PIXEL_LIMIT)
    for suffix in (".png", ".gif", ".webp", ".tif"):
        with contextlib.suppress(UserError):
            write_frames(frames, folder / f"output{suffix}")


def _frames() -> tuple[bytes, ...]:
    second = Image.fromarray(make_pixels()[::-1].copy())
    options: dict[str, Any] = {"save_all": True, "append_images": [second], "duration": [40, 90], "loop": 2}
    return (
        save_picture("GIF", Image.fromarray(make_pixels()).quantize(16), **options, disposal=2),
        save_picture("GIF", Image.new("RGBA", SIZE, (1, 2, 3, 0)), **options),
        save_picture("PNG", **options, default_image=True),
        save_picture("WEBP", **options, lossless=True),
        save_picture("TIFF", save_all=True, append_images=[second]),
    )


def _use_mask(data: bytes, folder: Path) -> None:
    path = folder / "mask.png"
    path.write_bytes(data)
    read_mask(path, read_header(_photo(folder)), limit=PIXEL_LIMIT)


def _photo(folder: Path) -> Path:
    path = folder / "photo.png"
    path.write_bytes(save_picture("PNG"))
    return path


def _masks() -> tuple[bytes, ...]:
    hole = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    hole[4:9, 5:12] = 2
    return (
        save_picture("PNG", Image.fromarray(hole)),
        save_picture("PNG", Image.fromarray(hole * 127)),
        save_picture("PNG", Image.fromarray(hole.astype(np.uint16) * 255)),
        save_picture("PNG", Image.fromarray(hole > 0)),
        save_picture("GIF", Image.fromarray(hole * 100).convert("P")),
        save_picture("PNG", Image.merge("LA", [Image.new("L", SIZE), Image.fromarray(hole * 127)])),
        save_tiff(hole),
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
        path.write_bytes(save_picture("PNG"))
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
        (pictures / name).write_bytes(save_picture("JPEG"))
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


TARGETS = PICTURES | {
    "frames": Target(_frames, _use_frames),
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
