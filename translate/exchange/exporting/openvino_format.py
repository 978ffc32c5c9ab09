"""OpenVINO's intermediate representation, for Intel's processors, GPUs and NPUs; it is converted from ONNX."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.backbones.deepfill import DeepFill
from models.backbones.lama import LaMa
from translate.exchange.exporting import onnx_format
from translate.exchange.exporting.formats import Format, Runtime, Subject, contains
from translate.exchange.exporting.quiet import hush_exporters

# Without it, OpenVINO computes in bfloat16 on processors that have it, which changes the last digits.
EXACT = {"INFERENCE_PRECISION_HINT": "f32"}

EXAMPLE = """\
import numpy, openvino
from PIL import Image

model = openvino.Core().compile_model("FILE", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
picture = numpy.asarray(Image.open("in.png").convert("MODE"), numpy.float32) / 255
image = numpy.atleast_3d(picture).transpose(2, 0, 1)[None]  # (1, channels, height, width) in [0, 1]
output = model({"input": image})["output"][0]
pixels = (255 * output.transpose(1, 2, 0)).round().astype("uint8")
Image.fromarray(pixels.squeeze()).save("out.png")
"""


def find_problem(subject: Subject) -> str | None:
    """Return why a model cannot become OpenVINO's files; None if it can."""
    if contains(subject, DeepFill):
        return "OpenVINO loses the sizes of the patches that DeepFill's attention puts together"
    if contains(subject, LaMa):
        return "OpenVINO does not read the Fourier transforms that torch writes for LaMa"
    return onnx_format.find_problem(subject)


def write(subject: Subject, path: Path) -> None:
    """Write the graph (.xml) and, beside it, the weights (.bin).

    Raises:
        RuntimeError: The network has an operation that ONNX or OpenVINO lacks.
    """
    import openvino

    whole = Subject(**{**vars(subject), "half": False})  # its converter halves the weights, and keeps float32 inside
    passing = path.with_suffix(".onnx")
    try:
        onnx_format.write(whole, passing)
        with hush_exporters():
            openvino.save_model(openvino.convert_model(str(passing)), str(path), compress_to_fp16=subject.half)
    finally:
        passing.unlink(missing_ok=True)


def load(path: Path, subject: Subject) -> Runtime:
    """Return what calls the files by OpenVINO on the CPU, in float32."""
    import openvino

    threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    model: Any = openvino.Core().compile_model(str(path), "CPU", {**EXACT, **threads})

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.array(model({onnx_format.INPUT: image})[onnx_format.OUTPUT], np.float32)

    return run


OPENVINO = Format(
    suffixes=(".xml", ".bin"),
    packages=("onnx", "onnxscript", "openvino"),
    runtime="openvino",
    pads=True,
    batches=True,
    problem=find_problem,
    write=write,
    load=load,
    example=EXAMPLE,
)
