"""A writer of ncnn's format, after its documentation, and ncnn itself to run what was written."""

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

Line = tuple[str, str, str, str]  # kind, inputs, outputs, parameters
HALF_TAG = struct.pack("<I", 0x01306B47)


class NcnnModel:
    """A model that is written layer by layer, as onnx2ncnn does, with weights drawn at random."""

    def __init__(self, *, half: bool = False) -> None:
        self.half, self.lines, self.weights = half, [("Input", "", "data", "")], b""
        self.draws = np.random.RandomState(0)

    def add(self, kind: str, inputs: str, output: str, parameters: str = "") -> str:
        """Add a layer without weights, and return the name of its output."""
        self.lines.append((kind, inputs, output, parameters))
        return output

    def convolve(self, value: str, output: str, shape: Sequence[int], more: str = "4=1", kind="Convolution") -> str:
        """Add a convolution or deconvolution: channels out, in, and the side of its kernel."""
        out, into, side = shape
        kernel = self.draws.standard_normal(out * into * side**2) / np.sqrt(into * side**2)
        tagged = HALF_TAG + kernel.astype("<f2").tobytes() if self.half else bytes(4) + kernel.astype("<f4").tobytes()
        bias = 0.1 * self.draws.standard_normal(out)
        self.weights += tagged + bytes(-len(tagged) % 4) + bias.astype("<f4").tobytes()
        return self.add(kind, value, output, f"0={out} 1={side} 5=1 6={kernel.size} {more}")

    def bend(self, value: str, output: str, channels: int) -> str:
        """Add a PReLU."""
        self.weights += (0.3 * self.draws.standard_normal(channels)).astype("<f4").tobytes()
        return self.add("PReLU", value, output, f"0={channels}")

    def write(self, path: Path) -> Path:
        """Write `path`, which ends in `.param`, and the `.bin` beside it."""
        lines = self.split_lines()
        blobs = sum(len(outputs.split()) for _, _, outputs, _ in lines)
        text = [f"7767517\n{len(lines)} {blobs}"]
        for index, (kind, inputs, outputs, parameters) in enumerate(lines):
            numbers = f"{len(inputs.split())} {len(outputs.split())}"
            text.append(f"{kind:<16} layer{index} {numbers} {inputs} {outputs} {parameters}".rstrip())
        path.write_text("\n".join(text) + "\n")
        path.with_suffix(".bin").write_bytes(self.weights)
        return path

    def split_lines(self) -> list[Line]:
        """Return the layers with a Split behind each whose output is used more than once, as ncnn demands."""
        uses = Counter(name for _, inputs, _, _ in self.lines for name in inputs.split())
        names = {name: [f"{name}_{index}" for index in range(count)] for name, count in uses.items() if count > 1}
        copies = {name: iter(each) for name, each in names.items()}
        lines: list[Line] = []
        for kind, inputs, output, parameters in self.lines:
            renamed = " ".join(next(copies[name]) if name in copies else name for name in inputs.split())
            lines.append((kind, renamed, output, parameters))
            if output in copies:
                lines.append(("Split", output, " ".join(names[output]), ""))
        return lines


def draw_compact(*, shuffle: int = 4, shrink: str = "", half: bool = False, width: int = 6) -> NcnnModel:
    """SRVGGNetCompact as Real-ESRGAN's authors exported it: three convolutions."""
    model = NcnnModel(half=half)
    value = model.bend(model.convolve("data", "c0", (width, 3, 3)), "p0", width)
    value = model.bend(model.convolve(value, "c1", (width, width, 3)), "p1", width)
    value = model.convolve(value, "c2", (3 * shuffle**2, width, 3))
    model.add("PixelShuffle", value, "s", f"0={shuffle}")
    model.add("Interp", "data", "i", f"0=1 1={shuffle:e} 2={shuffle:e}")
    model.add("BinaryOp", "s i", "sum", "0=0")
    if shrink:
        model.add("Interp", "sum", "output", f"0=3 1={shrink} 2={shrink}")
    return model


def draw_upconv(*, half: bool = False, width: int = 2) -> NcnnModel:
    """waifu2x's upconv_7, with LeakyReLUs fused into the convolutions."""
    model, value = NcnnModel(half=half), "data"
    widths = [3, width, 2 * width, 4 * width, 8 * width, 8 * width, 16 * width]
    for index in range(6):
        value = model.convolve(value, f"c{index}", (widths[index + 1], widths[index], 3), "9=2 -23310=1,0.100000")
    model.convolve(value, "output", (3, widths[-1], 4), "3=2 4=3", kind="Deconvolution")
    return model


def draw_rrdb(*, half: bool = False, blocks: int = 1, width: int = 6, growth: int = 4) -> NcnnModel:
    """RRDBNet as onnx2ncnn writes it: LeakyReLUs fused into the convolutions, weighted sums as Eltwise."""
    model, leaky = NcnnModel(half=half), "4=1 9=2 -23310=1,2.000000e-01"
    first = trunk = model.convolve("data", "first", (width, 3, 3))
    for block in range(blocks):
        outer = trunk
        for dense in range(3):
            name, parts = f"b{block}d{dense}", [trunk]
            for conv in range(4):
                joined = model.add("Concat", " ".join(parts), f"{name}j{conv}") if conv else trunk
                parts.append(model.convolve(joined, f"{name}c{conv}", (growth, width + conv * growth, 3), leaky))
            joined = model.add("Concat", " ".join(parts), f"{name}j4")
            last = model.convolve(joined, f"{name}c4", (width, width + 4 * growth, 3))
            trunk = model.add("Eltwise", f"{last} {trunk}", name, "0=1 -23301=2,2.000000e-01,1.000000e+00")
        trunk = model.add("Eltwise", f"{trunk} {outer}", f"b{block}", "0=1 -23301=2,2.000000e-01,1.000000e+00")
    value = model.add("BinaryOp", f"{first} {model.convolve(trunk, 'body', (width, width, 3))}", "sum", "0=0")
    for index in range(2):
        larger = model.add("Interp", value, f"i{index}", "0=1 1=2.000000e+00 2=2.000000e+00")
        value = model.convolve(larger, f"u{index}", (width, width, 3), leaky)
    model.convolve(model.convolve(value, "hr", (width, width, 3), leaky), "output", (3, width, 3))
    return model


@pytest.fixture
def drawers() -> dict[str, Callable[..., NcnnModel]]:
    """Functions that draw models, by the network that they draw."""
    return {"compact": draw_compact, "upconv": draw_upconv, "rrdb": draw_rrdb}


@pytest.fixture
def run_ncnn() -> Callable[[Path, Tensor], Tensor]:
    """Run the first input of a `.param` to its last output, in float32, by ncnn itself."""
    return run_with_ncnn


def run_with_ncnn(path: Path, image: Tensor) -> Tensor:
    import ncnn

    net = ncnn.Net()
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, option, False)
    net.opt.num_threads = 1
    assert net.load_param(str(path)) == 0
    assert net.load_model(str(path.with_suffix(".bin"))) == 0
    pixels = np.ascontiguousarray(image[0].numpy())  # which ncnn looks at, and does not copy
    extractor = net.create_extractor()
    extractor.input(net.input_names()[0], ncnn.Mat(pixels))
    _, output = extractor.extract(net.output_names()[0])
    return torch.from_numpy(np.array(output))[None]
