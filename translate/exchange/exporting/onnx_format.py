"""ONNX, for ONNX Runtime and everything that reads it: TensorRT, DirectML, CoreML's converters, browsers.

torch's exporter that traces (`dynamo=False`) writes it: beside the newer one it took a sixth of the time for the
upscaler that ships, and it writes opset 17 without a conversion.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.backbones.deepfill import DeepFill
from models.backbones.lama import LaMa
from translate.exchange.exporting.formats import Format, Runtime, Subject, contains, example_shape
from translate.exchange.exporting.portable import Portable
from translate.exchange.exporting.quiet import hush_exporters
from translate.exchange.exporting.torch_format import build_program

OPSET = 18  # the first with all that the networks need
OPSETS = range(17, 21)  # darktable reads no other
NEED_GRAPH = (DeepFill, LaMa)  # of which only the newer exporter has all operations
INPUT, OUTPUT = "input", "output"

EXAMPLE = """\
import numpy, onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("FILE", providers=["CPUExecutionProvider"])
picture = numpy.asarray(Image.open("in.png").convert("MODE"), numpy.float32) / 255
image = numpy.atleast_3d(picture).transpose(2, 0, 1)[None]  # (1, channels, height, width) in [0, 1]
output = session.run(["output"], {"input": image})[0][0]
pixels = (255 * output.transpose(1, 2, 0)).round().astype("uint8")
Image.fromarray(pixels.squeeze()).save("out.png")
"""


def find_problem(subject: Subject) -> str | None:
    """Return why a model cannot become an ONNX file; None if it can."""
    if subject.opset is not None and subject.opset not in OPSETS:
        return f"`opset` {subject.opset}: expected {OPSETS[0]} to {OPSETS[-1]}"
    if contains(subject, *NEED_GRAPH) and subject.opset == OPSETS[0]:
        return f"its operations need `opset` {OPSET} or more"
    if subject.size is None and contains(subject, LaMa):
        return "LaMa's own padding depends on the size of the picture; name one with `to_size`"
    return None


def write(subject: Subject, path: Path) -> None:
    """Write an ONNX file with names for the dimensions that are free.

    Raises:
        RuntimeError: The network has an operation that the opset lacks.
    """
    if contains(subject, *NEED_GRAPH):
        program = build_program(subject)
        with hush_exporters():
            torch.onnx.export(program, (), str(path), external_data=False, verbose=False, **_names(subject))
        return
    model = Portable(subject.translator, subject.domain, pads=True, half=subject.half).eval()
    image = torch.rand(example_shape(subject, batch=1, pads=True))
    free = {0: "batch"} if subject.size else {0: "batch", 2: "height", 3: "width"}
    scale = subject.translator.scale
    enlarged = {2: f"{scale}*height", 3: f"{scale}*width"} if scale > 1 else {2: "height", 3: "width"}
    axes = {INPUT: free, OUTPUT: {0: "batch"} if subject.size else {0: "batch", **enlarged}}
    with torch.no_grad(), hush_exporters():
        torch.onnx.export(model, (image,), str(path), dynamo=False, dynamic_axes=axes, **_names(subject))


def _names(subject: Subject) -> dict[str, Any]:
    return {"opset_version": subject.opset or OPSET, "input_names": [INPUT], "output_names": [OUTPUT]}


def load(path: Path, subject: Subject) -> Runtime:
    """Return what calls an ONNX file by ONNX Runtime on the CPU."""
    return load_session(str(path))


def load_session(model: str | bytes) -> Runtime:
    """Return what calls an ONNX model, given by its file or its content."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal errors only; others are raised
    options.intra_op_num_threads = torch.get_num_threads()
    session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        (output,) = session.run([OUTPUT], {INPUT: image})
        return np.asarray(output, np.float32)

    return run


ONNX = Format(
    suffixes=(".onnx",),
    packages=("onnx", "onnxruntime", "onnxscript"),
    runtime="onnxruntime",
    pads=True,
    batches=True,
    problem=find_problem,
    write=write,
    load=load,
    example=EXAMPLE,
)
