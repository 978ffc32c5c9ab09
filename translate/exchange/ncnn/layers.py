"""Build the graph of a list of ncnn layers. Numbers of parameters: ncnn's wiki, "operation param weight table"."""

from collections.abc import Callable

from torch import Tensor

from translate.exchange.ncnn.files import Layer, WeightFile
from translate.exchange.ncnn.graph import Graph, Value, add, join

RESAMPLING = {1: "nearest", 2: "bilinear", 3: "bicubic"}
ADD, SUBTRACT, MULTIPLY, DIVIDE = range(4)  # of BinaryOp
NONE, RELU, LEAKY_RELU = range(3)  # fused into a convolution
SAME = (-233, -234)  # padding such that a convolution with stride 1 keeps the size
BIAS = 5
Trace = Callable[[Graph, Layer, list[Value]], Value]


def trace(layers: list[Layer]) -> Graph:
    """Return the graph of layers, all of whose kinds are in `TRACES` or `SAME_VALUE`.

    Raises:
        ValueError: A blob is used that no layer before it makes, or there is not one output.
    """
    graph, blobs, used = Graph(), dict[str, Value](), set[str]()
    for layer in layers:
        missing = [name for name in layer.inputs if name not in blobs]
        if missing:
            raise ValueError(f"{layer.name} takes {missing[0]}, which no layer before it makes")
        used |= set(layer.inputs)
        values = [blobs[name] for name in layer.inputs]
        value = values[0] if layer.kind in SAME_VALUE and values else TRACES[layer.kind](graph, layer, values)
        blobs |= dict.fromkeys(layer.outputs, value)
    outputs = {name: value for name, value in blobs.items() if name not in used}
    if len(outputs) != 1:
        raise ValueError(f"it has {len(outputs)} outputs")
    (graph.output,) = outputs.values()
    return graph


def convolution_shape(layer: Layer) -> tuple[int, int, int, int]:
    """Return channels out, channels in, height and width of the kernel of a convolution or deconvolution.

    Raises:
        ValueError: They do not fit the number of weights.
    """
    out, width = int(layer.number(0)), int(layer.number(1))
    height = int(layer.number(11, width))
    if min(out, width, height) < 1 or int(layer.number(6)) % (out * height * width):
        raise ValueError(f"{layer.name} has {layer.number(6):.0f} weights, which are no {out} kernels")
    return out, int(layer.number(6)) // (out * height * width), height, width


def read_weights(layers: list[Layer], file: WeightFile) -> list[Tensor]:
    """Read the weights of layers, in the order of torch's parameters: kernels (out, in, H, W), biases, slopes."""
    tensors = []
    for layer in layers:
        if layer.kind in ("Convolution", "Deconvolution"):
            shape = convolution_shape(layer)
            kernel = file.read_tagged(int(layer.number(6)), layer.name).reshape(shape)
            tensors.append(kernel if layer.kind == "Convolution" else kernel.transpose(0, 1).contiguous())
            tensors += [file.read_plain(shape[0], layer.name)] if layer.number(5) else []
        elif layer.kind == "PReLU":
            tensors.append(file.read_plain(int(layer.number(0)), layer.name))
    return tensors


def _trace_input(graph: Graph, layer: Layer, values: list[Value]) -> Value:
    return graph.apply("input")


def _trace_convolution(graph: Graph, layer: Layer, values: list[Value]) -> Value:
    shape, padding = convolution_shape(layer), layer.number(4)
    if padding in SAME and layer.number(3, 1) == 1 and shape[2] == shape[3] and shape[2] % 2:
        padding = shape[2] // 2
    return _trace_kernel(graph, layer, values[0], f"convolution {join(shape)}", padding, 1)


def _trace_deconvolution(graph: Graph, layer: Layer, values: list[Value]) -> Value:
    stride = layer.number(3, 1)
    name = f"deconvolution {join(convolution_shape(layer))} stride {stride:g}"
    return _trace_kernel(graph, layer, values[0], name, layer.number(4), stride)


def _trace_kernel(graph: Graph, layer: Layer, value: Value, name: str, padding: float, stride: float) -> Value:
    """Trace a convolution or deconvolution; what is unusual of it becomes a part of its name."""
    # Dilation, stride, bias, 8-bit integers, stride down, padding of the other sides, its value, dynamic weights and
    # a deconvolution's output padding and size.
    usual = {2: 1, 3: stride, 5: 1, 8: 0, 13: stride, 14: padding, 15: padding, 16: padding, 18: 0, 19: 0, 20: 0, 21: 0}
    found = {key: layer.number(key, 0 if key == BIAS else expected) for key, expected in usual.items()}
    unusual = [f"parameter {key}={value:g}" for key, value in found.items() if value != usual[key]]
    operation = " ".join([name, f"padding {padding:g}", *unusual])
    return _activate(graph, layer, graph.apply_weights(operation, value, layer.name))


def _activate(graph: Graph, layer: Layer, value: Value) -> Value:
    """Apply the activation that is fused into a convolution."""
    kind = int(layer.number(9))
    if kind in (NONE, RELU):
        return graph.leak(value, None if kind == NONE else 0)
    slope = layer.array(10)
    return graph.leak(value, slope[0]) if kind == LEAKY_RELU and slope else graph.apply(f"activation {kind}", value)


def _trace_relu(graph: Graph, layer: Layer, values: list[Value]) -> Value:
    return graph.leak(values[0], layer.number(0))


def _trace_prelu(graph: Graph, layer: Layer, values: list[Value]) -> Value:
    return graph.apply_weights(f"PReLU {layer.number(0):g}", values[0], layer.name)


def _trace_concatenation(graph: Graph, layer: Layer, values: list[Value]) -> Value:
    axis = layer.number(0)
    return graph.apply(f"concatenation of axis {axis:g}", *values) if axis else graph.concatenate(*values)


def _trace_elementwise(graph: Graph, layer: Layer, values: list[Value]) -> Value:
    """Trace Eltwise, whose operation 1 is a sum with factors."""
    factors = layer.array(1) or (1.0,) * len(values)
    if layer.number(0) != 1 or len(factors) != len(values):
        return graph.apply(f"element-wise operation {layer.number(0):g}", *values)
    return add(*zip(factors, values, strict=True))


def _trace_binary(graph: Graph, layer: Layer, values: list[Value]) -> Value:
    """Trace BinaryOp, of two values or of a value and a number."""
    operation, number = int(layer.number(0)), layer.number(2)
    if len(values) == 2 and operation in (ADD, SUBTRACT):
        return add((1.0, values[0]), (1.0 if operation == ADD else -1.0, values[1]))
    if len(values) == 1 and operation == MULTIPLY:
        return add((number, values[0]))
    if len(values) == 1 and operation == DIVIDE and number:
        return add((1 / number, values[0]))
    return graph.apply(f"binary operation {operation} {number:g}", *values)


def _trace_interpolation(graph: Graph, layer: Layer, values: list[Value]) -> Value:
    method = RESAMPLING.get(int(layer.number(0)), "unknown")
    factors = layer.number(1, 1), layer.number(2, 1)
    fixed = [layer.number(key) for key in (3, 4, 6)]  # height and width that do not depend on the input, alignment
    if len(values) > 1 or any(fixed) or factors[0] != factors[1]:
        return graph.apply(f"{method} resizing to {factors} {fixed}", *values)
    return graph.apply(f"{method} {factors[0]:.6g}", *values)


def _trace_shuffle(graph: Graph, layer: Layer, values: list[Value]) -> Value:
    name = "pixel shuffle" if layer.kind == "PixelShuffle" else "pixel unshuffle"
    order = f" order {layer.number(1):g}" if layer.number(1) else ""
    return graph.apply(f"{name} {layer.number(0, 1):g}{order}", *values)


SAME_VALUE = ("Split", "Noop", "Dropout")
TRACES: dict[str, Trace] = {
    "Input": _trace_input,
    "Convolution": _trace_convolution,
    "Deconvolution": _trace_deconvolution,
    "ReLU": _trace_relu,
    "PReLU": _trace_prelu,
    "Concat": _trace_concatenation,
    "Eltwise": _trace_elementwise,
    "BinaryOp": _trace_binary,
    "Interp": _trace_interpolation,
    "PixelShuffle": _trace_shuffle,
    "Reorg": _trace_shuffle,
}
