"""ncnn, for phones, Vulkan, and programs such as upscayl; `pnnx` converts a network that torch has traced.

ncnn has no batches, and no padding that depends on the size: sides must be multiples of what the network needs.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from models.backbones.deepfill import DeepFill
from models.backbones.gated import GatedUNet
from models.backbones.lama import LaMa
from models.backbones.partial import PartialUNet
from models.backbones.stargan_networks import StarGenerator
from models.contract import Encoder
from translate.exchange.exporting.formats import Format, Runtime, Subject, example_shape
from translate.exchange.exporting.portable import Portable
from translate.exchange.exporting.quiet import hush_exporters

# What pnnx or ncnn fails at, tried with the versions of `pyproject.toml`.
NOT_CARRIED: dict[type[nn.Module], str] = {
    GatedUNet: "of its smooth filling, which cuts off borders again and again, ncnn's graph cuts off none",
    DeepFill: "ncnn has no operation that puts overlapping patches together, which its attention needs",
    PartialUNet: "ncnn fails at the counts of known pixels in its partial convolutions",
    StarGenerator: "ncnn cannot make its label as large as a picture of any size",
    LaMa: "ncnn has no Fourier transform",
}
INPUT, OUTPUT = "in0", "out0"  # as pnnx names them
PROGRAM = """
import sys, ncnn, numpy
param, weights, given, made, threads = sys.argv[1:]
net = ncnn.Net()
net.opt.num_threads = int(threads)
net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
assert net.load_param(param) == 0 and net.load_model(weights) == 0, "the files cannot be loaded"
run, image = net.create_extractor(), numpy.ascontiguousarray(numpy.load(given))
run.input("in0", ncnn.Mat(image).clone())
status, output = run.extract("out0")
assert status == 0, "it fails to compute"
numpy.save(made, numpy.array(output))
"""
LARGE = 1e6  # makes 1 or more of whatever is above 0

EXAMPLE = """\
import ncnn, numpy
from PIL import Image

net = ncnn.Net()
net.load_param("FILE.param"), net.load_model("FILE.bin")
picture = numpy.asarray(Image.open("in.png").convert("MODE"), numpy.float32) / 255
image = numpy.ascontiguousarray(numpy.atleast_3d(picture).transpose(2, 0, 1))  # (channels, height, width) in [0, 1]
run = net.create_extractor()
run.input("in0", ncnn.Mat(image).clone())
output = numpy.array(run.extract("out0")[1])
pixels = (255 * output.transpose(1, 2, 0)).round().astype("uint8")
Image.fromarray(pixels.squeeze()).save("out.png")
"""


def find_problem(subject: Subject) -> str | None:
    """Return why a model cannot become ncnn's files; None if it can."""
    if subject.opset is not None:
        return "`opset` is ONNX's; leave it out"
    if isinstance(subject.translator, Encoder):
        return "ncnn returns an autoencoder's pictures in another shape"
    kinds = {type(module) for module in subject.translator.modules()}
    return next((reason for kind, reason in NOT_CARRIED.items() if kind in kinds), None)


def write(subject: Subject, path: Path) -> None:
    """Write the graph (.param) and, beside it, the weights (.bin).

    Raises:
        RuntimeError: pnnx failed, or left an operation that ncnn lacks.
    """
    import pnnx

    model = Portable(subject.translator, subject.domain, pads=False).eval()
    shape = example_shape(subject, batch=1, pads=False)
    step = 0 if subject.size else subject.translator.multiple
    larger = *shape[:2], shape[2] + 2 * step, shape[3] + step
    traced = path.with_suffix(".pt")
    with torch.no_grad(), hush_exporters(), _SimpleOperations():
        trace: Any = torch.jit.trace
        trace(model, torch.rand(shape), check_trace=False).save(str(traced))
    names = {"ncnnparam": path, "ncnnbin": path.with_suffix(".bin")}
    passing = {name: path.with_suffix(f".{name}") for name in ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx", "ncnnpy")}
    arguments = [f"{name}={file.name}" for name, file in {**names, **passing}.items()]
    arguments += [f"inputshape={_format_shape(shape)}", f"fp16={int(subject.half)}"]
    arguments += [f"inputshape2={_format_shape(larger)}"] if step else []
    done = subprocess.run(
        [pnnx.EXEC_PATH, traced.name, *arguments], cwd=path.parent, capture_output=True, text=True, check=False
    )
    if done.returncode or not path.is_file():
        raise RuntimeError(f"pnnx ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-200:]}")
    unknown = sorted({line.split()[0] for line in path.read_text().splitlines()[2:] if _is_foreign(line.split()[0])})
    if unknown:
        raise RuntimeError(f"it has no operation for {', '.join(unknown)}")


def load(path: Path, subject: Subject) -> Runtime:
    """Return what calls the files by ncnn on the CPU, in float32, each time in a process of its own.

    ncnn ends its process where a graph makes no sense to it.
    """

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        given, made = path.with_suffix(".in.npy"), path.with_suffix(".out.npy")
        try:
            np.save(given, image[0])
            words = [str(path), str(path.with_suffix(".bin")), str(given), str(made), str(torch.get_num_threads())]
            done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"exit code {done.returncode}; {done.stderr.strip()[-200:]}")
            return np.asarray(np.load(made), np.float32)[None]
        finally:
            given.unlink(missing_ok=True)
            made.unlink(missing_ok=True)

    return run


class _SimpleOperations(TorchFunctionMode):
    """Say with operations that ncnn has what networks say with others."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.addcmul:
            return args[0] + args[1] * args[2]
        if function is torch.ones_like:
            return args[0] * 0 + 1
        if function in (Tensor.gt, Tensor.__gt__) and args[1] == 0:
            return (args[0] * LARGE).clamp(
                0, 1
            )  # of masks and of parts of a window that are known, which are 0 or more
        if function is torch.where and args[0].dtype.is_floating_point:
            return args[0] * args[1] + (1 - args[0]) * args[2]
        return function(*args, **(kwargs or {}))


def _format_shape(shape: tuple[int, ...]) -> str:
    """Return a shape as pnnx reads it, such as [1,3,32,48]f32."""
    return f"[{','.join(map(str, shape))}]f32"


def _is_foreign(kind: str) -> bool:
    """Return whether a layer is torch's, which pnnx leaves in the graph where ncnn has none."""
    return kind.startswith(("aten::", "prim::", "torch.", "F.", "nn.", "Tensor.", "pnnx."))


NCNN = Format(
    suffixes=(".param", ".bin"),
    packages=("ncnn", "pnnx"),
    runtime="ncnn",
    pads=False,
    batches=False,
    problem=find_problem,
    write=write,
    load=load,
    example=EXAMPLE,
)
