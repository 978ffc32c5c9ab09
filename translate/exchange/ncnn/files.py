"""The two files of an ncnn model: `.param`, a text that lists layers, and `.bin`, their weights in the same order.

Format: ncnn's wiki, "param and model file structure" and "ncnn operation param weight table".
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from translate.inference.model_file import ModelError

MAGIC = b"7767517"
BINARY_MAGIC = struct.pack("<i", 7767517)  # how a `.param.bin` begins, which ncnn2mem writes
LARGEST_PARAM = 2**24  # bytes; published ones have a hundred thousand
ARRAY = -23300  # the number of a parameter that is an array is this minus its number
# What weights begin with, as a little-endian number; 0 before plain float32.
HALF, INTEGER, PLAIN = 0x01306B47, 0x000D4B38, 0x0002C056
Parameter = int | float | tuple[float, ...]


@dataclass(frozen=True)
class Layer:
    """One line of a `.param`.

    Attributes:
        kind: Type of the layer, such as "Convolution".
        name: Unique within the file.
        inputs: Names of the blobs that it takes.
        outputs: Names of the blobs that it makes.
        parameters: By number; what each means depends on the kind.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: dict[int, Parameter]

    def number(self, key: int, default: float = 0) -> float:
        """Return a parameter that is one number."""
        value = self.parameters.get(key, default)
        return value[0] if isinstance(value, tuple) else value

    def array(self, key: int) -> tuple[float, ...]:
        """Return a parameter that is an array; empty if it is not there."""
        value = self.parameters.get(key, ())
        return value if isinstance(value, tuple) else (value,)


def is_ncnn(path: Path) -> bool:
    """Return whether a file is one of the two of an ncnn model, by its suffix and its first bytes."""
    with path.open("rb") as file:
        start = file.read(8)
    weights = len(start) >= 4 and struct.unpack("<I", start[:4])[0] in (0, HALF, INTEGER, PLAIN)
    suffix = path.suffix.lower()
    return suffix == ".param" or start.startswith((MAGIC, BINARY_MAGIC)) or (suffix == ".bin" and weights)


def find_pair(path: Path) -> tuple[Path, Path]:
    """Return the `.param` and the `.bin` of an ncnn model, of which one is given and the other lies beside it.

    Raises:
        ModelError: The other is not there, or it is the binary kind of `.param`.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(BINARY_MAGIC):
        raise ModelError(f"{path}: is ncnn's binary .param, which names no layers; import the text it was made from")
    is_param = path.suffix.lower() == ".param" or start.startswith(MAGIC)
    suffixes = (".bin", ".BIN") if is_param else (".param", ".PARAM")
    other = next((path.with_suffix(suffix) for suffix in suffixes if path.with_suffix(suffix).is_file()), None)
    if other is None:
        holds, lacks = ("layers", "weights") if is_param else ("weights", "layers")
        missing = path.with_suffix(suffixes[0]).name
        raise ModelError(f"{path}: holds the {holds} of an ncnn model; its {lacks}, {missing}, must lie beside it")
    return (path, other) if is_param else (other, path)


def read_layers(path: Path) -> list[Layer]:
    """Read the layers of a `.param`.

    Raises:
        ModelError: It is none, or damaged.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_PARAM + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not content.lstrip().startswith(MAGIC) or len(content) > LARGEST_PARAM:
        raise ModelError(f"{path}: is no .param of ncnn, which begins with {MAGIC.decode()}")
    lines = [line.split() for line in content.decode("utf-8", "replace").splitlines() if line.strip()]
    try:
        count = int(lines[1][0])
        layers = [_parse_layer(line) for line in lines[2:]]
    except (ValueError, IndexError):
        raise ModelError(f"{path}: is damaged: a line of it cannot be understood; download or copy it again") from None
    if count != len(layers):
        raise ModelError(f"{path}: is not complete: it announces {count} layers and lists {len(layers)}")
    return layers


def _parse_layer(words: list[str]) -> Layer:
    """Parse kind, name, number of inputs, of outputs, the names of both, and parameters as `number=value`."""
    kind, name, inputs, outputs = words[0], words[1], int(words[2]), int(words[3])
    blobs, parameters = words[4 : 4 + inputs + outputs], words[4 + inputs + outputs :]
    if min(inputs, outputs) < 0 or len(blobs) < inputs + outputs:
        raise ValueError
    return Layer(kind, name, tuple(blobs[:inputs]), tuple(blobs[inputs:]), dict(map(_parse_parameter, parameters)))


def _parse_parameter(word: str) -> tuple[int, Parameter]:
    key, text = word.split("=", 1)
    values = [float(part) if set(part) & set(".einEIN") else int(part) for part in text.split(",")]
    if int(key) <= ARRAY:  # the first value is the number of the others
        return ARRAY - int(key), tuple(values[1:])
    return int(key), tuple(values) if len(values) > 1 else values[0]


class WeightFile:
    """A `.bin`, read from its beginning to its end; use it in a `with` block."""

    def __init__(self, path: Path) -> None:
        self._path, self._size = path, path.stat().st_size

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("rb")
        except OSError as error:
            raise ModelError(f"{self._path}: cannot be read: {error.strerror or error}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def read_tagged(self, count: int, layer: str) -> Tensor:
        """Read `count` numbers behind a tag that says how they are stored, for the layer of this name: (count,)."""
        (tag,) = struct.unpack("<I", self._read(4, layer))
        if tag == HALF:
            stored = self._read(-(-2 * count // 4) * 4, layer)  # filled up to multiples of 4 bytes
            return torch.from_numpy(np.frombuffer(stored, "<f2", count).astype(np.float32))
        if tag in (0, PLAIN):
            return self.read_plain(count, layer)
        how = "as 8-bit integers" if tag == INTEGER else "in a table of 256 values, or damaged"
        raise ModelError(
            f"{self._path}: the weights of {layer} are stored {how}; import the model as it was before, in fp32 or fp16"
        )

    def read_plain(self, count: int, layer: str) -> Tensor:
        """Read `count` float32 numbers without a tag: (count,)."""
        return torch.from_numpy(np.frombuffer(self._read(4 * count, layer), "<f4", count).astype(np.float32))

    def check_end(self) -> None:
        """Check that all was read.

        Raises:
            ModelError: There is more.
        """
        left = self._size - self._file.tell()
        if left:
            raise ModelError(f"{self._path}: holds {left} bytes more than its .param asks for; are they of one model?")

    def _read(self, size: int, layer: str) -> bytes:
        left = self._size - self._file.tell()
        if size > left:
            raise ModelError(
                f"{self._path}: ends within the weights of {layer}, {size - left} bytes early; it is not complete, or "
                "its .param is of another model"
            )
        return self._file.read(size)
