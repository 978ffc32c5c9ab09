"""Files of a run: replaced whole or not at all, with one sentence about the reason."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError

from datasets.errors import UserError
from datasets.storage import atomic
from datasets.storage.names import FORBIDDEN, find_windows_problem, fold_name


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which replaces `path` when the block ends; for files without which a run cannot go on.

    Raises:
        UserError: The disk is full, or the folder cannot be written to.
    """
    try:
        with atomic.replace_file(path) as partial:
            yield partial
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors raise no OSError
        reason = (isinstance(error, OSError) and error.strerror) or "the disk is full or failed"
        raise UserError(f"{path}: cannot be written: {reason}; an earlier version is unchanged") from error


def write_text(path: Path, text: str) -> None:
    """Replace a text file.

    Raises:
        UserError: The disk is full, or the folder cannot be written to.
    """
    with replace_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def check_writable(folder: Path) -> None:
    """Check that files can be written to a folder, or that it can be created.

    Raises:
        UserError: They cannot.
    """
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):  # what rights say is not the whole truth, as on a read-only disk
            pass
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to: {error.strerror or error}; choose another place") from None


def cache_folder() -> Path:
    """Return the user's folder for what can be made again; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or str(Path.home() / ".cache")
    return Path(base) / "translate"


def file_digest(path: Path) -> str:
    """Return a fingerprint of a file's bytes: the first 16 digits of `file_sha256`.

    Raises:
        UserError: The path is a folder, a device or a pipe; reading a pipe would block.
        OSError: The file cannot be read.
    """
    return file_sha256(path)[:16]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes: 64 hexadecimal digits.

    Raises:
        UserError: The path is a folder, a device or a pipe; reading a pipe would block.
        OSError: The file cannot be read.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: expected a file, found a folder, a device or a pipe")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse_yaml(text: str | bytes) -> Any:
    """Return the plain data that YAML holds, as `yaml.safe_load` does, but take no key twice.

    Raises:
        DuplicateKeyError: A section has a key twice; the message names the lines.
        yaml.YAMLError: It is not valid.
    """
    return yaml.load(text, _UniqueKeyLoader)


class DuplicateKeyError(yaml.YAMLError):
    """A section has a key twice."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses what YAML forbids and PyYAML accepts: of two values of one key, it would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in lines:
                raise DuplicateKeyError(
                    f"{key.value} is set twice, in lines {lines[key.value]} and {line}; remove one of them"
                )
            lines[key.value] = line
        return super().construct_mapping(node, deep)


def domain_folder(names: Sequence[str], index: int) -> Path:
    """Return the folder for one of several domains: its name, with dashes for what folders' names cannot hold.

    Names that would share a folder, or have none, are numbered.
    """
    if not names:
        return Path()
    folders = ["".join("-" if c in FORBIDDEN or ord(c) < 32 else c for c in name).strip(" .") for name in names]
    folder, folded = folders[index], [fold_name(name) for name in folders]
    plain = folded.count(fold_name(folder)) == 1 and folder and find_windows_problem(Path(folder)) is None
    return Path(folder if plain else f"{index} {folder}".strip())
