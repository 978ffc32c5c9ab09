"""Digests of what every verb makes of a fixed folder, and of four training steps of every recipe.

Run it before and after a change that must not alter any result, on one machine, and compare:

    python tests/benchmarks/digests.py before.json --root /path/to/the/old/checkout
    python tests/benchmarks/digests.py after.json
    diff before.json after.json

Everything runs in fp32 on one thread. Of picture files and tables the bytes count; of model files and training states
the tensors, without the names they are stored under; of manifests what became of each picture.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
import torch
import yaml
from PIL import Image, ImageCms, PngImagePlugin
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
# Overrides that make any recipe small, by the last part of a key; a list where the recipe has a list.
SMALL = {
    "width": 4, "depth": 3, "blocks": 1, "layers": 1, "size": 32, "side": 32, "load": 36, "discriminator_steps": 2,
    "growth": 2, "dense": 4, "validation_size": 32, "pixel_steps": 2, "content": "vgg22", "smooth_levels": 2,
    "widest": 8, "bottleneck": 6,
}  # fmt: skip
STEPS = ("steps=4", "batch_size=2", "accumulate=1", "precision=fp32", "threads=1", "validate_every=2", "sample_every=2")


def main() -> None:
    """Write the digests of one checkout as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to run; this one if not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make_inputs(work)
        runner = Runner(arguments.root.resolve(), work)
        digests: dict[str, Any] = {}
        jobs = [*trainings(arguments.root.resolve() / "configs")]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda job: runner(*job[1]), jobs))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda words: runner(*words), verbs()))
        for name in sorted(path.name for path in work.iterdir() if path.name not in {"cache", "torch"}):
            digests[name] = dict(sorted(of_folder(work / name)))
        digests["commands"] = dict(sorted(runner.ended.items()))
    arguments.out.write_text(json.dumps(digests, indent=1, sort_keys=True))


class Runner:
    """Runs `translate` of one checkout in the folder of inputs and remembers how each command ended."""

    def __init__(self, root: Path, work: Path) -> None:
        self.work = work
        self.ended: dict[str, str] = {}
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(root),
            "OMP_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(work / "cache"),
            "TORCH_HOME": str(work / "torch"),
        }

    def __call__(self, *words: str) -> None:
        command = [sys.executable, "-m", "translate", *words]
        done = subprocess.run(command, cwd=self.work, env=self.environment, capture_output=True, text=True)
        out = hashlib.sha256(done.stdout.encode()).hexdigest()[:12] if "--json" in words and "eval" in words else ""
        self.ended[" ".join(words)] = f"{done.returncode} {out}".strip()
        if done.returncode not in (0, 3):
            print(f"{' '.join(words)}\n{done.stderr}", file=sys.stderr)


def trainings(configs: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Four steps of every recipe, and the two halves of a resumed training."""
    for path in sorted(configs.glob("*.yaml")):
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield (
            path.stem,
            (
                "train",
                path.stem,
                "--data",
                data_of(tree),
                "--out",
                f"run-{path.stem}",
                *small(path.stem, configs.parent),
            ),
        )
    drawing = (
        "model.generator.dropout=0.5",
        "data.crop.jitter=0.3",
        "training.ema_decay=0.9",
        "training.decay_from=0.5",
    )
    words = [word for override in drawing for word in ("--set", override)]
    yield (
        "drawing",
        ("train", "pix2pix", "--data", "pairs", "--out", "run-drawing", *small("pix2pix", configs.parent), *words),
    )


def small(recipe: str, root: Path) -> list[str]:
    """`--set` for every size that a recipe names or has by default."""
    shown = subprocess.run(
        [sys.executable, "-m", "translate", "recipes", "show", recipe, "--full"],
        cwd=root, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(root)},
    ).stdout  # fmt: skip
    tree = yaml.safe_load(shown)
    found = [*overrides("model", tree["model"]), *overrides("data", tree["data"])]
    return [word for one in (*found, *(f"training.{step}" for step in STEPS)) for word in ("--set", one)]


def overrides(section: str, tree: dict[str, Any]) -> Iterator[str]:
    """The small values of a section of settings."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from overrides(f"{section}.{key}", value)
        elif key in SMALL and value:
            yield f"{section}.{key}={SMALL[key]}"


def data_of(tree: dict[str, Any]) -> str:
    """The folder that a recipe can learn from."""
    data = tree["data"]
    kind = data.get("kind", "paired")
    if kind == "paired" and data.get("pairs", {}).get("kind") == "derived":
        return "photos"
    if kind == "pictures":
        return "pairs" if "labels" in data else "photos"
    return {"inpainting": "photos", "idx": "idx", "super-resolution": "photos"}.get(kind, "pairs")


def verbs() -> list[tuple[str, ...]]:
    """Every verb over the folder of all formats and modes, with the options that change a pixel or a byte."""
    run, fp32 = ("run", "run-pix2pix", "mixed"), ("--precision", "fp32")
    made: list[tuple[str, ...]] = [
        (*run, "out-run", *fp32),
        (*run, "out-run-tiled", "--tile", "64", *fp32),
        (*run, "out-run-reduced", "--tile", "64", "--norms", "reduced", *fp32),
        (*run, "out-run-work-size", "--work-size", "24", *fp32),
        (*run, "out-run-jpeg", "--format", "jpeg", "--background", "white", "--quality", "80", *fp32),
        (*run, "out-run-webp", "--format", "webp", "--color", "srgb", *fp32),
        (*run, "out-run-tiff", "--format", "tiff", "--metadata", "strip", *fp32),
        (*run, "out-run-batch", "--batch", "4", *fp32),
        ("run", "run-colorize", "mixed", "out-run-colour", *fp32),
        ("run", "run-cyclegan", "mixed", "out-run-cycle", "--to", "B", *fp32),
        ("run", "run-cut", "mixed", "out-run-cut", *fp32),
        ("run", "run-stargan", "mixed", "out-run-star", "--to", "all", *fp32),
        ("run", "run-srgan", "mixed", "out-run-srgan", "--blend", "0.5", *fp32),
        ("upscale", "mixed", "out-x2", "--scale", "2", *fp32),
        ("upscale", "mixed", "out-x3", "--scale", "3", *fp32),
        ("upscale", "mixed", "out-x4", "--compare", *fp32),
        ("upscale", "mixed", "out-x4-bad", "--input", "damaged", "--tile", "64", *fp32),
        ("inpaint", "mixed", "out-fill", "--mask", "mask.png", *fp32),
        ("inpaint", "mixed", "out-fill-alpha", "--mask", "alpha", "--missing-mask", "copy", *fp32),
        ("inpaint", "mixed", "out-telea", "--mask", "mask.png", "--model", "telea", "--mask-grow", "1"),
        ("inpaint", "mixed", "out-ns", "--mask", "mask.png", "--model", "navier-stokes", "--feather", "2"),
        ("inpaint", "photos", "out-fill-inverted", "--mask", "mask.png", "--mask-invert", *fp32),
        ("inpaint", "photos", "out-fill-own", "--mask", "mask.png", "--model", "run-deepfill", *fp32),
        ("inpaint", "squares", "out-fill-gan", "--mask", "mask.png", "--model", "run-gan", *fp32),
        ("sample", "run-gan", "out-sample", "--count", "6", "--grid", "--seed", "3", *fp32),
        ("sample", "run-conditional-gan", "out-sample-class", "--class", "B", "--count", "3", *fp32),
        ("sample", "run-gan", "out-sample-truncated", "--count", "3", "--truncation", "0.7", *fp32),
        ("sample", "run-vae", "out-sample-manifold", "--manifold", "--axes", "0,1", "--steps", "4", *fp32),
        ("sample", "run-vae", "out-sample-between", "--interpolate", "1,2,3", "--steps", "4", *fp32),
        ("sample", "run-vae", "out-sample-sum", "--arithmetic", "photos/0.png - photos/1.png + photos/2.png", *fp32),
        ("eval", "probe", "run-vae", "--data", "idx", "--labels", "20", "--json"),
        ("data", "masks", "free-form", "out-masks", "--count", "5", "--size", "64"),
        ("data", "masks", "thick", "out-masks-like", "--like", "photos"),
        ("data", "masks", "thin", "out-masks-thin", "--count", "4", "--size", "96", "--seed", "4"),
        ("data", "mixture", "ring", "out-ring", "--count", "500"),
        ("data", "mixture", "grid", "out-grid", "--count", "500"),
        ("data", "preview", "pix2pix", "--data", "pairs", "--out", "out-preview/sheet.png"),
        ("data", "preview", "inpaint", "--data", "photos", "--out", "out-preview-holes/sheet.png",
         "--set", "data.crop.load=70", "--set", "data.crop.size=64"),
    ]  # fmt: skip
    for name in ("gray", "edges", "blur", "noise", "jpeg", "posterize"):
        made.append(("data", "degrade", name, "photos", f"out-{name}"))
    return made


def make_inputs(work: Path) -> None:
    """Pictures of every format and mode, photographs, pairs, squares, a mask, MNIST-like files, and VGG's stand-in."""
    for number in range(6):
        save(work / "photos" / f"{number}.png", pixels(40 + number, 36 + 2 * number, number))
        save(work / "squares" / f"{number}.png", pixels(32, 32, number))
        for side in "AB":
            save(work / "pairs" / side / f"{number}.png", pixels(40 + number, 36, number + 50 * (side == "B")))
    mask = np.zeros((40, 50), np.uint8)
    mask[10:22, 14:30] = 255
    mask[30, 5:45] = 255
    save(work / "mask.png", mask)
    make_idx(work / "idx")
    make_vgg(work / "torch" / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth")
    make_mixed(work / "mixed")


def pixels(width: int, height: int, seed: int, channels: int = 3, deep: bool = False) -> Any:
    """Smooth colours with some noise."""
    draws = np.random.default_rng(seed)
    smooth = cv2.resize(draws.random((4, 4, channels)), (width, height), interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(smooth.reshape(height, width, channels) + draws.normal(0, 0.02, (height, width, channels)), 0, 1)
    return np.rint(noisy * (65535 if deep else 255)).astype(np.uint16 if deep else np.uint8)


def save(path: Path, array: Any, **options: Any) -> None:
    """Write 8-bit pixels through Pillow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array).save(path, **options)


def make_mixed(folder: Path) -> None:
    """One file of each format and mode, all of 50 x 40 pixels, with orientation, profile, texts and density."""
    colour, gray = pixels(50, 40, 7), pixels(50, 40, 8, 1)
    alpha = pixels(50, 40, 9, 1)
    exif = Image.Exif()
    exif[274], exif[315], exif[306] = 6, "Ada", "2024:01:02 03:04:05"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc = icc[:24] + bytes(12) + icc[36:]  # without the time of its making
    save(folder / "rgb.png", colour, dpi=(120, 120), icc_profile=icc)
    save(folder / "rgba.png", np.dstack([colour, alpha]))
    save(folder / "l.png", gray)
    save(folder / "la.png", np.dstack([gray, alpha]))
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "flowers")
    Image.fromarray(colour).quantize(16).save(folder / "p.png", pnginfo=text)
    Image.fromarray(gray[:, :, 0]).convert("1").save(folder / "one.png")
    save(folder / "turned.jpg", colour, quality=88, exif=exif, icc_profile=icc)
    save(folder / "plain.jpg", colour, quality=60, subsampling=0)
    save(folder / "gray.jpg", gray, quality=90)
    Image.fromarray(colour).convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    save(folder / "deep" / "lossy.webp", colour, quality=70)
    save(folder / "deep" / "lossless.webp", np.dstack([colour, alpha]), lossless=True)
    save(folder / "deep" / "bitmap.bmp", colour)
    save(folder / "lzw.tif", colour, compression="tiff_lzw", exif=exif)
    save(folder / "deflate.tiff", np.dstack([colour, alpha]), compression="tiff_adobe_deflate")
    deep = pixels(50, 40, 10, 4, deep=True)
    tifffile.imwrite(folder / "deep" / "gray-strips.tif", deep[:, :, 0], photometric="minisblack")
    tifffile.imwrite(folder / "deep" / "deflate16.tif", deep[:, :, :3], photometric="rgb", compression="zlib")
    cv2.imwrite(str(folder / "deep" / "l16.png"), deep[:, :, 0])
    cv2.imwrite(str(folder / "deep" / "rgb16.png"), deep[:, :, :3])
    cv2.imwrite(str(folder / "deep" / "rgba16.png"), deep)
    save(folder / "wide.png", pixels(150, 90, 11))
    (folder / "broken.png").write_bytes((folder / "rgb.png").read_bytes()[:400])
    (folder / "note.txt").write_text("no picture")


def make_idx(folder: Path) -> None:
    """Fashion-MNIST's four files, small."""
    folder.mkdir(parents=True)
    for split, count in (("train", 200), ("t10k", 60)):
        labels = (np.arange(count) % 3).astype(np.uint8)
        images = np.stack(
            [pixels(28, 28, int(label) + 3 * (index % 7), 1)[:, :, 0] for index, label in enumerate(labels)]
        )
        header = b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in images.shape)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(
            b"\0\0\x08\x01" + count.to_bytes(4, "big") + labels.tobytes()
        )


def make_vgg(path: Path) -> None:
    """Random weights under the names and shapes of VGG-19's convolutions."""
    layout = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)
    torch.manual_seed(0)
    tensors, channels, place = {}, 3, 0
    for width in layout:
        if width:
            convolution = torch.nn.Conv2d(channels, width, 3)
            tensors[f"features.{place}.weight"] = convolution.weight.detach().clone()
            tensors[f"features.{place}.bias"] = convolution.bias.detach().clone()  # type: ignore[union-attr]
            channels, place = width, place + 2
        else:
            place += 1
    path.parent.mkdir(parents=True)
    torch.save(tensors, path)


def of_folder(folder: Path) -> Iterator[tuple[str, str]]:
    """The digest of every file in a folder, or of the one file."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        digest = of_file(path) if path.is_file() else None
        if digest is not None:
            yield path.relative_to(folder.parent).as_posix(), digest


def of_file(path: Path) -> str | None:
    """What counts of a file: its bytes, its tensors, or what became of each picture; None of logs and reports."""
    if path.suffix == ".safetensors":
        return of_tensors(load_file(path))
    if path.name == "state.pt":
        return of_tensors(torch.load(path, weights_only=True))
    if path.name == "manifest.jsonl":
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        last = {line["name"]: line["status"] for line in lines}
        return hashlib.sha256(json.dumps(last, sort_keys=True).encode()).hexdigest()[:12]
    if path.suffix.lower() in {".png", ".jpg", ".webp", ".tif", ".tiff", ".bmp", ".csv"} or "ubyte" in path.name:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return None


def of_tensors(tree: Any) -> str:
    """A digest of all tensors in nested containers, whatever they are called and however they are ordered."""
    found = sorted(hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest() for tensor in tensors_in(tree))
    return f"{len(found)} {hashlib.sha256(''.join(found).encode()).hexdigest()[:12]}"


def tensors_in(tree: Any) -> Iterator[torch.Tensor]:
    """Every tensor in nested containers."""
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from tensors_in(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from tensors_in(value)


if __name__ == "__main__":
    main()
