"""Export one model of every family to every format, and print what its runtime verified, the file's size, the seconds.

    python tests/benchmarks/exports.py [--small] [--family NAME …] [--to FORMAT …]

Networks have the size of their recipes and random weights, but for the two that ship; `--small` makes all narrow.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from datasets.errors import UserError
from translate.exchange.exporting.export import FORMATS, export_model
from translate.experiment import load_experiment
from translate.inference.model_file import Card, build_uninitialized, read_card, save_model

BATCH = "model.generator.norm=batch"
FAMILIES: dict[str, tuple[str, ...]] = {
    "pix2pix U-Net": ("pix2pix",),
    "pix2pix U-Net, batch norm": ("pix2pix", BATCH),
    "colorize": ("colorize",),
    "CycleGAN ResNet": ("cyclegan",),
    "CycleGAN ResNet, batch norm": ("cyclegan", BATCH),
    "CUT": ("cut",),
    "StarGAN": ("stargan",),
    "SRResNet": ("srresnet",),
    "RRDB": ("esrgan",),
    "compact": ("upscaler",),
    "denoise (SPAN ×1)": ("denoise",),
    "DeepFill": ("deepfill",),
    "partial convolutions": ("partial-convolution",),
    "context encoder": ("context-encoder",),
    "LaMa": ("inpaint", "model.generator.name=lama"),
    "autoencoder": ("autoencoder",),
    "VAE": ("vae",),
}
SHIPPED = {"SPAN (ships)": "upscale-x4", "gated (ships)": "inpaint"}


def build(name: str, folder: Path, small: bool) -> str:
    """Return a model file of a family, or the name of one that ships."""
    if name in SHIPPED:
        return SHIPPED[name]
    recipe, *overrides = FAMILIES[name]
    narrow = ["model.generator.width=8"] if small and recipe not in ("autoencoder", "vae") else []
    experiment = load_experiment(recipe, [*overrides, *narrow])
    path = folder / f"{name}.safetensors".replace(" ", "-")
    torch.manual_seed(0)
    save_model(path, experiment.model.translator(), Card(experiment=experiment, step=0, trained_size=1))
    return str(path)


def main() -> None:
    """Print one row a format and family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--family", nargs="+", default=[*SHIPPED, *FAMILIES])
    parser.add_argument("--to", nargs="+", default=[*FORMATS])
    arguments = parser.parse_args()
    print("| family | format | largest difference | kB | seconds | of a processor |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for family in arguments.family:
            model = build(family, folder, arguments.small)
            for to in arguments.to:
                began, computed = time.perf_counter(), time.process_time()
                out = folder / f"{time.monotonic_ns()}{FORMATS[to].suffixes[0]}"
                try:
                    done = export_model(model, to, out, domain=find_domain(model), size=find_size(family))
                except UserError as error:
                    print(f"| {family} | {to} | {str(error).replace(str(folder), '')} | | | |", flush=True)
                    continue
                size = sum(file.stat().st_size for file in done.files[:-1]) // 1000
                seconds = f"{time.perf_counter() - began:.1f} | {time.process_time() - computed:.1f}"
                print(f"| {family} | {to} | {done.verified.largest_difference:.1e} | {size} | {seconds} |", flush=True)


def find_domain(model: str) -> str | None:
    """Return a model's last domain, if it has any."""
    if not Path(model).is_file():
        return None
    domains = build_uninitialized(read_card(Path(model))).domains
    return domains[-1] if domains else None


def find_size(family: str) -> tuple[int, int] | None:
    """Return the size to export a family for; None: any."""
    return (128, 96) if family == "LaMa" else None


if __name__ == "__main__":
    main()
