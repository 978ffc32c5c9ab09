"""Read the tensors of checkpoints that other programs wrote: torch's files and safetensors. Nothing in them runs."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from translate.exchange.trainings import load_pickle
from translate.inference.foreign_file import explain_beginning
from translate.inference.model_file import ModelError

# Keys under which programs keep the weights of a generator, in the order of preference: averages come first.
CONTAINERS = (
    "params_ema",
    "generator_ema",
    "g_ema",
    "G_ema",
    "params",
    "state_dict",
    "model_state_dict",
    "generator",
    "netG",
    "net_g",
    "G",
    "model",
    "net",
    "network",
    "weights",
)
# Prefixes of the generator's tensors beside those of other networks; the first that is there is taken.
PARTS = ("generator_ema.", "generator.", "netG.", "net_g.")
WRAPPERS = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile
OPTIMIZER = {"param_groups", "state"}
HALF = "is not complete: its end is missing; download or copy it again"


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint's generator, by name; the file's memory is mapped where its format allows it.

    Files of torch (`.pth`, `.pt`, `.ckpt`, `.bin`) are read with `weights_only`. Of nested dictionaries, the first of
    `CONTAINERS` is taken; the prefixes of wrappers and of parts are removed.

    Raises:
        ModelError: It is no checkpoint, incomplete, holds code or an optimizer's state, or no tensors.
    """
    content = _load_safetensors(path) if is_safetensors(path) else _load_pickle(path)
    return strip_prefixes(_find_tensors(content, path))


def is_safetensors(path: Path) -> bool:
    """Return whether a file begins as safetensors do: the length of a JSON object, in 8 bytes, and the object."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < 2**27  # of the format


def strip_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the generator's tensors without the prefixes of its part and of wrappers."""
    stripped = dict(tensors)
    for part in PARTS:
        inside = {name: tensor for name, tensor in stripped.items() if name.startswith(part)}
        if inside:
            stripped = {name.removeprefix(part): tensor for name, tensor in inside.items()}
            break
    while True:
        prefix = next((each for each in WRAPPERS if stripped and all(name.startswith(each) for name in stripped)), None)
        if prefix is None:
            return stripped
        stripped = {name.removeprefix(prefix): tensor for name, tensor in stripped.items()}


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        reason = HALF if "ncomplete" in str(error) or "TooLarge" in str(error) else f"is damaged: {error}"
        raise ModelError(f"{path}: {reason}") from None


def _load_pickle(path: Path) -> Any:
    is_zip = _check_beginning(path)
    try:
        return load_pickle(path, mmap=is_zip)
    except UnpicklingError as error:
        raise ModelError(f"{path}: {_describe_refusal(str(error))}") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        if "TorchScript" in str(error):
            raise ModelError(
                f"{path}: is a TorchScript program, which is code; import the checkpoint that it was made from, which "
                "is big-lama/models/best.ckpt for LaMa"
            ) from None
        reason = HALF if _ends_early(error) else f"is damaged: {' '.join(str(error).split())[:200]}"
        raise ModelError(f"{path}: {reason}") from None


def _ends_early(error: Exception) -> bool:
    return isinstance(error, EOFError) or "EOF" in str(error) or "truncated" in str(error)


def _check_beginning(path: Path) -> bool:
    """Return whether a file is a zip archive, as torch's are since 1.6.

    Raises:
        ModelError: It is neither that nor a pickle.
    """
    known = explain_beginning(path)
    if known is not None:
        raise ModelError(f"{path}: {known}")
    with path.open("rb") as file:
        start = file.read(32)
    if path.suffix == ".onnx" or (start[:1] == b"\x08" and b"\x12" in start[:8]):
        raise ModelError(
            f"{path}: is an ONNX file, which holds a program and not a checkpoint; import the checkpoint that it was "
            "made from"
        )
    if start.startswith(b"PK"):
        if not zipfile.is_zipfile(path):
            raise ModelError(f"{path}: {HALF}")
        with zipfile.ZipFile(path) as archive:
            if not any(name.endswith("data.pkl") for name in archive.namelist()):
                raise ModelError(f"{path}: is a zip archive, not a checkpoint; unpack it and import the file inside")
        return True
    if not start.startswith(b"\x80") and b"ustar" not in start:
        raise ModelError(
            f"{path}: cannot be read as a model file, nor as published weights, which are torch's files (.pth, .pt, "
            ".ckpt, .bin) or safetensors"
        )
    return False


def _describe_refusal(message: str) -> str:
    """Return in words why torch's reader of weights refused a pickle."""
    wanted = re.search(r"GLOBAL (\S+)", message)
    if wanted is None and re.search(r"truncated|EOF|ran out", message):
        return HALF
    what = f"it wants {wanted[1].strip('`,.')}" if wanted else "it is no plain pickle of tensors"
    return (
        f"holds more than weights: {what}, which would have to run; nothing in it was run. Save its state_dict alone, "
        "as .safetensors or .pth, where it is trusted"
    )


def _find_tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """Return the tensors of the first container that has any.

    Raises:
        ModelError: There are none.
    """
    if isinstance(content, Mapping):
        for key in CONTAINERS:
            inside = content.get(key)
            if isinstance(inside, Mapping) and any(isinstance(value, Tensor | Mapping) for value in inside.values()):
                return _find_tensors(inside, path)
        tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        if tensors:
            return tensors
        if content.keys() >= OPTIMIZER or any("optim" in str(key) for key in content):
            raise ModelError(f"{path}: holds the state of an optimizer and no weights; import the generator's file")
        if content:
            names = ", ".join(map(str, list(content)[:4]))
            raise ModelError(f"{path}: holds no weights that can be found; its parts are {names}")
    raise ModelError(f"{path}: holds no weights, but {type(content).__name__}")
