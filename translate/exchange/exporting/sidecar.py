"""The JSON beside an exported file, which says how to call it, where it comes from and how well it was verified."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from translate import __version__
from translate.exchange.exporting import darktable, ncnn_format, onnx_format
from translate.exchange.exporting.formats import Format, Subject
from translate.exchange.exporting.verification import Verification
from translate.files import file_sha256

CHANNELS = {1: "gray", 3: "red, green, blue", 4: "red, green, blue, alpha"}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's


def describe_export(
    subject: Subject, kind_name: str, kind: Format, files: Sequence[Path], verified: Verification
) -> dict[str, Any]:
    """Return what the sidecar of an export holds; `files` begin with the one that is named."""
    translator = subject.translator
    taken = "red, green, blue, mask (1 in holes, 0 elsewhere)" if translator.fills_holes else ""
    return {
        "format": kind_name,
        "precision": "fp16" if subject.half else "fp32",
        **({"opset": subject.opset or onnx_format.OPSET} if kind_name in ("onnx", "openvino") else {}),
        **({"opset": darktable.OPSET} if kind_name == "dtmodel" else {}),
        "files": {path.name: {"sha256": file_sha256(path), "bytes": path.stat().st_size} for path in files},
        "input": {
            "name": _tensor_names(kind_name)[0],
            "shape": _shape(subject, kind, translator.channels_in, 1),
            "type": "float32",
            "range": [0, 1],
            "channels": taken or CHANNELS.get(translator.channels_in, str(translator.channels_in)),
        },
        "output": {
            "name": _tensor_names(kind_name)[1],
            "shape": _shape(subject, kind, translator.channels_out, translator.scale),
            "type": "float32",
            "range": [0, 1],
            "channels": CHANNELS.get(translator.channels_out, str(translator.channels_out)),
        },
        "scale": translator.scale,
        "sizes": _describe_sizes(subject, kind),
        "domain": subject.domain_name,
        "model": {
            "name": subject.name,
            "kind": subject.card.experiment.model.name,
            "sha256": subject.digest,
            "licence": subject.card.licence or "unknown",
            "origin": None if subject.card.origin is None else subject.card.origin.model_dump(),
        },
        "verified": {
            "by": f"{kind.runtime} {_version(kind.runtime)}",
            "bound": verified.bound,
            "largest_difference": verified.largest_difference,
            "pictures": [vars(comparison) for comparison in verified.comparisons],
        },
        "example": _example(subject, kind, files[0]),
        "written_by": f"translate {__version__}",
    }


def _describe_sizes(subject: Subject, kind: Format) -> dict[str, Any]:
    """Return which sizes of a picture are taken."""
    if subject.size is not None:
        return {"only": {"width": subject.size[0], "height": subject.size[1]}}
    translator = subject.translator
    if kind.pads:
        return {"multiple": 1, "minimum": 1, "padded_inside_to": translator.multiple}
    return {"multiple": translator.multiple, "minimum": max(translator.multiple, translator.minimum)}


def _shape(subject: Subject, kind: Format, channels: int, scale: int) -> list[int | str]:
    """Return the shape of an input or output, with names for what is free."""
    times = f"{scale}*" if scale > 1 else ""
    sides: list[int | str] = [f"{times}height", f"{times}width"]
    if subject.size is not None:
        sides = [scale * subject.size[1], scale * subject.size[0]]
    return [*(["batch"] if kind.batches else []), channels, *sides]


def _tensor_names(kind_name: str) -> tuple[str, str]:
    if kind_name == "torch-export":
        return "image", "the only one"
    return (ncnn_format.INPUT, ncnn_format.OUTPUT) if kind_name == "ncnn" else (onnx_format.INPUT, onnx_format.OUTPUT)


def _example(subject: Subject, kind: Format, path: Path) -> str:
    """Return Python that calls the file on in.png; an inpainter's is a picture with alpha that is opaque in holes."""
    file = path.stem if "FILE.param" in kind.example else path.name
    return kind.example.replace("FILE", file).replace("MODE", MODES.get(subject.translator.channels_in, "RGB"))


def _version(module: str) -> str:
    try:
        return version(module)
    except PackageNotFoundError:  # a build under another name, such as onnxruntime-gpu
        return "of unknown version"
