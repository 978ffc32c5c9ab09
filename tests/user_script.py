"""A user's script that uses every public name; it must pass `mypy --strict` against the installed package.

Started with a folder of pictures, a model that translates and one that makes pictures from noise, it does what it says.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import translate
from translate import (
    DataError,
    DivergedError,
    DomainError,
    Experiment,
    FramesError,
    LoadedSampler,
    MaskOptions,
    Model,
    ModelError,
    NothingFoundError,
    OptionError,
    Outcome,
    OutOfMemoryError,
    PhotographError,
    Picture,
    PictureError,
    Progress,
    ResumeError,
    RunOptions,
    SampleOptions,
    SaveOptions,
    UserError,
    VerificationError,
)


def translate_pictures(model: Model, path: Path) -> Picture:
    image: Image.Image = model(Image.open(path))
    array: NDArray[np.uint8] = np.asarray(image)
    again = model(array, to=None, work_size=64, tile="auto")
    tensor: torch.Tensor = model(torch.zeros(3, 32, 32))
    several: list[Picture] = model([path, path])
    both: list[Image.Image] = model([image, image])
    print(again.shape, tensor.shape, len(several), len(both))
    return model(path)


def enlarge_and_fill(path: Path, picture: Picture) -> None:
    enlarged: Picture = translate.upscale(picture, scale=2)
    larger: list[Picture] = translate.upscale([path], model="upscale-x2")
    translate.write_picture(enlarged, Path("larger.png"), SaveOptions(metadata="strip"))
    hole = np.zeros((picture.height, picture.width), np.bool_)
    hole[2:6, 2:6] = True
    filled: Picture = translate.inpaint(picture, hole, model="telea", feather=1)
    opened: Image.Image = translate.inpaint(Image.open(path), Image.fromarray(hole))
    print(len(larger), filled.width, opened.size)


def run_folders(model: Model, folder: Path) -> Iterator[Outcome]:
    yield from translate.translate_folder(model, folder, "translated", RunOptions(on_exists="overwrite", work_size=128))
    yield from translate.upscale_folder(folder, "enlarged", scale=2, options=RunOptions(limit=1))
    masks = MaskOptions(missing_mask="copy", feather=2)
    yield from translate.inpaint_folder("telea", folder, "filled", "alpha", masks, RunOptions(limit=1))


def sample(sampler: LoadedSampler) -> Iterator[Outcome]:
    pictures: NDArray[np.uint8] = sampler(4, seed=1)
    print(pictures.shape)
    return translate.sample_folder(sampler, "samples", count=2, options=SampleOptions(batch=2))


def train(folder: Path) -> Iterator[Progress]:
    settings = ["training.steps=2", "training.threads=1", "data.crop.size=32", "model.generator.width=4"]
    experiment: Experiment = translate.load_experiment("restore", settings)
    return translate.train(experiment, folder, "run", device="cpu")


def import_weights(path: Path) -> None:
    try:
        written: Path = translate.import_model(path, "imported.safetensors", licence="MIT")
        print(written)
    except ModelError as error:
        print("no published weights:", error)
    try:
        print(translate.pull_model("hf://OWNER").name)
    except UserError as error:
        print("no address on the Hub:", error)


def export(path: Path) -> None:
    try:
        written: Path = translate.export_model(path, "torch-export", "elsewhere.onnx").files[0]
        print(written)
    except VerificationError as error:
        print("not kept:", error)
    except UserError as error:
        print("another suffix:", error)


def main(folder: Path, model: Path, sampler: Path) -> int:
    path = min(folder.glob("*.png"))
    try:
        loaded = translate.load_model(model, device="cpu", precision="fp32", threads=1)
        import_weights(model)
        export(model)
        enlarge_and_fill(path, translate.read_picture(path))
        translate.write_picture(translate_pictures(loaded, path), Path("translated.png"))
        outcome: Outcome
        for outcome in run_folders(loaded, folder):
            print(outcome.name, outcome.status, outcome.reason)
        for outcome in sample(translate.load_sampler(sampler, device="cpu", threads=1)):
            print(outcome.name, outcome.status, outcome.reason)
        progress: Progress
        for progress in train(folder):
            print(progress.step, progress.losses, progress.metrics, progress.notes)
    except (FramesError, PhotographError) as error:
        print("several pictures, or no mask:", error)
    except (NothingFoundError, PictureError, DataError) as error:
        print("the pictures:", error)
    except ModelError as error:
        print("the model:", error)
    except OptionError as error:
        print("the option", error.option, error.reason)
    except (DomainError, ResumeError, DivergedError, OutOfMemoryError) as error:
        print("the run:", error)
    except UserError as error:
        print(error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:4])))
