"""torch.export's program: the graph with its weights, for torch without this program, and for what compiles graphs."""

from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.backbones.lama import LaMa
from models.contract import Encoder
from translate.exchange.exporting.formats import Format, Runtime, Subject, contains, example_shape
from translate.exchange.exporting.portable import Portable
from translate.exchange.exporting.quiet import hush_exporters

EXAMPLE = """\
import numpy, torch
from PIL import Image

model = torch.export.load("FILE").module()
picture = numpy.asarray(Image.open("in.png").convert("MODE"), numpy.float32) / 255
image = torch.from_numpy(numpy.atleast_3d(picture).transpose(2, 0, 1)[None])  # (1, channels, height, width) in [0, 1]
output = model(image)[0].detach().numpy()
pixels = (255 * output.transpose(1, 2, 0)).round().astype("uint8")
Image.fromarray(pixels.squeeze()).save("out.png")
"""


def find_problem(subject: Subject) -> str | None:
    """Return why a model cannot become a program of torch.export; None if it can."""
    if subject.opset is not None:
        return "`opset` is ONNX's; leave it out"
    if isinstance(subject.translator, Encoder):
        return "torch.export fixes the number of pictures in an autoencoder"
    if subject.size is None and contains(subject, LaMa):
        return "LaMa's own padding depends on the size of the picture; name one with `to_size`"
    return None


def write(subject: Subject, path: Path) -> None:
    """Write a program (.pt2) whose batch and, unless a size is given, height and width are free.

    Raises:
        RuntimeError: torch cannot follow the network for all sizes.
    """
    program = build_program(subject)
    with hush_exporters():
        torch.export.save(program, path)


def build_program(subject: Subject) -> torch.export.ExportedProgram:
    """Follow the network for all sizes.

    Raises:
        RuntimeError: torch cannot.
    """
    model = Portable(subject.translator, subject.domain, pads=True, half=subject.half).eval()
    image = torch.rand(example_shape(subject, batch=2, pads=True))
    axes = (0,) if subject.size else (0, 2, 3)
    free = dict.fromkeys(axes, torch.export.Dim.DYNAMIC)
    with torch.no_grad(), hush_exporters(), _sizes_of_one():
        return torch.export.export(model, (image,), dynamic_shapes={"image": free})


def load(path: Path, subject: Subject) -> Runtime:
    """Return what calls the program as it was saved."""
    with hush_exporters():
        model = torch.export.load(path).module()

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            return np.asarray(model(torch.from_numpy(image)).numpy(), np.float32)

    return run


def _sizes_of_one() -> AbstractContextManager[Any]:
    """Let a side or a batch be 1 in the program, where torch would otherwise make a case of its own of it."""
    config: Any = import_module("torch.fx.experimental._config")
    return config.patch(backed_size_oblivious=True) if hasattr(config, "backed_size_oblivious") else nullcontext()


TORCH = Format(
    suffixes=(".pt2",),
    packages=(),
    runtime="torch",
    pads=True,
    batches=True,
    problem=find_problem,
    write=write,
    load=load,
    example=EXAMPLE,
)
