"""Export a model to a file of another runtime, and keep the file only if it computes what the model computes."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datasets.errors import UserError, suggest
from models.backbones.span import SPAN
from models.contract import Translator
from translate.exchange.exporting.darktable import DARKTABLE
from translate.exchange.exporting.formats import Format, Subject
from translate.exchange.exporting.ncnn_format import NCNN
from translate.exchange.exporting.onnx_format import ONNX
from translate.exchange.exporting.openvino_format import OPENVINO
from translate.exchange.exporting.sidecar import describe_export
from translate.exchange.exporting.torch_format import TORCH
from translate.exchange.exporting.verification import Verification, VerificationError, verify
from translate.files import file_sha256
from translate.hardware import keep_random_state
from translate.inference.model_file import BEST, LAST, Card, load_network, model_path

FORMATS: dict[str, Format] = {
    "onnx": ONNX,
    "openvino": OPENVINO,
    "torch-export": TORCH,
    "ncnn": NCNN,
    "dtmodel": DARKTABLE,
}


@dataclass(frozen=True)
class Export:
    """Files that were written and verified.

    Attributes:
        files: The file that is named, those that belong to it, and the sidecar, last.
        verified: How near they are to the model.
        description: What the sidecar holds.
    """

    files: tuple[Path, ...]
    verified: Verification
    description: dict[str, Any]


def export_model(
    model: str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    domain: str | None = None,
    size: tuple[int, int] | None = None,
    fp16: bool = False,
    opset: int | None = None,
) -> Export:
    """Write a model as a file that takes and returns RGB in [0, 1], and compare it with the model.

    It takes (B, 3, H, W) float32, or (B, 4, H, W) with the mask of an inpainter, of any size; beside it, a JSON file
    says exactly how to call it.

    Args:
        model: A model file, a run folder (its last model), or the name of a model that ships.
        to: "onnx", "openvino", "torch-export", "ncnn" or "dtmodel", which darktable reads.
        out: The file to write, with the format's suffix; None: the model's name, in the current folder.
        domain: What the file shall translate to, of a model that has several.
        size: The only (width, height) that the file shall take; None: any, where the model allows it.
        fp16: Write weights as float16, which halves the file.
        opset: Version of ONNX's operators, 17 to 20.

    Raises:
        ModelError: There is no such model, or it makes pictures from noise.
        UserError: The format cannot carry the model, a package is missing, or a file cannot be written.
        VerificationError: The file computes something else than the model; it was not kept.
    """
    if to not in FORMATS:
        raise UserError(f"`to` {to}: expected {', '.join(FORMATS)}; {suggest(to, FORMATS)}")
    kind = FORMATS[to]
    kind.check_packages()
    path = model_path(model)
    network, card = load_network(path)
    if not isinstance(network, Translator):
        raise UserError(f"{model}: makes pictures from noise, and only models that translate pictures are exported")
    target = _target(out, kind, path)
    subject = build_subject(network, card, path, domain=domain, size=size, half=fp16, opset=opset)
    return export_subject(subject, to, target)


def build_subject(
    network: Translator,
    card: Card,
    path: Path,
    *,
    domain: str | None = None,
    size: tuple[int, int] | None = None,
    half: bool = False,
    opset: int | None = None,
) -> Subject:
    """Return a network, whose branches are folded, with what is known of it.

    Raises:
        DomainError: It has no such domain, or several and none is named.
        UserError: It does not take this size.
    """
    chosen = network.resolve_domain(domain)
    if network.only_size is not None:
        only = network.only_size, network.only_size
        if size not in (None, only):
            raise UserError(f"`to_size`: this model takes {only[0]}x{only[1]} pixels only")
        size = only
    folded = deepcopy(network)
    for module in folded.modules():
        if isinstance(module, SPAN):
            module.fold()
    notes = path.with_suffix(".md")
    return Subject(
        name=_name_of(path),
        translator=folded,
        card=card,
        digest=file_sha256(path),
        notes=notes.read_text(encoding="utf-8") if notes.is_file() else "",
        domain=chosen,
        domain_name=domain or (network.domains[0] if network.domains else None),
        size=size,
        half=half,
        opset=opset,
    )


def export_subject(subject: Subject, to: str, target: Path) -> Export:
    """Write the files, verify them, and put them in place.

    Raises:
        UserError: The format cannot carry the model, or a file cannot be written.
        VerificationError: The file computes something else than the model; it was not kept.
    """
    kind = FORMATS[to]
    problem = _find_problem(subject, kind)
    if problem is not None:
        raise UserError(f"{subject.name} cannot be exported to {to}: {problem}")
    with keep_random_state(torch.device("cpu")), _passing_folder(target) as folder:
        files = [folder / target.with_suffix(suffix).name for suffix in kind.suffixes]
        try:
            kind.write(subject, files[0])
            run = kind.load(files[0], subject)
        except UserError:
            raise
        except OSError as error:
            raise UserError(f"{target}: cannot be written: {error.strerror or error}") from error
        except Exception as error:  # exporters raise what they like
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise UserError(f"{subject.name} cannot be exported to {to}: {reason}") from error
        try:
            verified = verify(subject, kind, run)
        except VerificationError as error:
            raise VerificationError(f"{target} was not kept: {error}") from error
        description = describe_export(subject, to, kind, files, verified)
        sidecar = folder / f"{target.name}.json"
        sidecar.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        placed = tuple(target.parent / path.name for path in [*files, sidecar])
        for path, place in reversed(list(zip([*files, sidecar], placed, strict=True))):
            path.replace(place)  # the named file last: where it is, all is
    return Export(placed, verified, description)


def _find_problem(subject: Subject, kind: Format) -> str | None:
    """Return why a format cannot carry a model; None as far as is known before trying."""
    translator = subject.translator
    if translator.draws:
        return "it draws random numbers, which no file would draw alike; set model.dropout_at_inference to false"
    if subject.size is not None and not kind.pads:
        step = translator.multiple
        if any(side % step or side < translator.minimum for side in subject.size):
            return f"`to_size`: both sides must be multiples of {step}, and {translator.minimum} or more"
    return kind.problem(subject)


@contextmanager
def _passing_folder(target: Path) -> Iterator[Path]:
    """Yield a folder beside the target, of whose files nothing is left when the block ends.

    Raises:
        UserError: It cannot be made.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent)
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror}") from None
    with folder as name:
        yield Path(name)


def _target(out: str | Path | None, kind: Format, path: Path) -> Path:
    """Return the file to write.

    Raises:
        UserError: Its suffix is another format's, or it or one that belongs to it exists.
    """
    suffix = kind.suffixes[0]
    target = Path(f"{_name_of(path)}{suffix}") if out is None else Path(out)
    if target.suffix != suffix:
        raise UserError(f"`out` {target}: expected a file that ends in {suffix}")
    for place in [*(target.with_suffix(other) for other in kind.suffixes), Path(f"{target}.json")]:
        if place.exists():
            raise UserError(f"`out` {target}: {place} exists; remove it, or name another file")
    return target


def _name_of(path: Path) -> str:
    """Return what a model is called: its file's name, or for one in a run folder the folder's."""
    return path.resolve().parent.name if path.name in (LAST, BEST) else path.stem
