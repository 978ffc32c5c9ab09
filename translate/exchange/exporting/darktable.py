"""darktable's archive of a model, `.dtmodel`, for its module "neural restore" (darktable 5.6 and later).

A zip file with one folder, named by the model's id: `config.json`, `model.onnx` for the task `denoise` or
`model_x2.onnx` or `model_x4.onnx` for `upscale`, and `README.md`, the card. The network takes `input` (1, 3, H, W)
float32, sRGB in [0, 1], in tiles of darktable's choice, and returns `output`.

Source: darktable's developer documentation, dev-doc/AI.md and AI_Tasks.md, and the packages of
github.com/darktable-org/darktable-ai (its `package.py`, `convert.py`, `model.yaml` and model cards).
"""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from translate import __version__
from translate.exchange.exporting import onnx_format
from translate.exchange.exporting.formats import Format, Runtime, Subject

OPSET = 17
VERSION = "1.0"
UNKNOWN = "unknown"

EXAMPLE = """\
import io, numpy, onnxruntime, zipfile
from PIL import Image

archive = zipfile.ZipFile("FILE")
(name,) = [name for name in archive.namelist() if name.endswith(".onnx")]
session = onnxruntime.InferenceSession(archive.read(name), providers=["CPUExecutionProvider"])
picture = numpy.asarray(Image.open("in.png").convert("RGB"), numpy.float32) / 255
output = session.run(["output"], {"input": picture.transpose(2, 0, 1)[None]})[0][0]
Image.fromarray((255 * output.transpose(1, 2, 0)).round().astype("uint8")).save("out.png")
"""


def find_problem(subject: Subject) -> str | None:
    """Return why darktable cannot use a model; None if it can."""
    translator = subject.translator
    if (translator.channels_in, translator.channels_out) != (3, 3):
        return "darktable has tasks for models from colour to colour only"
    if translator.scale not in (1, 2, 4):
        return f"darktable enlarges 2 and 4 times, and this model {translator.scale} times"
    if translator.global_norm or translator.margin is None:
        return "darktable cuts pictures into tiles, and this model looks at whole pictures"
    if subject.opset not in (None, OPSET) or subject.half or subject.size is not None:
        return (
            f"darktable's archive holds float32 and opset {OPSET} and takes tiles of any size; leave other wishes out"
        )
    return None


def write(subject: Subject, path: Path) -> None:
    """Write the archive.

    Raises:
        RuntimeError: The network has an operation that the opset lacks.
    """
    passing = path.with_suffix(".onnx")
    try:
        onnx_format.write(Subject(**{**vars(subject), "opset": OPSET}), passing)
        task = "upscale" if subject.translator.scale > 1 else "denoise"
        name = model_id(subject.name, task)
        network = f"model_x{subject.translator.scale}.onnx" if task == "upscale" else "model.onnx"
        card = describe_model(subject)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            config = {
                "id": name,
                "name": name.replace("-", " "),
                "description": card["long_description"],
                "task": task,
                "arch": "generic",
                "backend": "onnx",
                "version": VERSION,
                "tiling": True,
                "num_inputs": 1,
                "spatial_dims": ["height", "width"],
                "model_card": card,
            }
            archive.writestr(f"{name}/config.json", json.dumps(config, indent=4) + "\n")
            archive.writestr(f"{name}/README.md", write_card(subject, name, network, card))
            archive.write(passing, f"{name}/{network}")
    finally:
        passing.unlink(missing_ok=True)


def load(path: Path, subject: Subject) -> Runtime:
    """Return what calls the network within the archive by ONNX Runtime, which darktable uses too."""
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".onnx")]
        return onnx_format.load_session(archive.read(name))


def model_id(name: str, task: str) -> str:
    """Return an id as darktable's are: lower case, with dashes, and the task first."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"
    return plain if plain.startswith(f"{task}-") else f"{task}-{plain}"


def describe_model(subject: Subject) -> dict[str, str]:
    """Return the members of darktable's model card, from ours; what ours does not say is unknown."""
    card, paragraphs = subject.card, _paragraphs(subject.notes)
    kind, scale = card.experiment.model.name, subject.translator.scale
    scope = f"image enlargement ({scale} times)" if scale > 1 else "image restoration or translation"
    data = paragraphs.get("Data", "")
    if not data and card.origin is None and card.data_samples:
        data = f"{card.data_samples} pictures of whoever trained it"
    made = f"A {kind} network trained with translate for {card.step} steps"
    if card.origin is not None:
        made = f"Imported from {card.origin.file}: {card.origin.architecture}"
    return {
        "long_description": paragraphs.get("", made),
        "scope": scope,
        "author": UNKNOWN,
        "source": (card.origin.source if card.origin else "") or UNKNOWN,
        "license": card.licence or UNKNOWN,
        "training_data": data or UNKNOWN,
        "training_data_license": data if "licen" in data.lower() else UNKNOWN,
        "notes": paragraphs.get("Licence", ""),
    }


def write_card(subject: Subject, name: str, network: str, card: dict[str, str]) -> str:
    """Return the archive's README.md: how the network is called, its licence, and where its data come from."""
    translator = subject.translator
    enlarged = f"{translator.scale}" if translator.scale > 1 else ""
    rows = {
        "File": f"`{network}`",
        "Input": "input, float32 [1, 3, H, W], sRGB in [0, 1]",
        "Output": f"output, float32 [1, 3, {enlarged}H, {enlarged}W], clamped to [0, 1]",
        "Resolution": "dynamic, padded inside",
        "Tiling": "yes",
        "Model licence": card["license"],
        "Training data provenance": card["training_data"],
        "Training data licence": card["training_data_license"],
        "Source": card["source"],
        "Scope": card["scope"],
        "Inference": "local only",
        "Weights": f"SHA-256 of the model file {subject.digest}",
        "Reproducibility": f"written by translate {__version__}, `translate model export --to dtmodel`",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    own = f"\n\n## The model's own card\n\n{subject.notes.strip()}" if subject.notes else ""
    return f"# {name}\n\n{card['long_description']}\n\n| Property | Value |\n|---|---|\n{table}{own}\n"


def _paragraphs(notes: str) -> dict[str, str]:
    """Return the paragraphs of a card by the bold word that each begins with; the first one without, under ""."""
    found: dict[str, Any] = {}
    for block in notes.split("\n\n"):
        text = " ".join(block.split())
        bold = re.match(r"\*\*(\w+)\.\*\* (.*)", text)
        if bold:
            found[bold[1]] = bold[2]
        elif text and not text.startswith(("#", "|", "`")):
            found.setdefault("", text)
    return found


DARKTABLE = Format(
    suffixes=(".dtmodel",),
    packages=("onnx", "onnxruntime"),
    runtime="onnxruntime",
    pads=True,
    batches=True,
    problem=find_problem,
    write=write,
    load=load,
    example=EXAMPLE,
)
