"""A folder of 256 x 256 JPEGs through ResNet-9 and U-Net-256: the pipeline against the peers' way.

    python tests/benchmarks/bench_folder.py PHOTOS [RESNET_RUN UNET_RUN]

PHOTOS is any folder of photographs; 256 x 256 squares are cut out of them. Precision is `auto`
where trained models are given, else pinned to bfloat16, so that no untrained network falls back unnoticed.
The last table tells what reading and writing files adds to the bare forward passes.
"""

import copy
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from measure import HEAD, commit, compare
from peers_way import peers_folder

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.pixels import resize_shorter_side
from datasets.storage.listing import find_pictures
from models.contract import Translator
from models.networks.generators import ResNetConfig, UNetConfig
from models.pix2pix import Pix2PixConfig
from translate.experiment import parse_experiment
from translate.folders.options import RunOptions
from translate.folders.translated_folder import translate_folder
from translate.inference.conversion import to_input
from translate.inference.model import Model, load_model
from translate.inference.model_file import Card, save_model
from translate.inference.precision import measure_layouts
from translate.process import configure_process

PICTURES = 104  # the fewest with which the pipeline tries several batches
ROUNDS = 3


def squares(photos: Path, folder: Path) -> None:
    """Write PICTURES different squares of 256 pixels as JPEG."""
    folder.mkdir()
    sources = [read_picture(photos / name).pixels for name in find_pictures(photos).pictures[:PICTURES]]
    for index in range(PICTURES):
        pixels = resize_shorter_side(sources[index % len(sources)], 256 + 16 * (index // len(sources)))
        top, left = (pixels.shape[0] - 256) // 2, (pixels.shape[1] - 256) // 2
        write_picture(Picture(pixels[top : top + 256, left : left + 256].copy()), folder / f"{index:03d}.jpg")


def untrained(config: Pix2PixConfig, folder: Path) -> Model:
    """A model file of a network as it was drawn."""
    torch.manual_seed(0)
    experiment = parse_experiment({"model": config.model_dump(), "data": {"kind": "paired"}}, "benchmark")
    path = folder / f"{config.generator.name}.safetensors"
    save_model(path, config.translator(), Card(experiment=experiment, step=0, trained_size=256))
    return pinned(load_model(path, precision="bf16", threads=2))


def pinned(model: Model) -> Model:
    """The model in bfloat16, in the layout that `auto` would find the faster."""
    speeds = measure_layouts(model.translator, model.numerics, model.device)
    numerics = replace(model.numerics, layout=min(speeds, key=lambda layout: speeds[layout]))
    return replace(model, translator=numerics.place_network(model.translator, model.device), numerics=numerics)


def added_by_files(model: Model, folder: Path, out: Path) -> str:
    """A table's row: what decoding, encoding and writing add to the bare forward passes at the best batch.

    Forward passes have all threads for one batch; the pipeline is as it is for whoever asks for nothing.
    """
    images = torch.stack(
        [to_input(read_picture(folder / name), model.translator) for name in find_pictures(folder).pictures]
    )

    def forwards(batch: int) -> float:
        began = time.perf_counter()
        for part in torch.split(images, batch):
            model.run(part)
        return (time.perf_counter() - began) / len(images)

    def pipeline() -> float:
        shutil.rmtree(out, ignore_errors=True)
        began = time.perf_counter()
        for _ in translate_folder(model, folder, out):
            pass
        return (time.perf_counter() - began) / len(images)

    best = min((1, 4, 8), key=forwards)
    rounds = [(forwards(best), pipeline()) for _ in range(ROUNDS)]
    bare, whole = (statistics.median(times) for times in zip(*rounds, strict=True))
    name = generator_name(model)
    return f"| {name}, batch {best} | {1000 * whole:.1f} ms | {1000 * bare:.1f} ms | {whole / bare - 1:+.0%} |"


def generator_name(model: Model) -> str:
    """The `name` in the settings of the model's generator."""
    return str(model.card.experiment.model.model_dump()["generator"]["name"])


def main() -> None:
    configure_process()
    torch.set_num_threads(2)
    work = Path(tempfile.mkdtemp())
    squares(Path(sys.argv[1]), work / "in")
    if len(sys.argv) > 2:
        models = [load_model(path, threads=2) for path in sys.argv[2:]]
    else:
        configs = (Pix2PixConfig(generator=ResNetConfig()), Pix2PixConfig(generator=UNetConfig()))
        models = [untrained(config, work) for config in configs]
    print(f"commit {commit()}, {PICTURES} JPEGs of 256 x 256\n{HEAD}")
    rows = []
    for model in models:
        name = generator_name(model)

        def ours(model: Model = model) -> None:
            shutil.rmtree(work / "ours", ignore_errors=True)
            failed = [o for o in translate_folder(model, work / "in", work / "ours", RunOptions()) if o.status != "ok"]
            assert not failed, failed

        standing = copy.deepcopy(model.translator).to(memory_format=torch.contiguous_format)

        def peers(standing: Translator = standing) -> None:
            peers_folder(standing, work / "in", work / "peers")

        result = compare(
            f"{name}, {model.numerics.precision} {model.numerics.layout}", peers, ours, ROUNDS, PICTURES, warm_up=False
        )
        print(result.row(), flush=True)
        rows.append(added_by_files(model, work / "in", work / "ours"))
    print("\n| what | pipeline | bare forward passes | added |\n|---|---|---|---|")
    print("\n".join(rows))
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
