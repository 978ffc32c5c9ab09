"""Files of a run: replaced whole, or a sentence about why not."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from datasets.errors import UserError
from datasets.storage import atomic


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """As `datasets.storage.atomic.replace_file`, for files whose failure ends what is being done.

    Raises:
        UserError: The disk is full, or the folder cannot be written to.
    """
    try:
        with atomic.replace_file(path) as partial:
            yield partial
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors do not say OSError
        reason = (isinstance(error, OSError) and error.strerror) or "the disk is full, or gave way"
        raise UserError(f"{path}: cannot be written: {reason}; what was there is unchanged") from error


def write_text(path: Path, text: str) -> None:
    """Replace a text file."""
    with replace_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def file_digest(path: Path) -> str:
    """A fingerprint of a file's bytes."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is a folder, a device or a pipe, and a file was expected")  # a pipe would block
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def domain_folder(names: Sequence[str], index: int) -> Path:
    """The folder of one of several names; what the name of a folder cannot hold becomes a dash."""
    if not names:
        return Path()
    held = ["".join("-" if c in '/\\:*?"<>|' or ord(c) < 32 else c for c in name).strip(" .") for name in names]
    name, lowered = held[index], [name.lower() for name in held]
    return Path(name if name and lowered.count(name.lower()) == 1 else f"{index} {name}".strip())
