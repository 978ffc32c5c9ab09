"""The networks that are imported from ncnn: what each computes, written down once more, to be compared with a file.

Their operations with weights come in the order of our networks' parameters, so weights need no names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt
from typing import Literal

from models.networks.upscalers import CompactConfig, RRDBConfig, UpConvConfig, UpscalerConfig
from translate.exchange.ncnn.files import Layer
from translate.exchange.ncnn.graph import Graph, Value, add
from translate.exchange.ncnn.layers import convolution_shape

UPCONV = (1, 2, 4, 8, 8, 16)  # channels of the convolutions of upconv_7, as multiples of the first one's
Scale = Literal[1, 2, 3, 4]
SCALES: tuple[Scale, ...] = (1, 2, 3, 4)
FOLDED: dict[int, Scale] = {3: 4, 12: 2, 48: 1}  # RRDBNet's scale, by the channels of its first convolution
Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Candidate:
    """A network that a file may be.

    Attributes:
        name: What it is, in a few words.
        scale: How many times larger its outputs are.
        config: Of our network.
        graph: What it computes.
    """

    name: str
    scale: Scale
    config: UpscalerConfig
    graph: Graph


def propose_candidates(layers: Sequence[Layer]) -> list[Candidate]:
    """Return the networks, as wide and deep as the convolutions of these layers, that a file may be.

    Raises:
        ValueError: Weights of a convolution do not fit its kernels.
    """
    shapes = [convolution_shape(layer) for layer in layers if layer.kind == "Convolution"]
    if not shapes:
        return []
    last_resizing = ([layer.number(1, 1) for layer in layers if layer.kind == "Interp"] or [1.0])[-1]
    width = shapes[0][0]
    upconv = Candidate("waifu2x's upconv_7 x2", 2, UpConvConfig(width=width), draw_upconv(width))
    return [_propose_rrdb(shapes), _propose_compact(shapes, last_resizing), upconv]


def _propose_rrdb(shapes: list[Shape]) -> Candidate:
    width, growth = shapes[0][0], shapes[min(1, len(shapes) - 1)][0]
    blocks, scale = max(len(shapes) - 6, 0) // 15, FOLDED.get(shapes[0][1], 4)
    config = RRDBConfig(blocks=blocks, width=width, growth=growth)
    name = f"RRDBNet (ESRGAN, Real-ESRGAN) x{scale}, {blocks} blocks"
    return Candidate(name, scale, config, draw_rrdb(blocks, width, growth, 4 // scale))


def _propose_compact(shapes: list[Shape], last_resizing: float) -> Candidate:
    width, depth = shapes[0][0], max(len(shapes) - 2, 0)
    shuffle = _nearest_scale(isqrt(shapes[-1][0] // 3))
    scale = _nearest_scale(shuffle * min(last_resizing, 1.0))
    config = CompactConfig(depth=depth, width=width, shuffle=None if shuffle == scale else shuffle)
    name = f"SRVGGNetCompact (Real-ESRGAN) x{scale}, {depth + 2} convolutions"
    return Candidate(name, scale, config, draw_compact(depth, width, shuffle, scale))


def _nearest_scale(number: float) -> Scale:
    return min(SCALES, key=lambda scale: abs(scale - number))


def draw_rrdb(blocks: int, width: int, growth: int, fold: int) -> Graph:
    """Return what RRDBNet computes."""
    graph = Graph()
    image = graph.apply("input")
    folded = image if fold == 1 else graph.apply(f"pixel unshuffle {fold}", image)
    first = features = graph.convolve(folded, (width, 3 * fold**2, 3, 3), 1)
    for _ in range(blocks):
        block = features
        for _ in range(3):
            block = add((1.0, block), (0.2, _draw_dense_block(graph, block, width, growth)))
        features = add((1.0, features), (0.2, block))
    features = add((1.0, first), (1.0, graph.convolve(features, (width, width, 3, 3), 1)))
    for _ in range(2):
        features = graph.convolve(graph.apply("nearest 2", features), (width, width, 3, 3), 1, slope=0.2)
    detail = graph.convolve(features, (width, width, 3, 3), 1, slope=0.2)
    graph.output = graph.convolve(detail, (3, width, 3, 3), 1)
    return graph


def _draw_dense_block(graph: Graph, features: Value, width: int, growth: int) -> Value:
    collected = [features]
    for index in range(4):
        joined = graph.concatenate(*collected) if index else features
        collected.append(graph.convolve(joined, (growth, width + index * growth, 3, 3), 1, slope=0.2))
    return graph.convolve(graph.concatenate(*collected), (width, width + 4 * growth, 3, 3), 1)


def draw_compact(depth: int, width: int, shuffle: int, scale: int) -> Graph:
    """Return what SRVGGNetCompact computes; with a scale below that of its pixel shuffle, it shrinks its output."""
    graph = Graph()
    image = features = graph.apply("input")
    for channels in (3, *[width] * depth):
        features = graph.apply_weights(f"PReLU {width}", graph.convolve(features, (width, channels, 3, 3), 1))
    residual = graph.convolve(features, (3 * shuffle**2, width, 3, 3), 1)
    if shuffle > 1:
        residual, image = graph.apply(f"pixel shuffle {shuffle}", residual), graph.apply(f"nearest {shuffle}", image)
    graph.output = add((1.0, residual), (1.0, image))
    if scale != shuffle:
        graph.output = graph.apply(f"bicubic {scale / shuffle:.6g}", graph.output)
    return graph


def draw_upconv(width: int) -> Graph:
    """Return what waifu2x's upconv_7 computes; its program adds the 7 pixels on each side that it takes away."""
    graph = Graph()
    features = graph.apply("input")
    for channels_in, channels_out in pairwise((3, *(width * multiple for multiple in UPCONV))):
        features = graph.convolve(features, (channels_out, channels_in, 3, 3), 0, slope=0.1)
    graph.output = graph.apply_weights(f"deconvolution 3x{16 * width}x4x4 stride 2 padding 3", features)
    return graph
