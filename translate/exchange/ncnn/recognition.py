"""Find out which of our networks an ncnn model is, and read its weights."""

from pathlib import Path

from models.srgan import SRGANConfig
from translate.exchange.architectures.contract import Recognized
from translate.exchange.ncnn.files import Layer, WeightFile, find_pair, read_layers
from translate.exchange.ncnn.graph import Graph
from translate.exchange.ncnn.layers import SAME_VALUE, TRACES, read_weights, trace
from translate.exchange.ncnn.networks import Candidate, propose_candidates
from translate.inference.model_file import ModelError, build_uninitialized

KNOWN = "those that can are RRDBNet, SRVGGNetCompact (both of Real-ESRGAN) and waifu2x's upconv_7"
UNET = {"Deconvolution", "Pooling"}  # of waifu2x's cunet and of Real-CUGAN


def recognize_ncnn(path: Path) -> Recognized:
    """Return what an ncnn model is, of which the `.param` or the `.bin` is given; the other must lie beside it.

    Raises:
        ModelError: It is not complete or damaged, or what it computes is not exactly what a known network computes.
    """
    param, weights = find_pair(path)
    layers = read_layers(param)
    found = _find_network(layers, param)
    with WeightFile(weights) as file:
        tensors = read_weights(layers, file)
        file.check_end()
    config = SRGANConfig(scale=found.scale, generator=found.config, pixel_steps=None)
    names = build_uninitialized(config).state_dict()
    return Recognized(config, dict(zip(names, tensors, strict=True)), f"{found.name}, from ncnn")


def _find_network(layers: list[Layer], path: Path) -> Candidate:
    """Return the network that computes exactly what the layers compute."""
    unknown = sorted({layer.kind for layer in layers} - TRACES.keys() - set(SAME_VALUE))
    if {layer.kind for layer in layers} >= UNET:
        raise ModelError(
            f"{path}: is a U-Net such as waifu2x's cunet and Real-CUGAN, which cannot be imported; of waifu2x, take "
            "one of the models of upconv_7"
        )
    if unknown:
        raise ModelError(
            f"{path}: has layers of the kind {', '.join(unknown)}, so it is no network that can be imported; {KNOWN}"
        )
    try:
        graph, candidates = trace(layers), propose_candidates(layers)
    except ValueError as error:
        raise ModelError(f"{path}: is damaged: {error}") from None
    for candidate in candidates:
        if candidate.graph.output == graph.output:
            return candidate
    raise ModelError(f"{path}: {_describe_nearest(graph, candidates)}; {KNOWN}")


def _describe_nearest(graph: Graph, candidates: list[Candidate]) -> str:
    """Say which network is nearest, and where the graph first differs from it."""
    if not candidates:
        return "has no convolutions, so it is no network that can be imported"
    nearest = max(candidates, key=lambda candidate: _count_alike(graph, candidate.graph))
    same = _count_equal(graph, nearest.graph)
    nearness = f"is no network that can be imported; the nearest is {nearest.name}"
    if same == len(graph.weighted) == len(nearest.graph.weighted):
        return f"{nearness}, after whose last weights it differs"
    here = graph.weighted[same] if same < len(graph.weighted) else None
    there = nearest.graph.weighted[same] if same < len(nearest.graph.weighted) else None
    if here is None or there is None:
        return f"{nearness}, which has {len(nearest.graph.weighted)} layers with weights, and it {len(graph.weighted)}"
    if here.operation == there.operation:
        return f"{nearness}, from which it differs between weights {same} and its layer {here.layer}"
    return f"{nearness}, from which it differs at {here.layer}: {here.operation}, expected {there.operation}"


def _count_alike(graph: Graph, other: Graph) -> int:
    """Return how many operations with weights have the same kind and shape as those at the same place."""
    return sum(mine.operation == its.operation for mine, its in zip(graph.weighted, other.weighted, strict=False))


def _count_equal(graph: Graph, other: Graph) -> int:
    """Return how many operations with weights are equal, from the first one on."""
    equal = [mine.result == its.result for mine, its in zip(graph.weighted, other.weighted, strict=False)]
    return equal.index(False) if False in equal else len(equal)
